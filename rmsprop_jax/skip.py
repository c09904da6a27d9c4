"""One decision a step: make it whole, or leave everything as it was."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax.moments import squared
from rmsprop_jax.state import RMSPropState, find_states, map_states
from rmsprop_jax.storage import working_dtype

AxisName = str | tuple[str, ...] | None


def keep_if_finite(
    grads: Any, stepped: tuple[Any, Any], old_state: Any, axis_name: AxisName
) -> tuple[Any, Any]:
    """`stepped` (updates and new state), or −0.0 and `old_state` with one more skip.

    −0.0 and not 0.0: θ + (−0.0) is θ to the bit, whatever its sign.
    """
    updates, new_state = stepped
    finite = _is_finite(grads, updates, new_state)
    if axis_name is not None:
        finite = jax.lax.pmin(finite.astype(jnp.int32), axis_name) == 1

    def choose(new, old):
        if old.dtype.name in {"uint8", "int8"}:
            # In float: XLA:TPU makes a kernel of its own of what comes out of integers.
            new, wide = new.astype(jnp.float32), old.astype(jnp.float32)
            return jnp.where(finite, new, wide).astype(old.dtype)
        return jnp.where(finite, new, old)

    def count(state: RMSPropState) -> RMSPropState:
        if state.skipped is None:
            return state
        more = optax.safe_increment(state.skipped)
        return state._replace(skipped=choose(state.skipped, more))

    def nothing(u):
        return u if u.dtype == jax.dtypes.float0 else choose(u, -jnp.zeros_like(u))

    updates = jax.tree.map(nothing, updates)
    return updates, map_states(count, jax.tree.map(choose, new_state, old_state))


def _is_finite(grads: Any, updates: Any, state: Any) -> jax.Array:
    """Whether every squared gradient, hyperparameter and float16 update is finite.

    If the first two are, so is every ordinary update in float32 and bfloat16, whose
    range is as wide; looking at those as well would cost a pass over the parameters.
    """
    squares = [squared(g.astype(working_dtype(g.dtype))) for g in _arrays(grads)]
    numbers = _arrays([s.hyperparams for s in find_states(state).values()])
    narrow = [u for u in _arrays(updates) if u.dtype == jnp.float16]
    finite = jnp.array(True)
    for x in (*squares, *narrow, *numbers):
        # Each, not the largest: XLA:CPU's maximum of a large array overlooks a NaN.
        finite &= jnp.all(jnp.isfinite(x))
    return finite


def _arrays(tree: Any) -> list[jax.Array]:
    """The leaves that can be other than finite: no integers, no float0."""
    leaves = jax.tree.leaves(tree)
    return [
        jnp.asarray(x)
        for x in leaves
        if jnp.issubdtype(jax.dtypes.result_type(x), jnp.inexact)
    ]
