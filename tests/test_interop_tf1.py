"""What becomes of TensorFlow's checkpoints, made by hand."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tf1_by_hand import (
    CHECKPOINTS,
    PARAMS,
    VALUE,
    B,
    full,
    objects,
    of_keras,
    outcome,
    saver,
)

from rmsprop_jax import DIALECTS, rmsprop
from rmsprop_jax.interop import layout, tf1


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_slots_are_told_apart_by_how_many_there_are(kind, centered):
    file = CHECKPOINTS[kind](centered)
    tx, state = tf1.load(file, PARAMS, learning_rate=0.5, momentum=0.5)
    expected = {"nu": 9 - 4 * centered, "trace": -1, **({"mu": 2} if centered else {})}
    for slot in ("nu", "mu", "trace"):
        got = getattr(state, slot)
        assert (got is not None) == (slot in expected)
        if got is not None:
            values = jax.tree.map(lambda x, v=expected[slot]: (x == v).all(), got)
            assert all(jax.tree.leaves(values)), (slot, got)
    dialect = "tf_keras_legacy" if kind == "legacy Keras" else "tf1"
    assert tx.rule == rmsprop(1.0, dialect=dialect, centered=centered).rule
    assert int(state.count) == (0 if kind == "objects" else 7)


def test_hyperparameters_are_those_given_else_tensorflows_defaults():
    state = tf1.load(saver(), PARAMS, learning_rate=0.5)[1]
    row = DIALECTS["tf1"]
    assert float(state.hyperparams.learning_rate) == 0.5
    assert float(state.hyperparams.momentum) == row.momentum == 0.0
    assert float(state.hyperparams.eps) == np.float32(row.eps)
    given = {"decay": 0.75, "momentum": 0.25, "eps": 0.125}
    table = jnp.array([0.0] * 7 + [1.0, 0.5])
    schedule = table.__getitem__
    tx, state = tf1.load(saver(), PARAMS, learning_rate=schedule, **given)
    assert state.hyperparams[1:4] == (0.25, 0.125, 0.25)
    rates = []
    for _ in range(2):
        state = tx.update(PARAMS, state)[1]
        rates.append(float(state.hyperparams.learning_rate))
    assert rates == [1.0, 0.5]  # the steps of count 7 and 8


def test_what_legacy_keras_saved_holds_where_nothing_is_given():
    state = tf1.load(of_keras(), PARAMS)[1]
    numbers = [float(x) for x in state.hyperparams[:4]]
    assert numbers == [0.25, 0.25, np.float32(1e-7), 0.5]
    state = tf1.load(of_keras(), PARAMS, learning_rate=1.0, decay=0.5)[1]
    assert [float(x) for x in state.hyperparams[:2]] == [1.0, 0.5]


def test_parameters_come_by_name_or_as_names_say():
    got = tf1.params(saver(), jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS))
    assert got["conv"]["kernel"].dtype == jnp.bfloat16
    assert (got["conv"]["kernel"] == 5).all()
    file = {k.replace("conv/w", "x/y"): v for k, v in saver().items()}
    said = outcome(tf1.params, file, PARAMS)
    assert re.search(r"net/x/y: expected one leaf of that name .*names=", said)
    got = tf1.params(file, PARAMS, names={"net/x/y": "conv/kernel"})
    assert (got["conv"]["kernel"] == 5).all()


def test_two_optimizers_are_told_apart_by_name():
    names = {"disc/w": (2, 3), "gen/w": (4,)}
    file = {name: np.zeros(shape) for name, shape in names.items()}
    for i, (name, shape) in enumerate(names.items()):
        optimizer = name.split("/")[0].title()
        file[f"{name}/{optimizer}"] = np.full(shape, 1.0 + i)
        file[f"{name}/{optimizer}_1"] = np.zeros(shape)
    params = {"gen": {"kernel": jnp.zeros(4)}}
    state = tf1.load(file, params, learning_rate=1.0, optimizer_name="Gen")[1]
    assert (state.nu["gen"]["kernel"] == 2).all()


def test_of_two_optimizers_in_an_object_based_checkpoint_one_is_named():
    other = objects(optimizer="other")
    other = {k: v if "OPTIM" not in k else np.abs(v) + 1 for k, v in other.items()}
    for file in ({**objects(), **other}, {**other, **objects()}):
        name = {"learning_rate": 1.0, "optimizer_name": "other"}
        state = tf1.load(file, PARAMS, **name)[1]
        assert (state.nu["conv"]["kernel"] == 10).all()
        state = tf1.load(file, PARAMS, **name | {"optimizer_name": "optimizer"})[1]
        assert (state.nu["conv"]["kernel"] == 9).all()


def test_into_takes_memory_and_count_and_no_numbers():
    tx = rmsprop(3.0, dialect="keras", momentum=0.25, centered=True)
    into = tx, tx.init(PARAMS)
    state = tf1.load(saver(centered=True), PARAMS, into=into)[1]
    assert state.hyperparams == into[1].hyperparams
    assert (state.trace["conv"]["bias"] == -1).all()
    assert int(state.count) == 7
    with pytest.raises(TypeError, match="expected none beside into="):
        tf1.load(saver(centered=True), PARAMS, into=into, momentum=0.5)


def without(file, key):
    return {k: v for k, v in file.items() if k != key}


def with_(file, **more):
    return {**file, **more}


REFUSED = {
    "Adam": (saver(optimizer="Adam"), {}, r"no slot called .../RMSProp.*'Adam'"),
    "Adam's objects": (
        objects(kinds=("m", "v", "vhat")),
        {},
        "expected the slots rms, .* got '[mv]'",
    ),
    "half": (without(saver(), f"{B}/RMSProp_1"), {}, "b: expected 2 slots"),
    "uncentered half": (
        without(saver(centered=True), f"{B}/RMSProp_2"),
        {},
        "its slots are .* not who",
    ),
    "two of a name": (
        with_(saver(centered=True), **{f"{B}/RMSProp_3": full(0, B)}),
        {},
        "share a na",
    ),
    "no variable": (without(saver(), B), {}, "b: has slots, but is itself not"),
    "a shape": (
        with_(saver(), **{f"{B}/RMSProp": np.zeros(9)}),
        {},
        r"as net/conv/b has, got \(9",
    ),
    "no rate": (saver(), {"learning_rate": None}, "learning_rate: expected a number"),
    "a nan": (with_(saver(), **{f"{B}/RMSProp": full(np.nan, B)}), {}, "got nan"),
    "negative": (with_(saver(), **{f"{B}/RMSProp": full(-1, B)}), {}, "numbers >= 0"),
    "one alone": ({B: full(0, B), f"{B}/RMSProp": full(1, B)}, {}, "expected 2 slots"),
    "fewer": (saver(names=(B,)), {}, "expected the 1 parameters .* got 2"),
    "decayed": (
        with_(of_keras(), **{f"optimizer/decay{VALUE}": np.float32(0.5)}),
        {"learning_rate": None},
        r"0.25 / \(1 \+ 0.5 \* count\)",
    ),
    "two optimizers": (
        {**objects(), **objects(optimizer="other")},
        {},
        r"expected one of \['opt.*'ot",
    ),
    "two counts": (
        with_(saver(), **{"a/global_step": np.asarray(3)}),
        {},
        "count: expected it as an argument",
    ),
    "a number": (3, {}, "3: expected a checkpoint's prefix, a reader or a mapping"),
    "a layout": (
        saver(),
        {"layouts": {"conv/kernel": layout.linear}},
        "linear does not make so",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(case):
    file, arguments, words = REFUSED[case]
    said = outcome(tf1.load, file, PARAMS, **{"learning_rate": 0.5, **arguments})
    assert re.search(f"(?s)^(Value|Type)Error: .*{words}", said), said
