"""One step of an LSTM and of a GRU, forth and back: elementwise, as formulas."""

from collections.abc import Callable
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
    return jnp.zeros((4, width), jnp.float32).at[1].set(1.0).ravel()


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
    bias=lambda width: jnp.zeros(3 * width, jnp.float32),
    advance=_gru,
    slopes=_gru_slopes,
    retreat=_gru_back,
    through=lambda of_x, slopes: of_x * slopes[2],
)
