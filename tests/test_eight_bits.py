from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from rmsprop_jax import eight_bits
from rmsprop_jax.eight_bits import MEAN, MIN_ROW, SQUARE, TRACE, Fresh
from rmsprop_jax.rounding import random_bits

ROWS = (4, 256)


def encode_one(x, codes, scale, bits, layout):
    (code,) = eight_bits.encode(Fresh(x, codes, scale, bits, layout))
    return code


# Op by op, compiling them is what takes the time.
first, encode, decode = (
    jax.jit(function, static_argnames="layout")
    for function in (eight_bits.first, encode_one, eight_bits.decode)
)
LAYOUTS = {"nu": SQUARE, "mu": MEAN, "trace": TRACE}
each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def zeros(layout, shape=ROWS):
    return first(jnp.zeros(shape), layout)


def magnitudes(octaves, shape=ROWS, seed=0):
    """Log-uniform numbers over so many octaves below 1."""
    rng = np.random.default_rng(seed)
    return jnp.asarray(2 ** rng.uniform(-octaves, 0, shape), jnp.float32)


@partial(jax.jit, static_argnames="layout")
def stored_often(x, code, layout):
    """The mean of 1 024 encodings of `x`, each decoded, and the largest and least."""

    def once(count):
        return decode(
            *encode(x, *code, random_bits(x.shape, count, "nu"), layout), layout
        )

    each = jax.lax.map(once, jnp.arange(1024))
    return each.mean(0), each.max(0), each.min(0)


@each_layout
def test_every_code_reads_as_a_number_that_is_stored_as_that_code(layout):
    codes = jnp.arange(-127 if layout.signed else 0, 128 if layout.signed else 255)[
        None
    ]
    dtype = jnp.int8 if layout.signed else jnp.uint8
    # The row's largest in this step: beyond all codes.
    scale = jnp.full((1, 1), 127 + (200 << 8), jnp.uint16)
    x = decode(codes.astype(dtype), scale, layout)
    assert (jnp.diff(x) > 0).all()
    last = jnp.full((1, 1), 127 << 8, jnp.uint16)
    for bits in 0, 2**31, 2**32 - 1:
        again = encode(
            x, codes.astype(dtype), last, jnp.full(x.shape, bits, "uint32"), layout
        )
        np.testing.assert_array_equal(again.codes, codes)


@each_layout
def test_a_larger_number_has_no_smaller_code(layout):
    x = jnp.sort(magnitudes(60, (1, 2048)) * 2.0**20)
    x = jnp.concatenate([-x[:, ::-1], x], 1) if layout.signed else x
    code = first(jnp.ones_like(x), layout)
    bits = jnp.full(x.shape, 12345 << 16, jnp.uint32)
    assert (jnp.diff(encode(x, *code, bits, layout).codes.astype(jnp.int32)) >= 0).all()


@each_layout
def test_rounding_is_unbiased(layout):
    x = magnitudes(20)
    x = x.at[:, ::2].multiply(-1) if layout.signed else x
    mean, largest, least = stored_often(x, first(x, layout), layout)
    grid = jnp.abs(x) / 2**layout.digits + (2.0**-9 if layout.signed else 0)
    assert (largest - least <= grid).all()
    # 7 standard errors of the mean of 1 024 that are one of two numbers.
    error = 7 * grid * 0.5 / 32
    assert (jnp.abs(mean - x) <= error).all()
    to_nearest = decode(*first(x, layout), layout)
    assert (jnp.abs(to_nearest - x) > error).any()


@each_layout
def test_zero_stays_zero(layout):
    x = magnitudes(20).at[:, ::2].set(0)
    _, largest, least = stored_often(x, first(x, layout), layout)
    assert not largest[:, ::2].any()
    assert not least[:, ::2].any()


def test_what_is_positive_stays_positive():
    tiny = jax.lax.bitcast_convert_type(jnp.array([1, 2**22], jnp.int32), jnp.float32)
    x = jnp.ones(ROWS).at[:, :2].set(tiny).at[:, 2].set(1e-38)
    for code in first(x, SQUARE), zeros(SQUARE):
        stored = encode(x, *code, jnp.zeros(ROWS, jnp.uint32), SQUARE)
        assert (decode(*stored, SQUARE)[:, :3] > 0).all()


def test_a_share_of_the_least_number_is_no_denormal():
    x = jnp.full(ROWS, 1.2e-38)
    for code in first(x, SQUARE), zeros(SQUARE):
        stored = encode(x, *code, jnp.zeros(ROWS, jnp.uint32), SQUARE)
        assert (0.1 * decode(*stored, SQUARE) > jnp.finfo(jnp.float32).tiny).all()


def test_a_trace_below_the_window_becomes_zero_or_not_without_bias():
    x = jnp.full(ROWS, -(2.0**-14)).at[:, 0].set(1.0)
    mean, _, least = stored_often(x, first(x, TRACE), TRACE)
    assert (least[:, 1:] < -(2.0**-14)).all()
    np.testing.assert_allclose(mean[:, 1:].mean(), -(2.0**-14), rtol=0.05)


@each_layout
@pytest.mark.parametrize("poison", [jnp.nan, jnp.inf, -jnp.inf], ids=str)
def test_what_is_not_finite_leaves_the_old_number(poison, layout):
    code = first(magnitudes(10), layout)
    bits = jnp.full(ROWS, 2**31, jnp.uint32)
    x = decode(*code, layout).at[1, 7].set(poison)
    assert (
        decode(*encode(x, *code, bits, layout), layout) == decode(*code, layout)
    ).all()
    x = decode(*first(magnitudes(10).at[1, 7].set(poison), layout), layout)
    assert jnp.isfinite(x).all()


@each_layout
def test_the_largest_numbers_stay_finite(layout):
    x = jnp.full(ROWS, jnp.finfo(jnp.float32).max)
    code = zeros(layout)
    for count in range(3):
        code = encode(x, *code, random_bits(ROWS, jnp.asarray(count), "nu"), layout)
        assert jnp.isfinite(decode(*code, layout)).all()
    assert (decode(*code, layout) >= x / 2.01).all()


def test_a_jump_is_stored_at_once_and_never_below():
    """Up to 2 times the row's largest, and one step later as good as any."""
    for octaves in 1, 2, 5, 14, 40, 100:
        x = magnitudes(10) * 2.0**octaves
        bits = jnp.zeros(ROWS, jnp.uint32)
        code = encode(x, *first(magnitudes(10), SQUARE), bits, SQUARE)
        stored = decode(*code, SQUARE)
        assert (stored >= x * (1 - 1 / 8)).all()
        assert (stored <= 2 * x.max(1, keepdims=True)).all()
        if 10 < octaves <= 14:
            assert (stored <= 2 * x).all()
        again = decode(*encode(x, *code, bits, SQUARE), SQUARE)
        assert (jnp.abs(again - x) <= x / 8).all()


def test_the_first_number_after_zeros_is_stored_within_an_octave():
    for size in 1e-30, 1e-8, 1.0, 1e30:
        x = magnitudes(20) * jnp.float32(size)
        code = encode(x, *zeros(SQUARE), jnp.zeros(ROWS, jnp.uint32), SQUARE)
        ratio = decode(*code, SQUARE) / x
        assert ((ratio >= 1) & (ratio <= 2)).all()


@each_layout
def test_a_scale_is_two_bytes_for_each_row(layout):
    def stored(*of):
        x = jax.ShapeDtypeStruct(of, jnp.float32)
        return jax.eval_shape(lambda x: eight_bits.first(x, layout), x)

    assert stored(3, 5, MIN_ROW).scale.shape == (3, 5, 1)
    assert stored(3, 5, MIN_ROW - 1).scale.shape == (1, 1, 1)
    assert stored(4096).scale.shape == (1,)
    code = stored(32, MIN_ROW)
    assert sum(x.size * x.dtype.itemsize for x in code) <= 1.02 * 32 * MIN_ROW


@each_layout
def test_a_row_does_not_see_its_neighbours(layout):
    quiet = magnitudes(10)
    loud = quiet.at[0].multiply(2.0**60)
    ours, theirs = first(quiet, layout), first(loud, layout)
    np.testing.assert_array_equal(ours.codes, theirs.codes)
    np.testing.assert_array_equal(
        decode(*ours, layout)[1:], decode(*theirs, layout)[1:]
    )


@each_layout
def test_vmap_makes_the_same_codes_and_every_platform_compiles_them(layout):
    x, code = magnitudes(12), first(magnitudes(10), layout)
    bits = random_bits(ROWS, jnp.asarray(1), "nu")
    whole = encode(x, *code, bits, layout)
    mapped = jax.vmap(partial(encode, layout=layout))(x, *code, bits)
    np.testing.assert_array_equal(mapped.codes, whole.codes)
    np.testing.assert_array_equal(mapped.scale, whole.scale)
    platforms = ("cpu", "cuda", "rocm", "tpu")
    exported = export.export(encode, platforms=platforms)(x, *code, bits, layout)
    assert exported.platforms == platforms


def each_moment(narrow=None):
    """One of each kind, of other sizes, beside what was stored of it."""
    for i, layout in enumerate((SQUARE, MEAN, TRACE)):
        shape = (4, 1) if layout is narrow else ROWS
        x = magnitudes(12, shape, seed=i) * 10.0 ** (3 * i)
        x = x.at[0, 0].set(jnp.inf)
        x = x.at[:, 1::2].multiply(-1) if layout.signed else x
        bits = random_bits(x.shape, jnp.asarray(1), "nu")
        yield Fresh(x, *first(magnitudes(10, x.shape), layout), bits, layout)


@pytest.mark.parametrize("narrow", [None, SQUARE], ids=["alike", "not alike"])
def test_moments_that_are_stored_together_are_stored_as_each_alone(narrow):
    moments = list(each_moment(narrow))
    for code, moment in zip(eight_bits.encode(*moments), moments, strict=True):
        alone = encode(*moment)
        np.testing.assert_array_equal(code.codes, alone.codes)
        np.testing.assert_array_equal(code.scale, alone.scale)


@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_the_largest_of_moments_are_found_in_one_reduction(platform):
    moments = list(each_moment())
    numbers = [moment[:-1] for moment in moments]

    def together(numbers):
        layouts = [moment.layout for moment in moments]
        fresh = map(lambda x, layout: Fresh(*x, layout), numbers, layouts)
        return eight_bits.encode(*fresh)

    def apart(numbers):
        return [encode_one(*x, y.layout) for x, y in zip(numbers, moments, strict=True)]

    for function, reductions in (together, 1), (apart, 3):
        traced = jax.jit(function).trace(numbers)
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert text.count("stablehlo.reduce(") == reductions


def test_compiling_writes_out_no_number_of_four_bytes():
    """A step's temporaries are bytes: the codes kept, and what the maximum is of."""

    def step(codes, scale, g):
        nu = 0.9 * decode(codes, scale, SQUARE) + 0.1 * g * g
        bits = random_bits(g.shape, jnp.asarray(1), "nu")
        return g / jnp.sqrt(nu), encode(nu, codes, scale, bits, SQUARE)

    g = jnp.ones((256, 512))
    compiled = jax.jit(step, donate_argnums=(0, 1)).lower(*first(g, SQUARE), g)
    memory = compiled.compile().memory_analysis()
    assert memory.temp_size_in_bytes <= 2.2 * g.size
