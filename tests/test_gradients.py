"""Gradients through the update: finite everywhere, and those of finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64

from rmsprop_jax import rmsprop

NUMBERS = {
    "learning_rate": 0.1,
    "decay": 0.8,
    "eps": 0.01,
    "momentum": 0.7,
    "weight_decay": 0.05,
}
OPTIONS = {
    "inside": {},
    "outside": {"dialect": "torch"},
    "inside_coupled": {"weight_decay_form": "coupled"},
    "inside_centered": {"centered": True},
    "outside_centered": {"dialect": "torch", "centered": True},
    "inside_centered_corrected": {"centered": True, "bias_correction": True},
    "outside_corrected_nesterov": {
        "eps_placement": "outside",
        "bias_correction": True,
        "nesterov": True,
    },
}
# Gradients a θ + b: zero for ever, zero at the first step only, and ordinary ones.
SLOPES = np.array([0.0, 1.0, 2.0, -0.5])
PUSHES = np.array([0.0, 0.0, 0.1, 0.0])
START = np.array([0.3, 0.0, 1.0, -2.0])


def final(numbers, start, options, steps=3):
    """A weighted sum of the parameters after a few steps."""
    tx = rmsprop(**numbers, **options)
    params, state = start, tx.init(start)
    for _ in range(steps):
        grads = jnp.asarray(SLOPES, start.dtype) * params + PUSHES.astype(start.dtype)
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return jnp.sum(params * jnp.arange(1, 5, dtype=start.dtype))


def arguments(dtype):
    return {k: jnp.asarray(v, dtype) for k, v in NUMBERS.items()}, START.astype(dtype)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_gradient_is_that_of_finite_differences(options):
    with enable_x64(True):
        numbers, start = jax.tree.map(jnp.asarray, arguments(np.float64))
        function = jax.jit(lambda numbers, start: final(numbers, start, options))
        exact = jax.jit(jax.grad(function, argnums=(0, 1)))(numbers, start)
        leaves, treedef = jax.tree.flatten((numbers, start))
        # Outside ε, √(g²) has a kink at 0: the closer, the better the difference.
        kinked = rmsprop(0.1, momentum=0.9, **options).rule.eps_placement == "outside"
        h = 1e-9 if kinked else 1e-6
        for i, leaf in enumerate(leaves):
            for at in np.ndindex(leaf.shape):
                ends = [
                    function(
                        *treedef.unflatten(
                            [*leaves[:i], leaf.at[at].add(d), *leaves[i + 1 :]]
                        )
                    )
                    for d in (h, -h)
                ]
                slope = (ends[0] - ends[1]) / (2 * h)
                np.testing.assert_allclose(
                    jax.tree.leaves(exact)[i][at], slope, rtol=1e-4, atol=1e-5
                )


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_gradient_is_finite_where_nothing_was_ever_seen(options):
    """ν = 0, in float32, at ε as small as the frameworks' defaults."""
    numbers, start = arguments(np.float32)
    numbers["eps"] = jnp.float32(1e-8)
    start = jnp.zeros_like(start)
    gradient = jax.grad(final, argnums=(0, 1))(numbers, start, options)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("bias_correction", [False, True])
def test_the_gradient_is_finite_at_no_decay(centered, bias_correction):
    numbers, start = arguments(np.float32)
    numbers["decay"] = jnp.float32(0)
    options = {"centered": centered, "bias_correction": bias_correction}
    gradient = jax.grad(final, argnums=(0, 1))(numbers, jnp.asarray(start), options)
    for leaf in jax.tree.leaves(gradient):
        assert np.isfinite(leaf).all()


def test_optax_has_no_gradient_where_nothing_was_ever_seen():
    def update(decay, g):
        tx = optax.rmsprop(0.1, decay=decay, eps_in_sqrt=False)
        return tx.update(g, tx.init(g))[0].sum()

    assert np.isnan(jax.grad(update)(0.9, jnp.zeros(1)))


def test_hypergradients_through_a_scan_of_a_live_learning_rate():
    """The state's own number, not the caller's array, is differentiated here."""
    tx = rmsprop(0.1)

    def loss(rate):
        state = tx.init(jnp.ones(2))
        state = state._replace(
            hyperparams=state.hyperparams._replace(learning_rate=rate)
        )

        def step(carry, _):
            params, state = carry
            updates, state = tx.update(params, state)
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (jnp.ones(2), state), length=5)
        return jnp.sum(params)

    h = 1e-2
    slope = (loss(jnp.float32(0.1 + h)) - loss(jnp.float32(0.1 - h))) / (2 * h)
    np.testing.assert_allclose(jax.grad(loss)(jnp.float32(0.1)), slope, rtol=2e-2)
