"""A state taken over by a transformation whose options changed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.moments import squared
from rmsprop_jax.resting import moments, put_moments_to_rest, stored
from rmsprop_jax.rule import Hyperparams, Slots
from rmsprop_jax.state import RMSPropState, find_states, map_states


def reset_hyperparams(state: Any, tx: optax.GradientTransformation, params: Any) -> Any:
    """`state` with the hyperparameters that `tx` would start with.

    For a restored run whose settings were edited: the moments and counters stay, the
    numbers in the constructor call win. Without it the state's do, silently.

    Args:
        state: What was restored.
        tx: The transformation as it is built now.
        params: The parameters; only shapes and dtypes matter.

    Raises:
        ValueError: If `tx` keeps other slots than `state`; see `convert_state`.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> params, edited = jnp.zeros(2), rmsprop(0.5)
        >>> state = rmsprop(0.25).init(params)      # restored, say
        >>> float(edited.update(params, state)[1].hyperparams.learning_rate)
        0.25
        >>> state = reset_hyperparams(state, edited, params)
        >>> float(state.hyperparams.learning_rate)
        0.5
    """

    def reset(old, new):
        return old._replace(hyperparams=new.hyperparams)

    return _beside_fresh(reset, convert_state(state, tx, params), tx, params)


def convert_state(state: Any, tx: optax.GradientTransformation, params: Any) -> Any:
    """`state` as `tx` wants it, after an option of the transformation changed.

        ν = variance + μ²                      (a centered state, uncentered)
        E‖g‖² = Σ E[g²]                        (moment="tensor")

    What both have is kept, moments, counters and hyperparameters; what only `tx` has
    starts as `tx.init` would; what only `state` has is dropped. An uncentered state
    becomes a centered one with μ = 0. In a sum, a ν₀ counts for each element.
    For another `state_dtype` the moments are stored anew, rounded to nearest.

    Args:
        state: The state of a transformation built like `tx` but for its options.
        tx: The transformation that the state is meant for.
        params: The parameters; only shapes and dtypes matter.

    Raises:
        ValueError: If `tx` keeps another number of states or arrays, or one ν for each
            element where `state` has one for the array: it cannot be told apart.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> g, tx = jnp.array([2.0]), rmsprop(0.1, decay=0.75, centered=True)
        >>> _, state = tx.update(g, tx.init(g))
        >>> state.nu, state.mu
        (Array([0.75], dtype=float32), Array([0.5], dtype=float32))
        >>> convert_state(state, rmsprop(0.1, decay=0.75), g).nu    # 0.75 + 0.5²
        Array([1.], dtype=float32)
    """
    return _beside_fresh(_converted, state, tx, params)


def _converted(old: RMSPropState, new: RMSPropState) -> RMSPropState:
    was, fresh = old, new
    old, new = moments(was), moments(fresh)
    nu = old.nu
    if old.mu is not None and new.mu is None:
        nu = jax.tree.map(_raw, nu, old.mu)
    nu = _of_moment(nu, new.nu)

    def number(was, start, old_source, new_source):
        both_own = old_source is hp.OWN and new_source is hp.OWN
        return start if start is None or was is None or not both_own else was

    converted = new._replace(
        count=old.count,
        hyperparams=Hyperparams._make(
            map(number, old.hyperparams, new.hyperparams, old.sources, new.sources)
        ),
        sources=new.sources,
        nu=nu,
        mu=_slot(old.mu, new.mu),
        trace=_slot(old.trace, new.trace),
        skipped=_slot(old.skipped, new.skipped),
    )
    return _untouched(was, put_moments_to_rest(converted, like=fresh))


def _untouched(was: RMSPropState, now: RMSPropState) -> RMSPropState:
    """`now`, with the very bits of `was` where no precision and no meaning changed."""
    for slot in Slots._fields:
        if getattr(was, slot) is None or getattr(now, slot) is None:
            continue
        if slot == "nu" and (was.mu is None) != (now.mu is None):
            continue
        pairs = zip(stored(was, slot), stored(now, slot), strict=True)
        if all(
            (a.values.dtype, a.values.shape) == (b.values.dtype, b.values.shape)
            for a, b in pairs
        ):
            names = slot, f"{slot}_scale"
            now = now._replace(**{name: getattr(was, name) for name in names})
    return now


def _raw(variance: jax.Array, mu: jax.Array) -> jax.Array:
    """E[g²] from the variance: of a complex ν, which is two reals, part by part."""
    if jnp.iscomplexobj(variance):
        return jax.lax.complex(
            _raw(variance.real, mu.real), _raw(variance.imag, mu.imag)
        )
    moment = "elementwise" if variance.shape == mu.shape else "tensor"
    return variance + squared(mu, moment)


def _of_moment(nu: Any, fresh: Any) -> Any:
    """ν as in `fresh`: an element each, or their sum for the array."""
    found, treedef = jax.tree.flatten_with_path(nu)
    wanted = [jnp.shape(x) for x in jax.tree.leaves(fresh)]
    if len(found) != len(wanted):
        raise ValueError(
            f"state: remembers {len(found)} arrays, and tx {len(wanted)}: expected "
            "as many; pass the parameters that init saw."
        )
    leaves = []
    for (path, x), shape in zip(found, wanted, strict=True):
        if x.ndim == len(shape) and x.shape != shape:
            if x.size == 1:
                raise ValueError(
                    f"state.nu{jax.tree_util.keystr(path)}: one ν for the array, "
                    f"expected one for each element, {shape}, and that it does not "
                    "tell. Build tx with moment='tensor', or start anew with tx.init."
                )
            x = x.sum(keepdims=True) if shape == (1,) * x.ndim else x
        leaves.append(x)
    return treedef.unflatten(leaves)


def _slot(old: Any, new: Any) -> Any:
    return new if new is None or old is None else old


def _beside_fresh(function: Callable, state: Any, tx: Any, params: Any) -> Any:
    fresh = list(find_states(tx.init(params)).values())
    found = find_states(state)
    if len(fresh) != len(found):
        raise ValueError(
            f"tx keeps {len(fresh)} RMSProp states and `state` holds {len(found)}: "
            "expected as many; build tx with the same chain, groups and masks."
        )
    following = iter(fresh)
    return map_states(lambda old: function(old, next(following)), state)
