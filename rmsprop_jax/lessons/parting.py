"""Every dialect on one sequence of gradients, and where their ways part."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import DIALECTS, RMSProp, rmsprop

STEPS = 200
LOUD, QUIET = 1.0, 1e-4


def gradients() -> np.ndarray:
    """One sequence of gradients, (steps, 2): of a loud parameter and of a quiet one.

        g = 1 · x      and      g = 10⁻⁴ · x,      x ~ N(½, 1)

    Example:
        >>> loud, quiet = gradients().T
        >>> f"{loud.mean():.2f} ± {loud.std():.2f}, {len(quiet)} steps"
        '0.52 ± 0.96, 200 steps'
    """
    x = 0.5 + np.random.default_rng(0).standard_normal((STEPS, 1))
    return (x * np.array([LOUD, QUIET])).astype(np.float32)


def family(learning_rate: Any, **arguments: Any) -> dict[str, RMSProp]:
    """Each dialect that has these arguments of `rmsprop`, with them.

    Example:
        >>> set(family(0.01)) - set(family(0.01, momentum=0.9)) == {
        ...     "bitsandbytes", "caffe", "chainer", "dqn", "mxnet"
        ... }
        True
    """
    traced = arguments.get("momentum")
    return {
        name: rmsprop(learning_rate, dialect=name, **arguments)
        for name, row in DIALECTS.items()
        if not (traced and (row.refuses.get("momentum") or row.momentum_needs_centered))
    }


def ways(
    transformations: Mapping[str, optax.GradientTransformation],
    grads: Any,
    start: float = 0.0,
) -> dict[str, np.ndarray]:
    """Where each one has moved the parameters after every step, from `start`.

    Args:
        transformations: What moves them, by name.
        grads: Of every step, (steps, parameters). They do not depend on the way.
        start: Where all parameters are at first.

    Returns:
        θ − θ₀ after 0, 1, 2, … steps, by name: (steps + 1, parameters).

    Example:
        >>> ways({"sgd": optax.sgd(1.0)}, np.ones((3, 1)))["sgd"].ravel().tolist()
        [0.0, -1.0, -2.0, -3.0]
    """
    grads = jnp.asarray(grads, jnp.float32)
    moved = _moved(tuple(transformations.values()), grads, jnp.float32(start))
    return {
        name: np.concatenate([np.zeros((1, grads.shape[1])), way])
        for name, way in zip(transformations, moved, strict=True)
    }


def apart(one: Any, other: Any) -> float:
    """How far apart two ways end: 0 is together, 1 is one of them standing still.

        mean of |aᵢ − bᵢ| / max(|aᵢ|, |bᵢ|)      over the parameters, last points

    Example:
        >>> apart([[0.0, 0.0], [3.0, 1.0]], [[0.0, 0.0], [2.0, 1.0]])
        0.16666666666666666
    """
    a, b = np.asarray(one)[-1], np.asarray(other)[-1]
    return float(np.mean(np.abs(a - b) / np.maximum(np.abs(a), np.abs(b))))


def together(ways: Mapping[str, Any], nearer: float = 1e-4) -> list[list[str]]:
    """The names in groups whose ways end in one place, the largest group first.

    Example:
        >>> together({"a": [[1.0]], "b": [[2.0]], "c": [[1.0]]})
        [['a', 'c'], ['b']]
    """
    groups: list[list[str]] = []
    for name, way in ways.items():
        group = next((g for g in groups if apart(ways[g[0]], way) < nearer), None)
        if group is None:
            groups.append([name])
        else:
            group.append(name)
    return sorted(groups, key=lambda group: -len(group))


@partial(jax.jit, static_argnums=0)
def _moved(transformations, grads, start):
    """One program for all of them, for compiling is what takes the time."""
    theta = jnp.full(grads.shape[1:], start)

    def step(carry, g):
        after = []
        for tx, (params, state) in zip(transformations, carry, strict=True):
            updates, state = tx.update(g, state, params)
            after.append((optax.apply_updates(params, updates), state))
        return after, [params - start for params, _ in after]

    carry = [(theta, tx.init(theta)) for tx in transformations]
    return jax.lax.scan(step, carry, grads)[1]
