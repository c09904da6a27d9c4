"""What the rows of the table promise beyond their paths, in numbers done by hand."""

import dataclasses
import re
from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import parity
from helpers import fine_probe, tolerances_apart, trajectories

from rmsprop_jax import DIALECTS, rmsprop, scale_by_rms, set_hyperparams

# What each framework has not, in the word that its row says of it.
REFUSED = {
    ("bitsandbytes", "momentum"): "never reads it",
    ("bitsandbytes", "centered"): "raises",
    ("chainer", "momentum"): "no momentum",
    ("chainer", "centered"): "RMSpropGraves",
    ("caffe", "momentum"): "stops",
    ("caffe", "centered"): "no centered form",
    ("dqn", "momentum"): "without a trace",
    ("hinton", "centered"): "root mean square",
}
# Whose hyperparameters are float32 in a float64 run. Recordings cannot tell it of
# learning rates, which are float32 there, nor of MXNet, which has no float64.
ROUNDED = {
    "tf_keras_legacy": ("learning_rate", "decay", "momentum"),
    "tf1": ("learning_rate", "decay", "eps", "momentum"),
    "mxnet": ("learning_rate", "decay", "eps", "momentum", "weight_decay"),
    "paddle": ("decay", "eps", "momentum"),
    "caffe": ("decay", "eps", "weight_decay"),
}


def only_update(tx, g, params=None):
    params = jnp.zeros_like(g) if params is None else params
    return tx.update(g, tx.init(params), params)[0]


def test_the_table_refuses_what_is_listed_here():
    assert {(name, x) for name, row in DIALECTS.items() for x in row.refuses} == set(
        REFUSED
    )


@pytest.mark.parametrize(
    ("make", "name", "option"),
    [
        *((partial(rmsprop, 1e-3), *refused) for refused in REFUSED),
        *((scale_by_rms, name, x) for name, x in REFUSED if x != "momentum"),
    ],
)
def test_what_a_framework_lacks_is_refused_in_its_rows_words(make, name, option):
    value = {"momentum": 0.9, "centered": True}[option]
    said = DIALECTS[name].refuses[option]
    assert REFUSED[name, option] in said
    message = rf"{option}={value}: {re.escape(said)} .*another dialect"
    with pytest.raises(ValueError, match=message):
        make(dialect=name, **{option: value})


@pytest.mark.parametrize(("name", "option"), REFUSED)
def test_what_a_framework_lacks_may_be_off(name, option):
    rmsprop(1e-3, dialect=name, **{option: False})


@pytest.mark.parametrize("name", sorted({name for name, _ in REFUSED}))
def test_a_dialect_of_ones_own_may_have_what_its_model_lacks(name):
    own = dataclasses.replace(DIALECTS[name], refuses={})
    rmsprop(1e-3, dialect=own, momentum=0.9, centered=True)


def test_mxnet_has_momentum_only_when_centered():
    with pytest.raises(ValueError, match=r"momentum=0\.9: .* ignores .*centered=True"):
        rmsprop(1e-3, dialect="mxnet", momentum=0.9)
    assert rmsprop(1e-3, dialect="mxnet").init(jnp.zeros(1)).trace is None
    state = rmsprop(1e-3, dialect="mxnet", centered=True).init(jnp.zeros(1))
    assert state.hyperparams.momentum == np.float32(0.9)


@pytest.mark.parametrize("name", DIALECTS)
def test_no_dialect_decays_weights_unasked(name):
    state = rmsprop(1e-3, dialect=name).init(jnp.zeros(1))
    assert state.hyperparams.weight_decay is None


def test_weight_decay_is_decoupled_where_the_framework_has_none():
    without = {x: row for x, row in DIALECTS.items() if "weight_decay" not in row.names}
    assert {row.rule.weight_decay_form for row in without.values()} == {"decoupled"}
    # Optax and Chainer chain a transformation of its own, or hook one in.
    assert without.keys() == {
        "optax", "tf_keras_legacy", "tf1", "chainer", "graves", "hinton",
    }  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_tf1_and_graves_keep_a_trace_unasked(name):
    state = rmsprop(1e-3, dialect=name).init(jnp.zeros(3))
    assert (state.trace is not None) == (name in {"tf1", "graves"})


def test_tf1_keeps_its_trace_at_momentum_0_and_none_if_it_is_off():
    for momentum in (None, 0.0):
        state = rmsprop(1e-3, dialect="tf1", momentum=momentum).init(jnp.zeros(3))
        assert state.hyperparams.momentum == 0
        np.testing.assert_array_equal(state.trace, np.zeros(3))
    assert rmsprop(1e-3, dialect="tf1", momentum=False).init(jnp.zeros(3)).trace is None


@pytest.mark.parametrize(
    ("name", "momentum", "factor"),
    [
        # g = 1e-4: √ν = √1e-9, and ε = 1e-7 beside it, or beside ν.
        ("tf_keras_legacy", False, 1e-4 / (1e-9**0.5 + 1e-7)),
        ("tf_keras_legacy", 0.0, 1e-4 / (1e-9 + 1e-7) ** 0.5),
        ("tf_keras_legacy", 1e-12, 1e-4 / (1e-9 + 1e-7) ** 0.5),
        ("keras", False, 1e-4 / (1e-9 + 1e-7) ** 0.5),
        ("keras", 1e-12, 1e-4 / (1e-9 + 1e-7) ** 0.5),
    ],
)
def test_legacy_eps_moves_under_the_root_with_the_trace(name, momentum, factor):
    """Ten times shorter steps for a momentum of nothing."""
    tx = rmsprop(1.0, dialect=name, momentum=momentum)
    update = only_update(tx, jnp.array([1e-4]))
    assert float(update[0]) == pytest.approx(-factor, rel=1e-5)


def test_the_table_rounds_what_is_listed_here():
    rules = {name: row.rule for name, row in DIALECTS.items()}
    found = {name: rule.float32_hyperparams for name, rule in rules.items()}
    assert {name: names for name, names in found.items() if names} == ROUNDED


def test_each_rounding_to_float32_shows_in_float64():
    problem, factories = fine_probe(), []
    rounded = [(name, x) for name, names in ROUNDED.items() for x in names]
    for name, hyperparameter in rounded:
        # Its own defaults are no use: ε = 1e-10 beside ν₀ = 1 shows nothing.
        rule = DIALECTS[name].rule
        others = tuple(x for x in rule.float32_hyperparams if x != hyperparameter)
        for float32_hyperparams in (rule.float32_hyperparams, others):
            changed = dataclasses.replace(rule, float32_hyperparams=float32_hyperparams)
            row = dataclasses.replace(DIALECTS["keras"], rule=changed)
            numbers = {"decay": 0.9, "eps": 0.01, "momentum": 0.9, "weight_decay": 0.01}
            factories.append(partial(rmsprop, dialect=row, **numbers))
    paths = trajectories(factories, *problem, np.float64)
    near = [
        which
        for which, path, other in zip(rounded, paths[::2], paths[1::2], strict=True)
        if not tolerances_apart(other, path, problem[0], np.float64) >= 10
    ]
    assert not near


@pytest.mark.parametrize(
    ("name", "case", "dtype"),
    [
        # MXNet has no float64 to record.
        ("mxnet_rounding", "decay_99999", "float32"),
        *((x, "decay_999", "float64") for x in ROUNDED if x != "mxnet"),
    ],
)
def test_a_record_is_missed_without_the_rounding(name, case, dtype):
    row = DIALECTS[parity.ROWS[name]]
    rule = dataclasses.replace(row.rule, float32_hyperparams=())
    exact = dataclasses.replace(row, rule=rule)
    options = parity.ours(name, *parity.RECORDED[name][case][:2]) | {"dialect": exact}
    (path,) = trajectories([partial(rmsprop, **options)], *parity.PROBLEM, dtype)
    recorded = parity.GOLDEN[name][f"{case}/{dtype}/params"]
    assert tolerances_apart(path, recorded, parity.PROBLEM[0], dtype) >= 10


def test_legacy_keras_rounds_its_learning_rate():
    """The recordings do not show it: their learning rates are float32 already."""
    start, grads, rates = fine_probe()
    tx = partial(rmsprop, dialect="tf_keras_legacy", eps=0.0, decay=0.5)
    rounded = rates.astype(np.float32)
    one, other = (
        trajectories([tx], start, grads, x, np.float64)[0] for x in (rates, rounded)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("caffe", (None, 0.99, 1e-8, 0.0, "base_lr")),
        # The paper's table; 0.01 in the code is what comes of no argument.
        ("dqn", (2.5e-4, 0.95, 0.01, 0.0, "lr")),
        ("hinton", (None, 0.9, 0.0, 0.0, None)),
    ],
)
def test_what_could_not_be_run_has_the_defaults_of_its_source(name, numbers):
    row = DIALECTS[name]
    found = row.learning_rate, row.decay, row.eps, row.momentum
    assert (*found, row.names.get("learning_rate")) == numbers


def test_dqn_adds_its_weight_cost_to_the_gradient():
    tx = rmsprop(0.1, dialect="dqn", decay=0.0, weight_decay=0.5, eps=4.0)
    # The newest gradient has no variance: g + λ θ over √ε, with no α λ θ after it.
    update = only_update(tx, jnp.array([1.0]), jnp.array([6.0]))
    assert float(update[0]) == pytest.approx(-0.1 * (1 + 0.5 * 6) / 2)


def test_caution_stays_where_the_trace_points_elsewhere_and_goes_further_elsewhere():
    tx = rmsprop(1.0, decay=0.0, eps=0.0, momentum=0.5, cautious=True)
    g = jnp.array([1.0, 1.0, 1.0, 1.0])
    state = tx.init(g)
    first, state = tx.update(g, state)
    np.testing.assert_array_equal(first, -np.ones(4))
    # m = 0.5 ± 1: along g in both cases, against it never; 0 where it is 0.
    second, state = tx.update(jnp.array([1.0, -1.0, 1.0, 0.0]), state)
    # Three of four agree: those go 4/3 of the way, and the trace knows nothing of it.
    np.testing.assert_allclose(second, [-2.0, 2 / 3, -2.0, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(state.trace, [1.5, -0.5, 1.5, 0.5])


def test_caution_where_nothing_agrees_moves_nothing():
    tx = rmsprop(1.0, decay=0.0, eps=1.0, momentum=0.9, cautious=True)
    state = tx.init(jnp.zeros(2))
    _, state = tx.update(jnp.array([2.0, 2.0]), state)
    update, _ = tx.update(jnp.array([-0.1, -0.1]), state)
    np.testing.assert_array_equal(update, np.zeros(2))


def test_corrected_weight_decay_shrinks_with_the_square_of_the_learning_rate():
    """α² / α_peak λ θ; the peak is the learning rate of the call."""
    theta, g = jnp.array([2.0]), jnp.zeros(1)
    tx = rmsprop(0.5, weight_decay=0.25, weight_decay_form="corrected")
    assert tx.rule.peak_learning_rate == 0.5
    state = tx.init(theta)
    np.testing.assert_array_equal(tx.update(g, state, theta)[0], [-0.5 * 0.25 * 2])
    state = set_hyperparams(state, learning_rate=0.25)
    halved = -(0.25**2) / 0.5 * 0.25 * 2
    np.testing.assert_array_equal(tx.update(g, state, theta)[0], [halved])


@pytest.mark.parametrize(
    "rate",
    [optax.constant_schedule(0.1), jnp.float32(0.1), 0.0],
    ids=["schedule", "array", "zero"],
)
def test_corrected_weight_decay_beside_a_schedule_asks_for_the_peak(rate):
    form = {"weight_decay": 0.1, "weight_decay_form": "corrected"}
    with pytest.raises(ValueError, match="peak_learning_rate=None: expected the large"):
        rmsprop(rate, **form)
    rmsprop(rate, peak_learning_rate=0.1, **form)


@pytest.mark.parametrize("name", ["cautious", "nesterov"])
def test_caution_and_nesterov_ask_for_momentum(name):
    with pytest.raises(ValueError, match=f"{name}=True: expected momentum too"):
        rmsprop(0.1, **{name: True})
