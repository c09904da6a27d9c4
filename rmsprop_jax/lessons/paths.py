"""Walks down a ground at many learning rates, and the one that arrives first."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import rmsprop
from rmsprop_jax.lessons.valleys import Ground

STEPS = 300
RATES = np.logspace(-3, 0, 31).astype(np.float32)

MakeOptimizer = Callable[[Any], optax.GradientTransformation]

OPTIMIZERS: dict[str, MakeOptimizer] = {
    "SGD": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "Adagrad": partial(optax.adagrad, initial_accumulator_value=0.0),
    "Adam": optax.adam,
    "RMSProp": rmsprop,
}


class Walk(NamedTuple):
    """The walks of one optimizer at the learning rate that suits it.

    Attributes:
        learning_rate: That one.
        steps: How many it takes to arrive, the mean over all starts.
        path: θ after 0, 1, 2, … steps from the first start, as far as it took.
    """

    learning_rate: float
    steps: float
    path: np.ndarray


def race(ground: Ground) -> dict[str, Walk]:
    """The `fastest` walk of each of `OPTIMIZERS`, by name."""
    return {name: fastest(make, ground) for name, make in OPTIMIZERS.items()}


def fastest(make: MakeOptimizer, ground: Ground) -> Walk:
    """The walk at that of 31 learning rates from 0.001 to 1 which arrives first.

    Args:
        make: Learning rate → optimizer.
        ground: Where.

    Example:
        >>> from rmsprop_jax.lessons.valleys import valley
        >>> walk = fastest(optax.sgd, valley(steepness=1.0))     # a round bowl
        >>> walk.learning_rate, walk.steps
        (1.0, 1.0)
    """
    walked = np.asarray(_walked(make, ground.height, RATES, ground.starts))
    steps = arrivals(walked, ground.lowest)
    best = int(steps.mean(axis=1).argmin())
    path = walked[best, 0, : steps[best, 0] + 1]
    return Walk(float(RATES[best]), float(steps[best].mean()), path)


def arrivals(paths: np.ndarray, lowest: np.ndarray, within: float = 0.1) -> np.ndarray:
    """After how many steps each path is near a lowest point and stays there.

    Args:
        paths: (…, points, 2).
        lowest: (places, 2).
        within: How near.

    Returns:
        Integers, (…); a path that never stays counts as one step longer than it is.

    Example:
        >>> there_and_away = [[[0.5, 0.0], [0.0, 0.0], [0.5, 0.0]]]
        >>> there = [[[0.5, 0.0], [0.2, 0.0], [0.0, 0.0]]]
        >>> origin = np.zeros((1, 2))
        >>> arrivals(np.array([there_and_away, there]), origin).ravel().tolist()
        [3, 2]
    """
    gaps = np.linalg.norm(paths[..., None, :] - lowest, axis=-1).min(axis=-1)
    away = ~(gaps <= within)  # so that NaN is away
    return np.where(
        away.any(axis=-1), away.shape[-1] - away[..., ::-1].argmax(axis=-1), 0
    )


@partial(jax.jit, static_argnums=(0, 1))
def _walked(make, height, rates, starts):
    """(rates, starts, STEPS + 1, 2)."""

    def walk(rate, start):
        tx = make(rate)

        def step(carry, _):
            theta, state = carry
            updates, state = tx.update(jax.grad(height)(theta), state, theta)
            return (optax.apply_updates(theta, updates), state), theta

        (last, _), path = jax.lax.scan(step, (start, tx.init(start)), length=STEPS)
        return jnp.concatenate([path, last[None]])

    starts = starts.astype(rates.dtype)
    return jax.vmap(jax.vmap(walk, (None, 0)), (0, None))(rates, starts)
