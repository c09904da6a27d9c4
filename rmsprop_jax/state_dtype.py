"""The argument `state_dtype`: which slot of which array rests in what."""

from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.rule import Slots
from rmsprop_jax.storage import Precision

MIN_SIZE = 4096

_PRECISIONS = ", ".join(map(repr, get_args(Precision)))
_WHY = {
    "float16": "; in float16 every ν below 6e-8 is 0. Take 'bfloat16'.",
    "float64": "; a float64 parameter's moments are float64 by themselves.",
    "uint8": "; 'int8' is 8 bits, signed or not as the slot needs.",
}


class StateDtype(NamedTuple):
    """What each slot rests in; arrays of less than `min_size` elements in float32.

    "float32" is the parameter's own dtype if that is wider.
    """

    nu: Precision = "float32"
    mu: Precision = "float32"
    trace: Precision = "float32"
    min_size: int = MIN_SIZE

    def of(self, slot: str, size: int) -> Precision:
        """The precision for `slot`, if that is an array of `size` elements."""
        return getattr(self, slot) if size >= max(self.min_size, 1) else "float32"


def resolve_state_dtype(
    state_dtype: Any, min_size: Any, absent: Mapping[str, str]
) -> StateDtype:
    """What each slot rests in, as `rmsprop` was told.

    Args:
        state_dtype: One dtype for all slots, or a dict of some; `None` is float32.
        min_size: Arrays of fewer elements rest in float32; `None` is 4096.
        absent: The slots that there are not, and the argument that each would need.

    Raises:
        ValueError: If no moment can rest in it, or there is no such slot.
        TypeError: If it is no dtype, or `min_size` no integer.
    """
    size = _size(min_size)
    if not isinstance(state_dtype, Mapping):
        precision = _precision("state_dtype", state_dtype)
        return StateDtype(precision, precision, precision, size)
    for slot, given in state_dtype.items():
        if slot not in Slots._fields:
            raise ValueError(
                f"state_dtype[{slot!r}]: expected one of the slots "
                f"{', '.join(Slots._fields)}."
            )
        if slot in absent:
            raise ValueError(
                f"state_dtype[{slot!r}]={given!r}: expected {absent[slot]} too, there "
                f"is no {slot} without it; pass that, or drop {slot!r}."
            )
    each = {
        slot: _precision(f"state_dtype[{slot!r}]", given)
        for slot, given in state_dtype.items()
    }
    return StateDtype(**each, min_size=size)


def _size(given: Any) -> int:
    if given is None:
        return MIN_SIZE
    message = (
        f"state_dtype_min_size={given!r}: expected a number of elements, {MIN_SIZE} if "
        "not given; 0 makes no exception. Under optax.inject_hyperparams pass "
        "static_args='state_dtype_min_size'."
    )
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise TypeError(message)
    if given < 0:
        raise ValueError(message)
    return int(given)


def _precision(name: str, given: Any) -> Any:
    if given is None:
        return "float32"
    try:
        array = isinstance(given, (jax.Array, np.ndarray, np.generic))
        known = None if array else jnp.dtype(given).name
    except (TypeError, ValueError):
        known = None
    if known is None:
        raise TypeError(
            f"{name}={given!r}: expected None or one of {_PRECISIONS}, as a string or "
            "a dtype, or a dict of those by slot. Under optax.inject_hyperparams pass "
            "static_args='state_dtype'."
        )
    if known not in get_args(Precision):
        raise ValueError(
            f"{name}={known!r}: expected None or one of {_PRECISIONS}"
            + _WHY.get(known, ".")
        )
    return known
