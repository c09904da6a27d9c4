"""Updates added to parameters that are too coarse for them."""

from typing import Any

import jax
import jax.numpy as jnp

from rmsprop_jax.rounding import random_bits, round_to_bfloat16

_WIDE = {"float32", "float64", "complex64", "complex128"}


def apply_updates_stochastic(params: Any, updates: Any, count: Any) -> Any:
    """`params + updates`, bfloat16 parameters rounded up or down at random.

        E[θ′] = θ + Δ

    A bfloat16 parameter does not see an update below 1/512 of itself: rounded to
    nearest, the sum is the parameter again, at every step. Rounded at random it moves
    as far in the mean. Wider parameters are those of `optax.apply_updates`.

    Args:
        params: The parameters; bfloat16, float32 or wider.
        updates: A tree like them, of any floating-point dtype; `None` leaves a
            parameter as it is.
        count: The step, `state.count`: what makes the bits differ from step to step.

    Raises:
        TypeError: If a parameter is of another dtype, an update complex where it is
            not, or `count` no integer scalar.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> theta = jnp.ones(1000, jnp.bfloat16)
        >>> step = jax.jit(apply_updates_stochastic)
        >>> for count in range(100):
        ...     theta = step(theta, jnp.full(1000, -1e-3), count)
        >>> round(float(theta.astype(jnp.float32).mean()), 2)
        0.9
    """
    count = jnp.asarray(count)
    if count.ndim or not jnp.issubdtype(count.dtype, jnp.integer):
        raise TypeError(
            f"count: expected an integer scalar, such as state.count, got shape "
            f"{count.shape} and dtype {count.dtype.name}."
        )

    def add(path, theta, update):
        if theta is None or update is None:
            return theta
        theta, update = jnp.asarray(theta), jnp.asarray(update)
        where, name = jax.tree_util.keystr(path), theta.dtype.name
        if name not in _WIDE | {"bfloat16"}:
            raise TypeError(
                f"params{where}: expected bfloat16, float32 or wider, got {name}. Keep "
                "it in one of those, and cast it in the forward pass."
            )
        if jnp.iscomplexobj(update) and not jnp.iscomplexobj(theta):
            raise TypeError(
                f"updates{where}: expected real numbers, as the parameter is {name}, "
                f"got {update.dtype.name}."
            )
        if name in _WIDE:
            return (theta + update.astype(theta.dtype)).astype(theta.dtype)
        moved = theta.astype(jnp.float32) + update.astype(jnp.float32)
        return round_to_bfloat16(moved, random_bits(moved.shape, count, "params"))

    return jax.tree.map_with_path(add, params, updates, is_leaf=lambda x: x is None)
