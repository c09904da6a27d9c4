"""Small trainings for the tests of the trainer: the digits, an mlp, a few steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

from rmsprop_jax.train.checks import check
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training
from rmsprop_jax.train.training_command import parse

SMALL = ["--task", "digits", "--model", "mlp", "--hidden", "16", "--epochs", "2"]
# What runs compile, for the runs after them.
_COMPILED = Path(jax.config.jax_compilation_cache_dir, "by_runs")
# What differs between two runs of the same numbers.
_TIMES = {"seconds", "examples_per_second"}


def training(text="", task=None):
    """A `Training` of a few steps, on the first of the test's devices by default."""
    arguments = [*SMALL, "--batch-size", "32", "--devices", "1", *text.split()]
    config = parse(arguments)
    check(config)
    name = config.learning.task
    return Training(resolve(config, name, TASKS[name].model), task or TASKS[name])


def trained(one, stops, seed=None, learning_rate=None):
    """The state after stopping at each of `stops`."""
    state, step = one.start(seed, learning_rate), 0
    for stop in stops:
        state = one.advance(state, step, stop, seed)
        step = stop
    return state


def same(a, b):
    """Whether two trees hold the same bits."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(np.asarray(x), np.asarray(y)) for x, y in pairs)


def far(a, b):
    """The largest difference between the elements of two trees."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.max(np.abs(np.asarray(x) - np.asarray(y)))) for x, y in pairs)


def remembering(folder, writing=True):
    """The environment of a process that finds there, and keeps, what is compiled."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        # In seconds; what takes less is not kept.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0" if writing else "1e9",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def command(*arguments, devices=1, alone=False, optimized=True):
    """How a user would start the trainer, and in what environment.

    Who may be killed, or is not `alone`, keeps nothing that it compiles: JAX does not
    write it at one stroke. What is not `optimized` is sooner compiled, and rounds
    otherwise.
    """
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "100"}
    environment |= {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_PLATFORMS": "cpu"}
    environment |= remembering(_COMPILED, writing=alone)
    if not optimized:
        environment["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    line = [sys.executable, "-m", "rmsprop_jax.train", *map(str, arguments)]
    return {"args": line, "env": environment, "text": True}


def run(*arguments, cwd, devices=1, optimized=True):
    """The finished process of a trainer."""
    return subprocess.run(
        **command(*arguments, devices=devices, alone=True, optimized=optimized),
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=600,
    )


def rows(folder):
    """The rows of a run, without what was measured with a clock."""
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if k not in _TIMES} for line in lines
    ]


def result(folder):
    """What a run came to."""
    return json.loads((Path(folder) / "result.json").read_text())
