"""Where the parts of an optimizer state should lie, given where the parameters do."""

from typing import Any

import jax
from jax.sharding import NamedSharding, PartitionSpec


def state_sharding(
    params_sharding: Any, state: Any, *, zero_axis: str | None = None
) -> Any:
    """Shardings for `state`: what is shaped like a parameter lies as it does.

    Everything else (counters, hyperparameters) is replicated. For the arguments
    `out_shardings` of jitted `init` and train step: without them, jit puts a fresh
    state on one device, and lets the parameters drift to the state's sharding.

    Args:
        params_sharding: A `NamedSharding` for every leaf of the parameters.
        state: The state of any Optax chain, or its shapes as `jax.eval_shape` gives.
        zero_axis: The mesh axis to spread the moments over as well (ZeRO-1), along
            the first dimension that it divides and that is not yet split.

    Returns:
        A tree like `state`, of `NamedSharding`s.

    Raises:
        ValueError: If the mesh has no such axis, or the shardings no leaf.
        TypeError: If a sharding names no mesh.
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
                return _spread(like, leaf.shape, zero_axis) if zero_axis else like
        return NamedSharding(mesh, PartitionSpec())

    return jax.tree.map_with_path(of, state)


def _keys(path: tuple) -> tuple[str, ...]:
    return tuple(map(str, path))


def _spread(
    sharding: NamedSharding, shape: tuple[int, ...], axis: str
) -> NamedSharding:
    spec = [*sharding.spec, *[None] * (len(shape) - len(sharding.spec))]
    used = {name for entry in spec for name in _names(entry)}
    if axis in used:
        return sharding
    size = sharding.mesh.shape[axis]
    for d, (entry, n) in enumerate(zip(spec, shape, strict=True)):
        if entry is None and n and n % size == 0:
            spec[d] = axis
            return NamedSharding(sharding.mesh, PartitionSpec(*spec))
    return sharding


def _names(entry: Any) -> tuple:
    return entry if isinstance(entry, tuple) else (entry,)
