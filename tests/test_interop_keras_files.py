"""What becomes of Keras' files, made by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from keras_by_hand import (
    CONFIG,
    FULL,
    MU,
    NU,
    ORDER,
    PARAMS,
    TRACE,
    archive,
    assert_full,
    assert_slot,
    by_path,
    legacy,
    slot,
    variables,
    weights,
)

from rmsprop_jax import rmsprop
from rmsprop_jax.interop import keras as interop
from rmsprop_jax.interop import layout

pytest.importorskip("h5py", reason="reads and writes the files, extra parity")


def test_an_archive_gives_every_slot_and_every_number(tmp_path):
    tx, state = interop.load(archive(tmp_path / "m.keras", FULL), PARAMS)
    assert_full(state)
    numbers = jax.tree.map(float, state.hyperparams)._asdict()
    assert numbers == {
        "learning_rate": 0.25,  # the variable's: a callback may have changed it
        "one_minus_decay": 0.25,
        "eps": np.float32(1e-3),
        "momentum": 0.5,
        "weight_decay": None,
        "variance_floor": None,
    }
    assert tx.rule == rmsprop(1.0, dialect="keras", centered=True).rule


def test_the_content_says_what_a_file_is_not_its_name(tmp_path):
    assert_full(interop.load(archive(tmp_path / "model.h5", FULL), PARAMS)[1])


def test_a_weights_file_takes_its_settings_from_an_argument(tmp_path):
    file = weights(tmp_path / "m.weights.h5", FULL)
    assert_full(interop.load(file, PARAMS, config=CONFIG)[1])


@pytest.mark.parametrize("steps", [None, 2])
def test_averages_and_sums_of_keras_are_passed_over(tmp_path, steps):
    config = {**CONFIG, "use_ema": True, "gradient_accumulation_steps": steps}
    sums = [slot(55.0)] if steps else []
    arrays = variables(slot(99.0), *sums, NU, TRACE, MU, steps=14)
    file = archive(tmp_path / "m.keras", arrays, config)
    ignore = ["use_ema", "gradient_accumulation_steps"]
    assert_full(interop.load(file, PARAMS, ignore=ignore)[1], 7 if steps else 14)


def test_bfloat16_comes_back_from_two_bytes_without_a_meaning(tmp_path):
    halves = [np.asarray(x, jnp.bfloat16) for x in NU]
    file = weights(tmp_path / "m.weights.h5", variables(halves))
    with pytest.importorskip("h5py").File(file) as root:
        assert root["optimizer/vars/2"].dtype.kind == "V"
    assert_slot(interop.load(file, PARAMS)[1].nu, NU)


def test_without_a_config_a_weights_file_has_keras_defaults(tmp_path):
    file = weights(tmp_path / "m.weights.h5", variables(NU))
    tx, state = interop.load(file, PARAMS)
    assert_slot(state.nu, NU)
    assert (state.mu, state.trace) == (None, None)
    assert float(state.hyperparams.learning_rate) == 0.25
    expected = rmsprop(0.25, dialect="keras")
    assert state.hyperparams == expected.init(PARAMS).hyperparams
    assert tx.rule == expected.rule


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_legacy_file_is_read_by_its_names(tmp_path, chunks):
    paths = ["net/fc/kernel", "net/fc/bias", "net/out/kernel", "net/out/bias"]
    names = ["RMSprop/iter:0"]
    for kind in ("rms", "momentum", "mg"):
        names += [f"RMSprop/{path}/{kind}:0" for path in paths]
    keys = "learning_rate", "rho", "momentum", "epsilon", "centered"
    config = {"decay": 0.0} | {key: CONFIG[key] for key in keys}
    arrays = [FULL[0], *FULL[2:]]
    file = legacy(tmp_path / "m.h5", arrays, names, config, chunks=chunks)
    tx, state = interop.load(file, PARAMS)
    assert_full(state)
    assert tx.rule == rmsprop(1.0, dialect="tf_keras_legacy", centered=True).rule
    assert float(state.hyperparams.learning_rate) == 0.125


EQUAL = {
    "b": {"bias": jnp.zeros(2), "kernel": jnp.zeros((2, 2))},
    "a": {"bias": jnp.zeros(2), "kernel": jnp.zeros((2, 2))},
}
EQUAL_SHAPES = [(2, 2), (2,), (2, 2), (2,)]


def test_equal_shapes_without_names_are_an_error_and_no_guess(tmp_path):
    file = weights(tmp_path / "w.h5", variables(slot(1.0, EQUAL_SHAPES)))
    with pytest.raises(ValueError, match=r"parameter 0 of shape \(2, 2\): .*names="):
        interop.load(file, EQUAL)


@pytest.mark.parametrize(
    "names",
    [
        ["b/kernel", "b/bias", "a/kernel", "a/bias"],
        ["net/b/kernel", "net/b/bias", "net/a/kernel", "net/a/bias"],
        ["b/kernel:0", "b/bias:0", "a/kernel:0", "a/bias:0"],
    ],
)
def test_names_decide_between_equal_shapes(tmp_path, names):
    file = weights(tmp_path / "w.h5", variables(slot(1.0, EQUAL_SHAPES)))
    state = interop.load(file, EQUAL, names=names)[1]
    got = {path: float(x.ravel()[0]) for path, x in by_path(state.nu).items()}
    assert got == {"b/kernel": 1, "b/bias": 2, "a/kernel": 3, "a/bias": 4}


def test_numbers_decide_between_layers_of_one_name(tmp_path):
    params = {f"Dense_{i}": {"kernel": jnp.zeros((2, 2))} for i in range(11)}
    shapes = [(2, 2)] * 11
    file = weights(tmp_path / "w.h5", variables(slot(0.0, shapes)))
    state = interop.load(file, params)[1]
    got = {path: float(x[0, 0]) for path, x in by_path(state.nu).items()}
    assert got == {f"Dense_{i}/kernel": i for i in range(11)}


def test_a_mapping_renames_what_is_called_differently(tmp_path):
    names = ["iteration:0", *(f"RMSprop/velocity/{n}:0" for n in ("x/w", "fc/bias"))]
    params = {"first": {"kernel": jnp.zeros((2, 2))}, "fc": {"bias": jnp.zeros(2)}}
    arrays = [np.asarray(3), *slot(1.0, [(2, 2), (2,)])]
    config = {**CONFIG, "momentum": 0.0, "centered": False}
    file = legacy(tmp_path / "m.h5", arrays, names, config, kind="Custom>RMSprop")
    with pytest.raises(ValueError, match=r"x/w: expected one leaf"):
        interop.load(file, params)
    state = interop.load(file, params, names={"x/w": "first/kernel"})[1]
    assert float(state.nu["first"]["kernel"][0, 0]) == 1
    assert float(state.nu["fc"]["bias"][0]) == 2
    with pytest.raises(ValueError, match=r"names: \['y/w'\] are not among"):
        interop.load(file, params, names={"y/w": "first/kernel"})


def test_a_depthwise_kernel_is_reshaped_and_any_layout_can_be_given(tmp_path):
    params = {"dw": {"kernel": jnp.zeros((3, 3, 1, 10))}, "t": jnp.zeros((2, 3))}
    theirs = [np.arange(90.0).reshape(3, 3, 5, 2), np.arange(6.0).reshape(3, 2)]
    file = weights(tmp_path / "w.h5", variables(theirs))
    with pytest.raises(ValueError, match=r"parameter 1 of shape \(3, 2\)"):
        interop.load(file, params)
    with pytest.raises(ValueError, match=r"t: \(2, 3\) in params, and \(3, 2\)"):
        interop.load(file, params, names=["dw/kernel", "t"])
    state = interop.load(
        file, params, names=["dw/kernel", "t"], layouts={"t": layout.linear}
    )[1]
    np.testing.assert_array_equal(
        state.nu["dw"]["kernel"].ravel(), np.arange(90.0, dtype=np.float32)
    )
    np.testing.assert_array_equal(state.nu["t"], theirs[1].T.astype(np.float32))
    layouts = {"t": layout.linear, "u": layout.same}
    with pytest.raises(ValueError, match=r"layouts: no parameter is called \['u'\]"):
        interop.load(file, params, names=["dw/kernel", "t"], layouts=layouts)


def test_into_a_chain_of_ones_own_goes_the_memory_and_no_number(tmp_path):
    inner = rmsprop(3.0, dialect="keras", momentum=0.25, centered=True, decay=0.5)
    tx = optax.chain(optax.clip_by_global_norm(1.0), inner)
    config = {**CONFIG, "global_clipnorm": 1.0}
    file = archive(tmp_path / "m.keras", FULL, config)
    got, state = interop.load(file, PARAMS, into=(tx, tx.init(PARAMS)), rule=inner.rule)
    assert got is tx
    assert_full(state[1])
    assert state[1].hyperparams == inner.init(PARAMS).hyperparams


def test_into_a_trace_without_learning_rate_goes_keras_trace_divided(tmp_path):
    tx = rmsprop(3.0, dialect="torch", momentum=0.25, centered=True)
    file, into = archive(tmp_path / "m.keras", FULL), (tx, tx.init(PARAMS))
    with pytest.raises(ValueError, match="learning_rate=None: expected the source's"):
        interop.load(file, PARAMS, into=into)
    state = interop.load(file, PARAMS, into=into, learning_rate=0.25)[1]
    assert_slot(state.trace, [4 * x for x in TRACE])


def test_inverse_time_decay_of_legacy_keras_is_asked_for_as_a_schedule(tmp_path):
    names = ["RMSprop/iter:0", *(f"RMSprop/{path}/rms:0" for path in ORDER)]
    keys = "learning_rate", "rho", "epsilon"
    config = {key: CONFIG[key] for key in keys}
    config |= {"decay": 0.5, "momentum": 0.0, "centered": False}
    file = legacy(tmp_path / "m.h5", [np.asarray(7), *NU], names, config)
    with pytest.raises(ValueError, match=r"count: 0.125 / \(1 \+ 0.5 \* count\)"):
        interop.load(file, PARAMS)

    def rate(count):
        return 0.125 / (1 + 0.5 * count.astype(np.float32))

    tx, state = interop.load(file, PARAMS, learning_rate=rate)
    state = tx.update(PARAMS, state)[1]
    assert float(state.hyperparams.learning_rate) == np.float32(0.125 / 4.5)


def test_a_parameter_of_ours_that_keras_does_not_train_is_named(tmp_path):
    file = archive(tmp_path / "m.keras", FULL)
    more = {**PARAMS, "frozen": jnp.zeros(5)}
    with pytest.raises(ValueError, match="5 leaves of params, got 14"):
        interop.load(file, more)
    names = ["iteration:0", *(f"RMSprop/velocity/{path}:0" for path in ORDER)]
    config = {**CONFIG, "momentum": 0.0, "centered": False}
    file = legacy(tmp_path / "m.h5", [np.asarray(7), *NU], names, config)
    other = {**PARAMS, "out": {"bias": jnp.zeros(4), "weight": jnp.zeros((4, 3))}}
    with pytest.raises(ValueError, match=r"out/weight.*\(4, 3\).*\(3, 4\)"):
        interop.load(file, other)
