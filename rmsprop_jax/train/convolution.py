"""Convolution and pooling whose gradients are fast on a CPU too.

XLA's convolution is fast on a CPU as long as it is written channel-last; the gradients
that JAX derives are not, and inside a loop (`lax.scan`) they run up to forty times
slower. Here they are written out. Elsewhere XLA's own are used.

Images are (batch, height, width, channels), kernels (height, width, in, out).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rmsprop_jax.train import winograd

_CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
# Kernels of fewer elements than this, per output: one product with all the windows.
_FEW = 32


class _Geometry(NamedTuple):
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]


def convolve(
    images: jax.Array,
    kernel: jax.Array,
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    *,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
    out_sharding: Any = None,
) -> jax.Array:
    """`jax.lax.conv_general_dilated` of images, with gradients for any platform.

    To be given to Flax: `nnx.Conv(..., conv_general_dilated=convolve)`. Strides,
    dilated kernels and every padding are supported. There is no forward-mode
    derivative (`jax.jvp`).

    Args:
        images: (batch, height, width, channels).
        kernel: (height, width, channels, outputs).
        window_strides: Down and across.
        padding: "SAME", "VALID", or pairs of (before, after) down and across.
        lhs_dilation: Not supported other than 1.
        rhs_dilation: Distance of the kernel's elements, down and across.
        dimension_numbers: Not supported other than channel-last, which is the default.
        feature_group_count: Not supported other than 1.
        precision: As in `jax.lax.conv_general_dilated`.
        out_sharding: Not supported.

    Raises:
        ValueError: If asked for what it does not support.
    """
    if images.ndim != 4 or kernel.ndim != 4:
        raise _unsupported(
            f"images of shape {images.shape}, kernel of shape {kernel.shape}",
            "(batch, height, width, channels) and (height, width, in, out)",
        )
    if dimension_numbers is None:
        dimension_numbers = _CHANNELS_LAST
    layout = jax.lax.conv_dimension_numbers(
        images.shape, kernel.shape, dimension_numbers
    )
    if layout != _layout(images, kernel):
        raise _unsupported(f"{dimension_numbers=}", "channels last")
    if feature_group_count != 1:
        raise _unsupported(f"{feature_group_count=}", "1")
    if lhs_dilation is not None and set(lhs_dilation) != {1}:
        raise _unsupported(f"{lhs_dilation=}", "1 each way")
    if out_sharding is not None:
        raise _unsupported(f"{out_sharding=}", "None")
    dilation = tuple(rhs_dilation or (1, 1))
    if isinstance(padding, str):
        window = [(n - 1) * d + 1 for n, d in zip(kernel.shape, dilation, strict=False)]
        padding = jax.lax.padtype_to_pads(
            images.shape[1:3], window, window_strides, padding
        )
    geometry = _Geometry(
        tuple(window_strides), tuple((low, high) for low, high in padding), dilation
    )
    return _convolve(images, kernel, geometry, precision)


def _unsupported(what: str, expected: str) -> ValueError:
    return ValueError(
        f"{what}: expected {expected}. For any other convolution leave out "
        "conv_general_dilated=convolve: Flax's default can do all of them."
    )


def _layout(images: jax.Array, kernel: jax.Array) -> Any:
    return jax.lax.conv_dimension_numbers(images.shape, kernel.shape, _CHANNELS_LAST)


def _native(x, w, geometry, precision, base_dilation=(1, 1)):
    return jax.lax.conv_general_dilated(
        x,
        w,
        geometry.strides,
        geometry.padding,
        lhs_dilation=base_dilation,
        rhs_dilation=geometry.dilation,
        dimension_numbers=_CHANNELS_LAST,
        precision=precision,
    )


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(x, w, geometry, precision):
    native = partial(_native, geometry=geometry, precision=precision)
    if not winograd.suits(x, w, geometry):
        return native(x, w)
    fewer = partial(winograd.convolution, padding=geometry.padding)
    return jax.lax.platform_dependent(x, w, cpu=fewer, default=native)


def _forward(x, w, geometry, precision):
    # Without it what made x is computed again wherever x is used.
    x = jax.lax.optimization_barrier(x)
    return _convolve(x, w, geometry, precision), (x, w)


def _backward(geometry, precision, saved, g):
    def native(x, w, g):
        return jax.vjp(lambda x, w: _native(x, w, geometry, precision), x, w)[1](g)

    def channels_last(x, w, g):
        if winograd.suits(x, w, geometry):
            return winograd.gradients(x, w, g, geometry.padding)
        images = _gradient_of_images(x, w, g, geometry, precision)
        few = w.shape[0] * w.shape[1] * w.shape[2] < _FEW
        of_kernel = _by_windows if few else _gradient_of_kernel
        return images, of_kernel(x, w, g, geometry, precision)

    return jax.lax.platform_dependent(*saved, g, cpu=channels_last, default=native)


_convolve.defvjp(_forward, _backward)


def _gradient_of_images(x, w, g, geometry, precision):
    """∂/∂x = g, zeros between its elements, convolved with the kernel turned round."""
    padding = []
    for axis, (low, _) in enumerate(geometry.padding):
        reach = (w.shape[axis] - 1) * geometry.dilation[axis]
        covered = (g.shape[1 + axis] - 1) * geometry.strides[axis]
        padding.append((reach - low, x.shape[1 + axis] - 1 - covered + low))
    turned = jnp.flip(w, (0, 1)).swapaxes(2, 3)
    plan = _Geometry((1, 1), tuple(padding), geometry.dilation)
    return _native(g, turned, plan, precision, base_dilation=geometry.strides)


def _gradient_of_kernel(x, w, g, geometry, precision):
    """∂/∂w = x convolved with g, channels in the place of images and vice versa."""
    padding = []
    for axis, (low, _) in enumerate(geometry.padding):
        reach = (w.shape[axis] - 1) * geometry.dilation[axis]
        covered = (g.shape[1 + axis] - 1) * geometry.strides[axis]
        padding.append((low, reach + covered + 1 - x.shape[1 + axis] - low))
    plan = _Geometry(geometry.dilation, tuple(padding), geometry.strides)
    x, g = x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3)
    return _native(x, g, plan, precision).transpose(1, 2, 0, 3)


def _by_windows(x, w, g, geometry, precision):
    """∂/∂w = windowsᵀ g, one matrix product."""
    (top, bottom), (left, right) = geometry.padding
    sizes = ((0, 0, 0), (top, bottom, 0), (left, right, 0), (0, 0, 0))
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), sizes)
    (down, across), dilation = geometry.strides, geometry.dilation
    rows = (g.shape[1] - 1) * down + 1
    columns = (g.shape[2] - 1) * across + 1

    def shifted(i, j):
        i, j = i * dilation[0], j * dilation[1]
        return x[:, i : i + rows : down, j : j + columns : across]

    windows = [shifted(i, j) for i in range(w.shape[0]) for j in range(w.shape[1])]
    windows = jnp.concatenate(windows, axis=-1).reshape(-1, w[..., 0].size)
    g = g.reshape(-1, w.shape[-1])
    return jnp.matmul(windows.T, g, precision=precision).reshape(w.shape)


@jax.custom_vjp
def max_pool(images: jax.Array) -> jax.Array:
    """The largest of each 2 × 2 pixels; an odd last row or column is left out.

    The gradient goes to the first of several that are equally large.

    Raises:
        ValueError: If the images have fewer than 2 × 2 pixels.

    Example:
        >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
        Array([[ 5.,  7.],
               [13., 15.]], dtype=float32)
    """
    return _winners(images)[0]


def _winners(x):
    """The largest of four, and which of them it is."""
    batch, height, width, channels = x.shape
    if height < 2 or width < 2:
        raise ValueError(
            f"images of {height} x {width} pixels: expected 2 x 2 or more to pool; "
            "leave out a pooling, or give larger images."
        )
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    a, b, c, d = (x[:, :, i, :, j] for i in range(2) for j in range(2))
    upper, lower = jnp.maximum(a, b), jnp.maximum(c, d)
    which = jnp.where(
        upper >= lower, jnp.where(a >= b, 0, 1), jnp.where(c >= d, 2, 3)
    ).astype(jnp.uint8)
    return jnp.maximum(upper, lower), which, jnp.zeros((height, width, 0), x.dtype)


def _pool_forward(x):
    largest, *saved = _winners(x)
    return largest, saved


def _pool_backward(saved, g):
    which, size = saved
    height, width, _ = size.shape
    batch, rows, columns, channels = g.shape
    place = jnp.arange(4, dtype=jnp.uint8).reshape(1, 1, 2, 1, 2, 1)
    chosen = which[:, :, None, :, None] == place
    g = jnp.where(chosen, g[:, :, None, :, None], jnp.zeros((), g.dtype))
    g = g.reshape(batch, 2 * rows, 2 * columns, channels)
    rest = ((0, 0), (0, height - 2 * rows), (0, width - 2 * columns), (0, 0))
    return (jnp.pad(g, rest),)


max_pool.defvjp(_pool_forward, _pool_backward)
