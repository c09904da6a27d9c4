"""Small integers as data: every sum is exact, whatever its order, so equality it is."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from helpers import enable_x64
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax.train import winograd
from rmsprop_jax.train.convolution import convolve, max_pool

LAYOUT = ("NHWC", "HWIO", "NHWC")


def integers(shape, seed=0, dtype=np.float32):
    values = np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)
    return jnp.asarray(values, dtype)


def native(x, w, strides=(1, 1), padding="SAME", dilation=(1, 1)):
    return jax.lax.conv_general_dilated(
        x, w, strides, padding, rhs_dilation=dilation, dimension_numbers=LAYOUT
    )


def ours(x, w, strides=(1, 1), padding="SAME", dilation=(1, 1)):
    return convolve(x, w, strides, padding, rhs_dilation=dilation)


def value_and_gradients(conv, x, w):
    def compute(x, w):
        y, pull = jax.vjp(conv, x, w)
        return y, *pull(integers(y.shape, seed=2, dtype=y.dtype))

    return jax.jit(compute)(x, w)


def assert_equal(ones, others):
    for one, other in zip(ones, others, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(
            np.asarray(one, np.float64), np.asarray(other, np.float64)
        )


GEOMETRIES = [
    ((3, 3), (1, 1), "SAME", (1, 1)),
    ((3, 3), (1, 1), "VALID", (1, 2)),
    ((3, 3), (2, 1), "SAME", (1, 1)),
    ((3, 3), (2, 2), "VALID", (2, 1)),
    ((5, 2), (1, 1), ((1, 2), (0, 3)), (1, 1)),
    ((5, 2), (3, 2), "SAME", (1, 1)),
    ((5, 2), (3, 2), ((1, 2), (0, 3)), (1, 2)),
    ((1, 1), (2, 1), "SAME", (1, 1)),
    ((3, 3), (1, 1), ((-1, 0), (2, -1)), (1, 1)),
]


@pytest.mark.parametrize(("window", "strides", "padding", "dilation"), GEOMETRIES)
@pytest.mark.parametrize("channels", [1, 8])
def test_value_and_gradients_are_those_of_lax(
    channels, window, strides, padding, dilation
):
    x, w = integers((2, 9, 8, channels)), integers((*window, channels, 8), seed=1)
    geometry = strides, padding, dilation
    assert_equal(
        value_and_gradients(lambda x, w: ours(x, w, *geometry), x, w),
        value_and_gradients(lambda x, w: native(x, w, *geometry), x, w),
    )


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((2, 0), (1, 4))])
@pytest.mark.parametrize("size", [(3, 3), (4, 5), (7, 6)])
def test_tiles_that_reach_over_the_edge_change_nothing(size, padding):
    x, w = integers((3, *size, 8)), integers((3, 3, 8, 16), seed=1)
    assert_equal(
        value_and_gradients(lambda x, w: ours(x, w, padding=padding), x, w),
        value_and_gradients(lambda x, w: native(x, w, padding=padding), x, w),
    )


def test_real_numbers_are_as_near_to_float64_as_with_lax():
    """Each has rounding errors of its own; ours at most four times as large."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 14, 14, 32))
    w = rng.standard_normal((3, 3, 32, 64))
    g = rng.standard_normal((8, 14, 14, 64))

    def both(conv, dtype):
        def compute(x, w, g):
            y, pull = jax.vjp(conv, x, w)
            return y, *pull(g)

        arrays = jax.jit(compute)(*(jnp.asarray(a, dtype) for a in (x, w, g)))
        return [np.asarray(array, np.float64) for array in arrays]

    with enable_x64(True):
        exact = both(native, jnp.float64)
    single = zip(exact, both(ours, jnp.float32), both(native, jnp.float32), strict=True)
    for truth, mine, theirs in single:
        assert np.abs(mine - truth).max() < 4 * np.abs(theirs - truth).max()


def test_float64_stays_float64():
    with enable_x64(True):
        x = integers((2, 6, 5, 8), dtype=jnp.float64) / 3
        w = integers((3, 3, 8, 8), seed=1, dtype=jnp.float64) / 7
        one, other = (value_and_gradients(conv, x, w) for conv in (ours, native))
        for a, b in zip(one, other, strict=True):
            assert a.dtype == jnp.float64
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 8])
def test_bfloat16_is_rounded_once(channels):
    x, w = integers((2, 6, 5, channels)), integers((3, 3, channels, 8), seed=1)
    narrow = x.astype(jnp.bfloat16), w.astype(jnp.bfloat16)
    y, *grads = value_and_gradients(ours, *narrow)
    exact = value_and_gradients(native, x, w)
    assert_equal((y, *grads), [a.astype(jnp.bfloat16) for a in exact])


@pytest.mark.parametrize("channels", [1, 8])
def test_a_batch_over_eight_devices_is_the_batch_on_one(channels):
    x, w = integers((16, 6, 5, channels)), integers((3, 3, channels, 8), seed=1)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    whole = jax.device_put(w, NamedSharding(mesh, PartitionSpec()))
    compute = jax.jit(lambda x, w: value_and_gradients(ours, x, w))
    y, *grads = compute(spread, whole)
    assert y.sharding.spec[0] == "data"
    assert_equal((y, *grads), value_and_gradients(native, x, w))


@pytest.mark.parametrize("channels", [1, 8])
def test_vmap_over_kernels_is_one_after_the_other(channels):
    x, w = integers((2, 6, 5, channels)), integers((4, 3, 3, channels, 8), seed=1)
    each = [value_and_gradients(native, x, kernel) for kernel in w]
    together = jax.vmap(lambda w: value_and_gradients(ours, x, w))(w)
    assert_equal(together, [jnp.stack(arrays) for arrays in zip(*each, strict=True)])


def layouts_in_a_loop(conv, channels, strides):
    """The layouts of all convolutions that a CPU is given for a loop of gradients."""
    x, w = integers((8, 12, 12, channels)), integers((3, 3, channels, 8), seed=1)

    def step(carry, _):
        x, w = carry
        grads = jax.grad(lambda x, w: (conv(x, w, strides) ** 2).sum(), argnums=(0, 1))(
            x, w
        )
        return (x - grads[0], w - grads[1]), None

    loop = jax.jit(lambda x, w: jax.lax.scan(step, (x, w), length=3)[0])
    return set(
        re.findall(r"dim_labels=(\S+?)[,\s]", loop.lower(x, w).compile().as_text())
    )


@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
@pytest.mark.parametrize("channels", [1, 8])
def test_in_a_loop_every_convolution_is_channels_last(channels, strides):
    assert layouts_in_a_loop(ours, channels, strides) <= {"b01f_01io->b01f"}


def test_in_a_loop_the_gradients_of_lax_are_not():
    assert layouts_in_a_loop(native, 8, (1, 1)) - {"b01f_01io->b01f"}


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_elsewhere_all_three_are_convolutions(platform):
    x, w = integers((2, 6, 6, 8)), integers((3, 3, 8, 8), seed=1)
    traced = jax.jit(lambda x, w: value_and_gradients(ours, x, w)).trace(x, w)
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.convolution") == 3
    assert "dot_general" not in text


def test_flax_takes_it_in_place_of_its_own():
    x = integers((2, 8, 8, 3))

    def gradient(**hook):
        conv = nnx.Conv(3, 8, (3, 3), strides=2, rngs=nnx.Rngs(0), **hook)
        conv.kernel[...] = integers(conv.kernel.shape, seed=1)
        return nnx.grad(lambda conv: (conv(x) ** 2).sum())(conv)

    assert_equal(
        jax.tree.leaves(gradient(conv_general_dilated=convolve)),
        jax.tree.leaves(gradient()),
    )


@pytest.mark.parametrize(
    ("said", "options"),
    [
        ("feature_group_count=2", {"feature_group_count": 2}),
        ("lhs_dilation=(2, 1)", {"lhs_dilation": (2, 1)}),
        ("dimension_numbers=", {"dimension_numbers": ("NCHW", "OIHW", "NCHW")}),
        ("out_sharding=", {"out_sharding": PartitionSpec()}),
    ],
)
def test_what_it_cannot_is_refused_with_the_way_out(said, options):
    groups = options.get("feature_group_count", 1)
    x, w = integers((2, 8, 8, 8)), integers((8, 8, 8 // groups, 8))
    with pytest.raises(ValueError, match=re.escape(said)) as refusal:
        convolve(x, w, (1, 1), "SAME", **options)
    assert "leave out conv_general_dilated=convolve" in str(refusal.value)


def test_images_of_one_dimension_are_refused():
    with pytest.raises(ValueError, match=re.escape("images of shape (2, 8, 3)")):
        convolve(integers((2, 8, 3)), integers((3, 3, 4)), (1,), "SAME")


def test_kernels_of_few_channels_or_other_shapes_are_left_to_xla():
    class Geometry:
        strides = dilation = (1, 1)
        padding = ((1, 1), (1, 1))

    x = integers((2, 6, 6, 8))
    assert winograd.suits(x, integers((3, 3, 8, 8)), Geometry)
    assert not winograd.suits(x, integers((3, 3, 8, 4)), Geometry)
    assert not winograd.suits(x, integers((3, 5, 8, 8)), Geometry)
    assert not winograd.suits(x[:0], integers((3, 3, 8, 8)), Geometry)


def test_the_largest_of_four_and_its_gradient_are_those_of_flax():
    x = jax.random.permutation(jax.random.key(0), jnp.arange(2.0 * 7 * 6 * 3))
    x = x.reshape(2, 7, 6, 3)
    mine, pull = jax.vjp(max_pool, x)
    theirs, pull_theirs = jax.vjp(lambda x: nnx.max_pool(x, (2, 2), (2, 2)), x)
    g = integers(mine.shape)
    assert_equal((mine, *pull(g)), (theirs, *pull_theirs(g)))


def test_of_equals_the_first_has_the_gradient():
    grads = jax.grad(lambda x: max_pool(x).sum())(jnp.ones((1, 2, 4, 1)))
    np.testing.assert_array_equal(grads[0, :, :, 0], [[1, 0, 1, 0], [0, 0, 0, 0]])


def test_the_dtype_survives_pooling():
    x = integers((1, 4, 4, 2), dtype=jnp.bfloat16)
    y, pull = jax.vjp(max_pool, x)
    assert y.dtype == pull(y)[0].dtype == jnp.bfloat16


def test_nothing_is_pooled_to_nothing():
    with pytest.raises(ValueError, match="images of 1 x 5 pixels: expected 2 x 2"):
        max_pool(jnp.ones((1, 1, 5, 1)))
