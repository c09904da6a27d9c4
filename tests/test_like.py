import inspect
import json
import operator
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import cases, parity

from rmsprop_jax import DIALECTS, like, rmsprop
from rmsprop_jax.signatures import SIGNATURES

RATE = 0.125
RECORDED = json.loads((Path(__file__).parent / "golden/signatures.json").read_text())
# What was recorded → whose row it is. Caffe's, DQN's and Hinton's are no signatures.
ROW = {
    cases.RMSPROP: "optax",
    cases.TORCH: "torch",
    cases.KERAS: "keras",
    cases.TF_KERAS: "keras",
    cases.TF_KERAS_LEGACY: "tf_keras_legacy",
    cases.TF1: "tf1",
    cases.TIMM: "timm",
    cases.SB3: "sb3",
    cases.BITSANDBYTES: "bitsandbytes",
    cases.MXNET: "mxnet",
    cases.PADDLE: "paddle",
    cases.CHAINER: "chainer",
    cases.GRAVES: "graves",
}
each_framework = pytest.mark.parametrize("framework", SIGNATURES)


def rate_name(framework):
    """What the framework calls the learning rate."""
    return DIALECTS[framework].names.get("learning_rate", "learning_rate")


def taken(framework):
    """Every argument that is taken, if only at a harmless value."""
    theirs = SIGNATURES[framework]
    named = [*DIALECTS[framework].names.values(), *theirs.also]
    return [*named, *theirs.switches, *theirs.unread, *theirs.refused]


def assert_same(tx, expected):
    """The same transformation: one rule, and the same numbers in the same slots."""
    params = jnp.ones(2)
    assert tx.rule == expected.rule
    chex.assert_trees_all_equal(tx.init(params), expected.init(params))


def with_defaults(kind, defaults):
    """`like` with every argument of a signature at its default."""
    framework = ROW[kind]
    # MXNet reads gamma2 only if centered, and here it is an error otherwise.
    defaults = {x: y for x, y in defaults.items() if x != "gamma2"}
    return like(framework, **{rate_name(framework): RATE} | defaults)


def assert_defaults_are_the_row(kind, defaults):
    rate = defaults.get(rate_name(ROW[kind]), RATE)
    assert_same(with_defaults(kind, defaults), rmsprop(rate, dialect=ROW[kind]))


def test_every_dialect_has_a_signature():
    assert set(SIGNATURES) == set(DIALECTS)
    assert set(RECORDED) == set(ROW)


@each_framework
def test_no_argument_is_told_twice(framework):
    arguments = taken(framework)
    assert len(arguments) == len(set(arguments))


@each_framework
def test_defaults_are_those_of_the_row(framework):
    row = DIALECTS[framework]
    rate = {} if row.learning_rate else {rate_name(framework): RATE}
    expected = rmsprop(row.learning_rate or RATE, dialect=framework)
    assert_same(like(framework, **rate), expected)


@pytest.mark.parametrize("kind", RECORDED)
def test_recorded_defaults_are_taken_and_change_nothing(kind):
    assert_defaults_are_the_row(kind, RECORDED[kind]["defaults"])


@pytest.mark.parity
@pytest.mark.parametrize("kind", [cases.RMSPROP, cases.TORCH, cases.KERAS])
def test_installed_defaults_are_taken_and_change_nothing(kind):
    """The other frameworks' are compared with the recorded ones in test_dialects."""
    root, _, path = kind.partition(".")
    framework = pytest.importorskip(root, reason=f"reads the installed {root}")
    arguments = inspect.signature(operator.attrgetter(path)(framework)).parameters
    defaults = {
        name: argument.default
        for name, argument in arguments.items()
        if argument.default is not inspect.Parameter.empty
    }
    assert set(arguments) - set(defaults) <= {"params", "learning_rate", "kwargs"}
    assert_defaults_are_the_row(kind, defaults)


def plain_cases():
    """Every recorded and live case that is one call, with nothing ignored in it."""
    for runs in (parity.RECORDED, parity.LIVE):
        for name, of_run in runs.items():
            for kind, args, _ in of_run.values():
                ignored = kind == cases.BITSANDBYTES and args.get("momentum")
                ignored = ignored or (kind == cases.MXNET and not args["centered"])
                chained = kind.startswith("optax.chain") or kind == parity.AFTERWARDS
                if not (ignored or chained or "hooks" in args):
                    yield name, kind, args


def test_every_case_means_what_was_shown_to_follow_the_framework():
    """`parity.ours` is what test_dialects compares with the frameworks' own paths."""
    seen = set()
    for name, kind, args in plain_cases():
        framework = parity.ROWS[name]
        tx = like(framework, **{rate_name(framework): RATE}, **args)
        assert_same(tx, rmsprop(RATE, **parity.ours(name, kind, args, peak=RATE)))
        seen.add(framework)
    assert seen == set(DIALECTS)


# A framework, arguments, and the options of `rmsprop` that they are.
MEANINGS = [
    ("torch", {"momentum": 0}, {}),
    ("torch", {"momentum": 0.0, "weight_decay": 0}, {}),
    ("torch", {"momentum": np.float32(0)}, {}),
    ("torch", {"momentum": 0.5, "alpha": 0.25}, {"momentum": 0.5, "decay": 0.25}),
    ("torch", {"weight_decay": 0.5}, {"weight_decay": 0.5}),
    ("torch", {"maximize": None, "params": None}, {}),
    ("keras", {"weight_decay": None, "momentum": 0.0}, {}),
    ("keras", {"use_ema": False, "ema_momentum": 0.5}, {}),
    ("optax", {"momentum": None}, {}),
    ("optax", {"momentum": 0.0}, {"momentum": 0.0}),
    ("optax", {"initial_scale": 1.0}, {"nu_init": 1.0}),
    ("tf1", {"momentum": 0.0}, {"momentum": 0.0}),
    ("tf1", {"decay": 0.5, "epsilon": 0.25}, {"decay": 0.5, "eps": 0.25}),
    ("tf_keras_legacy", {"epsilon": 0}, {"eps": 1e-7}),
    ("tf_keras_legacy", {"epsilon": None}, {"eps": 1e-7}),
    ("keras", {"epsilon": 0}, {"eps": 0.0}),
    ("graves", {"momentum": 0.0}, {"momentum": False}),
    ("mxnet", {"gamma2": 0.0, "centered": True}, {"momentum": False, "centered": True}),
    ("mxnet", {"gamma2": 0.0}, {}),
    ("mxnet", {"centered": True}, {"momentum": 0.9, "centered": True}),
    ("bitsandbytes", {"momentum": 0, "centered": False}, {}),
    ("caffe", {"momentum": 0, "lr_policy": "fixed", "gamma": 0.1}, {}),
    ("timm", {"corrected_weight_decay": True}, {}),
    ("timm", {"decoupled_decay": True}, {"weight_decay_form": "decoupled"}),
    ("chainer", {"eps_inside_sqrt": True}, {"eps_placement": "inside"}),
]


@pytest.mark.parametrize(("framework", "theirs", "ours"), MEANINGS)
def test_an_argument_means_what_it_means_there(framework, theirs, ours):
    tx = like(framework, **{rate_name(framework): RATE}, **theirs)
    assert_same(tx, rmsprop(RATE, dialect=framework, **ours))


def test_legacy_keras_takes_the_learning_rate_by_its_old_name_too():
    assert_same(
        like("tf_keras_legacy", lr=RATE), rmsprop(RATE, dialect="tf_keras_legacy")
    )


@pytest.mark.parametrize("zero", [jnp.float32(0), optax.constant_schedule(0.0)])
def test_an_array_or_a_schedule_of_zero_keeps_its_slot(zero):
    state = like("torch", momentum=zero, weight_decay=zero).init(jnp.ones(2))
    assert state.trace is not None
    assert state.hyperparams.weight_decay == 0


def test_schedules_and_arrays_are_what_they_are_for_rmsprop():
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    theirs = {"lr": schedule, "alpha": jnp.float32(0.5), "momentum": schedule}
    ours = {"decay": jnp.float32(0.5), "momentum": schedule}
    assert_same(like("torch", **theirs), rmsprop(schedule, dialect="torch", **ours))


def test_a_traced_number_is_taken():
    def first_rate(x):
        tx = like("tf_keras_legacy", learning_rate=x, epsilon=x, momentum=x)
        return tx.init(jnp.ones(2)).hyperparams.learning_rate

    assert jax.jit(first_rate)(0.5) == 0.5
