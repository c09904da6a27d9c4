"""How a moment rests between two steps, and how it is read for the next.

    stored′ = rest(step(read(stored), g))

The step computes with the fresh moment, in float32 or wider; only what rests is
rounded. Array in, array out: no pytrees, no formula.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax import eight_bits
from rmsprop_jax.rounding import random_bits, round_to_bfloat16

Precision = Literal["float32", "bfloat16", "int8"]

_LAYOUT = {"nu": eight_bits.SQUARE, "mu": eight_bits.MEAN, "trace": eight_bits.TRACE}


class Resting(NamedTuple):
    """A stored moment: an array, and beside an 8-bit code the scale of its rows."""

    values: Any
    scale: Any = None

    @property
    def precision(self) -> Precision:
        """What it rests in, told by its dtype."""
        return precision_of(self.values.dtype)


def precision_of(dtype: Any) -> Precision:
    """What a moment stored as `dtype` rests in; "float32" is that and wider."""
    match np.dtype(dtype).name:
        case "uint8" | "int8":
            return "int8"
        case "bfloat16":
            return "bfloat16"
    return "float32"


def working_dtype(*dtypes: Any) -> np.dtype:
    """The widest of float32 and `dtypes`: what to compute in."""
    wide = [x for x in dtypes if np.dtype(x).itemsize >= 4]
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(jnp.float32, *wide)


def read(resting: Resting, slot: Any) -> jax.Array:
    """The moment, in float32 or wider."""
    match resting.precision:
        case "int8":
            return eight_bits.decode(*resting, _LAYOUT[slot])
        case "bfloat16":
            return resting.values.astype(jnp.float32)
    return resting.values


def rest(
    fresh: Mapping[Any, jax.Array], last: Mapping[Any, Resting], count: jax.Array
) -> dict[Any, Resting]:
    """The moments of a parameter array as they rest, rounded at random.

    Args:
        fresh: Each after step `count`.
        last: As it rested before that step, in the precision that it keeps.
        count: The step.
    """
    rested, coded = {}, {}
    for slot, x in fresh.items():
        if last[slot].precision == "float32":
            rested[slot] = Resting(x)
            continue
        # Each slot draws bits of its own.
        x, bits = _as_float32(x), random_bits(x.shape, count, slot)
        if last[slot].precision == "bfloat16":
            rested[slot] = Resting(round_to_bfloat16(x, bits))
        else:
            coded[slot] = eight_bits.Fresh(x, *last[slot], bits, _LAYOUT[slot])
    for slot, code in zip(coded, eight_bits.encode(*coded.values()), strict=True):
        rested[slot] = Resting(*code)
    return rested


def put_to_rest(x: jax.Array, slot: Any, precision: Precision) -> Resting:
    """`x`, a start or a moment that rested otherwise, rounded to nearest."""
    match precision:
        case "int8":
            return Resting(*eight_bits.first(_as_float32(x), _LAYOUT[slot]))
        case "bfloat16":
            return Resting(_as_float32(x).astype(jnp.bfloat16))
    return Resting(x)


def _as_float32(x: jax.Array) -> jax.Array:
    if x.dtype == jnp.float32:
        return x
    # A float64 beyond the range would be infinite, for ever. Half: it may round up.
    most = (jnp.finfo(jnp.float32).max / 2).astype(x.dtype)
    return jnp.clip(x, -most, most).astype(jnp.float32)
