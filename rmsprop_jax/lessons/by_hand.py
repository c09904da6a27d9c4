"""Gradients to work out by hand, and what the library makes of them."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax import rmsprop, rule

# The gradients of two worked examples, θ from 0 and θ² from 10, then any.
WORKED = np.concatenate(
    [
        [[1.0, 20.0], [-1.0, 19.367544]],
        np.random.default_rng(0).standard_normal((98, 2)),
    ]
)
# A mean of zero, by nine small votes against a large one; and one bad batch.
VOTES = np.tile([0.1] * 9 + [-0.9], 40)
BURST = np.where(np.arange(600) == 100, 100.0, 1.0)
TURNING = np.repeat([1.0, -1.0], 50)
STEADY = np.float32(10 + 1e-3 * np.random.default_rng(0).standard_normal(400))

ByHand = Callable[..., Iterable[Any]]


def by_rule(gradients: Any, learning_rate: float = 0.1, **options: Any) -> np.ndarray:
    """θ after every step of `rule.step`, from 0: what `rmsprop` does, pytrees aside.

    Args:
        gradients: Of every step, (steps, …).
        learning_rate: α.
        **options: Of `rmsprop`.

    Example:
        >>> [f"{theta:.5f}" for theta in by_rule([1.0, -1.0], decay=0.9)]
        ['-0.31623', '-0.08681']
    """
    tx = rmsprop(learning_rate, **options)
    start = jnp.zeros(np.shape(gradients)[1:])
    state: Any = tx.init(start)
    first = rule.Slots(state.nu, state.mu, state.trace)

    def step(carry, gradient):
        theta, slots, t = carry
        delta, slots = rule.step(
            gradient, slots, state.hyperparams, rule=tx.rule, count=t
        )
        return (theta + delta, slots, t + 1), theta + delta

    begin = start, first, jnp.int32(1)
    return np.asarray(jax.lax.scan(step, begin, jnp.float32(gradients))[1])


def fading(eps: float = 1e-8) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Gradients that stay as they are, and the length of their steps / α.

        |g| / √(g² + ε)      and      |g| / (|g| + ε)

    Args:
        eps: ε.

    Example:
        >>> g, steps = fading()
        >>> knee = np.argmin(np.abs(g - 1e-4))
        >>> [round(float(step[knee]), 4) for step in steps.values()]
        [0.7071, 0.9999]
    """
    g = np.logspace(-12, 0, 121)
    steps = {
        place: by_rule(-g[None], 1.0, decay=0.0, eps=eps, eps_placement=place)[0]
        for place in ("inside", "outside")
    }
    return g, {
        f"√(ν + ε), ε = {eps:g}": steps["inside"],
        f"√ν + ε, ε = {eps:g}": steps["outside"],
    }


def lengths(way: np.ndarray, learning_rate: float) -> np.ndarray:
    """Of the steps of a way from 0, / α.

    Args:
        way: θ after every step, (steps, …).
        learning_rate: α.

    Example:
        >>> lengths(np.array([-2.0, -3.0, 1.0]), 0.5).tolist()
        [4.0, 2.0, 8.0]
    """
    return np.abs(np.diff(way, axis=0, prepend=0 * way[:1])) / learning_rate


def recovery(steps: np.ndarray) -> int | None:
    """How many steps after the burst steps are half as long as α again, if ever.

    Args:
        steps: Their lengths / α on `BURST`.

    Example:
        >>> recovery(np.where(np.arange(600) < 110, 0.1, 0.6))
        10
    """
    enough = steps[BURST.argmax() :] >= 0.5
    enough[0] = False  # the burst itself
    return int(enough.argmax()) if enough.any() else None


def centred(by_hand: ByHand) -> dict[str, np.ndarray]:
    """Steps on `STEADY` / α with α = 0.1, by hand and by the library; NaN once broken.

    Args:
        by_hand: (gradients, centered=True) → θ after every step, from 0.
    """
    with np.errstate(invalid="ignore"):
        hand = np.array([*by_hand(STEADY, centered=True)])
    ways = {"ν − μ², by hand": hand, "centered=True": by_rule(STEADY, centered=True)}
    return {name: lengths(way, 0.1) for name, way in ways.items()}
