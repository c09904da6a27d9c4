"""What `sweep` and the like cannot take is named, with a way out, at once."""

import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import ONE, bowl, compiling, small_training

from rmsprop_jax import (
    halving,
    hypergradient,
    log_uniform,
    range_test,
    sweep,
    training_run,
    tune,
    uniform,
)

ONES = np.ones(8, np.float32)


def square(w, x):
    return jnp.sum((w - x) ** 2)


def swept(**options):
    return sweep(bowl, {"x": [0.0, 1.0]} | options.pop("space", {}), **options)


def ranged(loss=square, **options):
    return range_test(loss, 0.0, ONES, **options)


def halved(**options):
    space = {"learning_rate": [1e-3, 1e-2]}
    call = {"min_steps": 4, "points": 2, "factor": 2, "devices": ONE}
    return halving(small_training(), space, **call | options)


def tuned(**options):
    return tune(bowl, {"x": 1.0}, direction="forward", **{"rounds": 2} | options)


def derived(hyperparameters, run=bowl, **options):
    return hypergradient(run, hyperparameters, direction="forward", **options)


def unread(hyperparameters, key):
    del key
    return hyperparameters["x"] ** 2


BEYOND = 2**32
REFUSED = {
    "seed=-1": (ValueError, lambda: swept(seed=-1)),
    "seed=None": (TypeError, lambda: swept(seed=None)),
    "seed='a'": (TypeError, lambda: halved(seed="a")),
    "seed=1.5": (TypeError, lambda: ranged(seed=1.5)),
    "seed=-2": (ValueError, lambda: tuned(seed=-2)),
    "seed=True": (TypeError, lambda: tuned(seed=True)),
    "seed=4294967296": (ValueError, lambda: derived({"x": 1.0}, seed=BEYOND)),
    "devices=1: expected a list": (TypeError, lambda: swept(devices=1)),
    "devices='cpu'": (TypeError, lambda: halved(devices="cpu")),
    r"devices=\[0\]": (TypeError, lambda: swept(devices=[0])),
    "each once": (ValueError, lambda: swept(devices=2 * ONE, batch_size=1)),
    "x=<list_iterator": (TypeError, lambda: swept(space={"x": iter([1.0, 2.0])})),
    "x={1.0}: expected a list": (TypeError, lambda: swept(space={"x": {1.0}})),
    "x={1.0: 2.0}": (TypeError, lambda: swept(space={"x": {1.0: 2.0}})),
    "x=1e-50: it is 0 in": (ValueError, lambda: swept(space={"x": [1e-50]})),
    r"x=1e\+39: it is infinite": (ValueError, lambda: swept(space={"x": 1e39})),
    "static=3": (TypeError, lambda: swept(static=3)),
    "report=3": (TypeError, lambda: swept(report=3)),
    "report=4": (TypeError, lambda: halved(report=4)),
    "folder=3": (TypeError, lambda: swept(folder=3)),
    "folder=.*there is a file": (ValueError, lambda: swept(folder=__file__)),
    "folder=.*in its place": (ValueError, lambda: halved(folder=f"{__file__}/in")),
    "min_steps=4.0": (TypeError, lambda: halved(min_steps=4.0)),
    "factor=True": (TypeError, lambda: halved(factor=True)),
    "points='all'": (TypeError, lambda: halved(points="all")),
    "rounds=2.0": (TypeError, lambda: tuned(rounds=2.0)),
    "rate='a': expected a number": (ValueError, lambda: tuned(rate="a")),
    "low='a'": (ValueError, lambda: ranged(low="a")),
    "high=None": (ValueError, lambda: ranged(high=None)),
    "low=1e-50: it is 0 in float32; the smallest above is 1.2e-38": (
        ValueError,
        lambda: ranged(low=1e-50),
    ),
    r"high=1e\+39: it is infinite": (ValueError, lambda: ranged(high=1e39)),
    "smoothing='a'": (ValueError, lambda: ranged(smoothing="a")),
    "make=None": (TypeError, lambda: ranged(make=None)),
    "loss=None": (TypeError, lambda: ranged(loss=None)),
    "make returned None": (TypeError, lambda: ranged(make=lambda **_: None)),
    "validation=3": (
        TypeError,
        lambda: training_run(square, 0.0, ONES, validation=3),
    ),
    "steps=None: expected how many": (
        ValueError,
        lambda: training_run(square, 0.0, lambda step, key: (step, key)),
    ),
    r"x: the run reads hyperparameters\['x'\], and is given y": (
        ValueError,
        lambda: derived({"y": 1.0}),
    ),
    "y: the run does not read": (
        ValueError,
        lambda: derived({"x": 1.0, "y": 1.0}, unread),
    ),
    r"x=\[1.0\]: expected one value": (TypeError, lambda: derived({"x": [1.0]})),
    "x=Range": (TypeError, lambda: derived({"x": uniform(0, 1)})),
}


@pytest.mark.parametrize("said", REFUSED)
def test_it_is_named_before_anything_is_compiled(said):
    error, call = REFUSED[said]
    with compiling() as compiled, pytest.raises(error, match=said):
        call()
    # A number's way to the device is compiled too.
    assert set(compiled) <= {"jit(convert_element_type)"}


def test_a_transformation_is_what_make_returns():
    run = training_run(square, 0.0, ONES, make=lambda learning_rate: None)  # noqa: ARG005
    with pytest.raises(TypeError, match="make returned None"):
        sweep(run, {"learning_rate": [0.1]})


@pytest.mark.parametrize(
    "kind", [np.int64, np.uint8, jnp.int32], ids=lambda k: k.__name__
)
def test_whole_numbers_of_any_kind_are_taken(kind):
    assert training_run(square, 0.0, ONES, steps=kind(5)).steps == 5
    assert len(tuned(rounds=kind(2)).path) == 2
    assert len(ranged(steps=kind(6), seed=kind(1)).losses) == 6
    rows = halved(min_steps=kind(2), max_steps=kind(8), factor=kind(2)).rows
    assert sorted(row["steps"] for row in rows) == [2, 8]


def test_a_range_of_python_is_a_list():
    assert [row["x"] for row in swept(space={"x": range(3)}).rows] == [0, 1, 2]


def test_the_smallest_number_that_is_taken_is_not_0():
    smallest = float(jnp.finfo(jnp.float32).tiny)
    table = sweep(lambda h, key: h["x"] / smallest, {"x": [0.0, smallest]})  # noqa: ARG005
    assert [row["loss"] for row in table.rows] == [0.0, 1.0]
    space = {"learning_rate": log_uniform(1e-45, 1.0)}
    with pytest.raises(ValueError, match="learning_rate=1e-45: it is 0 in float32"):
        sweep(small_training(), space, points=2)
