"""What a state says about a run: named scalars, and the effective learning rate."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.hyperparams import Sources
from rmsprop_jax.moments import squared
from rmsprop_jax.resting import by_leaf
from rmsprop_jax.rule import (
    Hyperparams,
    Rule,
    Slots,
    denominator,
    eps_is_inside,
    in_dtype,
)
from rmsprop_jax.state import RMSPropState, find_states
from rmsprop_jax.storage import Resting, read, working_dtype

Rules = Rule | Mapping[str, Rule]

SAMPLE = 4096
QUANTILES = (0.05, 0.5, 0.95)


def metrics(
    state: Any,
    rule: Rules,
    *,
    grads: Any = None,
    updates: Any = None,
    params: Any = None,
) -> dict[str, jax.Array]:
    """What to log of a step: a flat dict of scalars, cheap enough for every step.

    `step`, `skipped` (if there is `skip_nonfinite`), every hyperparameter of the
    latest step, and:

    - `effective_learning_rate/q05`, `/q50`, `/q95`: quantiles of α / denominator;
    - `eps_share`: the share of coordinates in which ε outweighs the gradient's own
      size, so that they follow plain gradient descent;
    - `grad_norm`, `update_norm`, `param_norm`: of the trees that are given.

    Quantiles and share are those of 4096 coordinates, or of all if there are fewer,
    evenly spread, at least one of each array. Works under jit.

    Args:
        state: A state that holds an RMSProp state.
        rule: `tx.rule`; for `param_groups`, `tx.rules`: the names of a group's
            metrics then begin with the group's.
        grads: The gradients of the step.
        updates: The updates of the step.
        params: The parameters.

    Raises:
        ValueError: If there is no RMSProp state in `state`, or several for one rule.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import rmsprop
        >>> tx = rmsprop(0.1, decay=0.75, eps=0.0)
        >>> g = jnp.array([2.0, -2.0])
        >>> updates, state = tx.update(g, tx.init(g))
        >>> m = metrics(state, tx.rule, grads=g)
        >>> float(m["effective_learning_rate/q50"]), float(m["eps_share"])
        (0.10000000149011612, 0.0)
    """
    found = _with_rules(state, rule)
    out = {}
    for label, (one, its_rule) in found.items():
        prefix = "" if label is None else f"{label}/"
        out |= {prefix + k: v for k, v in _of_state(one, its_rule).items()}
    # Or XLA:CPU makes the whole step once more inside the sum of its squares.
    updates = jax.lax.optimization_barrier(updates)
    for name, tree in (("grad", grads), ("update", updates), ("param", params)):
        if tree is not None:
            out[f"{name}_norm"] = _norm(tree)
    return out


def effective_learning_rate(state: Any, rule: Rules) -> Any:
    """What the gradient was multiplied by in the latest step: a tree like `nu`.

        α / √(ν + ε)      or     α / (√ν + ε)

    Of every coordinate, momentum aside. One whose denominator is 0 does not move: 0.

    Args:
        state: A state that holds an RMSProp state.
        rule: `tx.rule`; for `param_groups`, `tx.rules`: the result is then a dict of
            trees.

    Raises:
        ValueError: As `metrics`.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import rmsprop
        >>> tx, g = rmsprop(0.1, decay=0.75, eps=0.0), jnp.array([2.0, 4.0, 0.0])
        >>> effective_learning_rate(tx.update(g, tx.init(g))[1], tx.rule)
        Array([0.1 , 0.05, 0.  ], dtype=float32)
    """
    found = _with_rules(state, rule)
    trees = {label: _rates(one, its_rule) for label, (one, its_rule) in found.items()}
    return trees.get(None, trees)


def _with_rules(state: Any, rule: Rules) -> dict[str | None, tuple[RMSPropState, Rule]]:
    found = find_states(state)
    if isinstance(rule, Rule):
        if len(found) > 1:
            raise ValueError(
                f"state: expected one RMSPropState for one rule, got {len(found)}. "
                "Pass one of them, or tx.rules if param_groups made them."
            )
        return {None: (next(iter(found.values())), rule)}
    if not isinstance(rule, Mapping) or not rule:
        raise TypeError(
            f"rule: expected tx.rule, or tx.rules of param_groups, got {rule!r:.60}."
        )
    by_label = {}
    for path, one in found.items():
        labels = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
        for label in rule.keys() & labels:
            by_label[label] = one
    if by_label.keys() != rule.keys():
        raise ValueError(
            f"rule: expected the rules of this state's groups, {list(by_label)}, got "
            f"{list(rule)}."
        )
    return {label: (by_label[label], its_rule) for label, its_rule in rule.items()}


def _of_state(state: RMSPropState, rule: Rule) -> dict[str, jax.Array]:
    h = _plain(state.hyperparams)
    out = {"step": _only(state.count)}
    if state.skipped is not None:
        out["skipped"] = _only(state.skipped)
    for field in Sources._fields:
        name = field.removesuffix("_from")
        value = h.decay if name == "decay" else getattr(h, name)
        if value is not None:
            out[name] = value

    sizes = [x.size for x in jax.tree.leaves(state.nu)]
    share = min(1.0, SAMPLE / max(sum(sizes), 1))
    rates, by_eps = [jnp.zeros(0)], [jnp.zeros(0, bool)]
    for resting in by_leaf(state):
        drawn = share if rule.moment == "elementwise" else 1.0
        slots = _numbers(resting, drawn)
        for part in _real_parts(slots):
            rate, eps_rules = _rate(part, h, rule, state.count)
            rates.append(rate.astype(jnp.float32).reshape(-1))
            by_eps.append(eps_rules.reshape(-1))
    rates, by_eps = jnp.concatenate(rates), jnp.concatenate(by_eps)
    if rates.size:
        values = jnp.quantile(rates, jnp.array(QUANTILES))
        for q, value in zip(QUANTILES, values, strict=True):
            out[f"effective_learning_rate/q{round(100 * q):02d}"] = value
        out["eps_share"] = jnp.mean(by_eps)
    return out


def _rates(state: RMSPropState, rule: Rule) -> Any:
    h = _plain(state.hyperparams)

    def of(resting):
        slots = _numbers(resting)
        parts = [_rate(part, h, rule, state.count)[0] for part in _real_parts(slots)]
        return parts[0] if len(parts) == 1 else jax.lax.complex(*parts)

    treedef = jax.tree.structure(state.nu)
    return treedef.unflatten(map(of, by_leaf(state)))


def _rate(
    slots: Slots, hyperparams: Hyperparams, rule: Rule, count: Any
) -> tuple[jax.Array, jax.Array]:
    """α / denominator, and whether ε is the larger half of that denominator."""
    h = in_dtype(hyperparams, slots.nu.dtype, rule)
    count = jnp.maximum(_only(count), 1)
    d = denominator(slots, h, rule=rule, count=count)
    alpha = 1 if h.learning_rate is None else h.learning_rate
    rate = alpha / d
    half = jnp.sqrt(2 * h.eps) if eps_is_inside(rule, slots) else 2 * h.eps
    return rate, (d <= half) & (h.eps > 0)


def _numbers(resting: tuple[Any, ...], share: float = 1) -> Slots:
    """The moments of a leaf, or about `share` of each."""
    named = zip(Slots._fields, resting, strict=True)
    return Slots(*(x and read(_draw(x, share), slot) for slot, x in named))


def _draw(x: Resting, share: float) -> Resting:
    """About `share` of the numbers, evenly spread, at least one."""
    values, scale = x
    if share == 1 or not values.size or not values.ndim:
        return x
    n = max(1, round(share * values.size))
    # Multiples of the golden ratio: no stride that a row length could be in step
    # with. One index per axis, not a flat one: flattening would gather a sharded x.
    at = (np.arange(n) + 0.5) * (np.sqrt(5) - 1) / 2 % 1
    at = np.unravel_index((at * values.size).astype(np.int64), values.shape)
    if scale is not None:
        rows = zip(at, scale.shape, strict=True)
        scale = scale[tuple(np.minimum(i, n - 1) for i, n in rows)]
    return Resting(values[at], scale)


def _real_parts(slots: Slots) -> list[Slots]:
    """The slots themselves, or, where ν is two reals, those of either part."""
    if not jnp.iscomplexobj(slots.nu):
        return [slots]
    return [jax.tree.map(part, slots) for part in (jnp.real, jnp.imag)]


def _norm(tree: Any) -> jax.Array:
    total = jnp.zeros([])
    for x in map(jnp.asarray, jax.tree.leaves(tree)):
        square = squared(x.astype(working_dtype(x.dtype))).sum()
        total = total + square.astype(total.dtype)
    return jnp.sqrt(total)


def _plain(hyperparams: Hyperparams) -> Hyperparams:
    return Hyperparams._make(None if x is None else _only(x) for x in hyperparams)


def _only(x: Any) -> jax.Array:
    """The array, out of the node in which `nnx.Optimizer` wraps it."""
    return jnp.asarray(jax.tree.leaves(x)[0])
