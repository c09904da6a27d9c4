"""Each benchmark runs, in its smallest size."""

import contextlib
import io
import json

import pytest

from benchmarks import dialects


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """What the smoke run exits with, prints and writes."""
    out = tmp_path_factory.mktemp("results") / "new" / "dialects.jsonl"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = dialects.main(["--smoke", "--out", str(out)])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return status, printed.getvalue().splitlines(), rows


def test_dialects_are_within_a_tolerance_and_wrong_rules_beyond_ten(smoke):
    status, _, rows = smoke
    assert status == 0
    assert {row["dialect"] for row in rows} == {"chainer", "hinton"}
    assert all(row["tolerances"] <= 1 for row in rows)
    assert all(row["nearest_wrong_tolerances"] >= 10 for row in rows)


def test_a_line_of_results_says_where_it_comes_from(smoke):
    _, _, rows = smoke
    said = {"question", "versions", "date", "commit", "jax", "device", "how"}
    assert all(said <= row.keys() for row in rows)
    assert {row["how"] for row in rows} == {"recorded", "transcribed"}


def test_the_table_has_a_line_per_dialect_and_variant(smoke):
    _, printed, rows = smoke
    lines = [line for line in printed if line.startswith("|")]
    assert len(lines) - 2 == len({(row["dialect"], row["variant"]) for row in rows})
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


@pytest.mark.parametrize(
    ("value", "wrong", "said"),
    [
        ("tolerances", 1.5, "farthest: 1.5 tolerances"),
        ("nearest_wrong_tolerances", 9.5, "nearest wrong rule: 9.5"),
    ],
)
def test_a_dialect_that_strays_fails_the_run(
    smoke, tmp_path, capsys, value, wrong, said
):
    _, _, rows = smoke
    out = tmp_path / "results.jsonl"
    out.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    line = ["--table", "--out", str(out)]
    assert dialects.main(line) == 0
    with out.open("a") as file:
        file.write(json.dumps(rows[0] | {value: wrong}) + "\n")
    assert dialects.main(line) == 1
    assert said in capsys.readouterr().out
