"""The benchmark of speech: its table, and its smallest size where the data are."""

import pytest

from benchmarks import receipts, speech
from benchmarks.reporting import hearing_digits
from rmsprop_jax.train.data import fsdd, places


def row(seed, accuracy, task="spoken-digits", left_out="none", **more):
    return {
        "task": task,
        "model": "lstm",
        "left_out": left_out,
        "seed": seed,
        "tested": 300,
        "test/accuracy": accuracy,
        "smoke": False,
        **more,
    }


ROWS = [
    row(0, 0.5),
    row(0, 0.98),  # The same seed again: the last one counts.
    row(1, 1.0),
    *(row(0, 0.6 + i / 100, left_out=x) for i, x in enumerate(speech.SPEAKERS)),
    row(0, 0.9, "digit-strings", **{"test/error": 0.02}),
]


def test_the_table_has_means_with_their_standard_error():
    lines = speech.table(ROWS).splitlines()
    assert "| spoken-digits | lstm | none | 2 | 300 | 99.00 ± 1.00 | — |" in lines
    assert "| digit-strings | lstm | none | 1 | 300 | 90.0 | 2.0 |" in lines
    assert len(lines) == 2 + 2 + len(speech.SPEAKERS)


def test_the_page_says_what_the_table_has():
    assert hearing_digits.single_digits(ROWS) == "99.00 ± 1.00 % of 300, 2 seeds"


@pytest.mark.slow
def test_the_smallest_size_runs(tmp_path):
    given = places.from_environment()
    if given is None or fsdd.find(given) is None:
        pytest.skip("the recordings of FSDD are not in $RMSPROP_JAX_DATA")
    out = tmp_path / "speech.jsonl"
    speech.main(["--smoke", "--out", str(out)])
    (only,) = receipts.read(out)
    assert only["smoke"]
    assert 0 <= only["test/accuracy"] <= 1
