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
                _nearest(jnp.asarray(x), slot, old)
                for x, old in zip(numbers, stored(like, slot), strict=True)
            ]
            coded = getattr(like, f"{slot}_scale") is not None
            trees |= as_trees(slot, rested, treedef, coded=coded)
    return state._replace(**trees)


def _nearest(x: jax.Array, slot: str, like: Resting) -> Resting:
    rested = put_to_rest(x, slot, like.precision)
    return Resting(rested.values.astype(like.values.dtype), rested.scale)


def stored(state: RMSPropState, slot: str) -> list[Resting]:
    """The arrays of a slot, each with its scale, in the tree's order.

    The state may be wrapped, as `nnx.Optimizer` does it with every array.

    Raises:
        ValueError: If the scale of an 8-bit code is gone.
    """
    scales = dict(jax.tree.leaves_with_path(getattr(state, f"{slot}_scale")))
    leaves = []
    for path, leaf in jax.tree.leaves_with_path(getattr(state, slot)):
        one = Resting(jnp.asarray(leaf), scales.get(path))
        if one.precision == "int8" and one.scale is None:
            raise ValueError(
                f"state.{slot}_scale{jax.tree_util.keystr(path)}: expected the scale "
                "of an 8-bit code, got none. Restore the whole state, into "
                "tx.init(params) of the transformation that made it; convert_state "
                "comes after."
            )
        leaves.append(one)
    return leaves


def by_leaf(state: RMSPropState) -> list[tuple[Any, ...]]:
    """What rests of nu, mu and trace, a tuple for each leaf; `None` is no slot."""
    count = len(jax.tree.leaves(state.nu))
    columns = [
        [None] * count if getattr(state, slot) is None else stored(state, slot)
        for slot in Slots._fields
    ]
    return list(zip(*columns, strict=True))


def as_trees(
    slot: str, leaves: list[Resting], treedef: Any, *, coded: bool
) -> dict[str, Any]:
    """The fields of a slot: its arrays, and if it is `coded` their scales."""
    scales = [x.scale for x in leaves]
    return {
        slot: treedef.unflatten(x.values for x in leaves),
        f"{slot}_scale": treedef.unflatten(scales) if coded else None,
    }
