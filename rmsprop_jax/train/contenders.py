"""What `compare` compares: optimizers by name, and the learning rates to try."""

import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import rmsprop_jax as rj
from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.train.config import Optimizer
from rmsprop_jax.wording import nearest

# The middle of each one's learning rates: where it is usually at home.
_CENTRE = {
    "sgd": 0.1,
    "momentum": 10**-1.5,
    "adagrad": 0.01,
    "adam": 1e-3,
    "rmsprop": 1e-3,
}
_DIALECT_OF_RMSPROP = "optax"
_NOT_HERE = {
    "optimizer": "it is the name before the colon",
    "dialect": "name it in place of rmsprop, as in torch:momentum=0.9",
    "recipe": "a recipe brings its own learning rate, so it cannot be tuned",
}


class Contender(NamedTuple):
    """An optimizer of the comparison.

    Attributes:
        label: As it was asked for; its name in the table.
        options: What it sets of `Optimizer`.
        centre: The learning rate in the middle of its grid.
    """

    label: str
    options: dict[str, Any]
    centre: float


def contenders(texts: Sequence[str]) -> list[Contender]:
    """Each of `texts`, such as `adam` or `torch:momentum=0.9,centered=true`.

    Raises:
        ValueError: If one is not understood, or occurs twice, or there is none.
    """
    if not texts:
        raise ValueError("--optimizers: expected at least one.")
    for text in texts:
        if texts.count(text) > 1:
            raise ValueError(
                f"--optimizers {text}: expected each once, it occurs twice."
            )
    found: list[Contender] = []
    for one in map(_contender, texts):
        for other in found:
            if one.options == other.options:
                raise ValueError(
                    f"--optimizers {one.label}: it is the same as {other.label}; "
                    "leave one out."
                )
        found.append(one)
    return found


def rates(centre: float, trials: int) -> list[float]:
    """So many learning rates, a factor √10 apart, `centre` in their middle.

    To three digits. A larger odd number of trials has those of a smaller one.
    """
    return [
        float(f"{centre * 10 ** ((i - trials // 2) / 2):.3g}") for i in range(trials)
    ]


def _contender(text: str) -> Contender:
    name, colon, rest = text.partition(":")
    if name in _CENTRE:
        options: dict[str, Any] = {"optimizer": name}
        if name == "rmsprop":
            options["dialect"] = _DIALECT_OF_RMSPROP
    elif name in rj.DIALECTS:
        options = {"optimizer": "rmsprop", "dialect": name}
    else:
        names = [*_CENTRE, *rj.DIALECTS]
        raise ValueError(
            f"--optimizers {text}: {name!r} is none of {', '.join(names)}."
            f"{nearest(name, names)}"
        )
    for pair in rest.split(",") if colon else ():
        key, value = _option(text, pair)
        if key in options:
            raise ValueError(f"--optimizers {text}: {key} is given twice.")
        options[key] = value
    return Contender(text, options, _centre(options))


def _centre(options: dict[str, Any]) -> float:
    if options.get("learning_rate") is not None:
        return options["learning_rate"]
    centre = _CENTRE[options["optimizer"]]
    if options["optimizer"] == "rmsprop":
        # A trace adds up the steps of the last 1 / (1 − β).
        centre *= 1 - (options.get("momentum") or 0.0)
    return centre


def _option(text: str, pair: str) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    key = key.strip().replace("-", "_")
    hints = typing.get_type_hints(Optimizer)
    if key in _NOT_HERE:
        raise ValueError(f"--optimizers {text}: no {key} here; {_NOT_HERE[key]}.")
    if not equals or key not in hints:
        raise ValueError(
            f"--optimizers {text}: expected NAME:option=value,option=value with "
            f"options of the optimizer, got {pair!r}."
            f"{nearest(key, hints.keys() - _NOT_HERE.keys())}"
        )
    if value == "corrected":
        raise ValueError(
            f"--optimizers {text}: corrected weight decay goes by one learning rate, "
            "and several are tried; use coupled or decoupled."
        )
    try:
        found = _value(value.strip(), hints[key])
        if key in RANGES and not RANGES[key].holds(found):
            raise ValueError(f"expected {RANGES[key].text}")
        return key, found
    except ValueError as error:
        raise ValueError(f"--optimizers {text}: {key}={value}: {error}.") from None


def _value(text: str, hint: Any) -> Any:
    kinds = typing.get_args(hint) if _is_union(hint) else (hint,)
    kind = next(kind for kind in kinds if kind is not type(None))
    if typing.get_origin(kind) is Literal:
        if text not in typing.get_args(kind):
            raise ValueError(f"expected one of {', '.join(typing.get_args(kind))}")
        return text
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError("expected true or false")
        return text.lower() == "true"
    try:
        return kind(text)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise ValueError(f"expected {whole}") from None


def _is_union(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
