"""Moments in 8 bits: floating-point numbers of few digits, in a window for each row.

    code = min(⌊8 log₂ ν⌉ − fine, ⌈log₂ ν⌉ − coarse)       log₂: piecewise linear

Most codes lie 8 to an octave below the largest ν that the row had in the step before;
the last 16 lie an octave apart above it, and the very last is as large as it takes.
So one pass over the memory is enough: what a row outgrows while it is being written is
rounded up, a step that is too short for once, and the next window has seen it. ν is
never rounded to 0, after which the parameter would move by the sign of its gradient
alone, 1/√(1 − ρ) times too far. A trace and a mean have a sign, and 0 amid codes
evenly spaced.

The logarithm is a shifted float32 pattern: no table, the same codes everywhere.

Relative error of the update beside float32's, 2 000 steps, rows of 1 024, the last
1 000; then the share of entries that move more than 1.25 times as far, and the
largest such ratio. `real`: gradients whose scales are log-normal, σ = 1.5; `decay`:
they shrink 1 000 times; `sparse`: 2 % are not 0; `heavy`: scales over 10 decades.

                     ρ = .9               .99                  .999
    real       .029, 0 %, 1.2×      .071, .1 %, 1.4×     .089, .7 %, 1.5×
    decay                           .11, 2 %, 1.6×       .10, 4 %, 1.6×
    sparse     .028, 0 %, 1.2×                           .054, 0 %, 1.3×
    heavy      .71, 0 %, 1.2×                            .72, .2 %, 1.4×

Below the window, 29 octaves of ν or 4.3 decades of gradient beneath the largest of
its row, updates are too small: that is `heavy`. Cells left blank were not run.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# Shorter rows share one scale, lest it cost more than 2 % of the codes.
MIN_ROW = 128


class Code(NamedTuple):
    """A moment in 8 bits: uint8 where it cannot be negative, else int8.

    `scale` is uint16, one for each row along the last axis, or one for all where rows
    are shorter than `MIN_ROW`. Its upper byte is the exponent of the row's largest,
    its lower byte that of the step before, which the codes are relative to; 0 is that
    of a row of zeros.
    """

    codes: jax.Array
    scale: jax.Array


class Layout(NamedTuple):
    """Which numbers the codes 0, 1, 2, … stand for.

    Attributes:
        digits: Binary digits after the first of a fine code: 2^digits to an octave.
        fine: The last fine code; those above are an octave apart.
        last: The last code; 255 where there is no sign.
        headroom: Octaves from the exponent of the row's largest to `fine`.
        unknown: The exponent of code 0 after a row of zeros; all codes are coarse.
    """

    digits: int
    fine: int
    last: int
    headroom: int
    unknown: int

    @property
    def signed(self) -> bool:
        """Whether a bit of the code is the sign."""
        return self.last == 127


class Fresh(NamedTuple):
    """A moment to store.

    Attributes:
        x: After the step, float32. Where it is not finite, the old number stays.
        codes: What was stored before the step.
        scale: Beside them.
        bits: Random uint32, one for each element.
        layout: What kind of moment it is.
    """

    x: jax.Array
    codes: jax.Array
    scale: jax.Array
    bits: jax.Array
    layout: Layout


SQUARE = Layout(digits=3, fine=239, last=255, headroom=1, unknown=7)
MEAN = Layout(digits=3, fine=111, last=127, headroom=2, unknown=64)
TRACE = Layout(digits=4, fine=111, last=127, headroom=2, unknown=64)
# ρ times the least ν must be no denormal: some backends take that for 0.
_LEAST_EXPONENT, _LARGEST_EXPONENT = 8, 254


def first(x: jax.Array, layout: Layout) -> Code:
    """`x`, to nearest, in a window of its own; what is not finite becomes 0.

    Args:
        x: float32.
        layout: What kind of moment it is.
    """
    x = jnp.where(jnp.isfinite(x), x, 0)
    (largest,) = _largest_exponents([jnp.abs(x)])
    half = jnp.full(x.shape, 2**31 - 1, jnp.uint32)
    return Code(_codes(x, largest, half, layout), _pack(largest, largest))


def encode(*moments: Fresh) -> list[Code]:
    """Up or down at random, in the window that the last step left.

    Unbiased between the fine codes. Above them a ν is rounded up, to no more than twice
    the largest of its row; a signed number stays unbiased for 16 octaves and is cut
    off there.

    Args:
        *moments: Those of one parameter array: XLA:GPU makes of all of it one kernel
            only if the largest of all are found in one reduction.

    Example:
        >>> x = jnp.array([4.0, 1.0, 1e-30])
        >>> old, half = first(x, SQUARE), jnp.full(3, 2**31, jnp.uint32)
        >>> (new,) = encode(Fresh(x / 2, *old, half, SQUARE))
        >>> decode(*new, SQUARE)[:2], decode(*new, SQUARE)[2] > 0
        (Array([2. , 0.5], dtype=float32), Array(True, dtype=bool))
    """
    finite = [
        jnp.where(jnp.isfinite(x), _underived(x), decode(codes, scale, layout))
        for x, codes, scale, _, layout in moments
    ]
    largest = _largest_exponents(
        [
            jnp.abs(x) if moment.layout.signed else x
            for x, moment in zip(finite, moments, strict=True)
        ]
    )
    coded = []
    for x, moment, exponent in zip(finite, moments, largest, strict=True):
        _, anchor = _unpack(moment.scale)
        codes = _codes(x, anchor, moment.bits, moment.layout)
        coded.append(Code(codes, _pack(anchor, exponent)))
    return coded


@jax.custom_jvp
def _underived(x: jax.Array) -> jax.Array:
    return x


@_underived.defjvp
def _refuse(primals, tangents):
    del primals, tangents
    raise TypeError(
        "state_dtype='int8': expected a state in 'bfloat16' or None to differentiate "
        "through; 8-bit codes are integers and have no derivative."
    )


def decode(codes: jax.Array, scale: jax.Array, layout: Layout) -> jax.Array:
    """The stored moment, in float32."""
    anchor, largest = _unpack(scale)
    fine, coarse, smallest = _window(layout, anchor)
    code = codes.astype(jnp.int32)
    size = jnp.abs(code) if layout.signed else code
    finely = _float((size + fine) << (23 - layout.digits))
    coarsely = _float((size + coarse) << 23)
    if layout.signed:
        value = jnp.maximum(finely, coarsely) - smallest
        value = jnp.minimum(value, jnp.finfo(jnp.float32).max)
        return value * jnp.sign(code).astype(jnp.float32)
    # No number that was stored exceeds this power of two.
    exponent = jnp.clip(largest + 1, _LEAST_EXPONENT, _LARGEST_EXPONENT)
    ceiling = _float(jnp.zeros_like(code) + (exponent << 23))
    value = jax.lax.clamp(finely, coarsely, ceiling)
    value = jnp.where(code == layout.last, ceiling, value)
    return jnp.where(code == 0, 0, value)


def _codes(
    x: jax.Array, anchor: jax.Array, bits: jax.Array, layout: Layout
) -> jax.Array:
    fine, coarse, smallest = _window(layout, anchor)
    pattern = _pattern(jnp.abs(x) + smallest if layout.signed else x)
    up = jnp.full_like(bits, 2**32 - 1)
    code = jnp.minimum(
        _cut(pattern, 23 - layout.digits, bits) - fine,
        _cut(pattern, 23, bits if layout.signed else up) - coarse,
    )
    # In float: XLA:TPU makes a kernel of its own of what comes out of integers.
    code = code.astype(jnp.float32)
    if layout.signed:
        code = jnp.clip(code, 0, layout.last)
        return (code * jnp.sign(x)).astype(jnp.int8)
    # The pattern, for to some backends a denormal x equals 0.
    code = jnp.where(pattern == 0, 0, jnp.clip(code, 1, layout.last))
    return code.astype(jnp.uint8)


def _window(
    layout: Layout, anchor: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What to take off a pattern cut fine and one cut coarse, and code 0's number."""
    per_octave = 1 << layout.digits
    lowest = _LEAST_EXPONENT + -(-layout.fine // per_octave)
    top = jnp.maximum(anchor + layout.headroom, lowest)
    known = anchor > 0
    # So far down that the coarse code is always the smaller.
    fine = jnp.where(known, top * per_octave - layout.fine, -256 * per_octave)
    coarse = jnp.where(known, top - layout.fine, layout.unknown)
    smallest = jnp.where(known, fine << (23 - layout.digits), 0)
    return fine, coarse, _float(smallest)


def _cut(pattern: jax.Array, n: int, bits: jax.Array) -> jax.Array:
    """The pattern without its last n bits, rounded up as often as they are large."""
    return (pattern + (bits >> (32 - n)).astype(jnp.int32)) >> n


def _largest_exponents(sizes: list[jax.Array]) -> list[jax.Array]:
    """Of each row of each; those of one shape are found together."""
    found = {}
    for shape in dict.fromkeys(x.shape for x in sizes):
        alike = [i for i, x in enumerate(sizes) if x.shape == shape]
        together = _largest_together(*(sizes[i] for i in alike))
        found |= zip(alike, together, strict=True)
    return [found[i] for i in range(len(sizes))]


def _largest_together(*sizes: jax.Array) -> list[jax.Array]:
    """The same numbers on every platform, by way of what is fast there."""
    shape = sizes[0].shape
    rows = bool(shape) and shape[-1] >= MIN_ROW
    axes = tuple(range(len(shape)))[-1 if rows else 0 :]

    def of_bytes(*sizes):
        exponents = [(_pattern(x) >> 23).astype(jnp.uint8) for x in sizes]
        return [x.max(axis=axes, keepdims=True).astype(jnp.int32) for x in exponents]

    def of_floats(*sizes):
        largest = jax.lax.reduce(
            sizes,
            (jnp.float32(0),) * len(sizes),
            lambda x, y: tuple(map(jnp.maximum, x, y)),
            axes,
        )
        return [_pattern(jnp.expand_dims(x, axes)) >> 23 for x in largest]

    # XLA:CPU writes out what it reduces; XLA:TPU reduces floats only where they arise.
    return jax.lax.platform_dependent(*sizes, cpu=of_bytes, default=of_floats)


def _pack(anchor: jax.Array, largest: jax.Array) -> jax.Array:
    return (anchor | largest << 8).astype(jnp.uint16)


def _unpack(scale: jax.Array) -> tuple[jax.Array, jax.Array]:
    both = scale.astype(jnp.int32)
    return both & 255, both >> 8


def _pattern(x: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(x, jnp.int32)


def _float(pattern: jax.Array) -> jax.Array:
    return jax.lax.bitcast_convert_type(pattern, jnp.float32)
