"""What becomes of our state in TensorFlow's checkpoints, made by hand."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tf1_by_hand import (
    CHECKPOINTS,
    PARAMS,
    W,
    outcome,
    saver,
)

from rmsprop_jax import param_groups, rmsprop, scale_by_rms
from rmsprop_jax.interop import tf1


def test_a_depthwise_kernel_goes_back_as_it_came():
    values = np.arange(90.0, dtype=np.float32).reshape(3, 3, 5, 2)
    file = {"dw/w": values, "dw/w/RMSProp": values, "dw/w/RMSProp_1": -values}
    like = {"dw": {"kernel": jnp.zeros((3, 3, 1, 10))}}
    tx, state = tf1.load(file, like, learning_rate=1.0)
    got = tf1.dump(tx, state, tf1.params(file, like), file)
    assert set(got) == set(file)
    for key, value in file.items():
        np.testing.assert_array_equal(got[key], value)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_dump_undoes_load(kind, centered):
    file = CHECKPOINTS[kind](centered)
    tx, state = tf1.load(file, PARAMS, learning_rate=0.5, momentum=0.5)
    got = tf1.dump(tx, state, tf1.params(file, PARAMS), file)
    untouched = {key for key in file if re.search("frozen|Average|optimizer/[^i]", key)}
    untouched -= {key for key in untouched if ".OPTIMIZER_SLOT" in key}
    assert set(got) == set(file) - untouched
    for key, value in got.items():
        np.testing.assert_array_equal(value, file[key])


def test_dump_takes_names_from_shapes_alone_and_counts_on():
    file = saver()
    tx, state = tf1.load(file, PARAMS, learning_rate=0.5)
    state = tx.update(PARAMS, state)[1]
    shapes = {k: jax.ShapeDtypeStruct(v.shape, v.dtype) for k, v in file.items()}
    got = tf1.dump(tx, state, PARAMS, shapes)
    assert got["global_step"] == 8
    assert (got[f"{W}/RMSProp"] == state.nu["conv"]["kernel"]).all()
    assert 8 < got[f"{W}/RMSProp"].max() < 9
    assert (got[W] == 0).all()


def test_dump_without_a_trace_leaves_zeros_to_momentum_0():
    tx = rmsprop(0.5, dialect="tf1", momentum=False)
    got = tf1.dump(tx, tx.init(PARAMS), PARAMS, saver())
    assert (got[f"{W}/RMSProp_1"] == 0).all()
    assert (got[f"{W}/RMSProp"] == 1).all()


@pytest.mark.parametrize(
    ("tx", "words"),
    [
        (scale_by_rms(), "scale_by_rms; what stands behind it"),
        (rmsprop(0.5, dialect="torch"), "eps_placement is 'outside'"),
        (rmsprop(0.5, momentum=0.5, lr_placement="after_trace"), "lr_placement is 'af"),
        (rmsprop(0.5, dialect="tf1", centered=True), "centered is True in our state"),
        (rmsprop(0.5, dialect="tf1", weight_decay=0.1), "weight_decay is 0.1 in our"),
        (
            param_groups(
                {"bias": {"learning_rate": 1.0}}, default={"learning_rate": 2.0}
            ),
            "learning_rate: expected one for all parameters",
        ),
        (
            optax.masked(rmsprop(1.0), {"conv": {"bias": False, "kernel": True}}),
            "rule=None: expected a Rule",
        ),
    ],
)
def test_tensorflow_would_not_go_on_as_ours_does(tx, words):
    said = outcome(tf1.dump, tx, tx.init(PARAMS), PARAMS, saver())
    assert words in said
