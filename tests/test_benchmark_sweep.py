"""The benchmark of sweeps: what it tries, counts, scales and leaves out."""

import json
from dataclasses import replace

import numpy as np
import pytest

import rmsprop_jax as rj
from benchmarks import measure, mnist, sweep
from benchmarks.peers.protocol import Assignment
from benchmarks.peers.sweep_table import EXPECTED, table

ASSIGNMENT = Assignment(
    began=0.0, task="digits", model="mlp", data="d", start="s", steps=3, epochs=1,
    batch_size=32, seed=5, mean=0.3, deviation=0.4,
)  # fmt: skip
SPACE = sweep.space_of(8)


def said(losses, **more):
    """What a side prints."""
    return {
        "losses": losses,
        "ran": len(losses),
        "marks": {"ready": 2.0, "ended": 6.0},
        "process_seconds": 7.0,
        "others_cores": 0.0,
        **more,
    }


def row(side, seconds, **more):
    return {
        "side": side,
        "label": side,
        "seconds": seconds,
        "ran": 32,
        "configurations": 32,
        "cores": 2,
        "cpu": "a CPU",
        "commit": "c",
        "date": "2026",
        "others_cores": 0.0,
        "left_out": [],
        **more,
    }


def test_the_configurations_are_in_the_order_of_the_sweep():
    def added(hyperparameters, key):
        del key
        return sum(hyperparameters.values())

    table = rj.sweep(added, sweep.space_of(32))
    tried = [{name: row[name] for name in table.names} for row in table.rows]
    assert tried == sweep.combined(sweep.space_of(32))
    assert len(tried) == 32


def test_every_value_of_every_hyperparameter_is_compared():
    space = sweep.space_of(32)
    some = sweep.combined(space)[:: sweep.COMPARED]
    for name, values in space.items():
        assert {configuration[name] for configuration in some} == set(values)


@pytest.mark.parametrize("count", [0, 4, 12])
def test_configurations_that_are_no_grid_are_refused(count):
    with pytest.raises(ValueError, match="expected a multiple of 8"):
        sweep.space_of(count)


@pytest.mark.parametrize("ran", [2, 8])
def test_only_the_trials_are_scaled_not_what_is_around_them(monkeypatch, ran):
    monkeypatch.setattr(measure, "run", lambda *_: said([1.0] * ran))
    seen = sweep.measured("slices", sweep.SIDES["slices"], ASSIGNMENT, SPACE, ran)
    # 3 s around, 4 s for `ran` of 8.
    assert seen["seconds"] == 3 + 4 * 8 / ran
    assert (seen["ran"], seen["configurations"]) == (ran, 8)


def test_the_sides_are_told_the_first_configurations_and_the_sweep_all(monkeypatch):
    told = {}

    def run(side, assignment):
        del assignment
        told[side.label] = side.options
        return said([1.0])

    monkeypatch.setattr(measure, "run", run)
    for name in ("sweep", "loader"):
        sweep.measured(name, sweep.SIDES[name], ASSIGNMENT, SPACE, 2)
    ours, theirs = told.values()
    assert ours["space"] == SPACE
    assert theirs["configurations"] == sweep.combined(SPACE)[:2]
    assert theirs["batches"] == "loader"


@pytest.mark.parametrize("wrong", [1e-2, np.nan])
def test_sides_that_do_not_agree_are_not_timed(monkeypatch, wrong, capsys, tmp_path):
    def run(side, assignment):
        del assignment
        if side.module == "by_sweep":
            return said([1.0] * 8)
        return said([1.0, 1.0 + wrong])

    monkeypatch.setattr(measure, "run", run)
    monkeypatch.setattr(mnist, "prepared", lambda *_: replace(ASSIGNMENT, epochs=6))
    out = tmp_path / "out.jsonl"
    line = ["--smoke", "--out", str(out), "--sides", "sweep", "closures"]
    assert sweep.main(line) == 1
    assert "expected 0.001 at most" in capsys.readouterr().out
    assert not out.exists()


def test_a_side_that_is_not_installed_is_left_out_with_the_reason(monkeypatch):
    side = sweep.SIDES["loader"]._replace(needs=("no_such_package",))
    monkeypatch.setitem(sweep.SIDES, "loader", side)
    sides, lines = sweep.chosen(["sweep", "loader"])
    assert list(sides) == ["sweep"]
    assert lines == [f"{side.label}: skipped, no_such_package not installed"]


def test_the_command_names_every_number():
    line = sweep.command(ASSIGNMENT, {"learning_rate": 0.1, "eps": 1e-3}, "a-folder")
    for flag, value in (
        ("--learning-rate", "0.1"),
        ("--eps", "0.001"),
        ("--batch-size", "32"),
        ("--epochs", "1"),
        ("--schedule", "constant"),
        ("--dialect", "torch"),
    ):
        assert line[line.index(flag) + 1] == value
    assert "--data-dir" not in line
    assert "--data-dir" in sweep.command(replace(ASSIGNMENT, task="mnist"), {}, "x")


def test_the_table_has_the_ratio_and_says_what_was_scaled():
    rows = [row("sweep", 10.0), row("slices", 25.0, ran=4)]
    text = table(rows)
    assert (
        "| slices | 1 | 4 of 32, scaled | 25.0 (25.0 to 25.0) | 2.5 | ≥ 1.5 |" in text
    )
    assert "| sweep | 1 | 32 of 32 | 10.0 (10.0 to 10.0) |  |  |" in text
    assert "NOT A QUIET MACHINE" not in text


def test_the_table_is_of_the_latest_run_and_says_what_disturbed_or_lacked():
    rows = [
        row("sweep", 1.0, date="2025"),
        row("sweep", 10.0, others_cores=0.5, left_out=["Optuna: skipped"]),
    ]
    text = table(rows)
    assert "1.0 (1.0" not in text
    assert "NOT A QUIET MACHINE" in text
    assert "Optuna: skipped" in text
    assert set(EXPECTED) <= set(sweep.SIDES)


def test_more_than_there_are_cannot_run(capsys):
    with pytest.raises(SystemExit):
        sweep.main(["--ran", "33"])
    assert "--ran 33: expected 1 to 32" in capsys.readouterr().err


@pytest.mark.slow
def test_the_smallest_size_runs_and_agrees(tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    line = ["--smoke", "--out", str(out), "--sides", "sweep", "closures", "command"]
    assert sweep.main(line) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["ran"] for row in rows] == [8, 1, 1]
    losses = [row["losses"][0] for row in rows[:2]]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    assert all(row["losses_agree_to"] < 1e-3 for row in rows)
    assert "| rmsprop_jax.sweep | 1 | 8 of 8 |" in capsys.readouterr().out
