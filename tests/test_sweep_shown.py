"""Results print in a few lines that one can read."""

import math

import jax.numpy as jnp
import numpy as np
from sweep_runs import ONE, bowl, small_training

from rmsprop_jax import halving, range_test, sweep, tune


def test_a_table_shows_the_best_first_and_what_diverged_last():
    table = sweep(bowl, {"x": [3e38, 4.0, 2.5]}, devices=ONE)
    assert repr(table) == str(table)
    assert repr(table).splitlines() == [
        "3 points, 3 trials, 1 diverged; lower loss is better",
        "point      x          loss",
        "    2    2.5          0.25",
        "    1      4             4",
        "    0  3e+38  1/1 diverged",
    ]


def test_the_highest_is_first_where_higher_is_better():
    table = sweep(bowl, {"x": [2.0, 4.0, 3.0]}, mode="max", seeds=2, devices=ONE)
    head, _, first, *_ = repr(table).splitlines()
    assert head == "3 points, 6 trials, 0 diverged; higher loss is better"
    assert first.split() == ["1", "4", "4"]


def test_many_points_are_ten_lines_and_how_many_more():
    lines = repr(sweep(bowl, {"x": np.arange(40.0)}, devices=ONE)).splitlines()
    assert len(lines) == 13
    assert lines[-1] == "... 30 more, in .rows and .points()"
    assert len({len(line) for line in lines[1:-1]}) == 1


def test_a_search_by_halving_shows_how_far_each_went():
    space = {"learning_rate": [1e-4, 1e-3, 1e-2], "dialect": ["optax"]}
    table = halving(small_training(steps=9), space, points=3, min_steps=3, devices=ONE)
    _, names, *lines = repr(table).splitlines()
    assert names.split() == ["point", "learning_rate", "dialect", "steps", "loss"]
    assert [line.split()[3] for line in lines] == ["9", "3", "3"]
    best = table.best().hyperparameters["learning_rate"]
    assert float(lines[0].split()[1]) == best


def test_decays_near_one_are_told_apart():
    table = sweep(lambda h, key: h["decay"], {"decay": [0.99999, 0.9999]})  # noqa: ARG005
    assert [line.split()[1] for line in repr(table).splitlines()[2:]] == [
        "0.9999",
        "0.99999",
    ]


def test_a_range_test_shows_what_it_suggests():
    found = range_test(lambda w, x: jnp.sum((w - x) ** 2), 0.0, jnp.ones(8))
    said = f"suggested: low={found.low:.4g}, high={found.high:.4g} (200 steps from"
    assert repr(found) == f"{said} 1e-06 to 1)"
    flat = range_test(lambda w, x: x + 0 * w, 0.0, jnp.ones(8), steps=4)
    assert repr(flat).startswith("the loss fell at no learning rate (4 steps")


def test_what_was_tuned_shows_where_it_came_from():
    found = tune(bowl, {"x": 1.0}, rounds=3, direction="forward")
    value, x = f"{found.value:.4g}", f"{found.hyperparameters['x']:.4g}"
    assert repr(found) == f"{value} at x={x} (3 rounds, from 1)"
    assert not math.isnan(found.value)
