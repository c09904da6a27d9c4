"""What a snapshot may go into, and what is refused."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from test_interop_snapshot import PARAMS, PATHS, gradients, raw, stepped, whole

from rmsprop_jax import convert_state, param_groups, rmsprop, scale_by_rms
from rmsprop_jax.interop.snapshot import Group, Snapshot, extract, install

TORCH = {"learning_rate": 0.1, "dialect": "torch", "momentum": 0.9}
KERAS = {"learning_rate": 0.1, "dialect": "keras", "momentum": 0.9}


def into(tx, params=PARAMS):
    return tx, tx.init(params)


def test_memory_comes_from_the_source_and_numbers_from_into():
    target = rmsprop(0.5, dialect="torch", momentum=0.5, decay=0.5)
    tx, state = install(whole(TORCH, trace={}, count=7), PARAMS, into=into(target))
    assert tx is target
    assert int(state.count) == 7
    assert float(state.hyperparams.learning_rate) == 0.5
    assert float(state.hyperparams.decay) == 0.5
    np.testing.assert_array_equal(state.nu["conv"]["bias"], jnp.ones(3))


def test_a_schedule_goes_on_at_the_sources_step():
    def schedule(count):
        return jnp.where(count < 7, 0.5, 0.25)

    snapshot = whole({**TORCH, "momentum": False}, count=7)
    for count, rate in ((6, 0.5), (7, 0.25)):
        target = rmsprop(schedule, dialect="torch")
        snapshot = Snapshot(snapshot.groups, count, snapshot.nu)
        tx, state = install(snapshot, PARAMS, into=into(target))
        _, state = tx.update(gradients()[0], state, PARAMS)
        assert float(state.hyperparams.learning_rate) == rate


def chained(inner):
    return optax.chain(optax.clip(1.0), inner), lambda state: state[1]


def masked(inner):
    return optax.masked(inner, True), lambda state: state.inner_state


def accumulated(inner):
    tx = optax.MultiSteps(inner, 2)
    tx = optax.GradientTransformation(tx.init, tx.update)
    return tx, lambda state: state.inner_opt_state


@pytest.mark.parametrize("wrap", [chained, masked, accumulated])
def test_memory_finds_its_place_inside_other_transformations(wrap):
    alone = rmsprop(**TORCH)
    state = stepped(alone, alone.init(PARAMS))
    snapshot = extract(alone, state, PARAMS)
    tx, inside = wrap(alone)
    _, filled = install(snapshot, PARAMS, into=into(tx), rule=alone.rule)
    chex.assert_trees_all_equal_shapes_and_dtypes(filled, tx.init(PARAMS))
    chex.assert_trees_all_close(inside(filled), state, rtol=1e-6)
    again = extract(tx, filled, PARAMS, rule=alone.rule)
    chex.assert_trees_all_close(again.nu, snapshot.nu, rtol=1e-6)


def test_one_group_of_theirs_may_go_into_two_of_ours_and_back():
    groups = param_groups({"bias": {"learning_rate": 0.2}}, default=TORCH)
    inside_chain = optax.chain(optax.clip(1.0), groups)
    rng = np.random.default_rng(0)
    snapshot = whole(TORCH, trace={"out/kernel": rng.standard_normal((3, 2))})
    for tx, rule in ((groups, None), (inside_chain, groups.rules)):
        _, state = install(snapshot, PARAMS, into=into(tx), rule=rule)
        found = extract(tx, state, PARAMS, rule=rule)
        chex.assert_trees_all_close(found.trace, snapshot.trace, rtol=1e-6)
        assert found.count == snapshot.count


def test_a_trace_with_the_rate_inside_is_the_rate_times_one_without():
    snapshot = whole(TORCH, trace={"conv/bias": np.array([1.0, -2.0, 3.0])})
    there = install(snapshot, PARAMS, into=into(rmsprop(**KERAS)), learning_rate=0.25)[
        1
    ]
    np.testing.assert_array_equal(there.trace["conv"]["bias"], [0.25, -0.5, 0.75])
    keras = whole(KERAS, trace={"conv/bias": np.array([0.25, -0.5, 0.75])})
    back = install(keras, PARAMS, into=into(rmsprop(**TORCH)), learning_rate=0.25)[1]
    np.testing.assert_array_equal(back.trace["conv"]["bias"], [1.0, -2.0, 3.0])


def test_each_group_may_have_a_rate_of_its_own():
    groups = Group(TORCH, PATHS[:1]), Group(TORCH, PATHS[1:])
    one = whole(TORCH, trace={})
    snapshot = Snapshot(groups, one.count, one.nu, {}, one.trace)
    target = into(rmsprop(**KERAS))
    _, state = install(snapshot, PARAMS, into=target, learning_rate=[0.5, 0.25])
    np.testing.assert_array_equal(state.trace["conv"]["bias"], np.full(3, 0.5))
    np.testing.assert_array_equal(state.trace["out"]["kernel"], np.full((3, 2), 0.25))


def test_the_conversion_is_exact_while_the_rate_is_constant():
    torch_like = rmsprop(**TORCH, eps_placement="inside", decay=0.9, eps=1e-7)
    state = stepped(torch_like, torch_like.init(PARAMS))
    snapshot = extract(torch_like, state, PARAMS)
    keras = rmsprop(**KERAS)
    _, other = install(snapshot, PARAMS, into=into(keras), learning_rate=0.1)
    for g in gradients():
        ours, state = torch_like.update(g, state, PARAMS)
        theirs, other = keras.update(g, other, PARAMS)
        chex.assert_trees_all_close(ours, theirs, rtol=1e-5)


def test_a_source_in_double_precision_fits_into_float32():
    nu = {"conv/bias": np.array([1e-30, 1.0, 1e30])}
    _, state = install(whole(nu=nu), PARAMS)
    assert state.nu["conv"]["bias"].dtype == np.float32


def test_the_state_lies_where_that_of_into_does():
    mesh = jax.make_mesh((8,), ("x",))
    replicated = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    tx = rmsprop(0.1)
    state = jax.device_put(tx.init(PARAMS), replicated)
    _, filled = install(whole(), PARAMS, into=(tx, state))
    assert all(x.sharding == replicated for x in jax.tree.leaves(filled))


MOMENTUM = whole(TORCH, trace={})
PLAIN = whole({"dialect": "torch"})
CENTERED = whole({"centered": True}, mu={})
BROKEN = {
    "a shape": (whole(nu={"conv/bias": raw((4,))}), r"conv/bias: nu: .*\(3,\).*\(4,\)"),
    "a nan": (whole(nu={"conv/bias": raw((3,), np.nan)}), "conv/bias: nu: .*finite.*n"),
    "an infinity": (
        whole(TORCH, trace={"conv/bias": raw((3,), np.inf)}),
        "conv/bias: trace: expected finite",
    ),
    "a negative moment": (whole(nu={"conv/bias": -raw((3,))}), "nu: expected .*>= 0"),
    "a number too large": (
        whole(nu={"conv/bias": raw((3,), 1e39)}),
        "conv/bias: nu: .*fit into float32",
    ),
    "a mean beyond its moment": (
        whole({"centered": True}, mu={"conv/bias": raw((3,), 1.1)}),
        "conv/bias: mu: expected a mean whose square is at most nu",
    ),
    "complex numbers": (whole(nu={"conv/bias": raw((3,), 1j)}), "got dtype complex"),
    "a missing trace": (
        whole(TORCH, trace={"conv/bias": None}),
        r"conv/bias: expected a trace .*got none.*momentum=0\.9",
    ),
    "a missing mean": (whole({"centered": True}), "expected a mu .*got none"),
    "a trace too many": (whole(trace={}), "expected no trace .*got one"),
    "an unknown leaf": (
        Snapshot((Group({"learning_rate": 0.1}, (*PATHS, "x")),), 0, {}),
        r"\['x'\]: in the source only, expected in the params",
    ),
    "a leaf of nobody's": (
        Snapshot((Group({"learning_rate": 0.1}, PATHS[1:]),), 0, {}),
        r"\['conv/bias'\]: in the params only, expected in the source",
    ),
    "a leaf in two groups": (
        Snapshot((Group({"learning_rate": 0.1}, PATHS),) * 2, 0, {}),
        "expected one group each",
    ),
    "memory of nothing": (
        Snapshot((Group({"learning_rate": 0.1}, PATHS),), 0, {"x": raw()}),
        r"\['x'\]: remembered, but in no group",
    ),
}


@pytest.mark.parametrize(("snapshot", "message"), BROKEN.values(), ids=BROKEN)
def test_a_snapshot_is_refused_with(snapshot, message):
    with pytest.raises((ValueError, TypeError), match=message):
        install(snapshot, PARAMS)


UNFIT = {
    "a trace into none": (
        (MOMENTUM, rmsprop(0.1, dialect="torch"), {}),
        "keeps a trace, and `into` none. .*momentum=0.9",
    ),
    "no trace into one": (
        (PLAIN, rmsprop(**TORCH), {}),
        "keeps no trace, and `into` does. .*momentum=False, .*convert_state",
    ),
    "a mean into none": ((CENTERED, rmsprop(0.1), {}), "mu, .*centered=True"),
    "no mean into one": (
        (whole(), rmsprop(0.1, centered=True), {}),
        "mu, .*centered=False",
    ),
    "the rate unknown": (
        (MOMENTUM, rmsprop(**KERAS), {}),
        r"learning_rate=None: expected .* lr_placement='after_trace'",
    ),
    "the rate 0": ((MOMENTUM, rmsprop(**KERAS), {"learning_rate": 0.0}), "> 0"),
    "too many rates": (
        (MOMENTUM, rmsprop(**KERAS), {"learning_rate": [0.1, 0.1]}),
        "one per group",
    ),
    "no rule": (
        (PLAIN, optax.chain(rmsprop(0.1, dialect="torch")), {}),
        r"rule=None: .*rule=rmsprop\(...\).rule",
    ),
    "rules of other groups": (
        (
            PLAIN,
            optax.chain(rmsprop(0.1, dialect="torch")),
            {"rule": param_groups({}, default={"learning_rate": 0.1}).rules},
        ),
        r"rule: expected one of the groups \['default'\]",
    ),
    "two places": (
        (
            PLAIN,
            optax.chain(scale_by_rms(), rmsprop(0.1)),
            {"rule": rmsprop(0.1).rule},
        ),
        "conv/bias: expected one RMSPropState .*, got two, at '0' and '1'",
    ),
    "a frozen leaf": (
        (
            PLAIN,
            param_groups({"bias": optax.set_to_zero()}, default={"learning_rate": 1.0}),
            {},
        ),
        r"\['conv/bias'\]: the source remembers them, .*set_to_zero",
    ),
    "no RMSProp": (
        (PLAIN, optax.sgd(0.1), {"rule": rmsprop(0.1).rule}),
        "no RMSPropState",
    ),
}


@pytest.mark.parametrize(("given", "message"), UNFIT.values(), ids=UNFIT)
def test_into_is_refused_with(given, message):
    snapshot, tx, more = given
    with pytest.raises((ValueError, TypeError), match=message):
        install(snapshot, PARAMS, into=into(tx), **more)


def test_what_the_source_does_not_remember_starts_anew_in_a_used_state():
    tx = rmsprop(0.5, dialect="torch", momentum=0.5, centered=True, nu_init=0.25)
    used = stepped(tx, tx.init(PARAMS))
    options = {**TORCH, "centered": True}
    unseen = {"conv/bias": None}
    snapshot = whole(options, nu=unseen, mu=unseen, trace=unseen)
    _, state = install(snapshot, PARAMS, into=(tx, used))
    for slot, start in (("nu", 0.25), ("mu", 0.0), ("trace", 0.0)):
        np.testing.assert_array_equal(getattr(state, slot)["conv"]["bias"], [start] * 3)
        assert (getattr(used, slot)["conv"]["bias"] != start).all()
    np.testing.assert_array_equal(state.trace["conv"]["kernel"], jnp.ones((2, 3)))


def test_convert_state_is_the_way_out_of_unequal_slots():
    tx, state = install(PLAIN, PARAMS)
    target = rmsprop(**TORCH)
    state = convert_state(state, target, PARAMS)
    np.testing.assert_array_equal(state.nu["conv"]["bias"], jnp.ones(3))
    np.testing.assert_array_equal(state.trace["conv"]["bias"], jnp.zeros(3))
    assert tx.rule == target.rule


def test_a_rate_or_a_rule_without_into_is_refused():
    for more in ({"learning_rate": 0.1}, {"rule": rmsprop(0.1).rule}):
        with pytest.raises(TypeError, match="expected only beside into="):
            install(PLAIN, PARAMS, **more)


def test_a_state_of_other_parameters_is_refused():
    tx = rmsprop(0.1)
    state = tx.init({**PARAMS, "more": jnp.zeros(2)})
    with pytest.raises(ValueError, match=r"\['more'\]: in the state, expected in pa"):
        install(whole(), PARAMS, into=(tx, state))


def test_nothing_can_be_extracted_without_a_learning_rate():
    tx = scale_by_rms()
    with pytest.raises(ValueError, match="learning_rate: expected an rmsprop, got"):
        extract(tx, tx.init(PARAMS), PARAMS)


def test_a_batch_of_states_is_refused():
    tx = rmsprop(0.1)
    states = jax.vmap(lambda _: tx.init(PARAMS))(jnp.arange(2))
    with pytest.raises(ValueError, match=r"expected one, got a batch of shape \(2,\)"):
        extract(tx, states, PARAMS)
