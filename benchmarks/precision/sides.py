"""How the state rests: what `rmsprop` offers, and what it is compared with."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.precision.cells import Cell

SMALL = 4096


class Side(NamedTuple):
    """How the state rests, and what is done beside that.

    Attributes:
        state_dtype: As in `rmsprop`.
        rest: State after a step → state before the next.
        start: First parameters → those that it starts from.
        only: Cells in which it runs; all if that is empty.
    """

    state_dtype: Any
    rest: Callable[[Any], Any] = lambda state: state
    start: Callable[[Any], Any] = lambda params: params
    only: tuple[Cell, ...] = ()


def to_nearest(state: Any) -> Any:
    """`state`, its large moments rounded to the nearest bfloat16."""
    # A cast there and back may be left out by the compiler; this may not.
    return _large(lambda x: jax.lax.reduce_precision(x, 8, 7), state)


def in_linear_steps(state: Any) -> Any:
    """`state`, each large moment in 255 equal steps up to its largest element."""

    def rounded(x):
        step = jnp.maximum(jnp.abs(x).max() / 255, jnp.finfo(x.dtype).tiny)
        return jnp.round(x / step) * step

    return _large(rounded, state)


def nudged(params: Any) -> Any:
    """`params`, each its neighbour away from zero."""
    return jax.tree.map(lambda x: x * np.float32(1 + 2**-23), params)


CONTROL = (Cell(0.9), Cell(0.999))
SIDES = {
    "float32": Side(None),
    "bfloat16": Side("bfloat16"),
    "int8": Side("int8"),
    "bfloat16 to nearest": Side(None, rest=to_nearest, only=CONTROL),
    "int8, linear": Side(None, rest=in_linear_steps, only=CONTROL),
    "float32, nudged": Side(None, start=nudged, only=CONTROL),
}


def _large(rounded, state):
    slots = {name: getattr(state, name) for name in ("nu", "mu", "trace")}
    every = jax.tree.map(lambda x: rounded(x) if x.size >= SMALL else x, slots)
    return state._replace(**every)
