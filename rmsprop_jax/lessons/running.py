"""A run of the trainer elsewhere, stopped, and gone on with wrongly."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmsprop_jax.train import Config, Interrupted, config_file, train
from rmsprop_jax.train import config as options
from rmsprop_jax.train.checkpoints import Checkpoints
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.records import read
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training, means

_LOOKS_EVERY = 0.002  # seconds


def elsewhere(config: Config, path: Path, devices: int) -> dict[str, Any]:
    """Train by `config` in a fresh process, on a CPU that pretends to be many devices.

    Args:
        config: The run.
        path: The folder to keep it in.
        devices: How many; they share the cores there are.

    Returns:
        Its result, as `train` returns it.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    told = path.with_suffix(".json")
    config_file.save(options.replace(config, run=None, devices=None), told)
    virtual = f"--xla_force_host_platform_device_count={devices}"
    command = [sys.executable, "-m", "rmsprop_jax.train"]
    subprocess.run(
        [*command, "--config", str(told), "--run", str(path), "--quiet"],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": virtual},
        check=True,
        capture_output=True,
    )
    return json.loads(Folder(path).result.read_text())


def again(path: Path) -> Training:
    """The training of the run in folder `path`, before its first step.

    Raises:
        ValueError: If there is no run.
    """
    config = options.replace(Folder(path).saved(), run=None, resume=False)
    return Training(config, TASKS[config.learning.task])


def stopped(config: Config, after: int) -> int:
    """Train by `config`, and press Ctrl-C once a row says step `after`.

    Args:
        config: The run, its folder named.
        after: The step.

    Returns:
        The step after which it stopped, which is saved.

    Raises:
        ValueError: If it ended before.
    """
    metrics, over = Folder(config.running.run or Path()).metrics, threading.Event()

    def watch():
        rows = []
        while not over.wait(_LOOKS_EVERY) and not (rows and rows[-1]["step"] >= after):
            rows = read(metrics) if metrics.exists() else []
        if not over.is_set():
            signal.raise_signal(signal.SIGINT)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = train(config)
    except Interrupted as stop:
        return stop.step
    finally:
        over.set()
        watcher.join()
    raise ValueError(
        f"after={after}: the run ended with step {result['steps']} before the "
        "interruption came; stop earlier, or train longer."
    )


def weights_only(path: Path) -> dict[int, float]:
    """Step → loss of a run gone on with as one would by hand: with the weights alone.

    Order of the data and all else are as they were; ν and trace start again from
    nothing. The folder of the run stays as it is.

    Args:
        path: The folder of a run that stopped.

    Raises:
        ValueError: If nothing was saved there.
    """
    training, running = again(path), Folder(path).saved().running
    checkpoints = Checkpoints(Folder(path).checkpoints, training.task.headline)
    step = checkpoints.latest
    if step is None:
        raise ValueError(f"path={path}: expected a checkpoint there, it has none.")
    state, _ = checkpoints.restore(step, training.abstract)
    checkpoints.close()
    state = state._replace(opt_state=training.start().opt_state)
    losses, per_epoch = {}, training.pace.steps_per_epoch
    while step < training.pace.total_steps:
        ends = (step - step % n + n for n in (running.log_every, per_epoch))
        stop = min(ends)
        state = training.advance(state, step, stop)
        losses[stop] = means(state.row)["loss"]
        step = stop
    return losses


def losses(path: Path) -> dict[int, float]:
    """Step → the mean training loss since the row before, of the run in a folder."""
    rows = read(Folder(path).metrics)
    return {row["step"]: row["loss"] for row in rows if row["kind"] == "train"}


def speeds(seconds: Mapping[str, float], images: int) -> str:
    """Lines that say how fast so many images went.

    Args:
        seconds: What was timed → how long it took.
        images: How many there were.

    Example:
        >>> print(speeds({"one": 0.5, "two": 2}, 1000))
        one       500.000 ms         2,000 images/s
        two     2,000.000 ms           500 images/s
    """
    width = max(map(len, seconds))
    return "\n".join(
        f"{what:{width}}{1000 * took:14,.3f} ms{images / took:14,.0f} images/s"
        for what, took in seconds.items()
    )
