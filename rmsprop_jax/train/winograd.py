"""A 3 × 3 convolution with fewer multiplications, as matrix products.

Winograd's F(2 × 2, 3 × 3): outputs in tiles of 2 × 2, each from 4 × 4 inputs,

    Y = Aᵀ (G w Gᵀ ⊙ Bᵀ d B) A

with 16 products in the place of 36. The products over all channels and tiles are 16
matrix products, and so are those of both gradients. B, A and G hold only 0, ±1, ±½.

Lavin & Gray (2016), Fast Algorithms for Convolutional Neural Networks.
"""

from typing import Any

import jax
import jax.numpy as jnp

from rmsprop_jax.storage import working_dtype

# With fewer channels the transforms cost more than the products save.
_CHANNELS = 8


def suits(x: jax.Array, w: jax.Array, geometry: Any) -> bool:
    """Whether this convolution can be had so, and it is worth it."""
    return (
        w.shape[:2] == (3, 3)
        and min(w.shape[2:]) >= _CHANNELS
        and geometry.strides == geometry.dilation == (1, 1)
        and min(min(pair) for pair in geometry.padding) >= 0
        and x.shape[0] > 0
    )


Padding = tuple[tuple[int, int], ...]


def convolution(x: jax.Array, w: jax.Array, padding: Padding) -> jax.Array:
    """The convolution, computed in float32 or wider.

    Args:
        x: (batch, height, width, channels), without padding.
        w: (3, 3, channels, outputs).
        padding: (before, after), down and across, of zeros; none negative.
    """
    (top, bottom), (left, right) = padding
    height, width = x.shape[1] + top + bottom - 2, x.shape[2] + left + right - 2
    shape = (x.shape[0], height, width, w.shape[-1])
    v, u = _of_images(_wide(x), shape, padding), _of_kernel(_wide(w))
    products = jax.tree.map(lambda v, u: (_flat(v) @ u).reshape(*v.shape[:3], -1), v, u)
    tiles = _both_ways(lambda m: [m[0] + m[1] + m[2], m[1] - m[2] - m[3]], products)
    y = jnp.stack([jnp.stack(row, axis=3) for row in tiles], axis=2)
    batch, rows, _, columns, _, outputs = y.shape
    y = y.reshape(batch, 2 * rows, 2 * columns, outputs)
    return y[:, :height, :width].astype(x.dtype)


def gradients(
    x: jax.Array,
    w: jax.Array,
    g: jax.Array,
    padding: Padding,
) -> tuple[jax.Array, jax.Array]:
    """∂/∂x and ∂/∂w of Σ g · convolution(x, w), computed in float32 or wider.

        D = A g Aᵀ,   ∂/∂w = Gᵀ (Vᵀ D) G,   ∂/∂x = B (D Uᵀ) Bᵀ

    with U = G w Gᵀ and V = Bᵀ x B.

    Args:
        x: As in `convolution`.
        w: As in `convolution`.
        g: What arrives at the outputs.
        padding: As in `convolution`.
    """
    dtypes = x.dtype, w.dtype
    x, w, g = _wide(x), _wide(w), _wide(g)
    # Fused into each of the sixteen, what made g would be computed sixteen times.
    g = jax.lax.optimization_barrier(g)
    v, of_images = jax.vjp(lambda x: _of_images(x, g.shape, padding), x)
    u, of_kernel = jax.vjp(_of_kernel, w)
    d = _of_outputs(g)
    rows = (((0,), (0,)), ((), ()))
    du = jax.tree.map(lambda v, d: jax.lax.dot_general(_flat(v), _flat(d), rows), v, d)
    dv = jax.tree.map(lambda v, d, u: (_flat(d) @ u.T).reshape(v.shape), v, d, u)
    return of_images(dv)[0].astype(dtypes[0]), of_kernel(du)[0].astype(dtypes[1])


def _wide(x: jax.Array) -> jax.Array:
    return x.astype(working_dtype(x.dtype))


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(-1, x.shape[-1])


def _both_ways(transform: Any, matrix: list[list[jax.Array]]) -> list[list[jax.Array]]:
    """T m Tᵀ of a matrix of arrays."""
    columns = [transform(list(column)) for column in zip(*matrix, strict=True)]
    return [transform(list(row)) for row in zip(*columns, strict=True)]


def _of_images(x, shape, padding):
    """Bᵀ d B of every tile; outputs of odd size count as one longer."""
    (top, _), (left, _) = padding
    rows, columns = -(-shape[1] // 2), -(-shape[2] // 2)
    below, right = 2 * rows + 2 - x.shape[1] - top, 2 * columns + 2 - x.shape[2] - left
    x = jnp.pad(x, ((0, 0), (top, below), (left, right), (0, 0)))
    tiles = [
        [x[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2] for j in range(4)]
        for i in range(4)
    ]
    return _both_ways(
        lambda d: [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]], tiles
    )


def _of_kernel(w):
    """G w Gᵀ."""

    def transform(w):
        even, odd = 0.5 * (w[0] + w[2]), 0.5 * w[1]
        return [w[0], even + odd, even - odd, w[2]]

    return _both_ways(transform, [[w[i, j] for j in range(3)] for i in range(3)])


def _of_outputs(g):
    """A g Aᵀ of every tile."""
    odd = ((0, 0), (0, g.shape[1] % 2), (0, g.shape[2] % 2), (0, 0))
    g = jnp.pad(g, odd)
    tiles = [[g[:, i::2, j::2] for j in range(2)] for i in range(2)]
    return _both_ways(lambda g: [g[0], g[0] + g[1], g[0] - g[1], -g[1]], tiles)
