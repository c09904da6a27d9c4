"""A small run whose moments rest in fewer bits, for the tests of `state_dtype`."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import named

PARAMS = {"w": jnp.ones((64, 128)), "b": jnp.ones(64)}
FULL = {"momentum": 0.9, "centered": True}
LOW = ["bfloat16", "int8", {"nu": "int8", "trace": "bfloat16", "mu": "bfloat16"}]
low = pytest.mark.parametrize("state_dtype", LOW, ids=named)


def gradients(step):
    """Of a spread of sizes, and of a mean that is not 0."""
    keys = jax.random.split(jax.random.key(step), 2)
    size = jnp.exp(jax.random.normal(jax.random.key(0), (64, 128)))
    return {
        "w": size * (0.5 + jax.random.normal(keys[0], (64, 128))),
        "b": jax.random.normal(keys[1], (64,)),
    }


def run(tx, steps, params=PARAMS, state=None, start=0):
    """Parameters and state after `steps`, each of them jitted."""
    state = tx.init(params) if state is None else state

    @jax.jit
    def step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for i in range(start, start + steps):
        params, state = step(params, state, gradients(i))
    return params, state


def slots(state):
    return {name: getattr(state, name) for name in ("nu", "mu", "trace")}


def dtypes(state):
    return {
        k: None if v is None else v["w"].dtype.name for k, v in slots(state).items()
    }


def assert_same(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def far(left, right):
    """The relative distance of two trees, in the L2 norm."""
    left, right = jax.device_get((left, right))
    difference = optax.tree.norm(optax.tree.sub(left, right))
    return float(difference / optax.tree.norm(right))
