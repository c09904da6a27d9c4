"""What XLA makes of a whole step on this machine's CPU: buffers, copies and passes.

XLA:CPU makes a kernel per output, so that a plain step moves 28 bytes a parameter
and not 20. `test_deviceless` has the accelerators.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from every_option import step

from benchmarks.kernels import donated, kernels
from rmsprop_jax import rmsprop

SHAPE = (512, 512)
LEAF = jax.ShapeDtypeStruct(SHAPE, jnp.float32)
ELEMENTS = LEAF.size

OPTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "cautious": {"momentum": 0.9, "cautious": True},
    "centered": {"centered": True},
    "centered, momentum": {"centered": True, "momentum": 0.9},
    "torch, momentum": {"dialect": "torch", "momentum": 0.9},
    "bias correction": {"bias_correction": True},
    "weight decay": {"weight_decay": 0.1},
    "skip_nonfinite": {"skip_nonfinite": True},
    "bfloat16": {"state_dtype": "bfloat16"},
    "int8": {"state_dtype": "int8"},
}
# XLA:CPU keeps α u, which both trace and step take; the step, until the share of
# agreeing elements is known; and the old ν, until it is known whether it stays.
TEMPORARY_LEAVES = {"nesterov": 1, "cautious": 1, "skip_nonfinite": 1}

each_option = pytest.mark.parametrize("name", OPTIONS)


def compiled_step(tx, donate=(0, 1), hyperparams=None):
    """The step; with `hyperparams`, those instead of the state's."""

    def whole(params, state, grads):
        if hyperparams is not None:
            state = state._replace(hyperparams=hyperparams)
        return step(tx)(params, state, grads)

    state = jax.eval_shape(tx.init, LEAF)
    return jax.jit(whole, donate_argnums=donate).lower(LEAF, state, LEAF).compile()


@functools.cache
def ours(name):
    return compiled_step(rmsprop(0.1, **OPTIONS[name]))


def passes(compiled):
    """The bytes a parameter of each kernel that touches a whole array."""
    large = [x for x in kernels(compiled.as_text()) if x.elements >= ELEMENTS]
    return [round(x.bytes / ELEMENTS, 1) for x in large]


@each_option
def test_every_buffer_of_parameters_and_state_is_written_in_place(name):
    state = jax.eval_shape(rmsprop(0.1, **OPTIONS[name]).init, LEAF)
    buffers = len(jax.tree.leaves((LEAF, state)))
    assert donated(ours(name).as_text()) == {(i, i) for i in range(buffers)}


def test_nothing_is_written_in_place_unless_donated():
    assert donated(compiled_step(rmsprop(0.1), donate=()).as_text()) == set()


@each_option
def test_no_temporary_is_as_large_as_an_array(name):
    temporary = ours(name).memory_analysis().temp_size_in_bytes / (4 * ELEMENTS)
    whole_arrays = TEMPORARY_LEAVES.get(name, 0)
    assert temporary < whole_arrays + (0.01 if whole_arrays else 1)


def test_a_temporary_is_seen():
    """Power: a clipped gradient is one."""
    tx = optax.chain(optax.clip_by_global_norm(1.0), rmsprop(0.1))
    memory = compiled_step(tx).memory_analysis()
    assert memory.temp_size_in_bytes >= 4 * ELEMENTS


@pytest.mark.parametrize("name", ["plain", "momentum", "centered", "bfloat16", "int8"])
def test_live_hyperparameters_cost_no_pass(name):
    tx = rmsprop(0.1, **OPTIONS[name])
    constants = jax.tree.map(np.asarray, tx.init(jnp.zeros(1)).hyperparams)
    assert passes(ours(name)) == passes(compiled_step(tx, hyperparams=constants))


@pytest.mark.parametrize("name", ["plain", "momentum", "nesterov", "centered"])
def test_no_more_bytes_move_than_in_optax(name):
    theirs = passes(compiled_step(optax.rmsprop(0.1, **OPTIONS[name])))
    assert len(passes(ours(name))) <= len(theirs)
    assert sum(passes(ours(name))) <= sum(theirs)


def test_a_pass_more_is_seen():
    """Power: a norm of the gradient, which reads it once more at least."""
    tx = rmsprop(0.1)

    def with_norm(params, state, grads):
        return step(tx)(params, state, grads), optax.tree.norm(grads)

    state = jax.eval_shape(tx.init, LEAF)
    compiled = jax.jit(with_norm, donate_argnums=(0, 1)).lower(LEAF, state, LEAF)
    assert sum(passes(compiled.compile())) >= sum(passes(ours("plain"))) + 4
