"""What a notebook runs on."""

import os

import jax


def found() -> str:
    """Devices and versions in a line, as `2 cores of a CPU, JAX 0.10.2`.

    >>> found().endswith(f"JAX {jax.__version__}")
    True
    """
    devices = jax.devices()
    if jax.default_backend() == "cpu":
        what = f"{len(os.sched_getaffinity(0))} cores of a CPU"
        if len(devices) > 1:
            what += f" as {len(devices)} devices"
    else:
        what = f"{len(devices)} x {devices[0].device_kind}"
    return f"{what}, JAX {jax.__version__}"
