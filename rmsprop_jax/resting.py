"""A state's moments as numbers, whatever they rest in, and put to rest again."""

from typing import Any

import jax
import jax.numpy as jnp

from rmsprop_jax.rule import Slots
from rmsprop_jax.state import RMSPropState
from rmsprop_jax.storage import Resting, put_to_rest, read


def moments(state: RMSPropState) -> RMSPropState:
    """`state` with its moments in float32 or wider, and no scales."""
    trees = {f"{slot}_scale": None for slot in Slots._fields}
    for slot in Slots._fields:
        tree = getattr(state, slot)
        numbers = (read(x, slot) for x in stored(state, slot))
        trees[slot] = jax.tree.structure(tree).unflatten(numbers)
    return state._replace(**trees)


def put_moments_to_rest(state: RMSPropState, like: RMSPropState) -> RMSPropState:
    """`state`, the moments of which are numbers, as those of `like` rest."""
    trees = {}
    for slot in Slots._fields:
        if getattr(state, slot) is not None:
            numbers, treedef = jax.tree.flatten(getattr(state, slot))
            rested = [
                put_to_rest(jnp.asarray(x), slot, old.precision)
                for x, old in zip(numbers, stored(like, slot), strict=True)
            ]
            trees |= as_trees(slot, rested, treedef)
    return state._replace(**trees)


def stored(state: RMSPropState, slot: str) -> list[Resting]:
    """The arrays of a slot, each with its scale, in the tree's order.

    The state may be wrapped, as `nnx.Optimizer` does it with every array.
    """
    scales = dict(jax.tree.leaves_with_path(getattr(state, f"{slot}_scale")))
    return [
        Resting(jnp.asarray(leaf), scales.get(path))
        for path, leaf in jax.tree.leaves_with_path(getattr(state, slot))
    ]


def as_trees(slot: str, leaves: list[Resting], treedef: Any) -> dict[str, Any]:
    """The fields of a slot: its arrays, and their scales if any has one."""
    scales = [x.scale for x in leaves]
    coded = any(scale is not None for scale in scales)
    return {
        slot: treedef.unflatten(x.values for x in leaves),
        f"{slot}_scale": treedef.unflatten(scales) if coded else None,
    }
