"""The range test finds the rates at which a loss falls, in one compilation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sweep_runs import compiling, data, loss

from rmsprop_jax import range_test, rmsprop, sweep, training_run


def test_the_rate_of_a_step_is_the_one_that_it_was_made_with():
    """Gradients of 1 and no memory: w has come as far as all rates so far add up to."""
    found = range_test(
        lambda w, x: w * x,
        0.0,
        jnp.ones(3),
        low=1e-3,
        high=1.0,
        steps=31,
        make=lambda learning_rate: rmsprop(learning_rate, decay=0.0, eps=0.0),
    )
    np.testing.assert_allclose(found.learning_rates, np.geomspace(1e-3, 1, 31))
    before = np.concatenate([[0], np.cumsum(found.learning_rates)[:-1]])
    np.testing.assert_allclose(found.losses, -before, rtol=1e-5)


def test_one_program_is_compiled_for_all_rates():
    params, batches = data()
    with compiling() as compiled:
        range_test(loss, params, batches, steps=50)
    assert len([name for name in compiled if "run" in name]) == 1


def test_what_it_suggests_trains_and_what_is_beyond_does_not():
    params, batches = data()
    found = range_test(loss, params, batches, low=1e-5, high=10.0)
    assert 1e-5 < found.low < found.high < 1
    rates = [found.low, float(np.sqrt(found.low * found.high)), 30 * found.high]
    run = training_run(loss, params, batches, steps=100)
    inside_low, inside, beyond = (
        row["loss"] for row in sweep(run, {"learning_rate": rates}).rows
    )
    assert inside < 0.5 * found.losses[0]
    assert inside_low < found.losses[0]
    assert beyond > 2 * inside


def test_the_interval_is_the_rule_by_hand():
    """A loss given by the step: falls from 10 to 0 in equal parts, then is lost."""
    losses = jnp.concatenate([jnp.linspace(10, 0, 21), jnp.array([50.0, 1.0, 0.5])])

    found = range_test(
        lambda w, batch: batch + 0 * w, 1.0, losses, steps=24, low=1e-6, smoothing=0.0
    )
    np.testing.assert_array_equal(found.losses, np.asarray(losses))
    np.testing.assert_allclose(found.smoothed, losses)
    assert found.diverged == 21
    assert found.low == found.learning_rates[2]
    assert found.high == found.learning_rates[18]
    assert "a tenth" in found.rule


def test_smoothing_is_the_bias_corrected_running_mean():
    losses = jnp.array([3.0, 1.0, 2.0])
    found = range_test(
        lambda w, batch: batch + 0 * w, 1.0, losses, steps=3, smoothing=0.5
    )
    np.testing.assert_allclose(
        found.smoothed, [3, (3 * 0.25 + 0.5) / 0.75, (3 * 0.125 + 0.25 + 1) / 0.875]
    )


def test_counting_stops_at_a_loss_that_is_not_finite():
    losses = jnp.array([4.0, 3.0, 2.0, jnp.inf, 1.0])
    found = range_test(lambda w, batch: batch + 0 * w, 1.0, losses, steps=5)
    assert found.diverged == 3
    assert found.high == found.learning_rates[2]


def test_a_loss_that_never_falls_suggests_nothing():
    found = range_test(lambda w, batch: batch + 0 * w, 1.0, jnp.arange(1.0, 9), steps=8)
    assert (found.low, found.high) == (None, None)


def test_rmsprop_may_be_anywhere_in_a_chain():
    params, batches = data()

    def make(learning_rate):
        return optax.chain(optax.clip_by_global_norm(1.0), rmsprop(learning_rate))

    found = range_test(loss, params, batches, make=make, steps=60)
    assert found.low < found.high


def test_parameters_may_come_from_the_seed():
    def start(key):
        return jax.random.normal(key, (3,))

    one, other = (
        range_test(lambda w, x: jnp.sum((w - x) ** 2), start, jnp.ones(4), seed=seed)
        for seed in (0, 1)
    )
    assert one.losses[0] != other.losses[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"low": 0.0}, "low=0.0"),
        ({"low": 1.0, "high": 0.1}, "low < high"),
        ({"steps": 1}, "steps=1"),
        ({"smoothing": 1.0}, "smoothing=1.0"),
        ({"make": lambda learning_rate: optax.sgd(learning_rate)}, "no RMSPropState"),
        (
            {
                "make": lambda learning_rate: rmsprop(
                    optax.constant_schedule(learning_rate)
                )
            },
            "given as a schedule",
        ),
    ],
)
def test_what_is_wrong_is_named(options, said):
    params, batches = data()
    with pytest.raises(ValueError, match=said):
        range_test(loss, params, batches, **options)


def test_an_easy_batch_at_first_is_no_fall():
    batches = np.array([1.0, 1.0, 0.5, *[1.0] * 7], np.float32)
    found = range_test(lambda w, x: x + 0 * w, 0.0, batches, steps=10, smoothing=0.0)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("loss_", [1.0, 0.1, 2.302585, 1e-3, 0.0, -7.3])
def test_a_loss_that_is_the_same_throughout_has_not_fallen(loss_):
    batches = np.full(50, loss_, np.float32)
    found = range_test(lambda w, x: x + 0 * w, 0.0, batches)
    assert (found.low, found.high, found.diverged) == (None, None, None)
