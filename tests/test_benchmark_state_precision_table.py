"""The table of what the state's precision costs: pairs of one configuration."""

import math

import pytest

from benchmarks.precision.table import configuration, differences, interval, table


def row(side, seed, loss, task="mlp", decay=0.9):
    return {
        "task": task, "decay": decay, "momentum": False, "centered": False,
        "learning_rate": 1e-3, "side": side, "seed": seed, "loss": loss,
        "of": "images", "steps": 9, "commit": "abc",
    }  # fmt: skip


def line_of(rows, cell):
    return next(line for line in table(rows).splitlines() if cell in line)


def test_the_interval_of_one_to_five_is_as_worked_by_hand():
    # s = √2.5, t₀.₉₇₅(4) = 2.776445, 2.776445 √2.5 / √5 = 1.963243
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert math.isclose(found.reach, 1.963243, rel_tol=1e-6)
    assert not found.holds_zero
    assert interval([-1.0, 1.0]).holds_zero


def test_a_single_difference_proves_nothing():
    assert interval([7.0]).holds_zero


def test_differences_are_taken_seed_by_seed():
    assert differences({2: 5.0, 1: 1.5, 3: 9.0}, {1: 1.0, 2: 2.0}) == {2: 3.0, 1: 0.5}


def test_pairs_show_what_the_spread_of_seeds_would_hide():
    losses = {0: 1.0, 1: 5.0, 2: 3.0}
    rows = [row("float32", seed, loss) for seed, loss in losses.items()]
    rows += [row("int8", s, losses[s] + x) for s, x in ((2, 0.1), (0, 0.09), (1, 0.11))]
    assert "| **+0.1000 ± 0.0248** |" in line_of(rows, "ρ = 0.9")


def test_of_a_repeated_training_the_latest_counts():
    rows = [row("float32", seed, 1.0) for seed in (0, 1)]
    rows += [row("int8", seed, loss) for loss in (9.0, 1.0) for seed in (0, 1)]
    assert "| +0.0000 ± 0.0000 |" in line_of(rows, "ρ = 0.9")


@pytest.mark.parametrize(
    "other", [{"commit": "0ther"}, {"learning_rate": 0.5}, {"steps": 7}], ids=str
)
def test_only_trainings_of_one_configuration_are_compared(other):
    before = [row("float32", seed, 1.0) | other for seed in (0, 1)]
    after = [row(side, s, 2.0) for side in ("int8", "float32") for s in (0, 1)]
    assert "| 2.0000 | +0.0000 ± 0.0000 |" in line_of(before + after, "ρ = 0.9")
    assert "ρ" not in table(before + after[:2])


def test_the_line_of_a_task_averages_its_cells_in_percent():
    rows = []
    for decay, loss in ((0.9, 2.0), (0.999, 4.0)):
        rows += [row("float32", seed, loss, decay=decay) for seed in (0, 1)]
    rows += [row("int8", 0, 2.02), row("int8", 1, 2.04)]  # 1 %, 2 %
    rows += [row("int8", 0, 4.12, decay=0.999), row("int8", 1, 4.16, decay=0.999)]
    # Seeds' means 2 % and 3 %; t₀.₉₇₅(1) = 12.7062, and s / √2 = 0.5
    assert "| +2.50 ± 6.35 % |" in line_of(rows, "all of them")


def test_a_side_with_fewer_seeds_says_how_many():
    rows = [row("float32", seed, 1.0) for seed in range(3)]
    rows += [row("int8", seed, 1.0) for seed in range(2)]
    assert "| 3 | 1.0000 | +0.0000 ± 0.0000 (n = 2) |" in line_of(rows, "ρ = 0.9")


def test_a_side_that_did_not_run_leaves_its_place_empty():
    rows = [row(side, 0, 1.0) for side in ("float32", "int8")]
    rows.append(row("float32", 0, 1.0, decay=0.999))
    assert line_of(rows, "ρ = 0.999").endswith("|  |")


def test_results_that_are_written_are_no_other_commit():
    one = row("int8", 0, 1.0)
    dirty = one | {"commit": "abc-dirty"}
    assert configuration(one) == configuration(dirty)
