"""Ground to walk on: heights over two parameters that are hard for gradient descent."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np


class Ground(NamedTuple):
    """A landscape.

    Attributes:
        height: θ of two numbers → f(θ).
        lowest: Where it is lowest, (points, 2).
        starts: Where walks begin, (walks, 2).
    """

    height: Callable[[jax.Array], jax.Array]
    lowest: np.ndarray
    starts: np.ndarray


def valley(steepness: float = 100.0, turned: float = 0.0) -> Ground:
    """A valley along the first axis, and walks from its sides.

        f(θ) = ½ (θ₁² + κ θ₂²)

    Args:
        steepness: κ, of the sides against the floor.
        turned: By how many degrees the valley, its starts with it, is turned to the
            left.

    Example:
        >>> import jax.numpy as jnp
        >>> float(valley().height(jnp.array([0.0, 1.0])))
        50.0
        >>> round(float(valley(turned=90.0).height(jnp.array([0.0, 1.0]))), 3)
        0.5
    """
    c, s = math.cos(math.radians(turned)), math.sin(math.radians(turned))

    def height(theta):
        # Products and sums, not `@`: TPUs round the factors of a matrix product.
        along = c * theta[0] + s * theta[1]
        across = c * theta[1] - s * theta[0]
        return (along**2 + steepness * across**2) / 2

    starts = _starts() @ np.array([[c, s], [-s, c]])
    return Ground(height, np.zeros((1, 2)), starts)


def saddle(steepness: float = 50.0) -> Ground:
    """A pass between two hollows, and walks that begin almost on the ridge.

        f(θ) = ½ κ θ₁² − ½ θ₂² + ¼ θ₂⁴

    Args:
        steepness: κ, of the ridge.

    Example:
        >>> ground = saddle()
        >>> [float(ground.height(theta)) for theta in ground.lowest]
        [-0.25, -0.25]
        >>> bool((abs(ground.starts[:, 1]) <= 0.001).all())
        True
    """

    def height(theta):
        return (steepness * theta[0] ** 2 - theta[1] ** 2 + theta[1] ** 4 / 2) / 2

    return Ground(
        height, np.array([[0.0, 1.0], [0.0, -1.0]]), _starts() * np.array([1.0, 1e-3])
    )


def grounds() -> dict[str, Ground]:
    """Three to walk on, by name.

    Example:
        >>> [ground.starts.shape for ground in grounds().values()]
        [(8, 2), (8, 2), (8, 2)]
    """
    return {
        "valley": valley(),
        "turned valley": valley(turned=45.0),
        "saddle": saddle(),
    }


def _starts() -> np.ndarray:
    """One to look at, and seven at random."""
    others = np.random.default_rng(0).uniform(-1, 1, (7, 2))
    return np.concatenate([[[-1.0, 0.5]], others])
