"""A framework's own call, read as one of ours."""

import inspect
import re
import reprlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from rmsprop_jax.arguments import switch
from rmsprop_jax.dialects import DIALECTS
from rmsprop_jax.signatures import SIGNATURES, Signature
from rmsprop_jax.transform import rmsprop
from rmsprop_jax.tree import RMSProp


def like(framework: str, **theirs: Any) -> RMSProp:
    """`rmsprop`, called as a framework calls its own.

    Names and defaults are theirs, and so is what 0 and `None` mean: a momentum of 0
    keeps no trace, unless it does there (Optax, TensorFlow 1). What says only how
    the step is computed (`foreach`, `name`) is taken and not read. What happens
    around the step (`maximize`, `clipnorm`) is refused, and the message has the
    Optax transformation for it. `optax.inject_hyperparams` cannot wrap this call, and
    need not: its numbers are live.

    Args:
        framework: A key of `DIALECTS`.
        **theirs: The call's arguments. Numbers, arrays and schedules (of the 0-based
            step) are what they are for `rmsprop`.

    Returns:
        As `rmsprop`.

    Raises:
        TypeError: If the framework's call has no such argument, or lacks its
            learning rate.
        ValueError: If an argument is refused, or out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = like("torch", lr=0.1, alpha=0.75, eps=1.0, foreach=True)
        >>> grads = jnp.array([2.0, -2.0])
        >>> tx.update(grads, tx.init(grads))[0]        # α g / (√((1 − ρ) g²) + ε)
        Array([-0.1,  0.1], dtype=float32)
    """
    if not isinstance(framework, str) or framework not in SIGNATURES:
        raise ValueError(
            f"framework={framework!r}: expected one of {', '.join(SIGNATURES)}."
        )
    row, signature = DIALECTS[framework], SIGNATURES[framework]
    names = {name: ours for ours, name in row.names.items()}
    names |= signature.also
    options = {}
    for name, value in theirs.items():
        if name in names:
            options[names[name]] = value
        elif name in signature.switches:
            switch(name, value)
        elif name in signature.refused:
            _check_harmless(name, value, signature)
        elif name not in signature.unread:
            raise TypeError(_unknown(name, framework, names))
    for name in signature.zero_is_off:
        if _is(options.get(name), 0):
            options[name] = False
    settings = {**signature.switches, **theirs}
    for wanted, chosen in signature.choices:
        if all(_is(settings.get(name), value) for name, value in wanted.items()):
            options |= chosen
    rate = options.pop("learning_rate", None)
    rate = row.learning_rate if rate is None else rate
    if rate is None:
        name = next(x for x, ours in names.items() if ours == "learning_rate")
        raise TypeError(f"{name}: expected one, {signature.call} has no default.")
    try:
        return rmsprop(rate, dialect=framework, **options)
    except (TypeError, ValueError) as error:
        raise type(error)(_in_their_words(str(error), framework, names)) from None


def _is(value: Any, wanted: Any) -> bool:
    """Whether that is the value; an array or a schedule is none."""
    return isinstance(value, (bool, int, float, str, np.number)) and value == wanted


def _check_harmless(name: str, value: Any, signature: Signature) -> None:
    harmless, way_out = signature.refused[name]
    if value is not None and not _is(value, harmless):
        raise ValueError(
            f"{name}={reprlib.repr(value)}: expected {harmless!r}, for this is the "
            f"step alone; {way_out}"
        )


def _unknown(name: str, framework: str, names: Mapping[str, str]) -> str:
    """Why the call has no such argument, and what was meant."""
    call, refuses = SIGNATURES[framework].call, DIALECTS[framework].refuses
    rows = [row.names.items() for row in DIALECTS.values()]
    elsewhere = {theirs: ours for row in rows for ours, theirs in row}
    arguments = inspect.signature(rmsprop).parameters
    ours = name if name in arguments else elsewhere.get(name)
    for theirs, meant in names.items():
        if ours == meant:
            own = "" if ours in (name, theirs) else f", and rmsprop {ours}"
            return f"{name}: {call} calls it {theirs}{own}."
    if ours is not None and ours in refuses:
        return f"{name}: {refuses[ours]}"
    taken = [*names, *SIGNATURES[framework].switches]
    known = f"{name}: expected an argument of {call}: {', '.join(taken)}."
    if ours is None:
        return known
    return f"{known} rmsprop(..., dialect={framework!r}) has {ours}."


def _in_their_words(message: str, framework: str, names: Mapping[str, str]) -> str:
    """A message of `rmsprop`, and what they call the argument it begins with."""
    began = re.match(r"\w*", message)
    ours = began[0] if began else ""
    theirs = next((name for name, meant in names.items() if meant == ours), None)
    if theirs == ours or ours not in inspect.signature(rmsprop).parameters:
        return message
    if theirs is None:
        return f"{message} Only rmsprop(..., dialect={framework!r}) has {ours}."
    return f"{message} {SIGNATURES[framework].call} calls it {theirs}."
