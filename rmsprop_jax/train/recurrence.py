"""The recurrences of an LSTM and a GRU over all frames, and the way back.

h_t, … = advance(h_{t−1}, …; x_t V + b, h_{t−1} W)

What does not wait for the frame before is computed for all frames at once: x V, the
gradients of V, W and b, and the slopes of all gates. Left to the loop back are one
product with Wᵀ and a few multiplications. JAX's own gradient of a `scan` adds up that
of W frame by frame: on two CPU cores an LSTM of 128 × 2 took 1.5 times as long with it.
The price: there is no derivative in forward mode.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Cell(NamedTuple):
    """One step of a recurrence, forth and back.

    Attributes:
        states: How many arrays a state has; h is the first.
        gates: How many times the width of h the products are.
        bias: Width → where b begins.
        advance: State, x V + b, h W → state, and what the way back wants to know.
        slopes: What `advance` told of all frames, the states before and after them →
            what `retreat` takes.
        retreat: Slope of the state after, slopes → slope of x V + b, and of the state
            before, but for what came by way of h W.
        through: Slope of x V + b, slopes → slope of h W.
    """

    states: int
    gates: int
    bias: Callable[[int], jax.Array]
    advance: Callable[[tuple, jax.Array, jax.Array], tuple[tuple, Any]]
    slopes: Callable[[Any, tuple, tuple], tuple]
    retreat: Callable[[tuple, tuple], tuple[jax.Array, tuple]]
    through: Callable[[jax.Array, tuple], jax.Array]


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


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def recur(
    way: Way,
    x: jax.Array,
    true: jax.Array,
    into: jax.Array,
    again: jax.Array,
    bias: jax.Array,
) -> jax.Array:
    """The h after each frame, (frames, batch, width), from h = 0.

    Args:
        way: How.
        x: (frames, batch, features).
        true: (frames, batch, 1), 1 or 0: which frames are true.
        into: V, (features, gates · width).
        again: W, (width, gates · width).
        bias: b, (gates · width,).
    """
    return _run(way, x, true, into, again, bias, lambda state, _: state[0])


def _run(way, x, true, into, again, bias, kept):
    inputs = way.product(x, into) + bias.reshape(1, 1, -1)
    start = (jnp.zeros((x.shape[1], again.shape[0])),) * way.cell.states

    def step(state, now):
        x, true = now
        state, said = way.cell.advance(state, x, way.product(state[0], again))
        if way.backwards:
            state = tuple(part * true for part in state)
        return state, kept(state, said)

    return jax.lax.scan(step, start, (inputs, true), reverse=way.backwards)[1]


def _forth(way, x, true, into, again, bias):
    states, said = _run(way, x, true, into, again, bias, lambda *both: both)
    return states[0], (x, true, into, again, states, said)


def _back(way, kept, given):
    x, true, into, again, after, said = kept
    before = tuple(_before(part, way.backwards) for part in after)
    slopes = way.cell.slopes(said, before, after)

    def step(slope, now):
        given, true, slopes = now
        slope = (slope[0] + given, *slope[1:])
        if way.backwards:
            slope = tuple(part * true for part in slope)
        of_x, rest = way.cell.retreat(slope, slopes)
        of_h = way.product(way.cell.through(of_x, slopes), again.T)
        return (rest[0] + of_h, *rest[1:]), of_x

    start = tuple(jnp.zeros_like(part[0]) for part in after)
    of_x = jax.lax.scan(step, start, (given, true, slopes), reverse=not way.backwards)[
        1
    ]
    of_product = way.cell.through(of_x, slopes)
    return (
        way.product(of_x, into.T).astype(x.dtype),
        jnp.zeros_like(true),
        way.outer(x, of_x),
        way.outer(before[0], of_product),
        of_x.sum(axis=(0, 1)),
    )


recur.defvjp(_forth, _back)


def _before(after: jax.Array, backwards: bool) -> jax.Array:
    """The states before each frame out of those after."""
    nothing = jnp.zeros_like(after[:1])
    parts = [after[1:], nothing] if backwards else [nothing, after[:-1]]
    return jnp.concatenate(parts)


def _side_by_side(*parts: jax.Array) -> jax.Array:
    return jnp.concatenate(parts, axis=-1)


def _lstm(state: tuple, x: jax.Array, again: jax.Array) -> tuple:
    """State: h = o tanh(c) and c ← f c + i g, with i, f, o = σ and g = tanh.

    By σ(x) = ½ + ½ tanh(x/2) all four are one pass over one array: of its quarters
    apart, XLA:CPU takes five times as long.
    """
    scale, offset = _tanh_or_sigmoid(state[0].shape[-1])
    gates = offset + scale * jnp.tanh(scale * (x + again))
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    c = f * state[1] + i * g
    return (o * jnp.tanh(c), c), gates


def _tanh_or_sigmoid(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset for i, f, g and o: tanh for g, σ for the others."""
    scale = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), width)[None, :]
    return scale, 1 - scale


def _lstm_slopes(gates: jax.Array, before: tuple, after: tuple) -> tuple:
    """The factors of `_lstm_back`: of the four gates, o (1 − t²), f."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    t = jnp.tanh(after[1])
    to_x = _side_by_side(
        g * i * (1 - i), before[1] * f * (1 - f), i * (1 - g * g), t * o * (1 - o)
    )
    return to_x, o * (1 - t * t), f


def _lstm_back(slope: tuple, slopes: tuple) -> tuple:
    """From the slopes of h and c after a frame, with t = tanh c and c₋ before it.

    δc ← δc + δh o (1 − t²),    δc₋ = δc f
    δi, δf, δg, δo = δc g i (1 − i), δc c₋ f (1 − f), δc i (1 − g²), δh t o (1 − o)
    """
    (h, c), (to_x, to_c, to_before) = slope, slopes
    c = c + h * to_c
    return to_x * _side_by_side(c, c, c, h), (0.0, c * to_before)


def _remembering(width: int) -> jax.Array:
    """The forget gate begins at 1: open, or the gradient would not reach far."""
    return jnp.zeros((4, width)).at[1].set(1.0).ravel()


def _gru(state: tuple, x: jax.Array, again: jax.Array) -> tuple:
    """State: h ← (1 − z) n + z h, with r, z = σ and n = tanh(xₙ + r hₙ)."""
    both = 0.5 + 0.5 * jnp.tanh(0.5 * (x + again))
    r, z, _ = jnp.split(both, 3, axis=-1)
    xn, hn = (jnp.split(a, 3, axis=-1)[2] for a in (x, again))
    n = jnp.tanh(xn + r * hn)
    return ((1 - z) * n + z * state[0],), (r, z, n, hn)


def _gru_slopes(said: tuple, before: tuple, _: tuple) -> tuple:
    """The factors of `_gru_back`: for the gates, z, and of x V to h W."""
    r, z, n, hn = said
    to_n = (1 - z) * (1 - n * n)
    to_x = _side_by_side(to_n * hn * r * (1 - r), (before[0] - n) * z * (1 - z), to_n)
    return to_x, z, _side_by_side(jnp.ones_like(r), jnp.ones_like(r), r)


def _gru_back(slope: tuple, slopes: tuple) -> tuple:
    """From the slope of h after a frame, with h₋ before it.

    δn = δh (1 − z) (1 − n²),    δr = δn hₙ r (1 − r),    δhₙ = r δn
    δz = δh (h₋ − n) z (1 − z),    δh₋ = δh z
    """
    (h,), (to_x, to_before, _) = slope, slopes
    return to_x * _side_by_side(h, h, h), (h * to_before,)


LSTM = Cell(
    states=2,
    gates=4,
    bias=_remembering,
    advance=_lstm,
    slopes=_lstm_slopes,
    retreat=_lstm_back,
    through=lambda of_x, _: of_x,
)
GRU = Cell(
    states=1,
    gates=3,
    bias=lambda width: jnp.zeros(3 * width),
    advance=_gru,
    slopes=_gru_slopes,
    retreat=_gru_back,
    through=lambda of_x, slopes: of_x * slopes[2],
)
