"""Losses, measures and answers where each example is of one class."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.train.tasks.task import Answers, Batch, Measures


def cross_entropy(outputs: jax.Array, batch: Batch, smoothing: float) -> jax.Array:
    """Of the label, which keeps a share 1 − s; s is spread over all classes."""
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, batch["label"])
    if not smoothing:
        return losses
    spread = -jax.nn.log_softmax(outputs).mean(axis=-1)
    return (1 - smoothing) * losses + smoothing * spread


def classified(outputs: jax.Array, batch: Batch) -> Measures:
    """Loss and accuracy, every example of weight 1."""
    right = (outputs.argmax(axis=-1) == batch["label"]).astype(jnp.float32)
    losses = cross_entropy(outputs, batch, 0.0)
    return {
        "loss": (losses, jnp.ones_like(losses)),
        "accuracy": (right, jnp.ones_like(right)),
    }


def most_likely(outputs: jax.Array) -> Answers:
    """The class of the largest output, and its share of the softmax."""
    shares = jax.nn.softmax(outputs)
    return Answers(outputs.argmax(axis=-1).astype(jnp.int32), shares.max(axis=-1))


def said(classes: tuple[str, ...], outputs: np.ndarray) -> dict[str, Any]:
    """The answer by name, and the shares of all classes."""
    highest = max(outputs)
    weights = [math.exp(float(x - highest)) for x in outputs]
    shares = {
        name: weight / sum(weights)
        for name, weight in zip(classes, weights, strict=True)
    }
    # Of equals the first, as `argmax` has it.
    answer = max(shares, key=lambda name: shares[name])
    return {"answer": answer, "confidence": shares[answer], "shares": shares}
