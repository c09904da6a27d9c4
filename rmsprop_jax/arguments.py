"""The arguments of `rmsprop` and `scale_by_rms`: defaults, and what is refused."""

import dataclasses
from typing import Any, get_args

import jax
import numpy as np

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.dialects import DIALECTS, Dialect
from rmsprop_jax.moments import Moment
from rmsprop_jax.rule import EpsPlacement, LrPlacement, Rule, WeightDecayForm

_WORDS = {
    "eps_placement": get_args(EpsPlacement),
    "lr_placement": get_args(LrPlacement),
    "weight_decay_form": get_args(WeightDecayForm),
    "moment": get_args(Moment),
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
    for name, value in {**numbers, **choices}.items():
        if name in row.refuses and value is not None and value is not False:
            raise ValueError(
                f"{name}={value!r}: {row.refuses[name]} For an RMSProp with it, name "
                "another dialect, or pass a Dialect of your own."
            )
    rule = dataclasses.replace(
        row.rule,
        **{
            name: _choice(name, value)
            for name, value in choices.items()
            if value is not None
        },
    )
    given = {
        "learning_rate": numbers["learning_rate"],
        "decay": row.decay if numbers["decay"] is None else numbers["decay"],
        "eps": row.eps if numbers["eps"] is None else numbers["eps"],
        "momentum": _momentum(numbers["momentum"], row, rule),
        "weight_decay": _optional(numbers["weight_decay"], row.weight_decay),
        "variance_floor": numbers["variance_floor"],
    }
    for name, value in given.items():
        hp.check(name, value)
    peak = choices.get("peak_learning_rate")
    if peak is not None and rule.weight_decay_form != "corrected":
        raise ValueError(
            f"peak_learning_rate={peak!r}: expected weight_decay_form='corrected', "
            f"which alone reads it, got {rule.weight_decay_form!r}; pass that too, or "
            "drop peak_learning_rate."
        )
    for name in ("nesterov", "cautious"):
        if getattr(rule, name) and given["momentum"] is None:
            raise ValueError(
                f"{name}=True: expected momentum too; pass momentum=0.9, or drop "
                f"{name}."
            )
    if given["variance_floor"] is not None and not rule.centered:
        raise ValueError(
            f"variance_floor={given['variance_floor']!r}: expected centered=True, "
            "there is no variance without it."
        )
    return _with_peak(rule, given), given


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


def skipping(skip_nonfinite: Any, axis_name: Any) -> bool:
    """Whether steps are skipped.

    Raises:
        TypeError: If `skip_nonfinite` is neither True nor False.
        ValueError: If none are, and there is an axis to decide that over.
    """
    skips = switch("skip_nonfinite", skip_nonfinite)
    if axis_name is not None and not skips:
        raise ValueError(
            f"axis_name={axis_name!r}: expected skip_nonfinite=True too, for it is the "
            "axis of that decision alone; gradients are averaged before, with "
            "jax.lax.pmean. Pass skip_nonfinite=True, or drop axis_name."
        )
    return skips


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
    off = isinstance(given, (bool, np.bool_)) and not given
    return None if off else given


def _momentum(given: Any, row: Dialect, rule: Rule) -> Any:
    if row.momentum_needs_centered and not rule.centered:
        if given is None or given is False:
            return None
        raise ValueError(
            f"momentum={given!r}: this dialect's framework ignores momentum unless "
            "centered=True; pass that too, or drop momentum, or name another dialect."
        )
    return _optional(given, row.momentum, row.keeps_trace)


def _with_peak(rule: Rule, given: dict[str, hp.Given]) -> Rule:
    """The rule with α_peak, where it needs one: the learning rate, if constant."""
    if rule.weight_decay_form != "corrected" or given["weight_decay"] is None:
        return rule
    if rule.peak_learning_rate is not None:
        return rule
    rate = given["learning_rate"]
    if rate is None:
        return rule  # scale_by_rms takes no such weight decay.
    if hp.source(rate) is not hp.OWN or not rate:
        raise ValueError(
            "peak_learning_rate=None: expected the largest learning rate, for "
            "weight_decay_form='corrected' beside a schedule, a jax.Array or 0."
        )
    return dataclasses.replace(rule, peak_learning_rate=float(rate))


def _choice(name: str, value: Any) -> Any:
    if name in ("nu_init", "peak_learning_rate"):
        if isinstance(value, jax.Array) or callable(value):
            raise TypeError(
                f"{name}={value!r}: expected a Python number, it is no live "
                "hyperparameter. Under optax.inject_hyperparams pass "
                f"static_args={name!r}."
            )
        hp.check(name, value)
        return float(value)
    if name in _WORDS:
        if not isinstance(value, str) or value not in _WORDS[name]:
            raise ValueError(f"{name}={value!r}: expected one of {_WORDS[name]}.")
        return value
    return switch(name, value)
