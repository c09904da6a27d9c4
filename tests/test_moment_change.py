"""A state of one ν for each element where one of ‖g‖² is wanted, and the reverse."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import tolerance

from rmsprop_jax import convert_state, reset_hyperparams, rmsprop

PARAMS = {"w": jnp.ones((2, 3)), "b": jnp.ones(4), "one": jnp.ones(1)}
OPTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "coupled": {"dialect": "torch", "weight_decay": 0.1},
    "corrected": {"bias_correction": True, "nu_init": 1.0},
    "both": {"momentum": 0.9, "centered": True, "bias_correction": True},
}
each_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def gradients(step):
    rng = np.random.default_rng(step)
    return jax.tree.map(
        lambda x: jnp.asarray(rng.standard_normal(x.shape), jnp.float32), PARAMS
    )


def walked(tx, params=PARAMS, steps=5):
    state = tx.init(params)
    for step in range(steps):
        _, state = tx.update(gradients(step), state, params)
    return state


def refusal(error, call, *arguments):
    with pytest.raises(error) as info:
        call(*arguments)
    assert info.type is error
    return str(info.value)


@each_option
def test_an_elementwise_state_is_refused_by_a_tensor_moment(options):
    state = walked(rmsprop(0.1, **options))
    tx = rmsprop(0.1, moment="tensor", **options)
    message = refusal(ValueError, tx.update, PARAMS, state, PARAMS)
    assert message.startswith("state.nu['b']: expected shape (1,), one ν for the array")
    assert "got (4,)" in message
    assert "convert_state(state, tx, params)" in message


@each_option
def test_a_tensor_state_is_refused_by_an_elementwise_moment(options):
    state = walked(rmsprop(0.1, moment="tensor", **options))
    tx = rmsprop(0.1, **options)
    message = refusal(ValueError, tx.update, PARAMS, state, PARAMS)
    assert message.startswith("state.nu['b']: expected shape (4,), one ν for each")
    assert "got (1,)" in message
    assert "moment='tensor'" in message


@each_option
def test_an_elementwise_state_is_added_up_to_what_a_tensor_moment_would_hold(options):
    """E‖g‖² is the sum of all E[g²], and so it is with the variances."""
    there = rmsprop(0.1, moment="tensor", **options)
    converted = convert_state(walked(rmsprop(0.1, **options)), there, PARAMS)
    # 5 steps' sums of 6, and bias correction keeps ν₀ out of ν.
    rtol = tolerance(np.float32, 5)
    chex.assert_trees_all_equal_structs(converted, there.init(PARAMS))
    wanted = walked(there)
    chex.assert_trees_all_close(converted.nu, wanted.nu, rtol=rtol)
    assert converted.nu["w"].shape == (1, 1)
    assert int(converted.count) == 5
    there.update(PARAMS, converted, PARAMS)


def test_a_starting_value_counts_for_each_element_that_is_added_up():
    tx = rmsprop(0.1, moment="tensor", nu_init=1.0)
    converted = convert_state(rmsprop(0.1, nu_init=1.0).init(PARAMS), tx, PARAMS)
    assert [float(x.sum()) for x in jax.tree.leaves(converted.nu)] == [4, 1, 6]


def test_a_mean_is_put_back_before_it_is_added_up():
    """Variance of w and mean, of 4 elements each: 4 (2 + 3²)."""
    tx = rmsprop(0.1, centered=True)
    params = jnp.ones(4)
    state = tx.init(params)._replace(nu=2 * params, mu=3 * params)
    there = rmsprop(0.1, moment="tensor")
    np.testing.assert_array_equal(convert_state(state, there, params).nu, [44.0])


def test_parts_of_complex_numbers_are_added_up_apart():
    z = jnp.array([3 + 4j, 12j], jnp.complex64)
    tx = rmsprop(0.1, dialect="torch", decay=0.75)
    there = rmsprop(0.1, dialect="torch", decay=0.75, moment="tensor")
    state = tx.update(z, tx.init(z))[1]
    np.testing.assert_array_equal(convert_state(state, there, z).nu, [2.25 + 40j])


@pytest.mark.parametrize("change", [convert_state, reset_hyperparams])
def test_one_nu_for_the_array_cannot_be_told_apart(change):
    state, tx = walked(rmsprop(0.1, moment="tensor")), rmsprop(0.1)
    message = refusal(ValueError, change, state, tx, PARAMS)
    assert message.startswith("state.nu['b']: one ν for the array, expected one for")
    assert "moment='tensor'" in message
    assert "tx.init" in message


def test_an_array_of_one_element_has_the_same_nu_either_way():
    params = {"one": jnp.ones((1, 1)), "scalar": jnp.ones(())}
    one, other = rmsprop(0.1), rmsprop(0.1, moment="tensor")
    for before, after in ((one, other), (other, one)):
        _, state = before.update(params, before.init(params))
        chex.assert_trees_all_equal(convert_state(state, after, params), state)
        after.update(params, state)


def test_a_chain_is_converted_too():
    one, other = (
        optax.chain(optax.clip(1.0), rmsprop(0.1, moment=moment))
        for moment in ("elementwise", "tensor")
    )
    converted = convert_state(walked(one), other, PARAMS)
    assert converted[1].nu["w"].shape == (1, 1)
    other.update(PARAMS, converted, PARAMS)


def test_parameters_that_the_state_does_not_remember_are_refused():
    tx = rmsprop(0.1)
    fewer = {"w": PARAMS["w"]}
    message = refusal(ValueError, convert_state, tx.init(PARAMS), tx, fewer)
    assert message.startswith("state: remembers 3 arrays, and tx 1")


WRONG = PARAMS | {"b": jnp.ones(5)}


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"centered": True}])
def test_another_shape_than_the_slots_is_refused(options):
    tx = rmsprop(0.1, moment="tensor", **options)
    message = refusal(ValueError, tx.update, WRONG, tx.init(PARAMS))
    assert message.startswith("grads['b']: expected shape (4,), got (5,). The state")


def test_without_slots_another_shape_than_the_parameters_is_refused():
    tx = rmsprop(0.1, moment="tensor")
    message = refusal(ValueError, tx.update, WRONG, tx.init(PARAMS), PARAMS)
    assert message.startswith("params['b']: expected shape (5,), as the gradient has")


@pytest.mark.parametrize("shape", [(), (2, 2)])
def test_without_either_another_rank_is_refused(shape):
    tx = rmsprop(0.1, moment="tensor")
    grads = PARAMS | {"b": jnp.ones(shape)}
    message = refusal(ValueError, tx.update, grads, tx.init(PARAMS))
    assert message.startswith(f"grads['b']: expected rank 1, got shape {shape}")
