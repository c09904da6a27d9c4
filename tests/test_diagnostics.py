"""What a state says about a run, against numbers worked out by hand."""

import chex
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64, tolerance

from rmsprop_jax import effective_learning_rate, metrics, rmsprop, scale_by_rms

ALPHA = 0.5
QUARTER = {"learning_rate": ALPHA, "decay": 0.75}
# What √v is when the legacy form has taken its first step from 4: √(¼ 16) = 2.
LEGACY = {"eps_placement": "inside_with_trace", "eps": 12.0}

# Options, the gradients of one coordinate so far, the denominator, and whether ε
# outweighs the rest of it.
BY_HAND = {
    # ν = ¼ 16 = 4
    "optax": ({"eps": 12.0}, [4], 4, True),
    "optax, small eps": ({"eps": 2.25}, [4], 2.5, False),
    "optax, eps as large": ({"eps": 4.0}, [4], 8**0.5, True),
    "keras": ({"dialect": "keras", "eps": 2.25}, [4], 2.5, False),
    "torch": ({"dialect": "torch", "eps": 3.0}, [4], 5, True),
    "torch, small eps": ({"dialect": "torch", "eps": 1.5}, [4], 3.5, False),
    "torch, eps as large": ({"dialect": "torch", "eps": 2.0}, [4], 4, True),
    "no eps": ({"eps": 0.0}, [4], 2, False),
    "legacy": (LEGACY, [4], 14, True),
    "legacy, with a trace": (LEGACY | {"momentum": 0.0}, [4], 4, True),
    # ν = ¾ 4 + ¼ 4 = 4
    "two steps": ({"eps": 0.0}, [4, -2], 2, False),
    # ν = ¾ 16 + ¼ 16
    "nu_init": ({"eps": 9.0, "nu_init": 16.0}, [4], 5, False),
    # Momentum and Nesterov leave the denominator alone.
    "momentum": ({"eps": 12.0, "momentum": 0.9}, [4], 4, True),
    "nesterov": ({"eps": 12.0, "momentum": 0.9, "nesterov": True}, [4], 4, True),
    # E[g²] = 4, E[g] = 1
    "centered": ({"eps": 1.0, "centered": True}, [4], 2, False),
    "centered, outside": (
        {"eps": 2.0, "centered": True, "dialect": "torch"}, [4], 3**0.5 + 2, True
    ),
    # ⅞ of E[g²] = 4 is more than 3
    "floor": ({"eps": 0.5, "centered": True, "variance_floor": 0.875}, [4], 2, False),
    "low floor": ({"eps": 1.0, "centered": True, "variance_floor": 0.5}, [4], 2, False),
    # ν / (1 − ρ) = 16; after -3 (¾ 4 + ¼ 9) / (1 − ρ²) = 12
    "corrected": ({"eps": 9.0, "bias_correction": True}, [4], 5, False),
    "corrected twice": ({"eps": 4.0, "bias_correction": True}, [4, -3], 4, False),
    # (¾ 3 + ¼ 16) / ¼
    "corrected nu_init": (
        {"eps": 0.0, "bias_correction": True, "nu_init": 3.0}, [4], 5, False
    ),
    # Of one gradient the square, of two the variance: 12 − 0
    "corrected, centered": (
        {"eps": 9.0, "bias_correction": True, "centered": True}, [4], 5, False
    ),
    "corrected, centered twice": (
        {"eps": 4.0, "bias_correction": True, "centered": True}, [4, -3], 4, False
    ),
    # g = 4 + λ θ = 8, so that ν = 16
    "coupled weight decay": (
        {"eps": 0.0, "weight_decay": 4.0, "weight_decay_form": "coupled"}, [4], 4, False
    ),
    "decoupled weight decay": ({"eps": 0.0, "weight_decay": 4.0}, [4], 2, False),
    "zeros": ({"eps": 4.0}, [0], 2, True),
}  # fmt: skip
each_by_hand = pytest.mark.parametrize(
    ("options", "grads", "denominator", "by_eps"), BY_HAND.values(), ids=BY_HAND
)
THETA = jnp.ones(1)


def after(tx, grads, theta=THETA):
    """The state after these gradients, one coordinate each, and the last update."""
    state = tx.init(theta)
    for g in grads:
        updates, state = tx.update(jnp.full_like(theta, g), state, theta)
    return updates, state


def quantiles(named, prefix=""):
    names = ["q05", "q50", "q95"]
    return [named[f"{prefix}effective_learning_rate/{name}"] for name in names]


@each_by_hand
def test_effective_learning_rate_is_alpha_over_the_denominator(
    options, grads, denominator, by_eps
):
    tx = rmsprop(**(QUARTER | options))
    _, state = after(tx, grads)
    expected = ALPHA / denominator
    rtol = tolerance(np.float32, len(grads))
    rate = effective_learning_rate(state, tx.rule)
    np.testing.assert_allclose(rate, [expected], rtol=rtol)
    named = metrics(state, tx.rule)
    np.testing.assert_allclose(quantiles(named), [expected] * 3, rtol=rtol)
    assert float(named["eps_share"]) == by_eps


def fits_scale_by_rms(options):
    decoupled = "weight_decay" in options and "weight_decay_form" not in options
    return not (decoupled or "momentum" in options)


@pytest.mark.parametrize(
    ("options", "grads", "denominator"),
    [row[:3] for row in BY_HAND.values() if fits_scale_by_rms(row[0])],
    ids=[name for name, row in BY_HAND.items() if fits_scale_by_rms(row[0])],
)
def test_scale_by_rms_has_the_rate_of_alpha_one(options, grads, denominator):
    tx = scale_by_rms(**({"decay": 0.75} | options))
    _, state = after(tx, grads)
    rate = effective_learning_rate(state, tx.rule)
    rtol = tolerance(np.float32, len(grads))
    np.testing.assert_allclose(rate, [1 / denominator], rtol=rtol)
    assert "learning_rate" not in metrics(state, tx.rule)


def test_coordinate_that_cannot_move_has_rate_zero():
    tx = rmsprop(0.1, eps=0.0)
    _, state = after(tx, [0.0], jnp.ones(2))
    np.testing.assert_array_equal(effective_learning_rate(state, tx.rule), [0, 0])
    named = metrics(state, tx.rule)
    assert [*quantiles(named), named["eps_share"]] == [0, 0, 0, 0]


UNMOVED = {
    "optax": {},
    "torch": {"dialect": "torch"},
    "keras": {"dialect": "keras", "eps": 1e-2},
    "schedule": {"learning_rate": lambda count: 0.1 / (1.0 + count.astype(float))},
    "centered": {"centered": True, "variance_floor": 0.01},
    "corrected": {"bias_correction": True, "nu_init": 1.0},
    "corrected, centered": {"bias_correction": True, "centered": True},
    "legacy": {"eps_placement": "inside_with_trace"},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", UNMOVED.values(), ids=UNMOVED)
def test_rate_times_gradient_is_the_step_without_momentum(options, dtype):
    """α / d · g and α · (g / d): two roundings each, and d is another program's."""
    rng = np.random.default_rng(0)
    with enable_x64(dtype == np.float64):
        tx = rmsprop(**({"learning_rate": 0.1} | options))
        state = tx.init(jnp.zeros(64, dtype))
        for g in jnp.asarray(rng.standard_normal((3, 64)), dtype):
            updates, state = tx.update(g, state)
            rate = effective_learning_rate(state, tx.rule)
            assert rate.dtype == updates.dtype == dtype
            rtol = 3 * np.finfo(dtype).eps
            np.testing.assert_allclose(rate * g, -updates, rtol=rtol, atol=0)


def test_rate_times_gradient_is_what_scale_by_rms_returns():
    tx = scale_by_rms(decay=0.0, eps=0.0)
    g = jnp.array([2.0, -0.25, 2.0**20])
    u, state = tx.update(g, tx.init(g))
    np.testing.assert_array_equal(effective_learning_rate(state, tx.rule) * g, u)


def test_metrics_name_what_there_is():
    tx = rmsprop(0.5, dialect="torch", decay=0.75, momentum=0.25, eps=4.0,
                 weight_decay=0.125, centered=True, variance_floor=0.0625,
                 skip_nonfinite=True)  # fmt: skip
    updates, state = after(tx, [4.0, jnp.nan, 4.0])
    named = metrics(state, tx.rule, grads=THETA, updates=updates, params=THETA)
    assert {k: float(named.pop(k)) for k in list(named) if "/" not in k} == {
        "step": 2,
        "skipped": 1,
        "learning_rate": 0.5,
        "decay": 0.75,
        "eps": 4,
        "momentum": 0.25,
        "weight_decay": 0.125,
        "variance_floor": 0.0625,
        "eps_share": 1,
        "grad_norm": 1,
        "update_norm": float(jnp.abs(updates)[0]),
        "param_norm": 1,
    }
    assert list(named) == [
        f"effective_learning_rate/{q}" for q in ("q05", "q50", "q95")
    ]


def test_metrics_leave_out_what_there_is_not():
    tx = rmsprop(0.5)
    named = metrics(tx.init(THETA), tx.rule)
    assert {k for k in named if "/" not in k} == {
        "step", "learning_rate", "decay", "eps", "eps_share"
    }  # fmt: skip


def test_metrics_tell_the_learning_rate_of_the_latest_step():
    tx = rmsprop(lambda count: jnp.array([0.5, 0.25, 0.125])[count])
    _, state = after(tx, [1.0, 1.0])
    assert float(metrics(state, tx.rule)["learning_rate"]) == 0.25


@pytest.mark.parametrize("tree", [{}, {"a": jnp.zeros((0, 3))}, {"a": None}, ()])
def test_tree_without_coordinates_has_no_quantiles(tree):
    tx = rmsprop(0.5, momentum=0.5)
    named = metrics(tx.init(tree), tx.rule, grads=tree)
    assert named.keys() == {
        "step", "learning_rate", "decay", "eps", "momentum", "grad_norm"
    }  # fmt: skip
    assert float(named["grad_norm"]) == 0
    rates = effective_learning_rate(tx.init(tree), tx.rule)
    chex.assert_trees_all_equal_shapes(rates, tree)


NORMS = {
    "a tree": ({"a": jnp.array([3.0]), "b": jnp.array(4.0), "c": None}, 5),
    "mixed dtypes": ([jnp.full(9, 1, jnp.bfloat16), jnp.full((2, 2), 2.0)], 5),
    "complex": (jnp.array([3 + 4j, 12j]), 13),
    "squares beyond float16": (jnp.full(4, 300, jnp.float16), 600),
    "Python numbers": ([3.0, 4.0], 5),
    "integers": ([jnp.array([3, 0]), jnp.array(4.0)], 5),
    "behind a mask": ({"a": jnp.array([3.0, 4.0]), "b": optax.MaskedNode()}, 5),
}


@pytest.mark.parametrize("name", ["grad", "update", "param"])
@pytest.mark.parametrize(("tree", "norm"), NORMS.values(), ids=NORMS)
def test_norm_is_that_of_the_tree_that_was_given(tree, norm, name):
    tx = rmsprop(0.5)
    named = metrics(tx.init(THETA), tx.rule, **{f"{name}s": tree})
    assert float(named[f"{name}_norm"]) == norm
    assert sum("norm" in key for key in named) == 1


COMPLEX = {"torch": ([1 / 6 + 1j / 8, 1 / 2 + 1j], [1 / 8, 1 / 6, 1 / 2, 1]),
           "optax": ([1 / 10, 5**-0.5 / 2], [1 / 10, 5**-0.5 / 2])}  # fmt: skip


@pytest.mark.parametrize("dialect", COMPLEX)
def test_complex_leaf_has_a_rate_per_part_where_it_has_two(dialect):
    tx = rmsprop(0.5, dialect=dialect, decay=0.0, eps=0.0)
    g = (
        jnp.array([3 + 4j, 1 - 0.5j])
        if dialect == "torch"
        else jnp.array([3 + 4j, 2 - 1j])
    )
    _, state = tx.update(g, tx.init(g))
    rates, parts = COMPLEX[dialect]
    rtol = tolerance(np.float32, 1)
    got = effective_learning_rate(state, tx.rule)
    np.testing.assert_allclose(got, rates, rtol=rtol)
    named = metrics(state, tx.rule)
    expected = np.quantile(parts, [0.05, 0.5, 0.95])
    np.testing.assert_allclose(quantiles(named), expected, rtol=rtol)
