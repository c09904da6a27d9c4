"""Leaves by path, and which RMSProp state of a transformation holds which."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import jax
import optax

from rmsprop_jax.rule import Rule
from rmsprop_jax.state import RMSPropState

Rules = Rule | Mapping[str, Rule] | None


def leaf_path(path: tuple) -> str:
    """A leaf's key path as text, "conv/kernel"; an `nnx.Param`'s own "value" is cut.

    Example:
        >>> import jax
        >>> [leaf_path(path) for path, _ in jax.tree.leaves_with_path({"a": {"b": 0}})]
        ['a/b']
    """
    if path and isinstance(path[-1], jax.tree_util.GetAttrKey):
        path = path[:-1] if path[-1].name == "value" else path
    return text(path)


def text(path: tuple) -> str:
    """A key path as `param_groups` reads it."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def leaves(tree: Any) -> dict[str, Any]:
    """The leaves of `tree` by path, in the tree's order."""
    return {leaf_path(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def check_homes(
    found: Mapping[tuple, RMSPropState], remembered: Iterable[str], params: Any
) -> None:
    """Refuse states that hold a leaf twice, or not, or one of other parameters.

    Args:
        found: The states of a transformation, by their key path.
        remembered: The leaves that must have a place in one.
        params: The parameters.

    Raises:
        ValueError: If one leaf has no place, or two.
    """
    homes: dict[str, tuple] = {}
    for where, state in found.items():
        for path in leaves(state.nu):
            if path in homes:
                raise ValueError(
                    f"{path}: expected one RMSPropState that remembers it, got two, at "
                    f"{text(homes[path])!r} and {text(where)!r}."
                )
            homes[path] = where
    foreign = sorted(set(homes) - set(leaves(params)))
    if foreign:
        raise ValueError(
            f"{foreign}: in the state, expected in params too. Pass the parameters "
            "that tx.init saw."
        )
    homeless = sorted(set(remembered) - set(homes))
    if homeless:
        raise ValueError(
            f"{homeless}: the source remembers them, and no RMSProp in `into` has a "
            "place for that. To freeze them from now on, let tx optimize them and put "
            "optax.masked(optax.set_to_zero(), ...) behind it."
        )


def rules_of(tx: Any, rule: Rules, states: Iterable[tuple]) -> dict[tuple, Rule]:
    """The rule of each of the states, given by key path: that of `tx`, or `rule`.

    Raises:
        TypeError: If neither says.
        ValueError: If a state belongs to none of the groups.
    """
    if rule is None:
        rule = getattr(tx, "rule", None) or getattr(tx, "rules", None)
    if isinstance(rule, Rule):
        return dict.fromkeys(states, rule)
    if not isinstance(rule, Mapping):
        raise TypeError(
            f"rule={rule!r}: expected a Rule, for this tx carries none. Pass "
            "rule=rmsprop(...).rule of the member of the chain, or the .rules of its "
            "param_groups."
        )
    rules = {}
    for path in states:
        named = _of_group(rule, path)
        if len(named) != 1:
            raise ValueError(
                f"rule: expected one of the groups {list(rule)} for the state at "
                f"{text(path)!r}."
            )
        rules[path] = named[0]
    return rules


def decaying_of(
    tx: Any, where: tuple, paths: Collection[str], params: Any
) -> list[bool]:
    """Which leaves of a state decay, if they have weight decay: all, or as masked.

    Of a chain that is not known: all.

    Args:
        tx: The transformation that holds the state.
        where: The state's key path.
        paths: The leaves that the state remembers, in their order.
        params: All parameters.
    """
    found = getattr(tx, "decaying", None)
    if isinstance(found, Mapping):
        found = next(iter(_of_group(found, where)), None)
    if found is None:
        return [True] * len(paths)
    # As a group is given them.
    held = jax.tree.map_with_path(
        lambda path, x: x if leaf_path(path) in paths else optax.MaskedNode(), params
    )
    return found(held)


def _of_group(values: Mapping[str, Any], where: tuple) -> list[Any]:
    """The values of the groups in whose state that is."""
    keys = [getattr(key, "key", None) for key in where]
    return [values[key] for key in keys if isinstance(key, str) and key in values]
