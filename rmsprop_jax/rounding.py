"""Stochastic rounding: up or down at random, so that the mean of many is the number.

Below one unit in the last place, rounding to nearest loses every change: a bfloat16
ν stops at half its value when ρ is .999. Rounding up with a probability that is the
distance from below loses none on average.
"""

import math
from typing import Literal

import jax
import jax.numpy as jnp

What = Literal["nu", "mu", "trace", "params"]

_SALT = {"nu": 0, "mu": 1, "trace": 2, "params": 3}
_GOLDEN = 0x9E3779B9


def random_bits(shape: tuple[int, ...], count: jax.Array, what: What) -> jax.Array:
    """32 random bits for each element: a hash of its index that walks with the step.

        bits = hash(index, what, ⌊t / 256⌋) + t / golden ratio        (modulo 1)

    Uniform over elements and over steps; and the steps of one element are spread
    evenly, better than by chance: what one rounds up the next rounds down. Fewer
    errors then add up, by a half where ν changes slowly.

    No key to keep and nothing in memory, for XLA fuses it into what uses it. The bits
    of an array do not depend on how it is sharded under `jit`; under `shard_map` each
    shard counts its elements from 0. Arrays of one shape get the same bits, and so one
    kernel.

    Args:
        shape: Of the array to round.
        count: The step, t.
        what: What is rounded: each draws bits of its own.
    """
    t, golden = count.astype(jnp.uint32), jnp.uint32(_GOLDEN)
    # The step is hashed before the two are added: hash(index ^ step) would draw the
    # same set of numbers at every step, each from another element, and be biased.
    seed = _hash((t >> 8) * jnp.uint32(4) + jnp.uint32(_SALT[what]))
    return _hash(_progression(shape, seed, _GOLDEN)) + t * golden


@jax.custom_jvp
def round_to_bfloat16(x: jax.Array, bits: jax.Array) -> jax.Array:
    """`x` in bfloat16, rounded up or down at random; infinities and NaN stay.

    Its derivative is that of its mean, 1.

    Args:
        x: float32.
        bits: As many random uint32, of which the upper half is used.
    """
    pattern = jax.lax.bitcast_convert_type(x, jnp.uint32)
    pattern = (pattern + (bits >> 16)) & jnp.uint32(0xFFFF0000)
    rounded = jax.lax.bitcast_convert_type(pattern, jnp.float32)
    # Of a NaN the carry could make a zero.
    return jnp.where(jnp.isnan(x), x, rounded).astype(jnp.bfloat16)


@round_to_bfloat16.defjvp
def _straight_through(primals, tangents):
    return round_to_bfloat16(*primals), tangents[0].astype(jnp.bfloat16)


def _hash(x: jax.Array) -> jax.Array:
    """A mixed permutation of the 32-bit numbers."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _progression(shape: tuple[int, ...], start: jax.Array, step: int) -> jax.Array:
    """`start` + `step` times each element's row-major index, modulo 2³²."""
    numbers = jnp.broadcast_to(start, (1,) * len(shape))
    for axis, length in enumerate(shape):
        # Multiplied along an axis, not for each element: only additions are left.
        by = jnp.uint32(step * math.prod(shape[axis + 1 :]) % 2**32)
        along = jnp.arange(length, dtype=jnp.uint32) * by
        others = tuple(i for i in range(len(shape)) if i != axis)
        numbers = numbers + jnp.expand_dims(along, others)
    return numbers
