"""How a moment rests between two steps, and how it is read for the next.

    stored′ = rest(step(read(stored), g))

The step computes with the fresh moment, in float32 or wider; only what rests is
rounded. Array in, array out: no pytrees, no formula.
"""

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


def rest(x: jax.Array, last: Resting, count: jax.Array, slot: Any) -> Resting:
    """`x` in the precision of `last`, rounded at random.

    Args:
        x: The moment after step `count`.
        last: As it rested before that step.
        count: The step.
        slot: Which moment: each draws bits of its own.
    """
    if last.precision == "float32":
        return Resting(x)
    x, bits = _as_float32(x), random_bits(x.shape, count, slot)
    if last.precision == "bfloat16":
        return Resting(round_to_bfloat16(x, bits))
    return Resting(*eight_bits.encode(x, *last, bits, _LAYOUT[slot]))


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
