"""A step of groups is made or skipped as a whole."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import metrics, param_groups, rmsprop

PARAMS = {
    "a": jnp.array([1.0, -2.0]),
    "b": jnp.array([0.0, -0.0, 3.0]),
    "c": jnp.ones(()),
}
GRADS = {
    "a": jnp.array([0.5, -1.0]),
    "b": jnp.array([1.0, 2.0, -3.0]),
    "c": jnp.array(2.0),
}
BAD = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "g·g overflows": 1e20}
DEFAULT = {
    "learning_rate": optax.linear_schedule(1.0, 0.0, 10),
    "momentum": 0.9,
    "skip_nonfinite": True,
}
GROUPS = {
    "a": {"centered": True, "learning_rate": 0.5},
    "b": optax.sgd(0.1, momentum=0.9),
}

each_bad = pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
each_leaf = pytest.mark.parametrize("leaf", PARAMS)


def bits(tree):
    """The leaves as integers: equal only to the bit, the sign of zero included."""
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def spoilt(leaf, bad):
    g = GRADS[leaf]
    return GRADS | {leaf: jnp.full_like(g, bad) if g.ndim == 0 else g.at[0].set(bad)}


def without_skips(state):
    """The state but for its counts of skipped steps, and those counts."""
    counts = {}
    for path, leaf in jax.tree.leaves_with_path(state):
        name = jax.tree_util.keystr(path)
        if name.endswith(".skipped"):
            counts[name] = int(leaf)
    kept = jax.tree.map_with_path(
        lambda path, x: None if jax.tree_util.keystr(path) in counts else x, state
    )
    return kept, list(counts.values())


@each_bad
@each_leaf
def test_bad_leaf_of_any_group_skips_the_step_of_all(leaf, bad):
    tx = param_groups(GROUPS, default=DEFAULT)
    _, state = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    updates, after = tx.update(spoilt(leaf, bad), state, PARAMS)

    assert bits(updates) == bits(jax.tree.map(lambda x: -jnp.zeros_like(x), PARAMS))
    assert bits(optax.apply_updates(PARAMS, updates)) == bits(PARAMS)
    before, skips_before = without_skips(state)
    kept, skips = without_skips(after)
    assert bits(kept) == bits(before)
    assert (skips_before, skips) == ([0, 0], [1, 1])


@each_leaf
def test_skipped_step_leaves_no_trace_in_those_after_it(leaf):
    tx = param_groups(GROUPS, default=DEFAULT)

    def run(steps):
        params, state = PARAMS, tx.init(PARAMS)
        for grads in steps:
            updates, state = tx.update(grads, state, params)
            params = optax.apply_updates(params, updates)
        return params, without_skips(state)[0]

    bad = spoilt(leaf, np.nan)
    chex.assert_trees_all_equal(run([GRADS, bad, bad, GRADS]), run([GRADS, GRADS]))


def test_groups_without_the_option_decide_nothing():
    """Why it takes one decision: the group without NaN moves on."""
    tx = param_groups({"a": {}}, default={"learning_rate": 0.1})
    updates, _ = tx.update(spoilt("a", np.nan), tx.init(PARAMS), PARAMS)
    assert np.isnan(updates["a"][0])
    assert (updates["b"] != 0).all()


def test_partition_of_ours_decides_each_for_itself():
    """What param_groups adds to `optax.partition`."""
    one = rmsprop(0.1, skip_nonfinite=True)
    tx = optax.partition({"a": one, "rest": one}, {"a": "a", "b": "rest", "c": "rest"})
    updates, _ = tx.update(spoilt("a", np.nan), tx.init(PARAMS), PARAMS)
    assert (updates["a"] == 0).all()
    assert (updates["b"] != 0).all()


def test_finite_step_is_that_of_groups_that_never_skip():
    careless = {k: v for k, v in DEFAULT.items() if k != "skip_nonfinite"}
    tx, plain = (param_groups(GROUPS, default=d) for d in (DEFAULT, careless))
    updates, _ = tx.update(GRADS, tx.init(PARAMS), PARAMS)
    expected, _ = plain.update(GRADS, plain.init(PARAMS), PARAMS)
    chex.assert_trees_all_equal(updates, expected)


def test_decision_is_joint_over_an_axis():
    tx = param_groups(GROUPS, default=DEFAULT | {"axis_name": "i"})

    @jax.jit
    def updates(one, other):
        both = jax.tree.map(lambda x, y: jnp.stack([x, y]), one, other)
        init = tx.init(PARAMS)
        return jax.vmap(lambda g: tx.update(g, init, PARAMS)[0], axis_name="i")(both)

    assert all((u == 0).all() for u in updates(GRADS, spoilt("a", np.nan)).values())
    assert all((u != 0).all() for u in updates(GRADS, GRADS).values())


def test_metrics_tell_the_skipped_step_of_every_group():
    tx = param_groups({"a": {"learning_rate": 0.5}}, default=DEFAULT)
    _, state = tx.update(spoilt("c", np.nan), tx.init(PARAMS), PARAMS)
    _, state = tx.update(GRADS, state, PARAMS)
    named = metrics(state, tx.rules)
    for group in ("a", "default"):
        assert (named[f"{group}/step"], named[f"{group}/skipped"]) == (1, 1)
