"""The optimizer state, and the functions that find it inside any other state."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.hyperparams import Sources
from rmsprop_jax.rule import Hyperparams


class RMSPropState(NamedTuple):
    """Everything that RMSProp remembers: arrays only, absent parts `None`.

    `nu`, `mu` and `trace` are trees like the parameters, in the dtype in which they
    rest. A hyperparameter that was given as a number lives here and is read at every
    update: a restored state wins over the numbers in an edited call to `rmsprop`.
    `reset_hyperparams` takes those.

    Attributes:
        count: Steps made; skipped ones are not among them.
        hyperparams: Those of the latest step.
        sources: Who owns each of them; without leaves.
        nu: Running second moment; beside a `mu`, running variance.
        mu: Running mean, if centered.
        trace: m, if there is momentum; grows along −Δ.
        skipped: Steps skipped, if `skip_nonfinite`.
        nu_scale: Of 8-bit codes in `nu`: two bytes for each row.
        mu_scale: Of those in `mu`.
        trace_scale: Of those in `trace`.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from rmsprop_jax import rmsprop
        >>> tx, g = rmsprop(0.1, decay=0.75), jnp.array([2.0])
        >>> _, state = optax.chain(tx).update(g, optax.chain(tx).init(g))
        >>> optax.tree.get(state, "nu"), optax.tree.get(state, "trace")
        (Array([1.], dtype=float32), None)
    """

    count: jax.Array
    hyperparams: Hyperparams
    sources: Sources
    nu: Any
    mu: Any = None
    trace: Any = None
    skipped: jax.Array | None = None
    nu_scale: Any = None
    mu_scale: Any = None
    trace_scale: Any = None


Where = str | Callable[[str], bool] | None


def find_states(state: Any) -> dict[tuple, RMSPropState]:
    """Every RMSProp state inside `state`, by its key path.

    Raises:
        ValueError: If there is none.
    """
    leaves = jax.tree.leaves_with_path(state, is_leaf=_is_ours)
    found = {path: leaf for path, leaf in leaves if _is_ours(leaf)}
    if not found:
        raise ValueError(
            f"no RMSPropState in this {type(state).__name__}: expected the state of "
            "rmsprop or scale_by_rms, or one that holds it (a chain's, a TrainState, "
            "the opt_state of an nnx.Optimizer)."
        )
    return found


def map_states(function: Callable[..., Any], state: Any, *rest: Any) -> Any:
    """`state` with `function` applied to every RMSProp state inside."""

    def visit(leaf, *others):
        return function(leaf, *others) if _is_ours(leaf) else leaf

    return jax.tree.map(visit, state, *rest, is_leaf=_is_ours)


def set_hyperparams(state: Any, *, where: Where = None, **values: Any) -> Any:
    """A copy of `state` with new hyperparameters, and nothing compiled again.

        state = set_hyperparams(state, learning_rate=1e-4)

    Works on the state itself and on whatever holds it: chain, masked, partition,
    MultiSteps, inject_hyperparams, a TrainState, an `nnx.Optimizer`'s `opt_state`.

    Args:
        state: What to look in.
        where: Which RMSProp states to change, if there are several: a regular
            expression, or a predicate, on the path to the state. All by default.
        **values: `learning_rate`, `decay`, `eps`, `momentum`, `weight_decay`,
            `variance_floor`: numbers, or traced scalars, which go unchecked.

    Raises:
        TypeError: If a name is no hyperparameter, or a value no scalar.
        ValueError: If a value is out of range, if the state does not own it (a
            schedule or a `jax.Array` of the caller's does), or if there is no state
            to set it in.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import rmsprop
        >>> state = rmsprop(1e-3).init(jnp.zeros(2))
        >>> state = set_hyperparams(state, learning_rate=0.5, decay=0.75)
        >>> float(state.hyperparams.learning_rate), float(state.hyperparams.decay)
        (0.5, 0.75)
    """
    names = [name.removesuffix("_from") for name in Sources._fields]
    for name, value in values.items():
        if name not in names:
            raise TypeError(f"{name}={value!r}: expected one of {', '.join(names)}.")
        if value is None or callable(value):
            raise TypeError(
                f"{name}={value!r}: expected {hp.RANGES[name].text}. A schedule is "
                "given to rmsprop."
            )
        # A state under vmap holds one number per member.
        if not jnp.shape(value):
            hp.check(name, value)

    paths = [_text(path) for path in find_states(state)]
    chosen = [path for path in paths if _matches(where, path)]
    if not chosen:
        raise ValueError(f"where={where!r} chooses none of the states at {paths}.")

    def visit(path, leaf):
        if _is_injected(leaf):
            return _set_injected(leaf, path, where, values)
        if not _is_ours(leaf) or not _matches(where, _text(path)):
            return leaf
        return _set_own(leaf, values)

    return jax.tree.map_with_path(
        visit, state, is_leaf=lambda x: _is_ours(x) or _is_injected(x)
    )


def _set_own(state: RMSPropState, values: dict[str, Any]) -> RMSPropState:
    for name, value in values.items():
        origin = getattr(state.sources, f"{name}_from")
        if origin is not hp.OWN:
            raise ValueError(
                f"{name}={value!r}: this state does not own it; it was given as "
                f"{hp.kind(origin)}, which is used at every update. Change that, or "
                f"build the transformation with a number as {name}."
            )
        state = _record(state, name, value)
    return state


def _record(state: RMSPropState, name: str, value: Any) -> RMSPropState:
    field = "one_minus_decay" if name == "decay" else name
    old = getattr(state.hyperparams, field)
    if old is None:
        raise ValueError(
            f"{name}={value!r}: this transformation goes without {name}; build it "
            f"with a number ({name}=0.0 will do), and see convert_state."
        )
    if name == "decay":
        dtype = jax.tree.leaves(old)[0].dtype
        value = hp.complement(value, dtype)
    return state._replace(
        hyperparams=state.hyperparams._replace(**{field: _full(old, value)})
    )


def _full(old: Any, value: Any) -> Any:
    # full_like keeps dtype and placement, so that no jitted function sees a change;
    # a tree, because `nnx.Optimizer` wraps every array in a node of its own.
    return jax.tree.map(lambda x: jnp.full_like(x, value), old)


def _set_injected(state: Any, path: tuple, where: Where, values: dict[str, Any]) -> Any:
    """`values` in the state of optax.inject_hyperparams, which owns what it injects."""
    for name, value in values.items():
        if name in getattr(state, "hyperparams_states", {}):
            raise ValueError(
                f"{name}={value!r}: optax.inject_hyperparams has a schedule for it. "
                f"Inject a number as {name}."
            )
    injected = {k: v for k, v in values.items() if k in state.hyperparams}
    own = {k: v for k, v in values.items() if k not in injected}

    def visit(inner_path, leaf):
        inner_path = (*path, jax.tree_util.GetAttrKey("inner_state"), *inner_path)
        if not _is_ours(leaf) or not _matches(where, _text(inner_path)):
            return leaf
        for name, value in injected.items():
            leaf = _record(leaf, name, value)
        return _set_own(leaf, own)

    inner = jax.tree.map_with_path(visit, state.inner_state, is_leaf=_is_ours)
    if inner is state.inner_state:
        return state
    numbers = {k: _full(state.hyperparams[k], v) for k, v in injected.items()}
    return state._replace(
        hyperparams={**state.hyperparams, **numbers}, inner_state=inner
    )


def _is_ours(x: Any) -> bool:
    return isinstance(x, RMSPropState)


def _is_injected(x: Any) -> bool:
    fields = getattr(x, "_fields", ())
    return "inner_state" in fields and isinstance(getattr(x, "hyperparams", 0), dict)


def _text(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _matches(where: Where, path: str) -> bool:
    if where is None or callable(where):
        return where is None or bool(where(path))
    return re.search(where, path) is not None
