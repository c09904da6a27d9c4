"""Moments in fewer bits: parts of arrays, wide parameters, derivatives, no change."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64
from jax.sharding import NamedSharding, PartitionSpec
from low_precision import FULL, PARAMS, assert_same, gradients, low, run, slots

from rmsprop_jax import (
    convert_state,
    metrics,
    reset_hyperparams,
    rmsprop,
    set_hyperparams,
)


@low
def test_a_part_of_an_array_may_be_small(low_mesh, state_dtype):
    """Rows on four devices, 2 048 elements each; and slices of stacked layers."""
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    params, grads = PARAMS["w"], gradients(0)["w"]
    state = tx.init(params)
    where = jax.tree.map(lambda x: PartitionSpec(*["d"][: x.ndim]), state)
    rows = PartitionSpec("d")
    step = jax.shard_map(
        tx.update, mesh=low_mesh, in_specs=(rows, where), out_specs=(rows, where)
    )
    place = partial(NamedSharding, low_mesh)
    placed = jax.device_put((grads, state), (place(rows), jax.tree.map(place, where)))
    updates, _ = jax.jit(step)(*placed)
    expected, _ = tx.update(grads, state)
    np.testing.assert_allclose(updates, expected, rtol=1e-5)

    layers = jnp.ones((4, 16, 128))
    state = jax.vmap(tx.init)(jnp.ones((4, 64, 128)))
    state = jax.tree.map(lambda x: x[:, :16] if x.ndim > 1 else x, state)
    jax.lax.scan(lambda _, x: (None, tx.update(*x)), None, (layers, state))


@pytest.fixture
def low_mesh():
    return jax.make_mesh((4,), ("d",), devices=jax.devices()[:4])


def test_float32_where_few_bits_are_asked_for_is_refused():
    state = rmsprop(1e-3).init(PARAMS)
    with pytest.raises(ValueError, match=r"expected to rest in int8, got dtype float3"):
        rmsprop(1e-3, state_dtype="int8").update(gradients(0), state)


@low
@pytest.mark.parametrize("back", [None, "bfloat16", {"nu": "int8"}], ids=str)
def test_float64_parameters_go_there_and_back(state_dtype, back):
    with enable_x64(True):
        params = jax.tree.map(lambda x: x.astype(jnp.float64), PARAMS)
        grads = jax.tree.map(lambda x: x.astype(jnp.float64), gradients(0))
        ours = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
        other = rmsprop(1e-3, state_dtype=back, **FULL)
        state = convert_state(ours.init(params), other, params)
        wanted = jax.tree.map(lambda x: x.dtype, other.init(params))
        assert jax.tree.map(lambda x: x.dtype, state) == wanted
        updates, after = other.update(grads, state)
        assert jax.tree.map(lambda x: x.dtype, after) == wanted
        assert {x.dtype.name for x in jax.tree.leaves(updates)} == {"float64"}


@pytest.mark.parametrize("state_dtype", ["bfloat16", "int8"])
def test_a_float64_beyond_float32_is_forgotten_again(state_dtype):
    with enable_x64(True):
        params = jnp.ones((64, 128))
        tx = rmsprop(1.0, state_dtype=state_dtype)
        _, state = tx.update(1e25 * params, tx.init(params))
        assert jnp.isfinite(convert_state(state, rmsprop(1.0), params).nu).all()
        step = jax.jit(tx.update)
        for _ in range(900):
            updates, state = step(params, state)
        np.testing.assert_allclose(updates, -1, rtol=0.2)


@low
def test_what_does_not_change_keeps_its_bits(state_dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    _, state = run(tx, 5)
    assert_same(convert_state(state, tx, PARAMS), state)
    changed = set_hyperparams(state, learning_rate=0.5)
    assert_same(reset_hyperparams(changed, tx, PARAMS), state)
    # One slot less, and the others stay.
    half = rmsprop(1e-3, momentum=0.9, state_dtype=only(state_dtype, "nu", "trace"))
    assert_same(convert_state(state, half, PARAMS).trace, state.trace)
    assert_same(slots(convert_state(state, tx, PARAMS)), slots(state))


def only(state_dtype, *names):
    if isinstance(state_dtype, str):
        return state_dtype
    return {name: state_dtype[name] for name in names}


def loss_after(params, h, state_dtype):
    tx = rmsprop(h["learning_rate"], decay=h["decay"], state_dtype=state_dtype)
    target = jnp.linspace(1, 2, params.size).reshape(params.shape)

    def step(carry, _):
        theta, state = carry
        updates, state = tx.update(target * theta, state, theta)
        return (optax.apply_updates(theta, updates), state), None

    (theta, _), _ = jax.lax.scan(step, (params, tx.init(params)), length=30)
    return jnp.mean(target * theta**2)


def test_a_derivative_goes_through_bfloat16_and_is_refused_by_codes():
    h = {"learning_rate": jnp.float32(0.01), "decay": jnp.float32(0.9)}
    params = jnp.linspace(1, 2, 8192).reshape(64, 128)
    exact = jax.grad(loss_after, argnums=1)(params, h, None)
    ours = jax.grad(loss_after, argnums=1)(params, h, "bfloat16")
    for name in h:
        assert float(ours[name]) == pytest.approx(float(exact[name]), rel=0.02), name
    for derivative in (jax.grad, jax.jacfwd):
        with pytest.raises(TypeError, match=r"state_dtype='int8'.*no derivative"):
            derivative(loss_after, argnums=1)(params, h, "int8")


@low
def test_optax_tells_the_parts_that_are_like_parameters(state_dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    state = tx.init(PARAMS)
    doubled = optax.tree_map_params(tx, lambda x: x + x, state)
    assert jax.tree.structure(doubled) == jax.tree.structure(state)


def test_a_lost_scale_is_named_wherever_it_is_missed():
    tx = rmsprop(1e-3, state_dtype="int8")
    state = tx.init(PARAMS)._replace(nu_scale=None)
    for use in (
        lambda: tx.update(gradients(0), state),
        lambda: convert_state(state, rmsprop(1e-3), PARAMS),
        lambda: metrics(state, tx.rule),
    ):
        with pytest.raises(ValueError, match=r"state\.nu_scale\['w'\]: expected"):
            use()
