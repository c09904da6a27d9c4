"""Hyperparameters as they are typed: `0.9,0.99`, `0:0.9`, `1e-4:1e-1:log`."""

from typing import Any

import numpy as np

import rmsprop_jax as rj
from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.sweeping.numbers import check_size
from rmsprop_jax.sweeping.space import Range, log_uniform, uniform
from rmsprop_jax.train.config import flag
from rmsprop_jax.wording import nearest

# What is compared by how far it is from 1.
BELOW_ONE = ("decay", "momentum")
_SWITCHES = {"true": True, "false": False}
_FORMS = "a number, a list 0.1,0.2, a range 0.1:0.5, or 1e-4:1e-1:log"


def values(name: str, text: str) -> Range | list[Any]:
    """What the hyperparameter `name` is to be tried at.

    Raises:
        ValueError: Naming the option, its text, what was expected and the way out.

    Example:
        >>> values("decay", "0.9,0.99")
        [0.9, 0.99]
        >>> round(values("decay", "0.9:0.999:log").at(0.5), 6)
        0.99
    """
    said = f"{flag(name)} {text}"
    if name not in RANGES:
        return _each_once([_word(name, part.strip(), said) for part in _parts(text)])
    if ":" not in text:
        return _each_once([_number(name, part, said) for part in _parts(text)])
    low, high, *rest = text.split(":")
    if rest not in ([], ["log"]):
        raise ValueError(f"{said}: expected {_FORMS}.")
    start, end = _number(name, low, said), _number(name, high, said)
    if not start < end:
        raise ValueError(f"{said}: expected the smaller end first.")
    if not rest:
        return uniform(start, end)
    if name in BELOW_ONE:
        return log_uniform(start, end, below=1)
    if start == 0:
        raise ValueError(
            f"{said}: 0 has no decade; expected a range above it, or one without :log."
        )
    return log_uniform(start, end)


def _parts(text: str) -> list[str]:
    return text.split(",")


def _each_once(chosen: list[Any]) -> list[Any]:
    return list(dict.fromkeys(chosen))


def _number(name: str, text: str, said: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{said}: {text!r} is no number; expected {_FORMS}.") from None
    check_size(f"{flag(name)} {text}", number)
    # As it will be used: float32 has no number between 0.99999997 and 1.
    if not RANGES[name].holds(np.float32(number)):
        raise ValueError(f"{said}: expected {RANGES[name].text}, got {text}.")
    return number


def _word(name: str, text: str, said: str) -> Any:
    known = {key: key for key in rj.DIALECTS} if name == "dialect" else _SWITCHES
    if text not in known:
        raise ValueError(
            f"{said}: {text!r} is none of {', '.join(known)}; several are separated by "
            f"commas.{nearest(text, known)}"
        )
    return known[text]
