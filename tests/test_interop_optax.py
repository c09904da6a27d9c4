"""States of optax.rmsprop in every layout, continued here, and there again."""

from itertools import product

import chex
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import tolerance, tolerances_apart

from rmsprop_jax import param_groups, rmsprop
from rmsprop_jax.interop import optax as interop

PARAMS = {"a": jnp.ones((3, 2)), "b": {"c": jnp.ones(4)}}
STEPS = 20


def schedule(count):
    return 0.1 / (1 + count.astype(jnp.float32))


def gradients(first):
    rng = np.random.default_rng(first)

    def drawn(x):
        sign = rng.choice([-1, 1], x.shape)
        return jnp.asarray(sign * rng.uniform(0.5, 1.5, x.shape), jnp.float32)

    return [jax.tree.map(drawn, PARAMS) for _ in range(STEPS)]


def walk(tx, params, state, first):
    """Parameters after every step, and the last ones, and the state."""
    path = []
    for g in gradients(first):
        # Optax mixes dtypes in its bias correction.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = tx.update(g, state, params)
        params = optax.apply_updates(params, updates)
        path.append(np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)]))
    return np.stack(path), params, state


LAYOUTS = {
    " ".join(name for name, on in zip(NAMES, chosen, strict=True) if on)
    or "plain": dict(zip(NAMES, chosen, strict=True))
    for NAMES in [("centered", "momentum", "corrected", "scheduled", "injected")]
    for chosen in product((False, True), repeat=5)
}
each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def arguments(layout):
    """Those of optax.rmsprop, and those of them that its state does not show."""
    given = {"decay": 0.95, "eps": 1e-3, "initial_scale": 0.25}
    given["eps_in_sqrt"] = layout["corrected"]
    given["nesterov"] = layout["momentum"] and layout["corrected"]
    given["momentum"] = 0.9 if layout["momentum"] else None
    shown = {"centered": layout["centered"], "bias_correction": layout["corrected"]}
    return given, shown


def theirs(layout):
    given, shown = arguments(layout)
    make = optax.rmsprop
    if layout["injected"]:
        static = ("eps_in_sqrt", "centered", "nesterov", "bias_correction")
        make = optax.inject_hyperparams(make, static_args=static)
    return make(schedule if layout["scheduled"] else 0.1, **given, **shown)


def known(layout):
    """What has to be given to load."""
    given, _ = arguments(layout)
    given["learning_rate"] = schedule if layout["scheduled"] else 0.1
    if layout["injected"]:
        names = ("eps_in_sqrt", "nesterov", *["learning_rate"] * layout["scheduled"])
        given = {name: given[name] for name in names}
    return given


@each_layout
def test_we_go_on_as_optax_does_and_it_as_we(layout):
    there = theirs(layout)
    _, params, opt_state = walk(there, PARAMS, there.init(PARAMS), 0)
    start = np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)])
    tx, state = interop.load(opt_state, params, **known(layout))
    expected, _, final = walk(there, params, opt_state, 1)
    path, here, state = walk(tx, params, state, 1)
    assert tolerances_apart(path, expected, start, np.float32) < 1

    # Values aside, the state of optax itself, from nothing but ours where it shows.
    like = there.init(PARAMS) if layout["injected"] else None
    back = interop.dump(tx, state, here, like=like)
    chex.assert_trees_all_equal_shapes_and_dtypes(back, final)
    expected, *_ = walk(there, here, back, 2)
    path, *_ = walk(tx, here, state, 2)
    start = np.concatenate([np.ravel(x) for x in jax.tree.leaves(here)])
    assert tolerances_apart(path, expected, start, np.float32) < 1


def stepped(*args, **kwargs):
    tx = optax.rmsprop(*args, **kwargs)
    return walk(tx, PARAMS, tx.init(PARAMS), 0)[2]


def test_optaxs_trace_has_the_other_sign():
    opt_state = stepped(0.1, momentum=0.9)
    _, state = interop.load(opt_state, PARAMS, 0.1, momentum=0.9)
    np.testing.assert_array_equal(state.trace["a"], -opt_state[2].trace["a"])


def test_the_count_is_the_schedules():
    _, state = interop.load(stepped(schedule), PARAMS, schedule)
    assert int(state.count) == STEPS
    _, state = interop.load(stepped(schedule), PARAMS, 0.1)
    assert int(state.count) == STEPS


def test_given_numbers_go_before_injected_ones():
    make = optax.inject_hyperparams(optax.rmsprop)
    opt_state = make(0.1, decay=0.9).init(PARAMS)
    _, state = interop.load(opt_state, PARAMS, 0.5, decay=0.75)
    assert float(state.hyperparams.learning_rate) == 0.5
    assert float(state.hyperparams.decay) == 0.75


def test_injected_numbers_are_those_that_optax_used():
    make = optax.inject_hyperparams(optax.rmsprop)
    _, state = interop.load(make(0.1, decay=0.9999).init(PARAMS), PARAMS)
    used = np.float32(1) - np.float32(0.9999)
    assert float(state.hyperparams.one_minus_decay) == used
    assert used != np.float32(1 - 0.9999)


def test_memory_goes_into_a_chain_with_a_schedule():
    opt_state = stepped(schedule, momentum=0.9)
    ours = rmsprop(schedule, momentum=0.9)
    tx = optax.chain(optax.clip(0.5), ours)
    into = tx, tx.init(PARAMS)
    _, state = interop.load(opt_state, PARAMS, momentum=0.9, into=into, rule=ours.rule)
    assert int(state[1].count) == STEPS
    back = interop.dump(tx, state, PARAMS, rule=ours.rule)
    chex.assert_trees_all_equal(back, opt_state)


def test_a_trace_is_converted_with_the_rate_of_the_latest_step():
    opt_state = stepped(schedule, momentum=0.9)
    torch = rmsprop(0.1, dialect="torch", momentum=0.9)
    into = torch, torch.init(PARAMS)
    _, state = interop.load(opt_state, PARAMS, schedule, momentum=0.9, into=into)
    rate = 0.1 / STEPS
    expected = -opt_state[2].trace["a"] / rate
    np.testing.assert_allclose(state.trace["a"], expected, tolerance(np.float32, 1))
    with pytest.raises(ValueError, match="learning_rate=None: expected the source's"):
        interop.load(opt_state, PARAMS, momentum=0.9, into=into)


def test_optax_inside_a_chain_is_found_and_filled():
    there = optax.chain(optax.clip(0.5), optax.rmsprop(0.1))
    opt_state = walk(there, PARAMS, there.init(PARAMS), 0)[2]
    tx, state = interop.load(opt_state, PARAMS, 0.1)
    back = interop.dump(tx, state, PARAMS, like=there.init(PARAMS))
    chex.assert_trees_all_equal(back, opt_state)


def test_a_complex_second_moment_is_real():
    params = jax.tree.map(lambda x: x.astype(jnp.complex64), PARAMS)
    there = optax.rmsprop(0.1)
    grads = jax.tree.map(lambda x: x * (3 + 4j), params)
    with jax.numpy_dtype_promotion("standard"):
        _, opt_state = there.update(grads, there.init(params), params)
        expected, _ = there.update(grads, opt_state, params)
    tx, state = interop.load(opt_state, params, 0.1)
    np.testing.assert_allclose(state.nu["a"], np.full((3, 2), 2.5), rtol=1e-6)
    assert state.nu["a"].dtype == np.float32
    ours, _ = tx.update(grads, state, params)
    chex.assert_trees_all_close(ours, expected, rtol=tolerance(np.float32, 1))


def poisoned():
    opt_state = stepped(0.1)
    nu = {**opt_state[0].nu, "a": opt_state[0].nu["a"].at[1, 1].set(jnp.nan)}
    return (opt_state[0]._replace(nu=nu), *opt_state[1:])


LOADS = {
    "Adam's state": (
        (optax.adam(0.1).init(PARAMS), PARAMS, 0.1),
        {},
        "got none in a tu",
    ),
    "two of them": (
        ((stepped(0.1), stepped(0.1)), PARAMS, 0.1),
        {},
        "of several optimizers, load the state of each",
    ),
    "a state without its types": (
        (flax.serialization.to_state_dict(stepped(0.1)), PARAMS, 0.1),
        {},
        r"got none in a dict. Restore a checkpoint into optax.rmsprop\(...\)",
    ),
    "other members": (
        ((stepped(0.1), optax.ema(0.9).init(PARAMS)), PARAMS, 0.1),
        {},
        r"\['\[1\].count', .* belong to other members of a chain.*into=",
    ),
    "no rate": ((stepped(0.1), PARAMS), {}, "learning_rate=None: expected what optax"),
    "an injected schedule": (
        (optax.inject_hyperparams(optax.rmsprop)(schedule).init(PARAMS), PARAMS),
        {},
        "learning_rate=None: expected what optax",
    ),
    "a schedule from nowhere": (
        (stepped(0.1), PARAMS, schedule),
        {},
        "learning_rate: expected a number, for nothing",
    ),
    "no momentum": (
        (stepped(0.1, momentum=0.9), PARAMS, 0.1),
        {},
        "momentum=None: expected a number, for the state has a trace",
    ),
    "momentum": (
        (stepped(0.1), PARAMS, 0.1),
        {"momentum": 0.9},
        "momentum=0.9: expected None, for the state has no trace",
    ),
    "other leaves": (
        (stepped(0.1), {"a": PARAMS["a"]}, 0.1),
        {},
        r"params: expected the leaves that optax saw, \['a', 'b/c'\], got \['a'\]",
    ),
    "other shapes": (
        (stepped(0.1), {**PARAMS, "a": jnp.ones(3)}, 0.1),
        {},
        r"a: nu: expected shape \(3,\), as ours has, got \(3, 2\)",
    ),
    "a nan": ((poisoned(), PARAMS, 0.1), {}, "a: nu: expected finite numbers"),
}


@pytest.mark.parametrize(("args", "more", "message"), LOADS.values(), ids=LOADS)
def test_load_refuses(args, more, message):
    with pytest.raises((ValueError, TypeError), match=message):
        interop.load(*args, **more)


DUMPS = {
    "weight decay": (rmsprop(0.1, weight_decay=0.1), {}, "weight_decay is 0.1 in our"),
    "another trace": (
        rmsprop(0.1, dialect="torch", momentum=0.9),
        {},
        "lr_placement is 'after_trace' in our state and 'in_trace'",
    ),
    "a variance floor": (
        rmsprop(0.1, centered=True, variance_floor=0.1),
        {},
        "variance_floor is 0.1",
    ),
    "groups": (
        param_groups({"a": {"learning_rate": 1.0}}, default={"learning_rate": 0.1}),
        {},
        "tx: expected one RMSProp, got 2 groups",
    ),
    "another layout": (
        rmsprop(0.1),
        {"like": stepped(0.1, momentum=0.9)},
        "like: expected a state with .*'trace': False.* got one with .*'trace': True",
    ),
    "other leaves": (
        rmsprop(0.1),
        {"like": optax.rmsprop(0.1).init({"a": PARAMS["a"]})},
        r"like: expected the leaves \['a', 'b/c'\] in its nu, got \['a'\]",
    ),
}


@pytest.mark.parametrize(("tx", "more", "message"), DUMPS.values(), ids=DUMPS)
def test_dump_refuses(tx, more, message):
    with pytest.raises(ValueError, match=message):
        interop.dump(tx, tx.init(PARAMS), PARAMS, **more)
