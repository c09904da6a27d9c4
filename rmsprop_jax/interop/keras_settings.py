"""What the settings of Keras' RMSprop mean here, and what they ask for besides."""

from collections.abc import Collection, Sequence
from typing import Any

from rmsprop_jax.interop.group import Group
from rmsprop_jax.interop.keras_state import KerasState, array_of
from rmsprop_jax.interop.matching import Place

# Settings of Keras' optimizers that are no part of RMSProp, and what does the same.
_OUTSIDE = {
    "clipnorm": "clip the norm of each gradient",
    "clipvalue": "optax.clip",
    "global_clipnorm": "optax.clip_by_global_norm",
    "use_ema": "optax.params_ema",
    "loss_scale_factor": "leave the factor out of the loss",
    "gradient_accumulation_steps": "optax.MultiSteps",
    "exclude_from_weight_decay": "rmsprop(..., weight_decay_mask=...)",
    "decay": "learning_rate=lambda count: {rate} / (1 + {value} * count)",
}


def steps_made(theirs: KerasState, ignore: Collection[str]) -> int:
    """Steps made: Keras counts calls, accumulating ones too.

    Raises:
        ValueError: If it is amid a step.
    """
    calls = int(array_of(theirs.iterations))
    accumulated = theirs.config.get("gradient_accumulation_steps") or 1
    if calls % accumulated and "gradient_accumulation_steps" not in ignore:
        raise ValueError(
            f"gradient_accumulation_steps={accumulated}: Keras is amid a step, at call "
            f"{calls}, and its sums would be lost. Save at a multiple, or pass "
            "ignore=['gradient_accumulation_steps']."
        )
    return calls // accumulated


def check_outside(theirs: KerasState, ignore: Collection[str]) -> None:
    """Refuse what Keras does besides RMSProp, unless it is to be ignored.

    Raises:
        ValueError: If it does something.
    """
    for name, instead in _OUTSIDE.items():
        value = theirs.config.get(name)
        if value and name not in ignore:
            instead = instead.format(rate=theirs.rate, value=value)
            raise ValueError(
                f"{name}={value!r}: Keras does that besides RMSProp, this would not. "
                f"Put it into a chain and load into= that ({instead}), or pass "
                f"ignore=[{name!r}]."
            )


def groups(
    theirs: KerasState, places: Sequence[Place], learning_rate: Any
) -> tuple[Group, ...]:
    """One group, or one with and one without weight decay."""
    config = theirs.config
    options = {
        "dialect": "tf_keras_legacy" if theirs.legacy else "keras",
        "learning_rate": learning_rate,
        "decay": float(config["rho"]),
        "eps": float(config["epsilon"]),
        "momentum": float(config["momentum"]) or False,
        "centered": bool(config["centered"]),
    }
    lam = float(config.get("weight_decay") or 0.0) or False
    paths: dict[bool, list[str]] = {True: [], False: []}
    for place, decays in zip(places, theirs.decays, strict=True):
        paths[bool(decays and lam)].append(place.path)
    return tuple(
        Group({**options, "weight_decay": lam if decays else False}, tuple(members))
        for decays, members in paths.items()
        if members
    )
