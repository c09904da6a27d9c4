"""The models, by name: a number of outputs for each example.

Parameters and outputs are float32, what is between is computed in `dtype`. Images are
(batch, height, width, channels); sequences have a module of their own, `recurrent`.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from rmsprop_jax.train.convolution import convolve, max_pool
from rmsprop_jax.train.embedding import Embedded
from rmsprop_jax.train.recurrent import RECURRENT

_Conv = partial(nnx.Conv, kernel_size=(3, 3), conv_general_dilated=convolve)


class Linear(nnx.Module):
    """One matrix and a bias."""

    def __init__(self, input_shape, outputs, *, dtype, rngs, **_):
        self.dtype = dtype
        self.out = nnx.Linear(math.prod(input_shape), outputs, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Batch → outputs."""
        del rngs
        return self.out(_flat(x)).astype(jnp.float32)


class MLP(nnx.Module):
    """One hidden layer."""

    def __init__(self, input_shape, outputs, *, hidden, dtype, rngs):
        features = math.prod(input_shape)
        self.hidden = nnx.Linear(features, hidden, dtype=dtype, rngs=rngs)
        self.out = nnx.Linear(hidden, outputs, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Batch → outputs."""
        del rngs
        return self.out(jax.nn.relu(self.hidden(_flat(x)))).astype(jnp.float32)


class _Pooled(nnx.Module):
    """Convolution, the largest of each 2 × 2, bias, rectification.

    Neither bias nor rectification changes which is the largest; after the pooling
    they cost a quarter, and the gradient of the bias less than that.
    """

    def __init__(self, inputs, outputs, *, dtype, rngs):
        self.conv = _Conv(inputs, outputs, use_bias=False, dtype=dtype, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, x: jax.Array) -> jax.Array:
        x = max_pool(self.conv(x))
        return jax.nn.relu(x + self.bias.astype(x.dtype).reshape(1, 1, 1, -1))


class CNN(nnx.Module):
    """Convolutions of 32 and 64 kernels, a pooling after each, one hidden layer."""

    def __init__(self, input_shape, outputs, *, hidden, dtype, rngs):
        height, width, channels = input_shape
        features = 64 * (height // 4) * (width // 4)
        self.first = _Pooled(channels, 32, dtype=dtype, rngs=rngs)
        self.second = _Pooled(32, 64, dtype=dtype, rngs=rngs)
        self.hidden = nnx.Linear(features, hidden, dtype=dtype, rngs=rngs)
        self.out = nnx.Linear(hidden, outputs, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Batch → outputs."""
        del rngs
        x = _flat(self.second(self.first(x)))
        return self.out(jax.nn.relu(self.hidden(x))).astype(jnp.float32)


class _Block(nnx.Module):
    """Convolution, pooling if wanted, batch normalisation, rectification."""

    def __init__(self, inputs, outputs, *, pool=False, dtype, rngs):
        self.pool = pool
        self.conv = _Conv(inputs, outputs, use_bias=False, dtype=dtype, rngs=rngs)
        self.norm = nnx.BatchNorm(outputs, momentum=0.9, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.conv(x)
        return jax.nn.relu(self.norm(max_pool(x) if self.pool else x))


class Strong(nnx.Module):
    """Four normalised convolutions, three poolings, and no hidden layer.

    Wants augmentation, a schedule and an average of its weights.
    """

    def __init__(self, input_shape, outputs, *, dtype, rngs, **_):
        height, width, channels = input_shape
        block = partial(_Block, dtype=dtype, rngs=rngs)
        self.first = block(channels, 32, pool=True)
        self.second = block(32, 32)
        self.third = block(32, 64, pool=True)
        self.fourth = block(64, 128, pool=True)
        self.dropout = nnx.Dropout(0.2)
        features = 128 * (height // 8) * (width // 8)
        self.out = nnx.Linear(features, outputs, dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Batch → outputs."""
        x = self.third(self.second(self.first(x)))
        x = self.dropout(_flat(self.fourth(x)), rngs=rngs)
        return self.out(x).astype(jnp.float32)


MODELS = {"linear": Linear, "mlp": MLP, "cnn": CNN, "strong": Strong, **RECURRENT}
# How often a model halves its images.
_HALVINGS = {"cnn": 2, "strong": 3}


def build(
    name: str,
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    hidden: int = 100,
    dtype: Any = "float32",
    each_frame: bool = False,
    symbols: int | None = None,
    rngs: nnx.Rngs,
) -> nnx.Module:
    """The model of that name, with new parameters.

    It is called with a batch, and in training with `rngs=nnx.Rngs(dropout=key)`.

    Args:
        name: A key of `MODELS`.
        input_shape: Of one example; (height, width, channels) for images, (frames,
            features) for sequences.
        outputs: How many numbers for each example.
        hidden: Width of the hidden layer; linear and strong have none.
        dtype: What to compute in; parameters and outputs are float32.
        each_frame: Outputs for each step of a sequence, not for the whole.
        symbols: How many there are, if sequences are of symbols and not of frames.
        rngs: Where the initial parameters come from.

    Raises:
        ValueError: If there is no such model, or it cannot take such examples.
    """
    if name not in MODELS:
        raise ValueError(f"model={name!r}: expected one of {', '.join(MODELS)}.")
    halvings = _HALVINGS.get(name, 0)
    least = 2**halvings
    if halvings and (len(input_shape) != 3 or min(input_shape[:2]) < least):
        raise ValueError(
            f"model={name!r} on examples of shape {input_shape}: expected images "
            f"(height, width, channels) of {least} x {least} pixels or more, because "
            f"it halves them {halvings} times; model='mlp' takes any shape."
        )
    options = {"hidden": hidden, "dtype": jnp.dtype(dtype), "rngs": rngs}
    if name in RECURRENT:
        options["each_frame"] = each_frame
        if symbols is not None:
            return Embedded(RECURRENT[name], symbols, outputs, **options)
        if len(input_shape) != 2:
            raise ValueError(
                f"model={name!r} on examples of shape {input_shape}: expected "
                "sequences (frames, features); model='mlp' takes any shape."
            )
    elif each_frame or symbols is not None:
        why = "sequences are of symbols" if symbols else "each frame has outputs"
        raise ValueError(
            f"model={name!r}: expected one of {', '.join(RECURRENT)}, since {why}."
        )
    return MODELS[name](input_shape, outputs, **options)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(x.shape[0], -1)
