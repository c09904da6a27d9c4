"""A small network that learns digits, whatever its optimizer's state rests in."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.train.data import digits

PIXELS, CLASSES, BATCH = 64, 10, 64


class Trained(NamedTuple):
    """How a training went, and what it left.

    Attributes:
        losses: Loss of each step's batch.
        test_losses: Loss on digits of other writers, before each step.
        params: The parameters at the end.
        state: The optimizer's.
    """

    losses: np.ndarray
    test_losses: np.ndarray
    params: Any
    state: Any


def training(
    tx: optax.GradientTransformation, steps: int = 300, hidden: int = 256
) -> Callable[[int], Trained]:
    """Seed → a training of a network with one hidden layer; compiled once.

    The seed draws the first parameters and the batches, the same for every `tx`.

    Args:
        tx: What trains it.
        steps: How many batches of 64.
        hidden: Neurons of the hidden layer.
    """
    data = digits.load()
    x, test_x = (_rows(part["image"]) for part in data.parts)
    y, test_y = (jnp.asarray(part["label"]) for part in data.parts)

    def step(carry, batch):
        params, state = carry
        loss, grads = jax.value_and_grad(_loss)(params, x[batch], y[batch])
        updates, state = tx.update(grads, state, params)
        carry = optax.apply_updates(params, updates), state
        return carry, (loss, _loss(params, test_x, test_y))

    @jax.jit
    def run(params, batches):
        return jax.lax.scan(step, (params, tx.init(params)), batches)

    def trained(seed):
        rng = np.random.default_rng(seed)
        (params, state), (losses, test_losses) = run(
            network(rng, hidden), rng.integers(0, len(y), (steps, BATCH))
        )
        return Trained(np.asarray(losses), np.asarray(test_losses), params, state)

    return trained


def network(rng: np.random.Generator, hidden: int) -> dict[str, jax.Array]:
    """First parameters: two matrices and a bias.

    Example:
        >>> params = network(np.random.default_rng(0), 256)
        >>> {name: x.shape for name, x in params.items()}
        {'hidden': (64, 256), 'bias': (256,), 'out': (256, 10)}
    """

    def normal(rows, columns):
        values = rng.standard_normal((rows, columns), np.float32)
        return jnp.asarray(values / np.float32(rows**0.5))

    return {
        "hidden": normal(PIXELS, hidden),
        "bias": jnp.zeros(hidden),
        "out": normal(hidden, CLASSES),
    }


def _loss(params, x, labels):
    active = jax.nn.relu(x @ params["hidden"] + params["bias"][None])
    scores = active @ params["out"]
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()


def _rows(images: np.ndarray) -> jax.Array:
    return jnp.asarray(images.reshape(len(images), -1), jnp.float32) / 255
