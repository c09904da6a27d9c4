"""Optimizers of other frameworks, with what they remember: one module each.

    tx, state = rmsprop_jax.interop.torch.load("optimizer.pt", params, names=names)

- `torch`: torch, timm, stable-baselines3 and bitsandbytes; `keras`: Keras 3, tf_keras
  and legacy tf.keras; `tf1`: TensorFlow 1; `optax`: `optax.rmsprop`.
- `layout`: how their tensors lie, where names do not tell.
- `snapshot`: what is between, for a framework that is none of these.

Each framework's `load` gives the transformation that goes on as theirs would have, and
its state; `dump` is the way back. What does not fit is refused. A module imports its
framework when one of its functions needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["keras", "layout", "optax", "snapshot", "tf1", "torch"]

if TYPE_CHECKING:
    from rmsprop_jax.interop import keras as keras
    from rmsprop_jax.interop import layout as layout
    from rmsprop_jax.interop import optax as optax
    from rmsprop_jax.interop import snapshot as snapshot
    from rmsprop_jax.interop import tf1 as tf1
    from rmsprop_jax.interop import torch as torch
else:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f"{__name__}.{name}")

    def __dir__():
        return sorted({*globals(), *__all__})
