"""States of `optax.rmsprop`, in all the layouts it has, as ours, and back."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.hyperparams import SCHEDULE
from rmsprop_jax.interop import memory
from rmsprop_jax.interop.agreement import check_agreement
from rmsprop_jax.interop.group import Group
from rmsprop_jax.interop.memory import Memory
from rmsprop_jax.interop.optax_state import Found, find, is_injected, is_part
from rmsprop_jax.interop.paths import Rules, leaf_path, leaves
from rmsprop_jax.interop.snapshot import Snapshot, extract, install
from rmsprop_jax.state import RMSPropState, find_states
from rmsprop_jax.transform import Number

__all__ = ["dump", "load"]


def load(
    state: Any,
    params: Any,
    learning_rate: Number | None = None,
    *,
    decay: float | None = None,
    eps: float | None = None,
    initial_scale: float | None = None,
    eps_in_sqrt: bool = True,
    momentum: float | None = None,
    nesterov: bool = False,
    into: tuple[optax.GradientTransformation, Any] | None = None,
    rule: Rules = None,
) -> tuple[optax.GradientTransformation, Any]:
    """The RMSProp that continues an `optax.rmsprop`'s, and its state.

        tx, state = interop.optax.load(opt_state, params, 1e-3, momentum=0.9)

    A plain state of optax holds no hyperparameters: repeat the arguments of
    `optax.rmsprop`. One of `inject_hyperparams` holds them, and what is given here
    goes before. `centered` and `bias_correction` show in the state.

    Args:
        state: The state of `optax.rmsprop`, or of a chain around it.
        params: The parameters.
        learning_rate: A number, array or schedule. A schedule goes on where optax's
            was; where optax had none, nothing counted the steps, and it would start
            anew: an error.
        decay: As given to optax, 0.9 by default.
        eps: As given to optax, 1e-8 by default.
        initial_scale: As given to optax, 0 by default.
        eps_in_sqrt: As given to optax.
        momentum: As given to optax.
        nesterov: As given to optax.
        into: `(tx, state)` to put the memory into, hyperparameters staying as they
            are there; see `interop.snapshot.install`.
        rule: The rule of `into`'s RMSProp, if its `tx` is a chain.

    Raises:
        ValueError: If `state` is another optimizer's, or the arguments or `into` have
            other slots than it. Nothing is half filled.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> params, theirs = jnp.zeros(2), optax.rmsprop(0.1, 0.75, momentum=0.9)
        >>> _, opt_state = theirs.update(jnp.ones(2), theirs.init(params))
        >>> tx, state = load(opt_state, params, 0.1, decay=0.75, momentum=0.9)
        >>> state.trace                  # grows along the gradient, not against it
        Array([0.2, 0.2], dtype=float32)
    """
    found = find(state, alone=into is None)
    given = {
        "learning_rate": learning_rate,
        "decay": decay,
        "eps": eps,
        "initial_scale": initial_scale,
        "momentum": momentum,
    }
    # Exactly the numbers that optax has used, float32(0.9) and not 0.9.
    known = {k: float(x) for k, x in found.injected.items() if k in given}
    given = {k: known.get(k) if v is None else v for k, v in given.items()}
    _check_arguments(found, given, counts=into is None)
    rate = given["learning_rate"]
    count = max((int(x) for x in found.counts), default=0)
    momentum = given["momentum"]
    options = {
        "dialect": "optax",
        "learning_rate": 0.0 if rate is None else rate,
        "decay": given["decay"],
        "eps": given["eps"],
        "eps_placement": "inside" if eps_in_sqrt else "outside",
        "nu_init": given["initial_scale"],
        "momentum": False if momentum is None else momentum,
        "nesterov": nesterov,
        "centered": hasattr(found.moments, "mu"),
        "bias_correction": found.corrected,
    }
    snapshot = _snapshot(found, options, count, params)
    if into is None:
        return install(snapshot, params)
    # The one of the latest step, which the trace holds.
    latest = jnp.asarray(max(count - 1, 0), jnp.int32)
    current: Any = rate(latest) if callable(rate) else rate
    current = None if current is None else float(current)
    return install(snapshot, params, into=into, learning_rate=current, rule=rule)


def _snapshot(
    found: Found, options: dict[str, Any], count: int, params: Any
) -> Snapshot:
    nu = {path: _real(x) for path, x in _arrays(found.moments.nu).items()}
    if set(nu) != set(leaves(params)):
        raise ValueError(
            f"params: expected the leaves that optax saw, {sorted(nu)}, got "
            f"{sorted(leaves(params))}."
        )
    return Snapshot(
        (Group(options, tuple(nu)),),
        count,
        nu,
        _arrays(getattr(found.moments, "mu", None)),
        # optax's trace grows along Δ.
        {k: -x for k, x in _arrays(getattr(found.trace, "trace", None)).items()},
    )


def dump(
    tx: optax.GradientTransformation,
    state: Any,
    params: Any,
    *,
    like: Any = None,
    rule: Rules = None,
) -> Any:
    """The state with which `optax.rmsprop` continues ours.

    Args:
        tx: Our transformation, one that computes what optax does.
        state: Its state, or what holds it.
        params: The parameters.
        like: A state of the optimizer that shall continue, such as its `init(params)`
            gives; other members of its chain stay as they are. By default that of
            `optax.rmsprop` itself.
        rule: The rule of the RMSProp, if `tx` is a chain.

    Returns:
        A state like `like`. Its hyperparameters, but for injected ones, are for the
        caller to give to `optax.rmsprop` again.

    Raises:
        ValueError: If optax would go on otherwise: another rule, other slots.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import rmsprop
        >>> tx, g = rmsprop(0.1, decay=0.75, momentum=0.9), jnp.ones(2)
        >>> _, state = tx.update(g, tx.init(g))
        >>> dump(tx, state, g)[2].trace            # against the gradient, as there
        Array([-0.2, -0.2], dtype=float32)
    """
    snapshot = extract(tx, state, params, rule=rule)
    if len(snapshot.groups) != 1:
        raise ValueError(
            f"tx: expected one RMSProp, got {len(snapshot.groups)} groups (two with "
            "a weight_decay_mask); optax.rmsprop knows none."
        )
    (group,) = snapshot.groups
    check_agreement([group], [_of_optax(group)])
    if like is None:
        like = _fresh(group, next(iter(find_states(state).values())), params)
    found = find(like, alone=False)
    want = {k: group.slots[k] for k in ("mu", "trace")}
    want["bias_correction"] = group.rule.bias_correction
    has = {
        "mu": hasattr(found.moments, "mu"),
        "trace": found.trace is not None,
        "bias_correction": found.corrected,
    }
    if has != want:
        raise ValueError(f"like: expected a state with {want}, got one with {has}.")
    slots = {"nu": snapshot.nu, "mu": snapshot.mu}
    slots["trace"] = {path: -x for path, x in snapshot.trace.items()}

    def counted(x):
        return jnp.full_like(x, snapshot.count)

    def visit(part):
        if is_injected(part):
            return part._replace(
                count=counted(part.count),
                hyperparams=_with_numbers(part.hyperparams, group),
                hyperparams_states=jax.tree.map(counted, part.hyperparams_states),
                inner_state=mapped(part.inner_state),
            )
        if not is_part(part):
            return part
        new = {k: _placed(getattr(part, k), slots[k], k) for k in _slots_of(part)}
        if "count" in part._fields:
            new["count"] = counted(part.count)
        return part._replace(**new)

    def mapped(tree):
        return jax.tree.map(visit, tree, is_leaf=is_part)

    return mapped(like)


def _slots_of(part: Any) -> list[str]:
    return [name for name in Memory._fields if name in part._fields]


def _check_arguments(found: Found, given: dict[str, Any], *, counts: bool) -> None:
    """Refuse arguments with which optax would have made another state."""
    rate = given["learning_rate"]
    if rate is None and counts:
        raise TypeError(
            "learning_rate=None: expected what optax.rmsprop was given, a number or a "
            "schedule; its state does not hold it."
        )
    if (found.trace is not None) != (given["momentum"] is not None):
        raise ValueError(
            f"momentum={given['momentum']!r}: expected "
            + ("a number" if found.trace is not None else "None")
            + f", for the state has {'a' if found.trace is not None else 'no'} trace."
        )
    is_schedule = callable(rate) and not isinstance(rate, jax.Array)
    if is_schedule and counts and found.counts == []:
        raise ValueError(
            "learning_rate: expected a number, for nothing in the state has counted "
            "the steps, and a schedule would start anew. To have that, pass "
            "into=(tx, tx.init(params))."
        )


def _arrays(tree: Any) -> dict[str, np.ndarray]:
    return {path: np.asarray(x) for path, x in leaves(tree).items()}


def _real(nu: np.ndarray) -> np.ndarray:
    """ν, whose dtype is complex in optax where the parameter's is, and no part is."""
    return np.real(nu) if np.iscomplexobj(nu) and not np.imag(nu).any() else nu


def _of_optax(group: Group) -> Group:
    """What optax.rmsprop would do, as far as it can, for a group of ours."""
    rule = group.rule
    options = {
        "dialect": "optax",
        **{k: group.options[k] for k in ("learning_rate", "decay", "eps", "momentum")},
        "eps_placement": "inside" if _inside(group) else "outside",
        "centered": rule.centered,
        "nesterov": rule.nesterov,
        "bias_correction": rule.bias_correction,
    }
    return Group(options, group.paths)


def _inside(group: Group) -> bool:
    kept = group.slots["trace"] and group.rule.eps_placement == "inside_with_trace"
    return kept or group.rule.eps_placement == "inside"


def _fresh(group: Group, state: RMSPropState, params: Any) -> Any:
    """The state that optax.rmsprop with our hyperparameters would start with."""
    options, rule = group.options, group.rule
    rate = options["learning_rate"]
    scheduled = state.sources.learning_rate_from == SCHEDULE
    return optax.rmsprop(
        (lambda _: rate) if scheduled else rate,
        centered=rule.centered,
        momentum=options["momentum"] if group.slots["trace"] else None,
        bias_correction=rule.bias_correction,
    ).init(params)


def _with_numbers(injected: dict[str, Any], group: Group) -> dict[str, Any]:
    """Injected hyperparameters, with our numbers."""
    numbers = {**group.options, "initial_scale": group.rule.nu_init}
    return {
        name: jnp.full_like(x, numbers[name]) if name in numbers else x
        for name, x in injected.items()
    }


def _placed(tree: Any, new: dict[str, np.ndarray], name: str) -> Any:
    if set(leaves(tree)) != set(new):
        raise ValueError(
            f"like: expected the leaves {sorted(new)} in its {name}, got "
            f"{sorted(leaves(tree))}."
        )

    def put(path, leaf):
        path = leaf_path(path)
        value = memory.fitted(new[path], leaf, f"{path}: {name}")
        return jax.device_put(value, leaf.sharding)

    return jax.tree.map_with_path(put, tree)
