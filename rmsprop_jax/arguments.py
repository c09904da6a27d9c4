"""The arguments of `rmsprop` and `scale_by_rms`: defaults, and what is refused."""

import dataclasses
from typing import Any, get_args

import jax
import numpy as np

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.dialects import DIALECTS, Dialect
from rmsprop_jax.rule import EpsPlacement, LrPlacement, Rule, WeightDecayForm

_WORDS = {
    "eps_placement": get_args(EpsPlacement),
    "lr_placement": get_args(LrPlacement),
    "weight_decay_form": get_args(WeightDecayForm),
}


def resolve(
    dialect: str | Dialect, numbers: dict[str, Any], choices: dict[str, Any]
) -> tuple[Rule, dict[str, hp.Given]]:
    """The rule and the hyperparameters: the caller's, or else the dialect's.

    Raises:
        TypeError: If something is of the wrong kind.
        ValueError: If a value is out of range, or two contradict one another.
    """
    row = _dialect(dialect)
    given = {
        "learning_rate": numbers["learning_rate"],
        "decay": row.decay if numbers["decay"] is None else numbers["decay"],
        "eps": row.eps if numbers["eps"] is None else numbers["eps"],
        "momentum": _optional(numbers["momentum"], row.momentum, row.keeps_trace),
        "weight_decay": _optional(numbers["weight_decay"], row.weight_decay),
        "variance_floor": numbers["variance_floor"],
    }
    for name, value in given.items():
        hp.check(name, value)

    rule = dataclasses.replace(
        row.rule,
        **{
            name: _choice(name, value)
            for name, value in choices.items()
            if value is not None
        },
    )
    if rule.nesterov and given["momentum"] is None:
        raise ValueError(
            "nesterov=True: expected momentum too; pass momentum=0.9, or drop nesterov."
        )
    if given["variance_floor"] is not None and not rule.centered:
        raise ValueError(
            f"variance_floor={given['variance_floor']!r}: expected centered=True, "
            "there is no variance without it."
        )
    return rule, given


def switch(name: str, value: Any) -> bool:
    """`value`, if it is True or False.

    Raises:
        TypeError: If it is anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(
            f"{name}={value!r}: expected True or False. Under "
            f"optax.inject_hyperparams pass static_args={name!r}."
        )
    return bool(value)


def check_mask(mask: Any, given: dict[str, hp.Given]) -> None:
    """Refuse a weight-decay mask that says nothing about the parameters.

    Raises:
        TypeError: If it is a single boolean.
        ValueError: If there is no weight decay to mask.
    """
    if isinstance(mask, (bool, np.bool_)):
        raise TypeError(
            f"weight_decay_mask={mask}: expected a tree of booleans or a function from "
            "parameters to one; weight_decay=False turns it off for all. Under "
            "optax.inject_hyperparams pass static_args='weight_decay_mask'."
        )
    if mask is not None and given["weight_decay"] is None:
        raise ValueError(
            "weight_decay_mask: expected weight_decay too; pass it, or drop the mask."
        )


def _dialect(dialect: str | Dialect) -> Dialect:
    if isinstance(dialect, Dialect):
        return dialect
    if not isinstance(dialect, str) or dialect not in DIALECTS:
        raise ValueError(
            f"dialect={dialect!r}: expected one of {', '.join(DIALECTS)}, or a Dialect."
        )
    return DIALECTS[dialect]


def _optional(given: Any, default: float, keep: bool = False) -> Any:
    """A hyperparameter that may be absent: `None` takes the default, `False` is off."""
    if given is None:
        return default if default or keep else None
    return None if given is False else given


def _choice(name: str, value: Any) -> Any:
    if name == "nu_init":
        if isinstance(value, jax.Array) or callable(value):
            raise TypeError(
                f"nu_init={value!r}: expected a Python number, it is no live "
                "hyperparameter. Under optax.inject_hyperparams pass "
                "static_args='nu_init'."
            )
        hp.check(name, value)
        return float(value)
    if name in _WORDS:
        if value not in _WORDS[name]:
            raise ValueError(f"{name}={value!r}: expected one of {_WORDS[name]}.")
        return value
    return switch(name, value)
