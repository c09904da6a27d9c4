"""A recurrence over all frames, and the way back.

    h_t, … = advance(h_{t−1}, …; x_t V + b, h_{t−1} W)

What does not wait for the frame before is computed for several frames at once: x V, the
gradients of V, W and b, and the slopes of all gates. Left to the loop back are one
product with Wᵀ and a few multiplications. JAX's own gradient of a `scan` adds up that
of W frame by frame: on two CPU cores an LSTM of 128 × 2 took 1.5 times as long with it.
The price: there is no derivative in forward mode.

A batch takes as long as its longest sequence, not as its arrays: frames go by in pieces
of a few, and a loop whose end is known when it runs stops after the last piece in which
any frame is true.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from rmsprop_jax.train.cells import Cell

# Of more frames, more would be past the end; of fewer, products are too small.
PIECE = 4
# Gradients of V, W and b are one product, over so many eighths of the frames as it
# takes. Piece by piece, several devices would add up after each.
_PARTS = 8


class Way(NamedTuple):
    """How a recurrence runs.

    Attributes:
        cell: Its step.
        backwards: From the last frame to the first; frames that are not true leave no
            trace.
        dtype: What products are taken of; all else is float32.
    """

    cell: Cell
    backwards: bool
    dtype: Any

    def product(self, a: jax.Array, b: jax.Array) -> jax.Array:
        """Float32, of factors in `dtype`."""
        a, b = a.astype(self.dtype), b.astype(self.dtype)
        return jnp.matmul(a, b, preferred_element_type=jnp.float32)

    def outer(self, a: jax.Array, b: jax.Array) -> jax.Array:
        """Σ a bᵀ over frames and batch, the same way.

        Not as one product of matrices: a batch that lies on several devices stays there
        only if its axis is left alone.
        """
        a, b = a.astype(self.dtype), b.astype(self.dtype)
        over = (((0, 1), (0, 1)), ((), ()))
        return jax.lax.dot_general(a, b, over, preferred_element_type=jnp.float32)


def recur(
    way: Way,
    x: jax.Array,
    true: jax.Array,
    into: jax.Array,
    again: jax.Array,
    bias: jax.Array,
) -> jax.Array:
    """The h after each frame, (frames, batch, width), from h = 0.

    Frames after the last that is true for any of the batch have no part in anything:
    h is 0 there or as if they were frames, and its slope there is not asked for.

    Args:
        way: How.
        x: (frames, batch, features).
        true: (frames, batch, 1), 1 or 0: which frames are true.
        into: V, (features, gates · width).
        again: W, (width, gates · width).
        bias: b, (gates · width,).
    """
    spare = ((0, -x.shape[0] % PIECE), (0, 0), (0, 0))
    whole = jnp.pad(x, spare), jnp.pad(true, spare)
    h: Any = _recur(way, *whole, into, again, bias)
    return h[: x.shape[0]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _recur(way, x, true, into, again, bias):
    return _run(way, x, true, into, again, bias, lambda state, _: state[0])


def _run(way, x, true, into, again, bias, kept):
    nothing = jnp.zeros((x.shape[1], again.shape[0]), jnp.float32)

    def step(state, now):
        x, true = now
        state, said = way.cell.advance(state, x, way.product(state[0], again))
        if way.backwards:
            state = tuple(part * true for part in state)
        return state, kept(state, said)

    def piece(state, now):
        x, true = now
        inputs = way.product(x, into) + bias.reshape(1, 1, -1)
        return jax.lax.scan(step, state, (inputs, true), reverse=way.backwards)

    start = (nothing,) * way.cell.states
    return _over(_pieces(true), piece, start, (x, true), reverse=way.backwards)


def _forth(way, x, true, into, again, bias):
    states, said = _run(way, x, true, into, again, bias, lambda *both: both)
    return states[0], (x, true, into, again, states, said)


def _back(way, kept, given):
    x, true, into, again, after, said = kept
    before = tuple(_before(part, way.backwards) for part in after)

    def step(slope, now):
        given, true, slopes = now
        slope = (slope[0] + given, *slope[1:])
        if way.backwards:
            slope = tuple(part * true for part in slope)
        of_x, rest = way.cell.retreat(slope, slopes)
        of_h = way.product(way.cell.through(of_x, slopes), again.T)
        return (rest[0] + of_h, *rest[1:]), of_x

    def piece(slope, now):
        given, true, said, before, after = now
        slopes = way.cell.slopes(said, before, after)
        frames = given, true, slopes
        slope, of_x = jax.lax.scan(step, slope, frames, reverse=not way.backwards)
        of_frames = way.product(of_x, into.T).astype(x.dtype)
        of_product = way.cell.through(of_x, slopes)
        # Kept once if it is the same, as it is for an LSTM.
        return slope, (of_frames, of_x, *([of_product] * (of_product is not of_x)))

    pieces, start = _pieces(true), tuple(jnp.zeros_like(part[0]) for part in after)
    frames = given, true, said, before, after
    of_frames, of_x, *others = _over(
        pieces, piece, start, frames, reverse=not way.backwards
    )
    gradients = _of_first(
        pieces,
        lambda x, before, of_x, *others: (
            way.outer(x, of_x),
            way.outer(before, *others or (of_x,)),
            of_x.sum(axis=(0, 1)),
        ),
        (x, before[0], of_x, *others),
    )
    return of_frames, jnp.zeros_like(true), *gradients


_recur.defvjp(_forth, _back)


def _before(after: jax.Array, backwards: bool) -> jax.Array:
    """The states before each frame out of those after."""
    nothing = jnp.zeros_like(after[:1])
    parts = [after[1:], nothing] if backwards else [nothing, after[:-1]]
    return jnp.concatenate(parts)


@custom_vmap
def _pieces(true: jax.Array) -> jax.Array:
    """How many pieces there are up to the last true frame of any of the batch."""
    some = true.max(axis=tuple(range(1, true.ndim))) > 0
    ends = 1 + jnp.arange(len(true), dtype=jnp.int32) // PIECE
    return jnp.where(some, ends, 0).max()


@_pieces.def_vmap
def _(size, batched, true):
    """One number for all: with one each, a turn would choose between all arrays."""
    del size, batched
    return _pieces(true.swapaxes(0, 1)), False


def _over(
    pieces: jax.Array,
    step: Callable[[Any, Any], tuple[Any, Any]],
    start: Any,
    frames: Any,
    *,
    reverse: bool,
) -> Any:
    """As `scan`, by pieces of which only the first `pieces` are; the rest give 0."""

    def cut(i):
        return jax.tree.map(
            lambda x: jax.lax.dynamic_slice_in_dim(x, i * PIECE, PIECE), frames
        )

    def turn(k, both):
        carry, out = both
        i = pieces - 1 - k if reverse else k
        carry, made = step(carry, cut(i))
        put = partial(
            jax.lax.dynamic_update_slice_in_dim, start_index=i * PIECE, axis=0
        )
        return carry, jax.tree.map(put, out, made)

    count = len(jax.tree.leaves(frames)[0])
    shapes = jax.eval_shape(lambda: step(start, cut(0)))[1]
    out = jax.tree.map(lambda x: jnp.zeros((count, *x.shape[1:]), x.dtype), shapes)
    return jax.lax.fori_loop(0, pieces, turn, (start, out))[1]


def _of_first(
    pieces: jax.Array, compute: Callable[..., Any], frames: tuple[jax.Array, ...]
) -> Any:
    """Of as many eighths of the frames as there are pieces in, or the next more."""
    count = len(frames[0]) // PIECE
    ends = sorted({-(-count * part // _PARTS) for part in range(1, _PARTS + 1)})
    ways = [
        lambda *frames, end=end: compute(*(x[: end * PIECE] for x in frames))
        for end in ends
    ]
    which = sum((pieces > end).astype(jnp.int32) for end in ends[:-1])
    return jax.lax.switch(which, ways, *frames)
