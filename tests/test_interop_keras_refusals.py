"""What Keras' import and export refuse: with words, and before anything is changed."""

import json
import re
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from keras_by_hand import (
    CONFIG,
    FULL,
    NU,
    ORDER,
    PARAMS,
    RMSprop,
    archive,
    legacy,
    slot,
    variables,
    weights,
)

from rmsprop_jax.interop import keras as interop

PLAIN = {**CONFIG, "momentum": 0.0, "centered": False}
SMALL = variables(NU)


def outcome(function, *args, **kwargs):
    """What it says when it refuses."""
    try:
        function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def damaged(tmp_path):
    """Files that are none of Keras', or not whole → words of the error."""
    h5py = pytest.importorskip("h5py", reason="writes the files, extra parity")
    whole = archive(tmp_path / "whole.keras", FULL).read_bytes()
    bare = weights(tmp_path / "whole.h5", FULL).read_bytes()
    for name, content in {
        "text": b"not a checkpoint",
        "empty": b"",
        "half.keras": whole[: len(whole) // 2],
        "half.h5": bare[: len(bare) // 2],
        "flipped.keras": whole[:45] + b"\xff" * 9 + whole[54:],
    }.items():
        (tmp_path / name).write_bytes(content)
    with h5py.File(tmp_path / "model.h5", "w") as root:
        root["model_weights/fc/kernel"] = np.zeros(3)
    with h5py.File(tmp_path / "gap.h5", "w") as root:
        root["optimizer/vars/0"] = np.asarray(1)
        root["optimizer/vars/2"] = np.asarray(1.0)
    for name, files in {
        "uncompiled.keras": {"config.json": "{}", "model.weights.h5": b""},
        "hollow.keras": {
            "config.json": json.dumps({"compile_config": {"optimizer": {}}}),
            "model.weights.h5": b"",
        },
        "other.zip": {"readme": ""},
    }.items():
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            for member, content in files.items():
                file.writestr(member, content)
    return {
        "nowhere": "expected a file, or the prefix",
        "text": "begins like neither",
        "empty": "begins like neither",
        "half.keras": "cannot be read, is it whole",
        "half.h5": "cannot be read, is it whole",
        "flipped.keras": "cannot be read, is it whole",
        "hollow.keras": "cannot be read, is it whole",
        "model.h5": r"no optimizer in it, only \['model_weights'\]",
        "gap.h5": r"expected the variables 0, 1, 2",
        "uncompiled.keras": "no optimizer in its compile_config",
        "other.zip": r"expected config.json .*got \['readme'\]",
    }


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    for name, words in damaged(tmp_path).items():
        said = outcome(interop.load, tmp_path / name, PARAMS)
        assert re.search(f"(?s)^ValueError: .*{name}: .*{words}", said), (name, said)


NAN = [np.where(x == x.max(), np.nan, x) if x.ndim else x for x in FULL]
# Variables, config, arguments, words of the error.
REFUSED = {
    "Adam": (FULL, {"class_name": "Adam"}, {}, "expected an RMSprop, got .*Adam"),
    "loss scale": (FULL, {"class_name": "LossScaleOptimizer"}, {}, "inner_optimizer"),
    "never built": (SMALL[:2], PLAIN, {}, "no slots in it; expected .* built"),
    "more slots": (FULL, PLAIN, {}, r"1 \(velocity\) for each of the 4 .*, got 14"),
    "fewer slots": (SMALL, CONFIG, {}, r"3 \(velocity, momentum, average_gradient\)"),
    "other shape": ([*SMALL[:5], np.zeros(9)], PLAIN, {}, r"\(9,\): .*, got none"),
    "uneven": ([*FULL[:-1], np.zeros(9)], CONFIG, {}, "the shapes .* in average_grad"),
    "rates first": ([FULL[1], *FULL[1:]], CONFIG, {}, "expected the iteration"),
    "NaN": (NAN, CONFIG, {}, "fc/kernel: nu: expected finite numbers, got nan"),
    "negative": (variables(slot(-9.0)), PLAIN, {}, "nu: expected numbers >= 0"),
    "two configs": (FULL, CONFIG, {"config": CONFIG}, "has its own; expected none"),
    "clipping": (
        SMALL,
        {**PLAIN, "clipvalue": 0.5},
        {},
        r"clipvalue=0.5: .*optax.clip\).*ignore=\['clipvalue'\]",
    ),
    "schedule": (
        [SMALL[0], *SMALL[2:]],
        {**PLAIN, "learning_rate": {"class_name": "ExponentialDecay"}},
        {},
        "learning_rate: Keras has a schedule, .*ExponentialDecay",
    ),
    "amid a step": (
        variables(slot(0.0), NU),
        {**PLAIN, "gradient_accumulation_steps": 2},
        {"ignore": ["clipnorm"]},
        "gradient_accumulation_steps=2: .* at call 7",
    ),
    "a name too few": (SMALL, PLAIN, {"names": ORDER[1:]}, "names: expected .* 4 "),
    "a bare name": (SMALL, PLAIN, {"names": "fc"}, "names: expected .*got fc"),
    "twice named": (SMALL, PLAIN, {"names": ORDER[:1] * 4}, "all mean this leaf"),
    "unknown": (SMALL, PLAIN, {"names": [*ORDER[:3], "x/y"]}, "x/y: expected one leaf"),
    "unlike": (SMALL, PLAIN, {"names": ORDER[::-1]}, r"out/bias: \(4,\) .* \(2, 3\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(tmp_path, case):
    pytest.importorskip("h5py", reason="writes the files, extra parity")
    arrays, config, arguments, words = REFUSED[case]
    kind = config.get("class_name", "RMSprop")
    file = archive(tmp_path / "m.keras", arrays, config, kind)
    said = outcome(interop.load, file, PARAMS, **arguments)
    assert re.search(f"(?s)^(Value|Type)Error: .*{words}", said), said


ITER = "RMSprop/iter:0"
VELOCITIES = [f"RMSprop/velocity/{path}:0" for path in ORDER]
MEANS = [f"RMSprop/average_gradient/{path}:0" for path in ORDER]
BUFFERS = [f"RMSprop/momentum/{path}:0" for path in ORDER]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([ITER, *BUFFERS, *VELOCITIES], "the names of velocity for variables 1 to 4"),
        ([ITER, *VELOCITIES, *MEANS], "the names of momentum for variables 5 to"),
        ([ITER, *VELOCITIES, *BUFFERS[::-1]], "slots are of different parameters"),
    ],
)
def test_names_that_are_not_of_the_slots_are_refused(tmp_path, names, words):
    pytest.importorskip("h5py", reason="writes the files, extra parity")
    arrays, shapes = [FULL[0]], [(2,)] * 4
    arrays += [*slot(20.0, shapes), *slot(1.0, shapes)]
    config = {**CONFIG, "centered": False}
    file = legacy(tmp_path / "m.h5", arrays, names, config)
    with pytest.raises(ValueError, match=words):
        interop.load(file, PARAMS)


def test_a_lone_leaf_is_not_matched_with_another_name():
    optimizer = RMSprop(shapes=[(2,)], order=["other/bias"])
    with pytest.raises(ValueError, match="net/other/bias: expected one leaf"):
        interop.load(optimizer, {"fc": {"bias": jnp.zeros(2)}})
    with pytest.raises(ValueError, match="net/other/bias: expected one leaf"):
        interop.load(optimizer, {"fc": {"kernel": jnp.zeros(2)}})


def test_exclusions_that_tf_keras_does_not_tell_apart_are_refused():
    optimizer = RMSprop(weight_decay=0.5)
    optimizer._trainable_variables = []
    interop.load(optimizer, PARAMS)
    optimizer._exclude_from_weight_decay_names = ["bias"]
    with pytest.raises(ValueError, match=r"exclude_from_weight_decay=True: .*_mask"):
        interop.load(optimizer, PARAMS)


def test_what_is_no_rmsprop_of_keras_is_refused():
    class Adam:
        variables = ()

        def get_config(self):
            return {}

    assert re.match("ValueError: .*got .*Adam", outcome(interop.load, Adam(), PARAMS))
    assert re.match("TypeError: 3: expected an opt", outcome(interop.load, 3, PARAMS))
