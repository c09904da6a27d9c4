"""Hypergradients are those of finite differences, and `tune` descends on them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import enable_x64
from sweep_runs import bowl, compiling, data, loss, small_training

from rmsprop_jax import hypergradient, training_run, tune
from rmsprop_jax.sweeping.hypergradients import derivative

NUMBERS = {
    "learning_rate": 0.01,
    "decay": 0.9,
    "eps": 1e-4,
    "momentum": 0.8,
    "weight_decay": 0.01,
}


def training(steps, dtype=np.float32):
    """Compared by the loss of a batch that it is not trained on."""
    params, (x, y) = data(dtype=dtype)
    held = jax.tree.map(lambda part: part[0] + 0.1, (x, y))
    return training_run(
        loss, params, (x[1:], y[1:]), steps=steps, validation=lambda p: loss(p, held)
    )


@functools.cache
def exact(dialect, direction):
    """In float64, the value and slopes of a run that √steps does not divide."""
    with enable_x64(True):
        return hypergradient(
            training(23, np.float64),
            {**NUMBERS, "dialect": dialect},
            direction=direction,
        )


@pytest.mark.parametrize(
    ("dialect", "direction"),
    [("optax", "reverse"), ("optax", "forward"), ("torch", "forward")],
)
def test_the_hypergradient_is_that_of_finite_differences(dialect, direction):
    value, slopes = exact(dialect, direction)
    with enable_x64(True):
        run = training(23, np.float64)
        key = jax.random.key(0)
        at = jax.jit(lambda numbers: run({**numbers, "dialect": dialect}, key)["loss"])
        np.testing.assert_allclose(value, at(NUMBERS), rtol=1e-12)
        for name, number in NUMBERS.items():
            h = 1e-5 * number
            ends = [at({**NUMBERS, name: number + d}) for d in (h, -h)]
            difference = (ends[0] - ends[1]) / (2 * h)
            np.testing.assert_allclose(slopes[name], difference, rtol=1e-6)


def test_both_directions_find_the_same():
    (value, slopes), (other, others) = (
        exact("optax", "reverse"),
        exact("optax", "forward"),
    )
    np.testing.assert_allclose(value, other, rtol=1e-12)
    for name, slope in slopes.items():
        np.testing.assert_allclose(others[name], slope, rtol=1e-10)
    assert set(slopes) == set(NUMBERS)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 12])
def test_segments_make_every_step_once(steps):
    """None is left out where segments do not divide them, and none is made twice."""
    run = training_run(
        lambda w, x: jnp.sum(w * x),
        1.0,
        jnp.ones(3),
        steps=steps,
        validation=lambda w: w,
    )
    # Gradients of 1 and no memory: every step is α.
    numbers = {"learning_rate": 0.01, "decay": 0.0, "eps": 0.0}
    value, slopes = hypergradient(run, numbers)
    np.testing.assert_allclose(value, 1 - 0.01 * steps, rtol=1e-5)
    np.testing.assert_allclose(slopes["learning_rate"], -steps, rtol=1e-5)


def memory(function, *arguments):
    compiled = jax.jit(function).lower(*arguments).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_grows_like_the_root_of_the_steps():
    def run(steps):
        return training_run(
            lambda w, x: jnp.sum((w - x) ** 2),
            jnp.ones(100),
            jnp.zeros((4, 100)),
            steps=steps,
        )

    def in_segments(steps):
        rate = {"learning_rate": 0.01}
        function, numbers = derivative(
            run(steps), rate, metric=None, direction="reverse"
        )
        return memory(function, numbers, jnp.uint32(0))

    def whole(rate):
        return run(1024)({"learning_rate": rate}, jax.random.key(0))["loss"]

    few, many = in_segments(64), in_segments(1024)
    # 16 times the steps: 4 times the states that are kept, beside what is constant.
    assert 2 * few < many < 5 * few
    # And had the whole path been kept:
    assert memory(jax.grad(whole), jnp.float32(0.01)) > 10 * many


def test_tune_finds_a_lower_loss_in_one_compilation():
    run = training(40)
    start = {"learning_rate": 1e-3, "decay": 0.9, "momentum": 0.5, "dialect": "torch"}
    with compiling() as compiled:
        found = tune(run, start, rounds=12)
    programs = [name for name in compiled if "value_and_slopes" in name]
    assert len(programs) == 1
    assert len(found.path) == 12
    assert found.value == min(turn["value"] for turn in found.path)
    assert found.value < 0.5 * found.path[0]["value"]
    assert set(found.hyperparameters) == set(start)
    assert found.hyperparameters["dialect"] == "torch"
    for name in ("decay", "momentum"):
        assert all(0 < turn[name] < 1 for turn in found.path)
    alone = jax.jit(lambda h: run({**h, "dialect": "torch"}, jax.random.key(0)))
    numbers = {n: x for n, x in found.hyperparameters.items() if n != "dialect"}
    assert float(alone(numbers)["loss"]) == pytest.approx(found.value, rel=1e-4)


def test_tune_comes_back_from_where_the_loss_is_not_finite():
    """Beyond 1 the metric is infinite, and there is where the slope leads."""

    def run(hyperparameters, key):
        del key
        x = hyperparameters["x"]
        return jnp.where(x > 1, jnp.inf, -x)

    found = tune(run, {"x": 0.9}, rate=0.5, direction="forward")
    assert any(np.isinf(turn["value"]) for turn in found.path)
    assert 0.97 < found.hyperparameters["x"] <= 1


def half_derivable(hyperparameters, key):
    """Lowest at e²; from 1 on its slope is 0 · ∞."""
    del key
    x = hyperparameters["x"]
    return jnp.square(jnp.log(x) - 2) + 0 * jnp.sqrt(jnp.maximum(1 - x, 0.0))


def test_tune_goes_on_where_the_best_has_no_slope():
    found = tune(half_derivable, {"x": 0.5}, rounds=20, direction="forward")
    tried = [turn["x"] for turn in found.path]
    assert max(tried) >= 1  # Lower there, and no way on.
    assert len(set(tried)) == 20
    assert found.hyperparameters["x"] == max(tried)


def test_tune_refuses_a_start_without_a_slope():
    with pytest.raises(ValueError, match=r"a slope of \{'x': nan\}; expected finite"):
        tune(half_derivable, {"x": 2.0}, direction="forward")


def test_a_number_named_as_the_metric_in_the_path_is_refused():
    with pytest.raises(ValueError, match="value: expected another name"):
        tune(bowl, {"value": 1.0}, direction="forward")


def test_any_function_can_be_tuned_forward():
    found = tune(bowl, {"x": 0.5}, rounds=60, direction="forward")
    assert found.hyperparameters["x"] == pytest.approx(2, rel=0.02)


WRONG = {
    "a function, backward": (bowl, {"x": 1.0}, {}, TypeError, "direction='forward'"),
    "no direction": (bowl, {"x": 1.0}, {"direction": "up"}, ValueError, "direction="),
    "no number": (small_training(), {"dialect": "torch"}, {}, ValueError, "learning_r"),
    "nothing": (bowl, {}, {"direction": "forward"}, ValueError, "at least one number"),
    "a bound": (
        small_training(),
        {"learning_rate": 0.1, "decay": 1.0},
        {},
        ValueError,
        r"decay=1.0: .*\[0, 1\)",
    ),
    "an unknown name": (
        small_training(),
        {"learning_rate": 0.1, "beta": 1.0},
        {},
        ValueError,
        "beta: no hyperparameter",
    ),
    "no metric": (
        small_training(),
        {"learning_rate": 0.1},
        {"metric": "curve"},
        ValueError,
        "metric='curve'",
    ),
}


@pytest.mark.parametrize("call", [hypergradient, tune])
@pytest.mark.parametrize(
    ("run", "numbers", "options", "error", "said"), WRONG.values(), ids=WRONG
)
def test_what_is_wrong_is_named(call, run, numbers, options, error, said):
    with pytest.raises(error, match=said):
        call(run, numbers, **options)


@pytest.mark.parametrize(
    ("start", "options", "said"),
    [
        ({"x": 0.0}, {}, "x=0.0: expected a number > 0"),
        ({"x": 1.0}, {"rounds": 0}, "rounds=0"),
        ({"x": 1.0}, {"rate": 0}, "rate=0"),
        ({"x": 1e30}, {}, "its metric is inf"),
    ],
)
def test_tune_names_what_it_cannot_start_from(start, options, said):
    with pytest.raises(ValueError, match=said):
        tune(bowl, start, direction="forward", **options)
