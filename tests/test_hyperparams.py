"""Live hyperparameters: read, set, owned, scheduled, vmapped, restored."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import serialization
from helpers import accepting

from rmsprop_jax import (
    rmsprop,
    scale_by_rms,
    set_hyperparams,
)
from rmsprop_jax.hyperparams import CALLER, OWN, SCHEDULE
from rmsprop_jax.state import find_states

PARAMS = {"w": jnp.array([1.0, -2.0]), "b": jnp.array(0.5)}
GRADS = {"w": jnp.array([0.5, 0.1]), "b": jnp.array(-3.0)}
EVERY = {
    "learning_rate": 0.1,
    "decay": 0.8,
    "eps": 1e-3,
    "momentum": 0.7,
    "weight_decay": 0.05,
    "variance_floor": 0.01,
}
OTHER = {name: value * 0.5 for name, value in EVERY.items()}


def steps(tx, n, state=None, params=PARAMS):
    state = tx.init(params) if state is None else state
    for _ in range(n):
        updates, state = tx.update(GRADS, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def read(state):
    h = state.hyperparams
    return {name: float(getattr(h, name)) for name in EVERY}


def full(**changes):
    return rmsprop(**{**EVERY, "centered": True, **changes})


def test_every_number_can_be_read_from_the_state():
    _, state = steps(full(), 2)
    np.testing.assert_allclose(list(read(state).values()), list(EVERY.values()), 1e-6)
    for name in EVERY.keys() - {"decay"}:
        found = optax.tree.get(state, name)
        assert found is getattr(state.hyperparams, name)


def test_one_minus_decay_is_formed_in_double_precision():
    state = rmsprop(0.1, decay=0.9999).init(PARAMS)
    assert state.hyperparams.one_minus_decay == np.float32(1 - 0.9999)
    assert np.float32(1) - np.float32(0.9999) != np.float32(1 - 0.9999)
    state = set_hyperparams(state, decay=0.99999)
    assert state.hyperparams.one_minus_decay == np.float32(1 - 0.99999)


@pytest.mark.parametrize("name", EVERY)
def test_setting_equals_building_with_the_value(name):
    changed = full(**{name: OTHER[name]})
    _, state = steps(full(), 2)
    _, wanted = steps(full(), 2)
    wanted = wanted._replace(hyperparams=changed.init(PARAMS).hyperparams)
    state = set_hyperparams(state, **{name: OTHER[name]})
    chex.assert_trees_all_equal(steps(full(), 2, state), steps(full(), 2, wanted))
    assert read(state)[name] == pytest.approx(OTHER[name], rel=1e-6)


def test_setting_compiles_nothing_again():
    tx = full()

    @jax.jit
    @chex.assert_max_traces(n=1)
    def update(grads, state, params):
        return tx.update(grads, state, params)

    state = tx.init(PARAMS)
    for value in (0.1, np.float64(0.2), jnp.float32(0.3), np.array(0.4), 0):
        state = set_hyperparams(state, **dict.fromkeys(EVERY, value))
        _, state = update(GRADS, state, PARAMS)
    assert update._cache_size() == 1


def test_setting_keeps_the_placement():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    tx = rmsprop(0.1)
    update = jax.jit(tx.update)
    params = jax.device_put(PARAMS, everywhere)
    state = jax.device_put(tx.init(params), everywhere)
    _, state = update(GRADS, state)
    state = set_hyperparams(state, learning_rate=0.5, decay=0.5)
    assert state.hyperparams.learning_rate.sharding == everywhere
    update(GRADS, state)
    assert update._cache_size() == 1


WRAPPERS = {
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    "masked": lambda tx: optax.masked(tx, {"w": True, "b": True}),
    "partition": lambda tx: optax.partition(
        {"x": tx, "y": optax.set_to_zero()}, {"w": "x", "b": "x"}
    ),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 1),
    "nested": lambda tx: optax.chain(optax.masked(optax.chain(tx), {"w": 1, "b": 1})),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_setting_reaches_through(wrap):
    tx, changed = wrap(full()), wrap(full(**OTHER))
    state = set_hyperparams(tx.init(PARAMS), **OTHER)
    chex.assert_trees_all_equal(state, changed.init(PARAMS))
    with jax.numpy_dtype_promotion("standard"):  # MultiSteps itself needs it
        chex.assert_trees_all_equal(steps(tx, 2, state), steps(changed, 2))


def test_setting_reaches_what_inject_hyperparams_owns():
    tx = optax.inject_hyperparams(rmsprop)(learning_rate=0.1, momentum=0.9)
    state = set_hyperparams(tx.init(PARAMS), learning_rate=0.2, momentum=0.5)
    assert state.hyperparams["learning_rate"] == np.float32(0.2)
    wanted = rmsprop(0.2, momentum=0.5)
    chex.assert_trees_all_close(steps(tx, 3, state)[0], steps(wanted, 3)[0], rtol=1e-6)
    # decay was not injected: the inner state owns it.
    state = set_hyperparams(state, decay=0.5)
    wanted = rmsprop(0.2, momentum=0.5, decay=0.5)
    chex.assert_trees_all_close(steps(tx, 3, state)[0], steps(wanted, 3)[0], rtol=1e-6)


def test_setting_a_schedule_of_inject_hyperparams_is_refused():
    tx = optax.inject_hyperparams(rmsprop)(
        learning_rate=optax.linear_schedule(0.1, 0.0, 9)
    )
    with pytest.raises(ValueError, match=r"learning_rate=0.2.*schedule"):
        set_hyperparams(tx.init(PARAMS), learning_rate=0.2)


def test_several_states_are_set_all_or_those_chosen():
    tx = optax.partition({"x": rmsprop(0.1), "y": rmsprop(0.1)}, {"w": "x", "b": "y"})
    state = tx.init(PARAMS)

    def rates(state):
        return [float(s.hyperparams.learning_rate) for s in find_states(state).values()]

    assert rates(set_hyperparams(state, learning_rate=0.5)) == [0.5, 0.5]
    one = set_hyperparams(state, where="/y/", learning_rate=0.5)
    assert rates(one) == pytest.approx([0.1, 0.5])
    one = set_hyperparams(state, where=lambda path: "/x/" in path, learning_rate=0.5)
    assert rates(one) == pytest.approx([0.5, 0.1])
    with pytest.raises(ValueError, match=r"where='z' chooses none.*inner_states/x"):
        set_hyperparams(state, where="z", learning_rate=0.5)


@pytest.mark.parametrize(
    ("values", "error", "match"),
    [
        ({"lr": 0.1}, TypeError, r"lr=0.1: expected one of learning_rate, decay"),
        ({"decay": 1.5}, ValueError, r"decay=1.5: expected a number in \[0, 1\)"),
        ({"eps": np.float32(-1)}, ValueError, r"eps=-1.0: expected"),
        ({"learning_rate": "big"}, TypeError, r"learning_rate='big': expected"),
        ({"learning_rate": None}, TypeError, r"learning_rate=None: expected"),
        (
            {"learning_rate": optax.constant_schedule(0.1)},
            TypeError,
            r"schedule is given to rms",
        ),
        ({"momentum": 0.9}, ValueError, r"goes without momentum.*momentum=0\.0"),
    ],
)
def test_what_cannot_be_set_is_refused(values, error, match):
    with pytest.raises(error, match=match):
        set_hyperparams(rmsprop(0.1).init(PARAMS), **values)


def test_setting_in_a_state_without_rmsprop_is_refused():
    with pytest.raises(ValueError, match=r"no RMSPropState in this"):
        set_hyperparams(optax.adam(0.1).init(PARAMS), learning_rate=0.1)


@pytest.mark.parametrize("name", EVERY)
def test_each_hyperparameter_has_one_owner(name):
    for value, owner in (
        (EVERY[name], OWN),
        (np.float32(EVERY[name]), OWN),
        (np.array(EVERY[name]), OWN),
        (jnp.float32(EVERY[name]), CALLER),
        (optax.constant_schedule(EVERY[name]), SCHEDULE),
    ):
        state = full(**{name: value}).init(PARAMS)
        assert getattr(state.sources, f"{name}_from") == owner
        if owner is OWN:
            set_hyperparams(state, **{name: 0.5})
        else:
            kind = "a schedule" if owner == SCHEDULE else "a jax.Array"
            with pytest.raises(ValueError, match=f"{name}=0.5: .*{kind}"):
                set_hyperparams(state, **{name: 0.5})


def test_the_sources_cost_nothing_and_survive_serialization():
    tx = full(learning_rate=optax.constant_schedule(0.1), eps=jnp.float32(1e-3))
    state = tx.init(PARAMS)
    assert jax.tree.leaves(state.sources) == []
    restored = serialization.from_bytes(state, serialization.to_bytes(state))
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    chex.assert_trees_all_equal(steps(tx, 2, restored), steps(tx, 2))


@pytest.mark.parametrize("dialect", accepting("centered", "momentum"))
@pytest.mark.parametrize("name", EVERY)
def test_any_hyperparameter_may_be_a_schedule(name, dialect):
    """A schedule equals setting its value by hand before every step."""
    values = np.linspace(0.2, 0.6, 4, dtype=np.float32)
    table = jnp.asarray(values)
    tx = full(dialect=dialect, **{name: lambda count: table[count]})
    by_hand = full(dialect=dialect)
    params, state = PARAMS, by_hand.init(PARAMS)
    for value in values:
        state = set_hyperparams(state, **{name: jnp.float32(value)})
        params, state = steps(by_hand, 1, state, params)
    wanted, last = steps(tx, 4)
    chex.assert_trees_all_equal(params, wanted)
    assert read(last)[name] == pytest.approx(values[-1], rel=1e-6)


@pytest.mark.parametrize("name", sorted(EVERY.keys() - {"decay"}))
def test_an_injected_schedule_equals_the_same_schedule(name):
    def schedule(count):
        return 0.1 + 0.1 * jnp.asarray(count, jnp.float32)

    options = {**EVERY, "centered": True, name: schedule}
    injected = optax.inject_hyperparams(rmsprop)(**options)
    chex.assert_trees_all_close(
        steps(injected, 4)[0], steps(rmsprop(**options), 4)[0], rtol=1e-6
    )


def test_an_array_of_the_callers_is_used_at_every_update():
    """As optax.inject_hyperparams does it: other arrays, same state."""
    state = rmsprop(jnp.float32(0.1)).init(PARAMS)
    _, state = rmsprop(jnp.float32(0.5)).update(GRADS, state)
    assert state.hyperparams.learning_rate == 0.5


def test_vmap_over_each_hyperparameter():
    """One program for many values, equal to as many programs."""
    for name in EVERY:
        values = np.array([0.1, 0.3, 0.6], np.float32)

        def run(value, name=name):
            return steps(full(**{name: value}), 3)[0]

        together = jax.jit(jax.vmap(run))(jnp.asarray(values))
        for i, value in enumerate(values):
            alone = steps(full(**{name: jnp.float32(value)}), 3)[0]
            chex.assert_trees_all_close(
                jax.tree.map(lambda x, i=i: x[i], together), alone, rtol=1e-5
            )


def test_a_stack_of_states_is_set_member_by_member():
    tx = rmsprop(0.1)
    state = jax.vmap(lambda _: tx.init(PARAMS))(jnp.arange(3))
    rates = jnp.array([0.1, 0.2, 0.3])
    state = set_hyperparams(state, learning_rate=rates)
    np.testing.assert_array_equal(state.hyperparams.learning_rate, rates)
    updates, _ = jax.vmap(tx.update, in_axes=(None, 0))(GRADS, state)
    np.testing.assert_allclose(updates["b"] / updates["b"][0], [1, 2, 3], rtol=1e-6)


def test_scale_by_rms_has_live_hyperparameters_too():
    state = set_hyperparams(scale_by_rms(decay=0.9).init(PARAMS), decay=0.5, eps=0.25)
    assert float(state.hyperparams.decay) == 0.5
    with pytest.raises(ValueError, match="goes without learning_rate"):
        set_hyperparams(state, learning_rate=0.1)
