"""What a space holds, and what is no space."""

import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import bowl, compiling, small_training

from rmsprop_jax import log_uniform, sweep, uniform
from rmsprop_jax.sweeping.space import draw


def drawn(space, points=None, *, seed=0, static=()):
    return draw(space, points, seed=seed, static=static)


def test_lists_are_all_combinations():
    space = {"decay": [0.9, 0.99], "dialect": ("optax", "torch"), "eps": 1e-8}
    points = drawn(space)
    assert [tuple(p.values()) for p in points] == [
        (0.9, "optax", 1e-8),
        (0.9, "torch", 1e-8),
        (0.99, "optax", 1e-8),
        (0.99, "torch", 1e-8),
    ]
    assert all(list(p) == list(space) for p in points)


def test_arrays_are_lists():
    assert drawn({"x": np.geomspace(0.1, 10, 3)}) == [
        {"x": pytest.approx(x)} for x in (0.1, 1, 10)
    ]


def test_fewer_points_than_combinations_are_different_ones():
    space = {"x": list(range(10)), "y": list(range(10))}
    some = [tuple(p.values()) for p in drawn(space, 30)]
    assert len(set(some)) == 30
    assert some == [tuple(p.values()) for p in drawn(space, 30)]
    assert some != [tuple(p.values()) for p in drawn(space, 30, seed=1)]


def test_random_points_are_even_in_every_range_and_list():
    space = {
        "learning_rate": log_uniform(1e-4, 1.0),
        "decay": log_uniform(0.9, 0.9999, below=1),
        "momentum": uniform(0.0, 0.8),
        "dialect": ["optax", "torch"],
    }
    points = drawn(space, 64)
    column = {name: np.array([p[name] for p in points]) for name in space}
    decades = np.floor(np.log10(column["learning_rate"]))
    # An octave of any shifted Sobol sequence is even to a point a cell.
    assert all(15 <= n <= 17 for n in np.unique(decades, return_counts=True)[1])
    nines = np.floor(-np.log10(1 - column["decay"]))
    assert all(20 <= n <= 23 for n in np.unique(nines, return_counts=True)[1])
    assert all(np.histogram(column["momentum"], 8, (0, 0.8))[0] >= 7)
    assert 31 <= sum(column["dialect"] == "torch") <= 33
    assert column["decay"].min() >= 0.9
    assert column["decay"].max() <= 0.9999


def test_more_points_begin_with_those_of_fewer():
    space = {"x": uniform(0, 1), "y": log_uniform(1, 10)}
    assert drawn(space, 32)[:7] == drawn(space, 7)
    assert drawn(space, 7, seed=1) != drawn(space, 7)


RATE = {"learning_rate": [0.1]}
WRONG = {
    "an empty space": ({}, {}, "space={}"),
    "no dict": ([0.1], {}, "expected a dict of name"),
    "nothing to try": ({"learning_rate": []}, {}, r"learning_rate=\[\]: expected at"),
    "no such name": (RATE | {"decoy": [0.9]}, {}, "decoy: no hyperparameter"),
    "a name too few": ({"decay": [0.9]}, {}, "learning_rate: this run needs it"),
    "a list past a bound": (RATE | {"decay": [0.9, 1.0]}, {}, r"decay=1.0: .*\[0, 1\)"),
    "a range past a bound": (
        RATE | {"momentum": uniform(0.5, 1.5)},
        {"points": 4},
        r"momentum=1.5: expected",
    ),
    "a range that rounds to the bound": (
        RATE | {"decay": log_uniform(0.9, 0.999999999, below=1)},
        {"points": 4},
        r"decay=1.0: expected",
    ),
    "a range below 0": (
        {"learning_rate": uniform(-1, 1)},
        {"points": 4},
        "learning_rate=-1.0",
    ),
    "no number": ({"learning_rate": [float("nan")]}, {}, "learning_rate=nan"),
    "how many": ({"learning_rate": uniform(0, 1)}, {}, "points=None: expected how"),
    "too many": (RATE, {"points": 2}, "points=2: expected at most 1"),
    "no points": (RATE, {"points": 0}, "points=0"),
    "no seeds": (RATE, {"seeds": 0}, "seeds=0"),
    "a seed twice": (RATE, {"seeds": [1, 1]}, r"seeds=\[1, 1\]"),
    "a batch beyond the space": (RATE, {"batch_size": 2}, "batch_size=2: .* 1 to 1"),
    "an empty batch": (RATE, {"batch_size": 0}, "batch_size=0"),
    "no metric": (RATE, {"metric": "accuracy"}, "metric='accuracy': .*'loss'"),
    "no array of numbers": (RATE, {"metric": "curve"}, "metric='curve'"),
    "no mode": (RATE, {"mode": "best"}, "mode='best'"),
    "no device": (RATE, {"devices": []}, r"devices=\[\]"),
    "no such static name": (RATE, {"static": ["width"]}, "static='width'"),
    "a static range": (
        RATE | {"eps": uniform(0, 1)},
        {"static": ["eps"], "points": 2},
        "eps=.*expected a list",
    ),
    "a name of the table's": (RATE | {"seed": [1]}, {}, "seed: expected another name"),
    "an unknown dialect": (RATE | {"dialect": ["pytorch"]}, {}, "dialect='pytorch'"),
}


@pytest.mark.parametrize(("space", "options", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_before_anything_is_compiled(space, options, said):
    with compiling() as compiled, pytest.raises(ValueError, match=said):
        sweep(small_training(), space, **options)
    assert compiled == []


KINDS = {
    "a batch size of another kind": (RATE, {"batch_size": 1.5}, "batch_size=1.5"),
    "static as a word": (RATE, {"static": "eps"}, r"static='eps'.*\('eps',\)"),
    "a name that is no word": ({1: [0.1]}, {}, r"space\[1\]"),
    "what cannot be grouped": (RATE | {"dialect": [{}]}, {}, "dialect={}.*hashable"),
}


@pytest.mark.parametrize(("space", "options", "said"), KINDS.values(), ids=KINDS)
def test_what_is_of_the_wrong_kind_is_named(space, options, said):
    with compiling() as compiled, pytest.raises(TypeError, match=said):
        sweep(small_training(), space, **options)
    assert compiled == []


RETURNED = {
    "nothing": (lambda h, key: None, "returned a NoneType"),  # noqa: ARG005
    "a tuple": (lambda h, key: (h["x"], key), "returned a tuple"),
    "a tree": (lambda h, key: {"a": {"b": h["x"], "c": key}}, "returned a="),
    "a matrix": (lambda h, key: {"a": h["x"] + jnp.zeros((2, 2)), "b": key}, "Reduce"),
    "a key": (lambda h, key: {"a": key, "b": h["x"]}, "returned a="),
}


@pytest.mark.parametrize(("run", "said"), RETURNED.values(), ids=RETURNED)
def test_a_run_that_returns_the_wrong_tree_is_named(run, said):
    with compiling() as compiled, pytest.raises(TypeError, match=said):
        sweep(run, {"x": [1.0]})
    assert compiled == []


def test_a_metric_cannot_be_called_like_a_hyperparameter():
    def run(hyperparameters, key):
        del key
        return hyperparameters

    with pytest.raises(ValueError, match=r"returned x=.*another name"):
        sweep(run, {"x": [1.0]})


def test_a_name_that_the_run_does_not_read_is_named():
    with pytest.raises(ValueError, match="y: the run does not read"):
        sweep(bowl, {"x": [1.0], "y": [2.0]})


def test_a_name_that_the_run_misses_is_named():
    with pytest.raises(ValueError, match=r"x: the run reads .*is given y"):
        sweep(bowl, {"y": [2.0]})


def test_metrics_are_the_same_for_every_static_choice():
    def run(h, key):
        del key
        return {"a": h["x"]} if h["word"] == "a" else {"b": h["x"]}

    with pytest.raises(ValueError, match=r"\['a'\] for one static choice"):
        sweep(run, {"x": [1.0], "word": ["a", "b"]}, metric="a")


def test_a_run_is_a_function():
    with pytest.raises(TypeError, match="run=3: expected a function"):
        sweep(3, {"x": [1.0]})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: uniform(1, 1), "low < high"),
        (lambda: uniform(0, float("inf")), "finite"),
        (lambda: log_uniform(0, 1), "0 has no decade"),
        (lambda: log_uniform(0.9, 1, below=1), "low < high < below"),
    ],
)
def test_ends_out_of_order_are_no_range(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_words_are_no_ends_of_a_range():
    with pytest.raises(TypeError, match="two numbers"):
        uniform("0", 1)
