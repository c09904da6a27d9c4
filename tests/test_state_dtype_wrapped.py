"""Moments in fewer bits through sharding, wrappers, checkpoints and metrics."""

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec
from low_precision import (
    FULL,
    PARAMS,
    assert_same,
    far,
    gradients,
    low,
    run,
    slots,
)

from rmsprop_jax import (
    convert_state,
    effective_learning_rate,
    interop,
    metrics,
    param_groups,
    rmsprop,
    set_hyperparams,
    state_sharding,
)
from rmsprop_jax.state import find_states
from rmsprop_jax.storage import Resting, rest


@low
def test_a_run_is_the_same_bit_for_bit_when_it_is_repeated_or_resumed(state_dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    whole = run(tx, 6)
    assert_same(run(tx, 6), whole)
    params, state = run(tx, 3)
    restored = flax.serialization.from_bytes(
        tx.init(PARAMS), flax.serialization.to_bytes(state)
    )
    assert_same(run(tx, 3, params, restored, start=3), whole)


@low
@pytest.mark.parametrize("zero_axis", [None, "data"])
def test_a_sharded_run_is_that_of_one_device_and_moves_no_moment(
    state_dtype, zero_axis
):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    mesh = jax.make_mesh((2, 2), ("data", "model"), devices=jax.devices()[:4])
    rows = NamedSharding(mesh, PartitionSpec("model"))
    placed = jax.tree.map(lambda _: rows, PARAMS)
    params = jax.device_put(PARAMS, placed)
    shapes = jax.eval_shape(tx.init, params)
    where = state_sharding(placed, shapes, zero_axis=zero_axis)
    state = jax.jit(tx.init, out_shardings=where)(params)
    step = jax.jit(tx.update, out_shardings=(placed, where))
    grads = jax.device_put(gradients(0), placed)
    text = step.lower(grads, state).compile().as_text()
    if zero_axis is None:
        for collective in ("all-gather", "all-to-all", "all-reduce", "permute"):
            assert collective not in text
    else:
        assert "u8[64,128" not in text.replace(" ", "")  # no whole ν anywhere
    want_state = tx.init(PARAMS)
    for i in range(3):
        grads = gradients(i)
        want, want_state = jax.jit(tx.update)(grads, want_state)
        updates, state = step(jax.device_put(grads, placed), state)
    # To rounding: another program may fuse a product and a sum.
    assert far(updates, want) < 1e-5
    for slot, tree in slots(state).items():
        same = np.asarray(tree["w"] == slots(want_state)[slot]["w"])
        assert same.mean() > (0.5 if tree["w"].dtype.itemsize == 4 else 0.999)


@low
def test_metrics_and_rates_read_what_rests(state_dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    exact = rmsprop(1e-3, **FULL)
    _, state = run(tx, 10)
    _, wide = run(exact, 10)
    ours, theirs = metrics(state, tx.rule), metrics(wide, exact.rule)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert float(ours[name]) == pytest.approx(float(theirs[name]), rel=0.1), name
    rates = effective_learning_rate(state, tx.rule)
    assert far(rates, effective_learning_rate(wide, exact.rule)) < 0.2
    # The sample of `metrics` reads every number with the scale of its own row.
    spread = jnp.exp(8 * jax.random.normal(jax.random.key(1), (64, 1)))
    grads = {"w": spread * gradients(0)["w"], "b": jnp.ones(64)}
    _, skewed = tx.update(grads, tx.init(PARAMS))
    rates = np.sort(np.ravel(effective_learning_rate(skewed, tx.rule)["w"]))
    middle = float(metrics(skewed, tx.rule)["effective_learning_rate/q50"])
    assert rates[3900] / 1.001 < middle < rates[4300] * 1.001


@low
def test_a_frozen_step_leaves_every_bit(state_dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, skip_nonfinite=True, **FULL)
    _, state = run(tx, 3)
    bad = {"w": gradients(3)["w"].at[3, 4].set(jnp.nan), "b": jnp.ones(64)}
    _, after = jax.jit(tx.update)(bad, state)
    assert int(after.skipped) == 1
    assert_same(slots(after), slots(state))


WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": False}),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 2),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 5),
}


@low
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_wrappers_of_optax_take_it(state_dtype, wrap):
    # Optax's own wrappers mix dtypes.
    with jax.numpy_dtype_promotion("standard"):
        tx = wrap(rmsprop(1e-3, state_dtype=state_dtype, **FULL))
        params, state = run(tx, 3)
    (own,) = find_states(state).values()
    assert int(own.count) == (1 if wrap is WRAPPERS["MultiSteps"] else 3)
    assert far(params, PARAMS) > 0
    changed = set_hyperparams(state, learning_rate=0.5)
    assert jax.tree.structure(changed) == jax.tree.structure(state)


@low
def test_an_nnx_optimizer_takes_it(state_dtype):
    model = nnx.Linear(64, 128, rngs=nnx.Rngs(0))
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, x):
        grads = nnx.grad(lambda m: (m(x) ** 2).mean())(model)
        optimizer.update(model, grads)

    before = jax.tree.map(lambda x: (x.shape, x.dtype), nnx.state(optimizer))
    for i in range(3):
        step(model, optimizer, jax.random.normal(jax.random.key(i), (8, 64)))
    assert jax.tree.map(lambda x: (x.shape, x.dtype), nnx.state(optimizer)) == before
    assert jnp.isfinite(
        metrics(optimizer.opt_state, tx.rule)["effective_learning_rate/q50"]
    )
    exact = rmsprop(1e-3, **FULL)
    wide = convert_state(optimizer.opt_state, exact, nnx.state(model, nnx.Param))
    assert {x.dtype.name for x in jax.tree.leaves(wide.nu)} == {"float32"}


@low
def test_groups_may_rest_differently(state_dtype):
    tx = param_groups(
        {"^b": {"state_dtype": None}},
        default={
            "learning_rate": 1e-3,
            "state_dtype": state_dtype,
            "state_dtype_min_size": 0,
            **FULL,
        },
    )
    _, state = run(tx, 2)
    leaf = jax.tree.leaves(state.inner_states["^b"])
    assert all(x.dtype.itemsize >= 4 for x in leaf)
    kinds = {x.dtype.name for x in jax.tree.leaves(state.inner_states["default"])}
    assert kinds & {"bfloat16", "uint8"}


@low
def test_members_of_a_vmap_are_each_what_they_are_alone(state_dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    states = [tx.init(PARAMS), run(tx, 2)[1]]
    stack = jax.tree.map(lambda *x: jnp.stack(x), *states)
    grads = jax.tree.map(lambda *x: jnp.stack(x), gradients(5), gradients(6))
    together = jax.vmap(tx.update)(grads, stack)
    for i, state in enumerate(states):
        alone = tx.update(gradients(5 + i), state)
        assert_same(jax.tree.map(lambda x, i=i: x[i], together), alone)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@low
def test_updates_have_the_gradients_dtype(state_dtype, dtype):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    params = jax.tree.map(lambda x: x.astype(dtype), PARAMS)
    grads = jax.tree.map(lambda x: x.astype(dtype), gradients(0))
    updates, state = tx.update(grads, tx.init(params))
    assert {x.dtype for x in jax.tree.leaves(updates)} == {jnp.dtype(dtype)}
    assert jax.tree.structure(state) == jax.tree.structure(tx.init(params))


def test_a_framework_s_memory_is_loaded_into_fewer_bits_and_read_out_of_them():
    theirs = optax.rmsprop(1e-3, momentum=0.9)
    _, their_state = run(theirs, 5)
    exact, wide = interop.optax.load(their_state, PARAMS, 1e-3, momentum=0.9)
    tx = rmsprop(1e-3, momentum=0.9, state_dtype="int8")
    _, state = interop.optax.load(
        their_state, PARAMS, 1e-3, momentum=0.9, into=(tx, tx.init(PARAMS))
    )
    assert_same(slots(state), slots(convert_state(wide, tx, PARAMS)))
    back = interop.optax.dump(tx, state, PARAMS)
    assert_same(optax.tree.get(back, "nu"), convert_state(state, exact, PARAMS).nu)


def test_each_slot_is_rounded_by_bits_of_its_own():
    last = Resting(jnp.zeros(4096, jnp.bfloat16))
    slots = "nu", "mu", "trace"
    fresh = dict.fromkeys(slots, jnp.full(4096, 1.004))
    rested = rest(fresh, dict.fromkeys(slots, last), jnp.int32(1))
    up = {slot: x.values > 1 for slot, x in rested.items()}
    for one, other in (("nu", "mu"), ("nu", "trace"), ("mu", "trace")):
        assert 0.4 < up[one].mean() < 0.6
        assert abs(np.corrcoef(up[one], up[other])[0, 1]) < 5 / 64
