"""The state on disk and by name: `flax.serialization` and `optax.tree`."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization
from flax.training.train_state import TrainState

from rmsprop_jax import rmsprop

RATE = 0.1
PARAMS = {"w": jnp.array([1.0, -2.0, 3.0]), "b": jnp.ones(2)}
GRADS = [jax.tree.map(lambda x, k=k: jnp.cos(k * x), PARAMS) for k in (1, 2, 3)]

TORCH = functools.partial(
    rmsprop,
    dialect="torch",
    momentum=0.9,
    centered=True,
    weight_decay=0.1,
    weight_decay_mask={"w": True, "b": False},
    skip_nonfinite=True,
)
BUILDS = {
    "plain": rmsprop,
    "everything": TORCH,
    "chain": lambda rate: optax.chain(optax.clip_by_global_norm(1.0), TORCH(rate)),
    "MultiSteps": lambda rate: optax.MultiSteps(TORCH(rate), 2),
}


SOURCES = {
    "number": RATE,
    "schedule": optax.linear_schedule(RATE, 0.0, len(GRADS)),
    "array": jnp.float32(RATE),
}


def after_two_steps(tx):
    state = tx.init(PARAMS)
    for g in GRADS[:2]:
        _, state = tx.update(g, state, PARAMS)
    return state


def written_and_read(tree, target):
    return serialization.from_bytes(target, serialization.to_bytes(tree))


@pytest.mark.parametrize("rate", SOURCES)
@pytest.mark.parametrize("build", BUILDS)
def test_a_state_written_by_flax_goes_on_as_if_never_written(build, rate):
    tx = BUILDS[build](SOURCES[rate])
    # MultiSteps mixes dtypes, and compiles a `lax.cond` at every step.
    with jax.numpy_dtype_promotion("standard"), jax.disable_jit():
        state = after_two_steps(tx)
        restored = written_and_read(state, tx.init(PARAMS))
        assert jax.tree.structure(restored) == jax.tree.structure(state)
        chex.assert_trees_all_equal_shapes_and_dtypes(restored, state)
        chex.assert_trees_all_equal(
            tx.update(GRADS[2], restored, PARAMS), tx.update(GRADS[2], state, PARAMS)
        )


def test_a_restored_state_is_not_traced_again():
    tx = TORCH(RATE)
    step = jax.jit(chex.assert_max_traces(tx.update, n=1))
    _, state = step(GRADS[0], tx.init(PARAMS), PARAMS)
    restored = written_and_read(state, tx.init(PARAMS))
    _, state = step(GRADS[1], restored, PARAMS)
    assert state.count == 2


def test_the_state_dict_of_flax_names_the_fields():
    state = after_two_steps(TORCH(RATE))
    as_dict = serialization.to_state_dict(state)
    assert list(as_dict) == list(state._fields)
    assert as_dict["count"] == 2
    assert as_dict["hyperparams"]["learning_rate"] == np.float32(RATE)
    chex.assert_trees_all_equal(as_dict["nu"], state.nu)


def test_a_state_written_with_a_schedule_and_read_for_a_number_names_convert_state():
    scheduled, tx = rmsprop(SOURCES["schedule"]), rmsprop(RATE)
    restored = written_and_read(after_two_steps(scheduled), tx.init(PARAMS))
    with pytest.raises(ValueError, match=r"learning_rate.*convert_state"):
        tx.update(GRADS[0], restored, PARAMS)


def test_a_train_state_survives_flax_serialization():
    start = TrainState.create(apply_fn=None, params=PARAMS, tx=TORCH(RATE))
    moved = start.apply_gradients(grads=GRADS[0])
    restored = written_and_read(moved, start)
    assert jax.tree.structure(restored) == jax.tree.structure(moved)
    chex.assert_trees_all_equal(
        restored.apply_gradients(grads=GRADS[1]), moved.apply_gradients(grads=GRADS[1])
    )


WRAPPED = {
    "bare": lambda tx: tx,
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": False}),
    "partition": lambda tx: optax.partition(
        {"ours": tx, "none": optax.set_to_zero()}, {"w": "ours", "b": "none"}
    ),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 1),
}
FIELDS = ["learning_rate", "one_minus_decay", "eps", "momentum", "weight_decay"]
SLOTS = ["nu", "mu", "trace", "skipped"]


@pytest.mark.parametrize("name", [*FIELDS, *SLOTS])
@pytest.mark.parametrize("wrapper", WRAPPED)
def test_optax_finds_each_part_of_the_state_by_its_name_once(wrapper, name):
    tx = TORCH(RATE)
    bare = tx.init(PARAMS)
    expected = getattr(bare.hyperparams if name in FIELDS else bare, name)
    state = WRAPPED[wrapper](tx).init(PARAMS)
    ((path, found),) = optax.tree.get_all_with_path(state, name)
    assert path[-1].name == name
    if name in ["nu", "mu", "trace"]:
        found, expected = found["w"], expected["w"]
    chex.assert_trees_all_equal(found, expected)


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_optax_sets_a_learning_rate_by_its_name(wrapper):
    tx = WRAPPED[wrapper](rmsprop(RATE))
    state = optax.tree.set(tx.init(PARAMS), learning_rate=jnp.float32(0.0))
    with jax.numpy_dtype_promotion("standard"), jax.disable_jit():
        updates, _ = tx.update(PARAMS, state, PARAMS)
    np.testing.assert_array_equal(updates["w"], 0)


def test_the_state_of_optax_has_no_learning_rate_to_read():
    state = optax.rmsprop(RATE, momentum=0.9).init(PARAMS)
    assert optax.tree.get(state, "learning_rate") is None


@pytest.mark.parametrize(
    "mask",
    [
        {"w": True, "b": False},
        lambda params: jax.tree.map(lambda x: x.ndim > 0, params),
    ],
    ids=["tree", "function"],
)
def test_optax_maps_over_what_is_shaped_like_the_parameters(mask):
    tx = TORCH(RATE, weight_decay_mask=mask)
    state = tx.init(PARAMS)
    mapped = optax.tree.map_params(tx, lambda x: -1.0 + x, state)
    moments = jax.tree.map(lambda x: -jnp.ones_like(x), PARAMS)
    expected = state._replace(nu=moments, mu=moments, trace=moments)
    chex.assert_trees_all_equal(mapped, expected)
