"""Recurrent models of sequences: an LSTM, and a GRU that reads both ways.

Sequences of a batch are as long as the longest, and what is past the end of one has no
part in its answer.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from rmsprop_jax.train.cells import GRU, LSTM
from rmsprop_jax.train.recurrence import Way, recur

# So many frames are read as one: fewer steps, each of them wider.
STACKED = 4
# The output of what cannot be: its share of a softmax is 0.
_NEVER = -1e4


class Sequence(NamedTuple):
    """What recurrent models see.

    Attributes:
        frames: (batch, frames, features), float32.
        length: (batch,), int32: how many frames are true; the others are 0.
    """

    frames: jax.Array
    length: jax.Array


class Layer(nnx.Module):
    """A recurrence over (frames, batch, features) → (frames, batch, width)."""

    def __init__(self, cell, features, width, *, backwards=False, dtype, rngs):
        self.way = Way(cell, backwards, dtype)
        # Float32 whatever JAX's default is, as those of Flax's own layers.
        make = partial(nnx.initializers.lecun_normal(), dtype=jnp.float32)
        self.into = nnx.Param(make(rngs.params(), (features, cell.gates * width)))
        make = partial(nnx.initializers.orthogonal(), dtype=jnp.float32)
        gates = [make(key, (width, width)) for key in _keys(rngs, cell.gates)]
        self.again = nnx.Param(jnp.concatenate(gates, axis=1))
        self.bias = nnx.Param(cell.bias(width))

    def __call__(self, x: jax.Array, true: jax.Array) -> jax.Array:
        """Frames and which of them are true, (frames, batch, 1) → h after each."""
        parameters = (p[...] for p in (self.into, self.again, self.bias))
        return recur(self.way, x, true, *parameters)


class _BothWays(nnx.Module):
    """Two layers over the same frames, one from the end; their h side by side."""

    def __init__(self, cell, features, width, *, dtype, rngs):
        layer = partial(Layer, cell, features, width, dtype=dtype, rngs=rngs)
        self.forwards, self.backwards = layer(), layer(backwards=True)

    def __call__(self, x: jax.Array, true: jax.Array) -> jax.Array:
        return jnp.concatenate([self.forwards(x, true), self.backwards(x, true)], -1)


class Recurrent(nnx.Module):
    """Two recurrent layers, and outputs for the sequence or for each step of it."""

    def __init__(
        self, cell, both_ways, input_shape, outputs, *,
        hidden, dtype, each_frame, rngs, beside=STACKED,
    ):  # fmt: skip
        self.each_frame, self.beside = each_frame, beside
        layer = partial(_BothWays if both_ways else Layer, cell, dtype=dtype, rngs=rngs)
        width = 2 * hidden if both_ways else hidden
        self.first = layer(beside * input_shape[-1], hidden)
        self.second = layer(width, hidden)
        self.dropout = nnx.Dropout(0.2)
        self.out = nnx.Linear(width, outputs, dtype=dtype, rngs=rngs)

    def __call__(self, x: Sequence, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Batch → outputs, (batch, outputs) or (batch, steps, outputs)."""
        frames, length = stacked(x, self.beside)
        steps = jnp.arange(frames.shape[0], dtype=jnp.int32)
        true = (steps[:, None] < length[None, :]).astype(jnp.float32)[..., None]
        h = self.dropout(self.first(frames, true), rngs=rngs)
        h = self.dropout(self.second(h, true), rngs=rngs)
        if not self.each_frame:
            mean = (h * true).sum(axis=0) / true.sum(axis=0)
            return self.out(mean).astype(jnp.float32)
        outputs = self.out(h).astype(jnp.float32)
        return jnp.where(true > 0, outputs, _blank(outputs)).swapaxes(0, 1)


def stacked(x: Sequence, beside: int = STACKED) -> Sequence:
    """Frames as the layers read them, (steps, batch, features), and their numbers."""
    batch, count, features = x.frames.shape
    steps = -(-count // beside)
    frames = jnp.pad(x.frames, ((0, 0), (0, steps * beside - count), (0, 0)))
    frames = frames.reshape(batch, steps, beside * features).swapaxes(0, 1)
    return Sequence(frames, -(-x.length // beside))


def _blank(outputs: jax.Array) -> jax.Array:
    """Outputs that can only mean class 0, in one array of the shape of `outputs`."""
    first = jnp.arange(outputs.shape[-1]) == 0
    return jnp.broadcast_to(jnp.where(first, 0.0, _NEVER), outputs.shape)


def _keys(rngs: nnx.Rngs, count: int) -> Any:
    return jax.random.split(rngs.params(), count)


RECURRENT = {
    "lstm": partial(Recurrent, LSTM, False),
    "gru": partial(Recurrent, GRU, True),
}
