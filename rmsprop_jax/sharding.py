"""Where the parts of an optimizer state should lie, given where the parameters do."""

import math
from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax.rule import Slots

_SLOTS = {f".{slot}{of}" for slot in Slots._fields for of in ("", "_scale")}


def state_sharding(
    params_sharding: Any, state: Any, *, zero_axis: str | None = None
) -> Any:
    """Shardings for `state`: what is shaped like a parameter lies as it does.

    Everything else (counters, hyperparameters) is replicated. For the arguments
    `out_shardings` of jitted `init` and train step: without them, jit puts a fresh
    state on one device, and lets the parameters drift to the state's sharding.

    Args:
        params_sharding: A `NamedSharding` for every leaf of the parameters, or one
            for all.
        state: The state of any Optax chain, or its shapes as `jax.eval_shape` gives.
        zero_axis: The mesh axis to spread the moments over as well (ZeRO-1), along
            the first dimension that it divides and that is not yet split.

    Returns:
        A tree like `state`, of `NamedSharding`s.

    Raises:
        ValueError: If the mesh has no such axis, or a moment no parameter's path.
        TypeError: If a sharding names no mesh.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx, mesh = rmsprop(1e-3), jax.make_mesh((1,), ("data",))
        >>> shapes = jax.eval_shape(tx.init, {"w": jax.numpy.zeros((4, 2))})
        >>> on_all = NamedSharding(mesh, PartitionSpec())
        >>> laid = state_sharding(on_all, shapes, zero_axis="data")
        >>> laid.nu["w"].spec[0], laid.count.spec == PartitionSpec()
        ('data', True)
    """
    by_path = {
        _keys(path): sharding
        for path, sharding in jax.tree.leaves_with_path(params_sharding)
    }
    if not by_path:
        raise ValueError("params_sharding: expected a sharding per leaf, got no leaf.")
    for path, sharding in by_path.items():
        if not isinstance(sharding, NamedSharding):
            raise TypeError(
                f"params_sharding{''.join(path)}: expected a NamedSharding, got "
                f"{type(sharding).__name__}; jax.tree.map(lambda x: x.sharding, "
                "params) gives them for parameters placed on a mesh."
            )
    mesh = next(iter(by_path.values())).mesh
    if zero_axis is not None and zero_axis not in mesh.shape:
        raise ValueError(
            f"zero_axis={zero_axis!r}: expected an axis of the mesh, one of "
            f"{', '.join(mesh.axis_names)}."
        )
    deepest = max(map(len, by_path))

    def of(path, leaf):
        keys = _keys(path)
        for length in range(min(deepest, len(keys)), -1, -1):
            like = by_path.get(keys[len(keys) - length :])
            if like is not None and leaf.ndim > 0:
                return _fitted(like, leaf.shape, zero_axis)
        if leaf.ndim > 0 and set(keys) & _SLOTS:
            raise ValueError(
                f"state{''.join(keys)}: expected a sharding for its parameter, got "
                f"them for {[''.join(path) for path in by_path]}. Pass one for each "
                "leaf that init saw, or a single one for all."
            )
        return NamedSharding(mesh, PartitionSpec())

    return jax.tree.map_with_path(of, state)


def _keys(path: tuple) -> tuple[str, ...]:
    return tuple(map(str, path))


def _fitted(
    like: NamedSharding, shape: tuple[int, ...], zero_axis: str | None
) -> NamedSharding:
    """`like` for an array of that shape, and split along `zero_axis` too."""
    entries = [*like.spec, *[None] * (len(shape) - len(like.spec))]
    # One ν per tensor has the parameter's rank and one entry: nothing to split.
    spec = [
        entry if n % math.prod(like.mesh.shape[x] for x in _names(entry)) == 0 else None
        for entry, n in zip(entries, shape, strict=False)
    ]
    if zero_axis and zero_axis not in {x for entry in spec for x in _names(entry)}:
        size = like.mesh.shape[zero_axis]
        free = (
            d for d, n in enumerate(shape) if spec[d] is None and n and n % size == 0
        )
        for d in (*free,)[:1]:
            spec[d] = zero_axis
    if spec == entries:
        return like
    return NamedSharding(like.mesh, PartitionSpec(*spec))


def _names(entry: Any) -> tuple[str, ...]:
    """The mesh axes that split a dimension."""
    if entry is None:
        return ()
    return entry if isinstance(entry, tuple) else (entry,)
