import ast
import dataclasses

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import astray, enable_x64, oracle, probe, tolerances_apart

from rmsprop_jax import DIALECTS, explain, rmsprop, set_hyperparams
from rmsprop_jax.comparison import problem
from rmsprop_jax.sides import call, sides

# Rows of one's own: all that a rule can choose and no framework does, and the rest.
HEAVY = dataclasses.replace(
    DIALECTS["torch"],
    decay=0.5,
    momentum=0.5,
    weight_decay=0.25,
    rule=dataclasses.replace(
        DIALECTS["torch"].rule,
        weight_decay_form="corrected",
        moment="tensor",
        nesterov=True,
        cautious=True,
        bias_correction=True,
    ),
)
ROWS = {**DIALECTS, "heavy": HEAVY}
TRACED = {"momentum": 0.9, "weight_decay": 0.01}


def side(name, **options):
    """What `explain` takes for a row of `ROWS`."""
    return {"dialect": name if name in DIALECTS else ROWS[name], **options}


def built(lines, other):
    """The transformation that the lines make."""
    *statements, last = ast.parse(lines).body
    names = {"rmsprop": rmsprop, "DIALECTS": DIALECTS, "other": ROWS[other]}
    exec(compile(ast.Module(statements, []), "call", "exec"), names)
    return eval(compile(ast.Expression(last.value), "call", "eval"), names)


def follow(tx, start, grads, rates):
    """The way made after every step; each rate is a share of its own."""
    params = jnp.asarray(start, float)
    state, updates = tx.init(params), []
    own = float(state.hyperparams.learning_rate)
    for g, share in zip(jnp.asarray(grads, float), rates.tolist(), strict=True):
        state = set_hyperparams(state, learning_rate=own * share)
        update, state = tx.update(g, state, params)
        params = optax.apply_updates(params, update)
        updates.append(np.asarray(update, np.float64))
    return np.cumsum(updates, axis=0)


def numbers(tx):
    """The hyperparameters, `None` where there is no slot."""
    of = tx.init(jnp.ones(2)).hyperparams
    return tuple(None if x is None else float(x) for x in of)


def takes(name, options):
    """Whether the dialect has no objection."""
    try:
        rmsprop(0.1, **side(name, **options))
    except ValueError:
        return False
    return True


CALLS = [
    (name, options, np.float64)
    for name in ROWS
    for options in ({}, TRACED, {"centered": True})
    if takes(name, options)
]
CALLS += [(name, {}, np.float32) for name in ROWS]


@pytest.mark.parametrize(("one", "options", "dtype"), CALLS)
def test_the_call_makes_of_any_dialect_what_the_one_side_is(one, options, dtype):
    # Three steps, three learning rates.
    problem, gaps = probe(steps=3, size=16), {}
    with enable_x64(dtype == np.float64):
        rate = ROWS[one].learning_rate or 1e-3
        path = follow(rmsprop(rate, **side(one, **options)), *problem)
        for other in ROWS:
            a, b = sides(side(one, **options), side(other), {"learning_rate": rate})
            # At these ρ, numbers rounded to float32 are no difference in float32.
            lines = call(a.values, b, rounds=dtype == np.float64)
            tx = built(lines, other)
            # Most calls come to the same, and are followed once.
            same = dataclasses.replace(tx.rule, complex_form="refused"), numbers(tx)
            if same not in gaps:
                made = follow(tx, *problem)
                gaps[same] = tolerances_apart(made, path, 0, dtype)
    assert not astray(gaps)


@pytest.mark.parametrize(
    ("one", "other", "shared", "rounds"),
    [
        ("torch", "mxnet", {}, False),
        ("keras", "tf_keras_legacy", {"decay": 0.9}, False),
        ("keras", "tf_keras_legacy", {"decay": 0.9999}, True),
        ("tf_keras_legacy", "keras", {"decay": 0.9999}, True),
        ("graves", "caffe", {}, False),
        ("heavy", "hinton", {"learning_rate": 0.5}, False),
        ("hinton", "heavy", {"weight_decay": 0.5}, False),
    ],
)
def test_what_is_explained_ends_with_such_a_call(one, other, shared, rounds):
    """Rounding of ρ to float32 has its line where it is more than rounding here."""
    why = explain(side(one), side(other), **shared)
    rates = shared.get("learning_rate"), *(ROWS[x].learning_rate for x in (one, other))
    options = {"learning_rate": next(filter(None, rates))} | side(one) | shared
    problem = probe(steps=3, size=16)
    path = follow(rmsprop(**options), *problem)
    made = follow(built(why.call, other), *problem)
    assert tolerances_apart(made, path, 0, np.float32) < 1
    assert ("float32_hyperparams" in why.call) == rounds
    assert all(f"    {line}" in str(why) for line in why.call.splitlines())


def way(scale, rate, **options):
    """The first step and the whole way, by the oracle, on the problem of `explain`."""
    grads, falls, theta = problem(scale)
    rates = rate * falls
    if "learning_rate" in options.get("float32_hyperparams", ()):
        rates = rates.astype(np.float32)
    path = oracle(theta, grads, rates, **options) - theta
    return path[0], path[-1]


ROUNDED = {"float32_hyperparams": ("learning_rate", "decay", "eps")}
EXACT = {"float32_hyperparams": ()}
TEXTBOOK = {
    "torch": {
        "decay": 0.99,
        "eps_placement": "outside",
        "lr_placement": "after_trace",
        "weight_decay_form": "coupled",
    },
    "keras": {"eps": 1e-7},
    "optax": {},
    "tf1": {
        "eps": 1e-10,
        "nu_init": 1.0,
        **ROUNDED,
    },
    "mxnet": {"weight_decay_form": "coupled"},
}
INSIDE, BEFORE = {"eps_placement": "inside"}, {"lr_placement": "in_trace"}
# Two dialects, the scale, what both share, and what differs, as the oracle has it.
FIGURES = [
    ("torch", "optax", 1.0, {}, {"decay": 0.9, **INSIDE}),
    ("torch", "optax", 1e-4, {"momentum": 0.9}, {"decay": 0.9, **INSIDE, **BEFORE}),
    ("keras", "tf1", 1e-4, {}, {"eps": 1e-10, "nu_init": 1.0, **ROUNDED}),
    ("tf1", "optax", 1e-2, {}, {"eps": 1e-8, "nu_init": 0.0, **EXACT}),
    (
        "torch",
        "keras",
        0.1,
        {"weight_decay": 0.1},
        {"decay": 0.9, "eps": 1e-7, **INSIDE, "weight_decay_form": "decoupled"},
    ),
    (
        "optax",
        {
            "dialect": "optax",
            "momentum": 0.5,
            "centered": True,
            "bias_correction": True,
        },
        1.0,
        {},
        {"momentum": 0.5, "centered": True, "bias_correction": True},
    ),
    (
        {"dialect": "torch", "momentum": 0.5},
        "torch",
        1.0,
        {"weight_decay": 0.25},
        {"momentum": None},
    ),
]


@pytest.mark.parametrize(("one", "other", "scale", "shared", "differing"), FIGURES)
def test_figures_are_those_of_the_textbook(one, other, scale, shared, differing):
    """Each difference alone, and all of them, in float64."""
    with enable_x64(True):
        why = explain(one, other, learning_rate=0.01, gradient_scale=scale, **shared)
    own = dict(one) if isinstance(one, dict) else {"dialect": one}
    base = TEXTBOOK[own.pop("dialect")] | shared | own
    start = way(scale, 0.01, **base)

    def off(changed):
        pairs = zip(way(scale, 0.01, **base | changed), start, strict=True)
        return [np.linalg.norm(x - y) / np.linalg.norm(y) for x, y in pairs]

    got = {it.argument: (it.first, it.later) for it in why.differences}
    wanted = {name: off({name: value}) for name, value in differing.items()}
    felt = {name for name, sizes in got.items() if any(sizes)}
    assert felt == set(wanted)
    close = {"rtol": why.rounding[1], "atol": why.rounding[1]}
    for name, sizes in wanted.items():
        np.testing.assert_allclose(got[name], sizes, **close, err_msg=name)
    np.testing.assert_allclose((why.first, why.later), off(differing), **close)
