"""Halving: who goes on, that going on is exact, and that nothing is done twice."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import (
    CALL,
    HALVED,
    ONE,
    bowl,
    compiling,
    same,
    search,
    small_training,
    whole,
)

from rmsprop_jax import halving, sweep
from rmsprop_jax.sweeping.brackets import hyperband, successive_halving
from rmsprop_jax.sweeping.training import TrainingRun


def test_every_rung_keeps_the_best_third():
    table, rungs = whole()
    assert [len(rows) for rows in rungs] == [9, 3, 1]
    assert [{row["steps"] for row in rows} for rows in rungs] == [{3}, {9}, {27}]
    for rows, kept in itertools.pairwise(rungs):
        order = sorted(rows, key=lambda row: row["loss"])
        best = {row["trial"] for row in order[: len(kept)]}
        assert {row["trial"] for row in kept} == best
    assert sorted(row["steps"] for row in table.rows) == [3] * 6 + [9] * 2 + [27]
    for row, curves in zip(table.rows, table.curves, strict=True):
        last = curves["curve"][-10:]
        assert row["loss"] == pytest.approx(float(last.mean()), rel=1e-6)
    assert table.best().steps == 27
    assert table.best().trials == [rungs[-1][0]["trial"]]


def test_a_curve_is_that_of_a_run_that_was_never_stopped():
    table, _ = whole()
    full = halving(
        small_training(steps=27), HALVED, **CALL | {"min_steps": 27, "max_steps": 27}
    )
    one_call = sweep(small_training(steps=27), HALVED, points=9, batch_size=1)
    unbroken = sweep(in_stretches(3, 9), HALVED, points=9, batch_size=1)
    for i, row in enumerate(table.rows):
        curve = table.curves[i]["curve"]
        assert len(curve) == row["steps"]
        for other in (unbroken, one_call, full):
            theirs = other.curves[i]["curve"][: row["steps"]]
            np.testing.assert_array_equal(curve, theirs)


def in_stretches(unit, count):
    """The training as one function, without a stop, in stretches of `unit` steps."""
    parts = small_training(steps=unit * count)

    def run(h, key):
        carry, curves = parts.init(h, key), []
        for i in range(count):
            carry, metrics = parts.advance(h, carry, unit * i, unit)
            curves.append(metrics["curve"])
        return {**metrics, "curve": jnp.concatenate(curves)}

    return run


def test_two_programs_are_compiled_however_many_rungs():
    with compiling() as compiled:
        search(min_steps=1)
    assert len(compiled) == 2


def test_a_repeat_is_the_same_and_another_seed_is_another_search():
    same(search(), whole()[0])
    assert search(seed=1).rows != whole()[0].rows


@pytest.mark.parametrize("options", [{"batch_size": 4}, {"devices": None}])
def test_it_is_the_same_side_by_side_and_on_all_devices(options):
    table = search(**options)
    for one, other in zip(table.curves, whole()[0].curves, strict=True):
        np.testing.assert_allclose(one["curve"], other["curve"], rtol=1e-5)


def test_hyperband_has_a_bracket_for_every_rung():
    table = search(points=None, min_steps=3, seeds=2)
    counts = [0, 0, 0]
    for row in table.rows:
        counts[row["bracket"]] += 1
    assert counts == [2 * 9, 2 * 5, 2 * 3]
    assert {row["steps"] for row in table.rows if row["bracket"] == 2} == {27}
    for point in table.points():
        assert len({table.rows[i]["steps"] for i in point.trials}) == 1


def test_schedules_are_those_of_the_paper():
    """Li et al. (2018), table 1: R = 81, η = 3."""
    brackets = hyperband(min_steps=1, max_steps=81, factor=3)
    assert [b.counts for b in brackets] == [
        (81, 27, 9, 3, 1),
        (34, 11, 3, 1),
        (15, 5, 1),
        (8, 2),
        (5,),
    ]
    assert [b.steps[0] for b in brackets] == [1, 3, 9, 27, 81]
    one = successive_halving(8, min_steps=5, max_steps=20, factor=2)
    assert one[0].counts == (8, 4, 2)
    assert one[0].steps == (5, 10, 20)


def test_what_diverged_does_not_go_on():
    space = {"learning_rate": [1e30, 1e-2, 1e31, 1e32]}
    table = halving(small_training(), space, points=4, min_steps=2, max_steps=8,
                    factor=2, devices=ONE)  # fmt: skip
    assert [row["diverged"] for row in table.rows] == [True, False, True, True]
    assert [row["steps"] for row in table.rows] == [2, 8, 2, 2]


def test_if_all_diverge_the_search_ends_and_the_best_is_an_error():
    space = {"learning_rate": [1e30, 1e31]}
    table = halving(small_training(), space, points=2, min_steps=2, max_steps=8,
                    factor=2, devices=ONE)  # fmt: skip
    assert [row["steps"] for row in table.rows] == [2, 2]
    with pytest.raises(ValueError, match="Try smaller learning rates"):
        table.best()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_steps": 4}, "max_steps=27: .* such as 12 or 36"),
        ({"min_steps": 0}, "min_steps=0"),
        ({"factor": 1}, "factor=1: expected a whole number >= 2"),
        ({"points": 0}, "points=0"),
        ({"batch_size": 10}, "batch_size=10: .* 1 to 9"),
    ],
)
def test_what_does_not_fit_is_named_before_anything_is_compiled(options, said):
    with compiling() as compiled, pytest.raises(ValueError, match=said):
        search(**options)
    assert compiled == []


def test_lists_that_are_too_few_for_hyperband_have_a_way_out():
    call = {"min_steps": 4, "factor": 2, "devices": ONE}
    space = {"learning_rate": [1e-3, 1e-2]}
    with pytest.raises(
        ValueError, match=r"points=4: .* at most 2, .* Pass points=2, or"
    ):
        halving(small_training(), space, **call)
    assert len(halving(small_training(), space, **call, points=2)) == 2


def test_a_run_that_cannot_be_continued_is_named():
    with pytest.raises(TypeError, match="sweep takes any function"):
        halving(bowl, {"x": [1.0]}, min_steps=1)


def test_a_carry_that_changes_is_named():
    run = TrainingRun(
        lambda h, key: {"x": h["x"], "key": key},
        lambda h, carry, start, steps: ({"x": start, "y": h}, carry["x"] + steps),
        4,
    )
    with pytest.raises(TypeError, match=r"a carry with .*'y'.*expected that of init"):
        halving(run, {"x": [1.0]}, points=1, min_steps=4)
