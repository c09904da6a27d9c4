"""A training that one framework begins and another ends, and a picture of it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.lessons import style
from rmsprop_jax.train.data import digits

BATCH, BATCHES = 32, 400
# What the picture shows: steps, and losses.
_AROUND, _HIGHEST = (150, 300), 0.7


class Problem(NamedTuple):
    """A matrix that tells digits apart: softmax(x θ).

    Attributes:
        theta: Where to start, zeros.
        gradient: (θ, number of the step) → g on the batch of that step.
        test_loss: θ → the mean loss on digits of other writers.
    """

    theta: np.ndarray
    gradient: Callable[[Any, Any], jax.Array]
    test_loss: Callable[[Any], jax.Array]


def problem() -> Problem:
    """The digits of scikit-learn, in 400 batches of 32.

    Example:
        >>> theta, gradient, test_loss = problem()
        >>> gradient(theta, 0).shape, round(float(test_loss(theta)), 2)    # log(10)
        ((64, 10), 2.3)
    """
    data = digits.load()
    train, test = ((_rows(part["image"]), part["label"]) for part in data.parts)
    chosen = np.random.default_rng(0).integers(0, len(train[1]), (BATCHES, BATCH))
    batches = jnp.asarray(train[0][chosen]), jnp.asarray(train[1][chosen])

    def gradient(theta, t):
        x, labels = (x[t] for x in batches)
        return jax.grad(_loss)(theta, x, labels)

    theta = np.zeros((train[0].shape[1], 10), np.float32)
    return Problem(theta, jax.jit(gradient), jax.jit(partial(_loss_of, test)))


def paths(
    optimizers: Mapping[str, tuple[optax.GradientTransformation, Any]],
    theta: Any,
    gradient: Callable[[Any, Any], Any],
    first: int,
    steps: int,
) -> dict[str, np.ndarray]:
    """Where each optimizer goes from one point.

    Args:
        optimizers: Name → transformation and its state now.
        theta: The parameters now.
        gradient: (θ, number of the step) → g.
        first: How many steps were made before.
        steps: How many to make.

    Returns:
        Name → θ after 0, 1, 2, … further steps: (steps + 1, *shape of θ).

    Example:
        >>> tx = optax.sgd(0.5)
        >>> one = {"sgd": (tx, tx.init(1.0))}
        >>> paths(one, 1.0, lambda theta, t: theta, 0, 2)["sgd"].tolist()
        [1.0, 0.5, 0.25]
    """
    counts = first + jnp.arange(steps)
    return {
        name: _path(tx, gradient, state, jnp.asarray(theta), counts)
        for name, (tx, state) in optimizers.items()
    }


@style.applied()
def picture(
    paths: Mapping[str, Any], whole: Any, test_loss: Callable[[Any], Any]
) -> None:
    """Test loss, and distance from the run that was not interrupted.

    Args:
        paths: Name → θ where it goes on, and after each further step.
        whole: θ of the other run, from its first step to its last.
        test_loss: θ → a number.
    """
    import matplotlib.pyplot as plt

    losses = jax.jit(jax.vmap(test_loss))
    _, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 3.2))
    left.plot(losses(whole), color="#BBBBBB", linewidth=5, label="not interrupted")
    for (name, path), look in zip(paths.items(), style.LOOKS, strict=False):
        gone, its_losses = len(whole) - len(path), losses(path)
        gaps = np.linalg.norm((path - whole[gone:]).reshape(len(path), -1), axis=1)
        steps = gone + np.arange(len(path))
        left.plot(steps, its_losses, markevery=20, **look)
        right.plot(steps[1:], gaps[1:], label=name, markevery=20, **look)
        if its_losses.max() > _HIGHEST:
            note = f"up to {its_losses.max():.0f}"
            left.text(gone - 3, 0.95 * _HIGHEST, note, color=look["color"], ha="right")
    left.set(title="test loss", xlabel="step", xlim=_AROUND, ylim=(0.3, _HIGHEST))
    right.set(title="distance from the θ that was not interrupted", xlabel="step")
    right.set(xlim=_AROUND, yscale="log")
    left.legend(loc="upper right")
    right.legend(loc="center left")
    plt.show()


def _path(tx, gradient, state, theta, counts):
    def step(carry, t):
        theta, state = carry
        updates, state = tx.update(gradient(theta, t), state, theta)
        return (optax.apply_updates(theta, updates), state), theta

    (last, _), before = jax.jit(partial(jax.lax.scan, step))((theta, state), counts)
    return np.concatenate([before, last[None]])


def _rows(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / 255


def _loss(theta, x, labels):
    scores = jnp.matmul(x, theta, precision="highest")
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()


def _loss_of(test, theta):
    return _loss(theta, *map(jnp.asarray, test))
