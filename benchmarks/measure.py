"""Starting one side of a comparison, and what surrounds a measurement."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.protocol import Assignment

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy",
    "torch", "keras", "tensorflow-cpu", "tensorflow",
)  # fmt: skip
# Variables that change what is measured, and that name no folder.
TELLING = ("XLA_FLAGS", "JAX_PLATFORMS", "OMP_NUM_THREADS", "KERAS_BACKEND")


class Side(NamedTuple):
    """One of those that are compared.

    Attributes:
        module: What is run, below `benchmarks.peers`.
        needs: What has to be installed.
        options: For `Assignment.options`.
        environment: Variables of its process.
        label: In the table.
    """

    module: str
    needs: tuple[str, ...]
    options: Mapping[str, Any]
    environment: Mapping[str, str]
    label: str

    def missing(self) -> list[str]:
        """What it needs and is not installed."""
        return [name for name in self.needs if find_spec(name) is None]


def with_one_thread(side: Side) -> Side:
    """`side`, its OpenMP kept to one thread."""
    return side._replace(environment={**side.environment, "OMP_NUM_THREADS": "1"})


def run(side: Side, assignment: Assignment) -> dict[str, Any]:
    """What the side printed in a fresh process, and what that and others took.

    Raises:
        RuntimeError: If it failed, with the end of what it said.
    """
    own, all_of_it = _cpu_seconds(), _machine_seconds()
    began = time.monotonic()
    given = Assignment(**vars(assignment) | {"began": began, "options": side.options})
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.peers.{side.module}", given.dumps()],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | dict(side.environment),
        capture_output=True,
        text=True,
        check=False,
    )
    lived = time.monotonic() - began
    own = _cpu_seconds() - own
    others = _machine_seconds() - all_of_it - own
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise RuntimeError(f"{side.label}: exit status {done.returncode}\n{said}")
    return json.loads(done.stdout.splitlines()[-1]) | {
        "process_seconds": lived,
        "process_cpu_seconds": own,
        "others_cores": max(0.0, others / lived),
    }


def circumstances() -> dict[str, Any]:
    """The machine, what is installed on it, and which commit this is."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": described.stdout.strip() or None,
        "python": platform.python_version(),
        "versions": {name: x for name in PACKAGES if (x := _version(name))},
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "environment": {
            name: value for name, value in os.environ.items() if name in TELLING
        },
    }


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, least, greatest."""
    values = list(values)
    return statistics.median(values), min(values), max(values)


def _cpu_seconds() -> float:
    """Of all processes started here that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _machine_seconds() -> float:
    """Of all processes of the machine; 0 where that cannot be known."""
    file = Path("/proc/stat")
    if not file.exists():
        return 0.0
    user, nice, system, _, _, irq, softirq, *_ = file.read_text().split()[1:9]
    ticks = sum(map(int, (user, nice, system, irq, softirq)))
    return ticks / os.sysconf("SC_CLK_TCK")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Its model; several share a name in virtual machines, so the numbers too."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor() or platform.machine()
    lines = file.read_text().splitlines()
    said = dict(line.split(":", 1) for line in lines if ":" in line)
    said = {name.strip(): value.strip() for name, value in said.items()}
    wanted = ["model name", "cpu family", "model", "stepping", "cpu MHz"]
    return ", ".join(
        said[x] if x == "model name" else f"{x} {said[x]}" for x in wanted if x in said
    )
