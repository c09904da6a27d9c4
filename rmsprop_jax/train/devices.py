"""Which devices a run spreads over, in this process and in others."""

from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from rmsprop_jax.train.config import Running


def join(running: Running) -> None:
    """Join the other processes, if the options speak of any. Before JAX is used.

    Raises:
        ValueError: If the options are incomplete.
    """
    told = (running.coordinator, running.processes, running.process_id)
    if not running.distributed and told == (None, None, None):
        return
    if running.coordinator is None and told != (None, None, None):
        raise ValueError(
            "--processes, --process-id: expected --coordinator host:port too; or, in a "
            "cluster that JAX detects, --distributed alone."
        )
    if running.coordinator is not None and None in told:
        raise ValueError(
            f"--coordinator {running.coordinator}: expected --processes N and "
            "--process-id I too."
        )
    # Ours ends the run between two steps; JAX's own would swallow SIGTERM.
    jax.config.update("jax_enable_preemption_service", False)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        *told,
        heartbeat_timeout_seconds=running.heartbeat,
        initialization_timeout=60,
    )


def local(count: int | None) -> list[Any]:
    """So many of this process's devices; all by default.

    Raises:
        ValueError: If there are fewer.
    """
    own = jax.local_devices()
    wanted = len(own) if count is None else count
    if not 1 <= wanted <= len(own):
        raise ValueError(
            f"--devices {wanted}: expected at most {len(own)}, which is how many of "
            f"kind {own[0].platform!r} this process has; leave it out for all."
        )
    return own[:wanted]


def mesh(running: Running, batch_size: int, parts: int = 1) -> Mesh:
    """The devices of the run along one axis, `"data"`.

    Raises:
        ValueError: If there are fewer than asked for, or the batch does not divide.
    """
    devices = local(running.devices)
    if jax.process_count() > 1:
        if len(devices) != jax.local_device_count():
            raise ValueError(
                f"--devices {len(devices)}: with several processes each uses all of "
                f"its own, here {jax.local_device_count()}; leave the option out."
            )
        devices = jax.devices()
    unit = parts * len(devices)
    if batch_size % unit:
        raise ValueError(
            f"--batch-size {batch_size}: expected a multiple of {unit}, which is "
            f"{len(devices)} devices times --accumulate {parts}."
        )
    return Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))


def everywhere(mesh: Mesh, tree: Any) -> Any:
    """A copy of NumPy arrays on every device."""
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))


def own_rows(mesh: Mesh, count: int) -> np.ndarray:
    """Which rows of so many lie on devices of this process, if they are spread."""
    slices = _spread(mesh).addressable_devices_indices_map((count,)).values()
    return np.sort(np.concatenate([np.arange(count)[own] for own in slices if own]))


def spread(mesh: Mesh, tree: Any) -> Any:
    """Arrays whose rows are spread over the devices, out of this process's own rows."""
    place = partial(jax.make_array_from_process_local_data, _spread(mesh))
    return jax.tree.map(place, tree)


def _spread(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec("data"))


def agree(stop: bool) -> bool:
    """Whether any process wants to stop."""
    return True in _said(stop)


def same_everywhere(answer: bool) -> bool:
    """Whether all processes give the same answer."""
    return len(_said(answer)) == 1


def _said(answer: bool) -> set[bool]:
    """What the processes say."""
    if jax.process_count() == 1:
        return {answer}
    from jax.experimental import multihost_utils

    return set(multihost_utils.process_allgather(np.bool_(answer)).tolist())


def description(mesh: Mesh) -> str:
    """Such as `8 x TPU v5 lite in 2 processes`."""
    kind = mesh.devices.flat[0].device_kind
    name = f"{mesh.size} x {kind}" if mesh.size > 1 else kind
    count = jax.process_count()
    return f"{name} in {count} processes" if count > 1 else name


def is_writer() -> bool:
    """Whether this process writes files and speaks."""
    return jax.process_index() == 0
