"""How a comparison is measured: fresh processes or turns, spread, circumstances."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.peers.protocol import Assignment

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy",
    "torch", "keras", "tensorflow-cpu", "tensorflow", "bitsandbytes",
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
    own, began = _cpu_seconds(), time.monotonic()
    given = Assignment(**vars(assignment) | {"began": began, "options": side.options})
    with other_programs() as others:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.peers.{side.module}", given.dumps()],
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | dict(side.environment),
            capture_output=True,
            text=True,
            check=False,
        )
    lived, own = time.monotonic() - began, _cpu_seconds() - own
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise RuntimeError(f"{side.label}: exit status {done.returncode}\n{said}")
    return json.loads(done.stdout.splitlines()[-1]) | {
        "process_seconds": lived,
        "process_cpu_seconds": own,
        **others,
    }


def in_turns(
    sides: Mapping[str, Callable[[], float]], rounds: int, patience: float
) -> dict[str, list[float]]:
    """What each side measured, round by round; every second round runs backwards.

    Args:
        sides: They measure once, and return it.
        rounds: How often.
        patience: Seconds after which a side is left out of the rounds that follow.
    """
    values: dict[str, list[float]] = {name: [] for name in sides}
    spent = dict.fromkeys(sides, 0.0)
    for number in range(rounds):
        for name in list(sides)[:: -1 if number % 2 else 1]:
            if spent[name] <= patience:
                began = time.perf_counter()
                values[name].append(sides[name]())
                spent[name] += time.perf_counter() - began
    return values


def seconds_of(
    advance: Callable[[], Any], wait: Callable[[], Any], lasting: float
) -> float:
    """Seconds a call takes, of as many in a row as last so long; one goes first.

    Args:
        advance: What is measured; it may return before it has ended.
        wait: Returns when all of them have.
        lasting: Seconds.
    """
    # Threads of whoever was measured before spin for some milliseconds.
    time.sleep(0.02)
    count, seconds = 1, 0.0
    while True:
        advance()
        wait()
        began = time.perf_counter()
        for _ in range(count):
            advance()
        wait()
        seconds = time.perf_counter() - began
        if seconds >= lasting:
            return seconds / count
        count = max(2 * count, int(1.2 * lasting / seconds * count))


@contextmanager
def other_programs() -> Iterator[dict[str, float]]:
    """How many cores other programs had meanwhile: `others_cores`, when it ends."""
    noted: dict[str, float] = {}
    began, own, machine = time.monotonic(), _own_seconds(), _machine_seconds()
    yield noted
    machine, own = _machine_seconds() - machine, _own_seconds() - own
    others = (machine - own) / (time.monotonic() - began)
    noted["others_cores"] = max(0.0, others)


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


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, tenth and ninetieth percentile, and of how many."""
    ordered = sorted(values)

    def at(share: float) -> float:
        below, rest = divmod(share * (len(ordered) - 1), 1)
        pair = ordered[int(below) : int(below) + 2]
        return pair[0] + rest * (pair[-1] - pair[0])

    return {"median": at(0.5), "p10": at(0.1), "p90": at(0.9), "n": len(ordered)}


def _cpu_seconds() -> float:
    """Of all processes started here that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _own_seconds() -> float:
    """Of this process, and of those that it started and that have ended."""
    return time.process_time() + _cpu_seconds()


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
