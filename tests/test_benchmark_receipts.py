"""What all benchmarks share: how they are asked, and how their receipts are kept."""

import doctest
import importlib
from pathlib import Path

import pytest

from benchmarks import __main__ as overview
from benchmarks import accuracy, eight_bits, kills, measure, receipts

QUESTIONS = dict(overview.questions())
FOLDER = measure.ROOT / "benchmarks"
WITH_DOCTESTS = [
    ".".join(file.relative_to(measure.ROOT).with_suffix("").parts)
    for file in sorted(FOLDER.rglob("*.py"))
    if ">>>" in file.read_text()
]


def asked(module):
    """The module that holds the command; of a folder, its `__main__`."""
    found = importlib.import_module(module)
    main = hasattr(found, "__path__")
    return importlib.import_module(f"{module}.__main__") if main else found


@pytest.mark.parametrize("module", QUESTIONS)
def test_every_benchmark_can_be_asked_the_same(module):
    args = asked(module).arguments(["--smoke", "--table", "--out", "x.jsonl"])
    assert args.smoke
    assert args.table
    assert args.out.name == "x.jsonl"
    kept = asked(module).RESULTS
    assert kept == receipts.file_of(module.rpartition(".")[2])


def test_every_receipt_has_its_question():
    files = {f"benchmarks.{x.stem}" for x in receipts.FOLDER.glob("*.jsonl")}
    assert files <= QUESTIONS.keys()


def test_the_overview_names_each_question_and_its_command(capsys):
    overview.main()
    said = capsys.readouterr().out
    for module, question in QUESTIONS.items():
        assert f"{question}\n    python -m {module}\n" in said
    assert "python -m benchmarks.report [--check]" in said


@pytest.mark.parametrize("module", WITH_DOCTESTS)
def test_an_example_in_a_docstring_is_true(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert not failed


def test_rows_are_added_and_what_a_killed_process_left_is_skipped(tmp_path):
    file = tmp_path / "new" / "x.jsonl"
    assert receipts.read(file) == []
    receipts.append(file, {"a": 1}, {"a": 2})
    before = file.read_text()
    with file.open("a") as opened:
        opened.write('{"a": 3, "b')
    assert receipts.read(file) == [{"a": 1}, {"a": 2}]
    receipts.append(file, {"a": 4})
    assert receipts.read(file) == [{"a": 1}, {"a": 2}, {"a": 4}]
    assert file.read_text().startswith(before)
    receipts.append(None, {"a": 5})


def row(date, side, others=0.0, **more):
    common = {"question": "?", "date": date, "side": side, "others_cores": others}
    return common | more


def test_the_newest_run_that_counts_is_whole_and_was_alone():
    whole = [row("2", "a"), row("2", "b")]
    busy = [row("4", "a"), row("4", "b", others=2 * receipts.QUIET)]
    every = [*whole, row("1", "a"), row("1", "b"), row("3", "a"), *busy]
    assert receipts.newest(every, sides=("a", "b")) == {"?": whole}
    assert receipts.newest(every, sides=("a",)) == {"?": [row("3", "a")]}
    assert receipts.newest(busy) == {}
    assert receipts.latest(every) == busy


def test_each_value_has_its_own_newest_run():
    one, other = row("1", "a", tree="x"), row("2", "a", tree="y")
    assert receipts.newest([other, one], "tree") == {"x": [one], "y": [other]}


def test_of_what_was_measured_again_the_last_counts():
    one, other, again = ({"x": x, "y": y} for x, y in ((1, 1), (2, 2), (1, 3)))
    assert receipts.last_of_each([one, other, again], "x") == [again, other]


def test_receipts_of_smoke_runs_are_left_out():
    rows = [{"smoke": True}, {"smoke": False}, {}]
    assert receipts.full(rows) == rows[1:]


@pytest.mark.parametrize(
    ("line", "kept"),
    [([], "usual"), (["--smoke"], None), (["--smoke", "--out", "there"], "there")],
)
def test_a_smoke_run_leaves_no_receipt_unless_it_is_told_where(line, kept):
    args = receipts.arguments("?", "small").parse_args(line)
    assert receipts.kept_in(args, Path("usual")) == (kept and Path(kept))


@pytest.fixture
def main(monkeypatch, tmp_path, capsys):
    """Runs a benchmark with its usual receipts elsewhere; rows and what it printed."""

    def run(module, *line):
        usual, out = tmp_path / "usual.jsonl", tmp_path / "out.jsonl"
        monkeypatch.setattr(module, "RESULTS", usual)
        module.main([*line, "--out", str(out)])
        rows, printed = receipts.read(out), capsys.readouterr().out
        module.main([*line, "--table", "--out", str(out)])
        assert printed.endswith(capsys.readouterr().out)
        assert not usual.exists()
        return rows, printed

    return run


SAID = {"question", "smoke", "date", "commit", "versions", "cpu", "cores"}


def test_eight_bits_are_near_and_the_larger_the_decay_the_less(main):
    rows, printed = main(eight_bits, "--smoke")
    assert [row["decay"] for row in rows] == list(eight_bits.DECAYS)
    apart = [row["relative_difference"] for row in rows]
    assert 0.005 < apart[0] < apart[1] < apart[2] < 0.1
    assert all(1 < row["most_times_as_large"] < 2 for row in rows)
    assert all(row.keys() >= SAID for row in rows)
    assert printed.count("|") == 4 * (2 + len(rows))


def test_kills_are_recorded_with_where_and_when(main, monkeypatch):
    def measured(count, seed, folder, epochs):
        assert folder.is_dir()
        assert epochs == 12
        return {"kills": count, "runs": seed, "different": 0}

    monkeypatch.setattr(kills, "measure", measured)
    (row,), printed = main(kills, "--kills", "4", "--seed", "3")
    assert (row["kills"], row["runs"], row["seed"]) == (4, 3, 3)
    assert row.keys() >= SAID
    assert "| 4 | 3 | 0 |" in printed


def test_accuracies_are_means_over_the_latest_run_of_each_seed(main, monkeypatch):
    reached = iter([0.5, 0.9, 0.7])

    def measured(task, model, seed):
        common = {"task": task, "model": model, "seed": seed}
        return common | {"test/accuracy": next(reached), "epochs": 2, "seconds": 1.0}

    monkeypatch.setattr(accuracy, "measure", measured)
    line = ["--models", "mlp", "--seeds", "2"]
    rows, printed = main(accuracy, *line)
    assert all(row.keys() >= SAID for row in rows)
    assert "| mnist | mlp | 2 | 2 | 70.00 ± 20.00 | 1 |" in printed
    again = [*rows, rows[0] | {"test/accuracy": 0.8}]
    assert accuracy.reached(again)["mnist", "mlp"].mean == pytest.approx(85)


@pytest.mark.slow
def test_the_smallest_accuracy_is_measured(main):
    (row,), _ = main(accuracy, "--smoke")
    assert row["test/accuracy"] > 0.3
    assert row["smoke"]
