"""A loss, parameters and batches, made into a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import data, loss

from rmsprop_jax import rmsprop, sweep, training_run


def test_parameters_may_depend_on_the_seed_and_make_be_a_function_of_ones_own():
    def make(rate, decay=0.9):
        return rmsprop(rate, decay=decay, dialect="torch")

    run = training_run(
        lambda w, x: jnp.sum((w - x) ** 2),
        lambda key: jax.random.normal(key, (2,)),
        jnp.zeros((4, 2)),
        make=make,
        validation=lambda w: {"norm": jnp.sum(w**2)},
    )
    table = sweep(run, {"rate": [0.01]}, seeds=2)
    assert {"loss", "norm"} < table.rows[0].keys()
    starts = [curves["curve"][0] for curves in table.curves]
    expected = [
        np.sum(jax.random.normal(jax.random.key(seed), (2,)) ** 2) for seed in (0, 1)
    ]
    np.testing.assert_allclose(starts, expected, rtol=1e-6)
    with pytest.raises(ValueError, match=r"beta: no hyperparameter.*rate, decay"):
        sweep(run, {"rate": [0.01], "beta": [0.9]})


def test_the_loss_is_the_mean_of_the_last_ten_steps():
    params, batches = data()
    run = jax.jit(training_run(loss, params, batches, steps=25))
    metrics = run({"learning_rate": 0.01}, jax.random.key(0))
    last = np.asarray(metrics["curve"])[-10:]
    np.testing.assert_allclose(metrics["loss"], last.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((3, 0.0, jnp.ones(3)), {}, "loss=3"),
        ((loss, 0.0, jnp.ones(3)), {"make": "rmsprop"}, "make='rmsprop'"),
    ],
)
def test_what_is_no_function_is_named(arguments, options, said):
    with pytest.raises(TypeError, match=said):
        training_run(*arguments, **options)


def test_validation_cannot_take_the_name_of_the_losses():
    run = training_run(
        lambda w, x: (w - x) ** 2, 0.0, jnp.ones(3), validation=lambda w: {"curve": w}
    )
    with pytest.raises(ValueError, match="validation returned curve: expected another"):
        sweep(run, {"learning_rate": [0.1]}, metric="loss")


@pytest.mark.parametrize(
    ("batches", "options", "said"),
    [
        ((jnp.ones(3), jnp.ones(4)), {}, r"batches: .*\(3,\), \(4,\)"),
        (jnp.ones((0, 2)), {}, "batches"),
        ((), {}, "batches"),
        (jnp.ones(3), {"steps": 0}, "steps=0"),
        (lambda *step_and_key: step_and_key, {}, "steps=None"),
    ],
)
def test_batches_and_steps_that_are_none_are_named(batches, options, said):
    with pytest.raises(ValueError, match=said):
        training_run(loss, 0.0, batches, **options)
