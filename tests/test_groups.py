"""Groups: equal to a hand-built partition, and nothing unaccounted for."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import named, tolerance

from rmsprop_jax import param_groups, rmsprop, set_hyperparams

PARAMS = {
    "dense": {"bias": jnp.array([0.5, -1.0]), "kernel": jnp.arange(6.0).reshape(3, 2)},
    "out": {"bias": jnp.ones(1), "kernel": jnp.array([[2.0], [-3.0]])},
}
GRADS = jax.tree.map(lambda x: jnp.cos(3 * x) + 0.1, PARAMS)
PATHS = ["dense/bias", "dense/kernel", "out/bias", "out/kernel"]
DEFAULT = {"learning_rate": 0.1, "weight_decay": 0.01, "momentum": 0.9}


def run(tx, grads=GRADS, steps=3, params=PARAMS):
    """Parameters and state after some steps."""
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def by_name(names):
    """A tree of labels from what the last key of a path is called."""
    return jax.tree.map_with_path(lambda path, _: names[path[-1].key], PARAMS)


def refusal(error, call, *arguments, **options):
    """The message of the `error` that the call raises; jax's own are subclasses."""
    with pytest.raises(error) as info:
        call(*arguments, **options)
    assert info.type is error
    return str(info.value)


OVERRIDES = [
    {},
    {"learning_rate": 1.0},
    {"weight_decay": False},
    {"momentum": False, "centered": True},
    {"dialect": "torch"},
    {"learning_rate": optax.linear_schedule(1.0, 0.0, 10)},
    {"eps_placement": "outside", "eps": 1e-2, "nu_init": 1.0},
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=named)
def test_groups_are_a_partition_built_by_hand(overrides):
    groups = param_groups({"bias$": overrides}, default=DEFAULT)
    members = {"b": rmsprop(**(DEFAULT | overrides)), "k": rmsprop(**DEFAULT)}
    by_hand = optax.partition(members, by_name({"bias": "b", "kernel": "k"}))
    params, state = run(groups)
    chex.assert_trees_all_equal(params, run(by_hand)[0])
    assert groups.rules == {"bias$": members["b"].rule, "default": members["k"].rule}
    assert set(state.inner_states) == {"bias$", "default"}


@pytest.mark.parametrize("overrides", OVERRIDES[1:], ids=named)
def test_an_override_moves_its_own_group_only(overrides):
    params, _ = run(param_groups({"bias$": overrides}, default=DEFAULT))
    plain, _ = run(rmsprop(**DEFAULT))
    for layer in ("dense", "out"):
        assert (params[layer]["bias"] != plain[layer]["bias"]).all()
        chex.assert_trees_all_equal(params[layer]["kernel"], plain[layer]["kernel"])


def test_groups_without_a_default_state_all_their_arguments():
    both = param_groups({"bias": DEFAULT, "kernel": {"learning_rate": 0.5}})
    separate = param_groups({"bias": DEFAULT}, default={"learning_rate": 0.5})
    chex.assert_trees_all_equal(run(both)[0], run(separate)[0])
    assert set(both.rules) == {"bias", "kernel"}


def test_no_groups_are_the_default_alone():
    params, _ = run(param_groups({}, default=DEFAULT))
    chex.assert_trees_all_equal(params, run(rmsprop(**DEFAULT))[0])


def test_pattern_is_searched_for_in_the_path():
    tx = param_groups({"^dense/": {}, "^out/k": {}}, default=DEFAULT)
    groups = [row.split()[-1] for row in tx.table(PARAMS).splitlines()[1:]]
    assert groups == ["^dense/", "^dense/", "default", "^out/k"]


TABLE = """\
parameter     shape   dtype     group
dense/bias    (2,)    float32   bias$
dense/kernel  (3, 2)  bfloat16  default
out/bias      (1,)    float32   bias$
out/kernel    (2, 1)  float32   default"""


@pytest.mark.parametrize("of", ["arrays", "shapes"])
def test_table_says_which_leaf_went_where(of):
    params = jax.tree.map_with_path(
        lambda path, x: (
            x.astype(jnp.bfloat16) if path[-1].key == "kernel" and x.size > 2 else x
        ),
        PARAMS,
    )
    if of == "shapes":
        params = jax.eval_shape(lambda: params)
    assert param_groups({"bias$": {}}, default=DEFAULT).table(params) == TABLE


def test_unmatched_leaf_is_an_error_with_its_path():
    message = refusal(ValueError, param_groups({"bias": DEFAULT}).init, PARAMS)
    assert "dense/kernel: expected one matching group, got none" in message
    assert "out/kernel: expected one matching group, got none" in message
    assert "bias:" not in message
    assert "default={...}" in message


def test_doubly_matched_leaf_is_an_error_with_its_path_and_both_groups():
    tx = param_groups({"bias": {}, "^out": {}}, default=DEFAULT)
    message = refusal(ValueError, tx.init, PARAMS)
    assert message.startswith(
        "out/bias: expected one matching group, got 2: ['bias', '^out']"
    )
    assert len(message.splitlines()) == 1
    assert "disjoint" in message


def test_pattern_that_matches_nothing_is_an_error_with_the_paths():
    tx = param_groups({"bias": {}, "Kernel": {}}, default=DEFAULT)
    message = refusal(ValueError, tx.init, PARAMS)
    assert message.startswith("group 'Kernel': matches none of the leaves")
    assert all(path in message for path in PATHS)
    assert len(message.splitlines()) == 1


def test_all_that_is_wrong_is_told_at_once():
    tx = param_groups({"bias": DEFAULT, "^out": DEFAULT, "head": DEFAULT})
    first, second, third = refusal(ValueError, tx.init, PARAMS).splitlines()
    assert first.startswith("dense/kernel: ")
    assert second.startswith("out/bias: ")
    assert third.startswith("group 'head': ")


# Groups, the default, the error, and how its message begins.
WRONG = [
    ({"(": {}}, DEFAULT, ValueError, "group '(': expected a regular expression, "),
    ({3: {}}, DEFAULT, TypeError, "group 3: expected a regular expression as "),
    ({"default": {}}, DEFAULT, ValueError, "group 'default': the name is taken"),
    ({"bias": {}}, None, ValueError, "group 'bias': expected a learning_rate"),
    ({"bias": DEFAULT}, {}, ValueError, "group 'default': expected a learning_rate"),
    (
        {"bias": {"decay": 1.5}},
        DEFAULT,
        ValueError,
        "group 'bias': decay=1.5: expected",
    ),
    ({"bias": {"lr": 0.1}}, DEFAULT, TypeError, "group 'bias': "),
    ({"bias": 0.1}, DEFAULT, TypeError, "group 'bias'"),
    ({"bias": None}, DEFAULT, TypeError, "group 'bias'"),
    ({"bias": DEFAULT}, 0.1, TypeError, "group 'default'"),
    ({"bias": {"skip_nonfinite": True}}, DEFAULT, ValueError, "skip_nonfinite"),
    (
        {"bias": {"axis_name": "i"}},
        DEFAULT,
        ValueError,
        "group 'bias': axis_name='i': ",
    ),
    (
        {"bias": {"axis_name": "i"}},
        DEFAULT | {"skip_nonfinite": True},
        ValueError,
        "skip_nonfinite and axis_name",
    ),
]


@pytest.mark.parametrize(
    ("groups", "default", "error", "start"), WRONG, ids=[str(row[0]) for row in WRONG]
)
def test_wrong_group_is_refused_by_name(groups, default, error, start):
    message = refusal(error, param_groups, groups, default=default)
    assert message.startswith(start)


def test_group_may_be_a_transformation():
    tx = param_groups(
        {"bias": optax.set_to_zero(), "^dense/k": optax.sgd(0.5)}, default=DEFAULT
    )
    params, state = run(tx, steps=1)
    alone, _ = run(rmsprop(**DEFAULT), steps=1)
    assert (params["dense"]["bias"] == PARAMS["dense"]["bias"]).all()
    descended = PARAMS["dense"]["kernel"] - 0.5 * GRADS["dense"]["kernel"]
    np.testing.assert_array_equal(params["dense"]["kernel"], descended)
    np.testing.assert_array_equal(params["out"]["kernel"], alone["out"]["kernel"])
    assert set(tx.rules) == {"default"}
    assert set(state.inner_states) == {"bias", "^dense/k", "default"}


def test_default_may_be_a_transformation():
    tx = param_groups({"^out": DEFAULT}, default=optax.set_to_zero())
    params, _ = run(tx)
    chex.assert_trees_all_equal(params["dense"], PARAMS["dense"])
    chex.assert_trees_all_equal(params["out"], run(rmsprop(**DEFAULT))[0]["out"])


@pytest.mark.parametrize("options", [{}, {"skip_nonfinite": True}], ids=named)
def test_frozen_integers_need_no_gradient(options):
    """As `jax.grad(..., allow_int=True)` gives it: float0."""
    params = {"ids": jnp.arange(3), "w": jnp.ones(2)}
    grads = jax.grad(lambda p: jnp.sum(p["w"] ** 2), allow_int=True)(params)
    tx = param_groups({"ids": optax.set_to_zero()}, default=DEFAULT | options)
    updates, _ = tx.update(grads, tx.init(params), params)
    alone = rmsprop(**DEFAULT)
    expected, _ = alone.update(grads["w"], alone.init(params["w"]), params["w"])
    np.testing.assert_array_equal(updates["w"], expected)


WRAPPERS = {
    "bare": (lambda tx: tx, lambda state: state),
    "chain": (lambda tx: optax.chain(optax.clip(10.0), tx), lambda state: state[1]),
    "masked": (
        lambda tx: optax.masked(tx, {"dense": True, "out": True}),
        lambda state: state.inner_state,
    ),
}


@pytest.mark.parametrize(("wrap", "unwrap"), WRAPPERS.values(), ids=WRAPPERS)
def test_groups_run_in_one_trace_wherever_they_stand(wrap, unwrap):
    groups = param_groups({"bias": {"learning_rate": 1.0}}, default=DEFAULT)
    tx = wrap(groups)
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(1)
    def update(state, params):
        updates, state = tx.update(GRADS, state, params)
        return state, optax.apply_updates(params, updates)

    state, params = tx.init(PARAMS), PARAMS
    for _ in range(3):
        old = state
        state, params = update(state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(old, state)
    expected, expected_state = run(groups)
    # Compiled as a whole, XLA may fuse a multiplication and an addition.
    rtol = tolerance(np.float32, 3)
    chex.assert_trees_all_close(params, expected, rtol=rtol)
    chex.assert_trees_all_close(unwrap(state), expected_state, rtol=rtol)


def test_masked_groups_see_the_unmasked_leaves_only():
    groups = param_groups({"bias": {"learning_rate": 1.0}}, default=DEFAULT)
    masked = optax.masked(groups, {"dense": True, "out": False})
    updates, _ = masked.update(GRADS, masked.init(PARAMS), PARAMS)
    expected, _ = groups.update(GRADS, groups.init(PARAMS), PARAMS)
    chex.assert_trees_all_equal(updates["dense"], expected["dense"])
    chex.assert_trees_all_equal(updates["out"], GRADS["out"])


@pytest.mark.parametrize("where", ["bias", lambda path: "bias" in path])
def test_set_hyperparams_chooses_one_group(where):
    tx = param_groups({"bias$": {}}, default=DEFAULT)
    state = set_hyperparams(tx.init(PARAMS), where=where, learning_rate=0.75)
    rates = {
        name: float(one.inner_state.hyperparams.learning_rate)
        for name, one in state.inner_states.items()
    }
    assert rates == {"bias$": 0.75, "default": np.float32(0.1)}
    updates, _ = tx.update(GRADS, state, PARAMS)
    edited = param_groups({"bias$": {"learning_rate": 0.75}}, default=DEFAULT)
    expected, _ = edited.update(GRADS, edited.init(PARAMS), PARAMS)
    chex.assert_trees_all_equal(updates, expected)


def test_set_hyperparams_sets_every_group_unless_told_where():
    state = param_groups({"bias$": {}}, default=DEFAULT).init(PARAMS)
    state = set_hyperparams(state, learning_rate=0.75)
    rates = [
        s.inner_state.hyperparams.learning_rate for s in state.inner_states.values()
    ]
    assert rates == [0.75, 0.75]
