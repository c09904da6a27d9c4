"""A recurrent model of symbols, such as words: each of them is a vector, learned."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from rmsprop_jax.train.recurrent import Sequence

WIDTH = 64
# Of nothing, and of what is not known: the vector is 0 at first.
_NEUTRAL = 2


class Symbols(NamedTuple):
    """What the model sees.

    Attributes:
        symbols: (batch, steps), int32.
        length: (batch,), int32: how many are true.
    """

    symbols: jax.Array
    length: jax.Array


class Embedded(nnx.Module):
    """A vector for each symbol, and a recurrent model that reads the vectors."""

    def __init__(
        self, recurrent: Callable[..., Any], count: int, outputs: int, **options: Any
    ):
        rngs = options["rngs"]
        vectors = jax.random.normal(rngs.params(), (count, WIDTH), jnp.float32)
        self.vectors = nnx.Param(vectors.at[:_NEUTRAL].set(0.0))
        # A symbol is a step: words are few, and each of them counts.
        self.recurrent = recurrent((None, WIDTH), outputs, beside=1, **options)

    def __call__(self, x: Symbols, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Batch → outputs."""
        frames = self.vectors[...][x.symbols]
        return self.recurrent(Sequence(frames, x.length), rngs)
