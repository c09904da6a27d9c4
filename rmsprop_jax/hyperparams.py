"""Who owns a hyperparameter, and which values are allowed.

A number lives in the state; a `jax.Array` stays the caller's; a schedule is called
with the step. `Sources` keeps that in the state, at no cost.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from rmsprop_jax.rule import Hyperparams

# What a hyperparameter may be given as: a number, a jax.Array or a schedule.
Given = Any

# Pytrees without leaves: told apart by structure alone, through jit, `nnx.Optimizer`
# and `flax.serialization`.
OWN = None
SCHEDULE = ()
CALLER = ((),)


class Sources(NamedTuple):
    """Where each hyperparameter comes from: `OWN`, `SCHEDULE` or `CALLER`.

    Names of their own: two equal field names in a state are one too many for
    `optax.tree.get`.
    """

    learning_rate_from: Any = OWN
    decay_from: Any = OWN
    eps_from: Any = OWN
    momentum_from: Any = OWN
    weight_decay_from: Any = OWN
    variance_floor_from: Any = OWN


class _Range(NamedTuple):
    text: str
    holds: Callable[[Any], bool]


_UNIT = _Range("a number in [0, 1)", lambda x: 0 <= x < 1)
_POSITIVE = _Range("a finite number >= 0", lambda x: 0 <= x < np.inf)
RANGES = {
    "learning_rate": _POSITIVE,
    "decay": _UNIT,
    "eps": _POSITIVE,
    "momentum": _UNIT,
    "weight_decay": _POSITIVE,
    "variance_floor": _UNIT,
    "nu_init": _POSITIVE,
    "peak_learning_rate": _Range("a finite number > 0", lambda x: 0 < x < np.inf),
}


def kind(source: Any) -> str:
    """What a hyperparameter of that source was given as, in words."""
    for known, text in (
        (OWN, "a number"),
        (SCHEDULE, "a schedule"),
        (CALLER, "a jax.Array"),
    ):
        if source == known:
            return text
    return f"of no known source, {source!r}"


def source(value: Given) -> Any:
    """Who owns a hyperparameter that was given as `value`."""
    if isinstance(value, jax.Array):
        return CALLER
    return SCHEDULE if callable(value) else OWN


def sources(given: Mapping[str, Given]) -> Sources:
    """Who owns each of them."""
    return Sources(*(source(given[name]) for name in given))


def check(name: str, value: Given) -> None:
    """Refuse a value that cannot be hyperparameter `name`.

    A concrete value is checked whatever its type. A traced one has no value yet and
    passes, and so does what a schedule returns.

    Raises:
        TypeError: If `value` is no real scalar, nor a schedule, or has 16 bits.
        ValueError: If it is out of range.
    """
    if value is None or (callable(value) and not isinstance(value, jax.Array)):
        return
    expected = RANGES[name].text
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}={value!r}: expected {expected}, or a schedule.")
    dtype = np.dtype(getattr(value, "dtype", type(value)))
    if jnp.issubdtype(dtype, jnp.floating) and dtype.itemsize < 4:
        raise TypeError(
            f"{name}: a {dtype.name} holds too few digits for it (.999 becomes "
            "1 in bfloat16); expected float32 or wider. optax.inject_hyperparams casts "
            "to the parameters' dtype unless given hyperparam_dtype=jnp.float32."
        )
    if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
        raise TypeError(f"{name}: expected {expected}, got dtype {dtype.name}.")
    if jnp.shape(value):
        raise TypeError(
            f"{name}: expected a scalar, got shape {jnp.shape(value)}. To run many "
            f"values at once, jax.vmap over them; for one {name} per group of "
            "parameters, see param_groups."
        )
    if is_concrete(value) and not RANGES[name].holds(float(value)):
        raise ValueError(f"{name}={float(value)!r}: expected {expected}.")


def is_concrete(value: Any) -> bool:
    """Whether the number can be read now, on this host."""
    if isinstance(value, Tracer):
        return False
    return not isinstance(value, jax.Array) or value.is_fully_addressable


def starting(given: Mapping[str, Given], dtype: Any) -> Hyperparams:
    """The hyperparameters before the first step."""
    count = jnp.zeros([], jnp.int32)
    return Hyperparams._make(_scalar(*item, count, dtype) for item in given.items())


def current(
    given: Mapping[str, Given], kept: Hyperparams, count: jax.Array
) -> Hyperparams:
    """The hyperparameters of step `count`: those of the state where it owns them."""
    dtype = jnp.asarray(kept.eps).dtype
    return Hyperparams._make(
        None
        if value is None
        else jnp.asarray(was)
        if source(value) is OWN
        else _scalar(name, value, count, dtype)
        for (name, value), was in zip(given.items(), kept, strict=True)
    )


def complement(decay: Any, dtype: Any) -> jax.Array:
    """1 − ρ, formed in double precision where ρ is a Python or NumPy number."""
    if isinstance(decay, jax.Array):
        return 1 - decay.astype(dtype)
    return jnp.asarray(1 - np.float64(decay), dtype)


def _scalar(name: str, value: Given, count: jax.Array, dtype: Any) -> jax.Array | None:
    if value is None:
        return None
    if source(value) == SCHEDULE:
        value = value(count)
    if name == "decay":
        return complement(value, dtype)
    return jnp.asarray(value).astype(dtype)
