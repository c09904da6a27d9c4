"""Checkpoints as TensorFlow lays them out, made by hand: TensorFlow is not needed."""

import jax.numpy as jnp
import numpy as np

PARAMS = {"conv": {"bias": jnp.zeros(4), "kernel": jnp.zeros((3, 3, 2, 4))}}
B, W = "net/conv/b", "net/conv/w"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def full(value, name):
    leaf = PARAMS["conv"]["kernel" if name.endswith(("w", "kernel")) else "bias"]
    return np.full(leaf.shape, value, np.float32)


def saver(centered=False, optimizer="RMSProp", scope="", names=(B, W)):
    """As a Saver writes it: rms 9, mg 2, momentum -1, and the variables 5."""
    slots = [9, 2, -1] if centered else [9, -1]
    suffixes = ["", "_1", "_2"]
    return {
        **{name: full(5, name) for name in names},
        "global_step": np.asarray(7),
        "net/frozen": np.zeros(3),
        "net/conv/w/ExponentialMovingAverage": np.zeros(3),
        **{
            f"{scope}{name}/{optimizer}{suffix}": full(value, name)
            for name in names
            for value, suffix in zip(slots, suffixes, strict=False)
        },
    }


def objects(centered=False, optimizer="optimizer", kinds=("rms", "momentum", "mg")):
    """As tf.train.Checkpoint writes it."""
    values = dict(zip(kinds, (9, -1, 2), strict=True))
    if not centered:
        del values[kinds[2]]
    names = "model/conv/bias", "model/conv/kernel"
    return {
        **{f"{name}{VALUE}": full(5, name) for name in names},
        **{
            f"{name}/.OPTIMIZER_SLOT/{optimizer}/{kind}{VALUE}": full(value, name)
            for name in names
            for kind, value in values.items()
        },
    }


def of_keras(centered=False):
    """As legacy tf.keras writes it, hyperparameters among it."""
    numbers = {"rho": 0.75, "momentum": 0.5, "learning_rate": 0.25, "decay": 0.0}
    return {
        **objects(centered),
        **{f"optimizer/{k}{VALUE}": np.float32(v) for k, v in numbers.items()},
        f"optimizer/iter{VALUE}": np.asarray(7),
    }


CHECKPOINTS = {
    "saver": saver,
    "scope": lambda centered: saver(centered, scope="train/"),
    "objects": objects,
    "legacy Keras": of_keras,
}


def outcome(function, *args, **kwargs):
    """What it says when it refuses."""
    try:
        function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"
