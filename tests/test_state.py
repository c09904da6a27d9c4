"""States carried over: restored beside an edited call, converted to other options."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import convert_state, reset_hyperparams, rmsprop

PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
GRADS = {"w": jnp.array([0.5, 0.1]), "b": jnp.array(-3.0)}


def steps(tx, n):
    state = tx.init(PARAMS)
    for _ in range(n):
        _, state = tx.update(GRADS, state, PARAMS)
    return state


def test_a_number_of_the_states_wins_over_an_edited_call():
    state = rmsprop(0.1).init(PARAMS)
    edited = rmsprop(0.5, decay=0.5)
    _, state = edited.update(GRADS, state)
    assert state.hyperparams.learning_rate == np.float32(0.1)
    state = reset_hyperparams(state, edited, PARAMS)
    assert int(state.count) == 1
    assert read_two(state) == [0.5, 0.5]
    _, state = edited.update(GRADS, state)
    assert read_two(state) == [0.5, 0.5]


def read_two(state):
    return [float(state.hyperparams.learning_rate), float(state.hyperparams.decay)]


def test_resetting_keeps_the_moments_and_reaches_through_a_chain():
    before, edited = (
        optax.chain(optax.clip(1.0), rmsprop(rate, momentum=0.9)) for rate in (0.1, 0.5)
    )
    state = steps(before, 3)
    reset = reset_hyperparams(state, edited, PARAMS)
    assert reset[1].hyperparams.learning_rate == 0.5
    chex.assert_trees_all_equal(
        (reset[1].nu, reset[1].trace, reset[1].count),
        (state[1].nu, state[1].trace, state[1].count),
    )


CHANGES = {
    "momentum_on": ({}, {"momentum": 0.9}),
    "momentum_off": ({"momentum": 0.9}, {}),
    "guard_on": ({}, {"skip_nonfinite": True}),
    "number_to_schedule": ({}, {"decay": optax.constant_schedule(0.5)}),
    "centered_on": ({}, {"centered": True}),
    "centered_off": ({"centered": True}, {}),
}


@pytest.mark.parametrize(("old", "new"), CHANGES.values(), ids=CHANGES)
def test_a_state_is_converted_when_an_option_changes(old, new):
    before, after = rmsprop(0.1, **old), rmsprop(0.3, **new)
    state = steps(before, 3)
    with pytest.raises(ValueError, match="convert_state"):
        after.update(GRADS, state, PARAMS)
    converted = convert_state(state, after, PARAMS)
    chex.assert_trees_all_equal_structs(converted, after.init(PARAMS))
    assert int(converted.count) == 3
    assert converted.hyperparams.learning_rate == np.float32(0.1)
    # E[g²] is the same before and after: ν, or ν + μ² beside a mean.
    raw = [
        s.nu if s.mu is None else jax.tree.map(lambda v, m: v + m**2, s.nu, s.mu)
        for s in (state, converted)
    ]
    chex.assert_trees_all_close(*raw, rtol=1e-6)
    after.update(GRADS, converted, PARAMS)


def test_converting_between_unlike_chains_is_refused():
    two = optax.chain(rmsprop(0.1), rmsprop(0.1))
    with pytest.raises(
        ValueError, match="tx keeps 2 RMSProp states and `state` holds 1"
    ):
        convert_state(rmsprop(0.1).init(PARAMS), two, PARAMS)


def test_a_complex_centered_state_is_converted_part_by_part():
    """Dialect torch holds two reals in ν: 3² and 4², not |3 + 4i|²."""
    z = jnp.array([3.0 + 4.0j])
    before = rmsprop(0.1, dialect="torch", decay=0.5, centered=True)
    after = rmsprop(0.1, dialect="torch", decay=0.5)
    state = before.update(z, before.init(z))[1]
    np.testing.assert_allclose(convert_state(state, after, z).nu, [4.5 + 8.0j])
