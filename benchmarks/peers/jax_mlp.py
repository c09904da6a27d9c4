"""The mlp of `benchmarks.sweep` on JAX alone: its loss, and the data it takes."""

import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.peers import protocol


def loss(weights, batch):
    """Mean cross-entropy."""
    images, labels = batch
    kernel, bias, last_kernel, last_bias = weights
    hidden = jnp.maximum(images @ kernel + bias, 0)
    logits = hidden @ last_kernel + last_bias
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def arrays(assignment):
    """Training and test data, as (images, labels) of NumPy, images flat and scaled."""
    return tuple(
        (
            protocol.scaled(part.images, assignment).reshape(len(part.images), -1),
            part.labels.astype(np.int32),
        )
        for part in protocol.data(assignment)
    )
