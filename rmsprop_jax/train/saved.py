"""A saved run, loaded to be asked: no training, and nothing of it is written."""

import dataclasses
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax.train import config as options
from rmsprop_jax.train import devices
from rmsprop_jax.train.checkpoints import restored
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.data.dataset import LEARNED, Dataset
from rmsprop_jax.train.data.streaming import Source, Streams
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.loop import Evaluation, Loop, TrainState
from rmsprop_jax.train.optimizers import Pace
from rmsprop_jax.train.streamed import Judge
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Task
from rmsprop_jax.train.training import loop_of

Arrays = Mapping[str, np.ndarray]


class SavedRun:
    """The model of a run as one of its checkpoints has it.

    Attributes:
        config: What the run was told.
        task: Its task, as its data told it.
        step: The updates made before the checkpoint.
        average: Whether a running average of the weights answers.
    """

    def __init__(self, path: Path, checkpoint: str, count: int | None = None):
        """Restore.

        Args:
            path: The folder of the run.
            checkpoint: `best`, `latest`, or a step.
            count: The local devices to use, whatever the run had; all by default.

        Raises:
            ValueError: If there is no run, or no such checkpoint or devices.
        """
        self._folder = Folder(path)
        self.config: Config = self._folder.saved()
        self.task = TASKS[self.config.learning.task].told(self._folder.about())
        running = options.replace(self.config, devices=count).running
        # No batch is spread, and none divides by any number of devices.
        self._mesh = devices.mesh(running, batch_size=0)
        self._everywhere = NamedSharding(self._mesh, PartitionSpec())
        learning = self.config.learning
        # How many steps an epoch has is for schedules, which have no part in this.
        pace = Pace(1000, learning.epochs or 1, learning.batch_size or 1)
        self._loop = loop_of(self.config, self.task, pace)
        shapes = jax.eval_shape(self._loop.init, jnp.uint32(0), jnp.float32(0))
        abstract = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self._everywhere),
            shapes,
        )
        self.step, self._state = _restored(
            self._folder, checkpoint, self.task, abstract
        )
        self.average = self._state.average is not None

    def data(self, data_dir: Path | None = None) -> Dataset | Streams:
        """Of the task, from that folder or from where the run had it.

        Raises:
            ValueError: If they are there, and not what the run learned from: what is
                to test by now may have been learned.
        """
        own = self.config.learning.data_dir
        data = (self.task.stream or self.task.load)(data_dir or own)
        if data_dir in (None, own) and LEARNED in self._folder.differing(data.about):
            raise ValueError(
                f"{own or 'the data'}: they changed since the run learned from them, "
                "and what is to test by now may have been learned. Bring them back, or "
                "pass --data-dir with others."
            )
        return data

    def judge(self, data: Arrays | Source) -> Evaluation:
        """Judge every example, as the run did at the end of an epoch."""
        if isinstance(data, Mapping):
            return self._run(self._loop, data)
        judge = Judge(self._loop, self._mesh, self.config.learning.batch_size or 1, 0)
        return judge(self._state, data)

    def outputs(self, data: Arrays) -> np.ndarray:
        """What the model gives for every example, the examples along the first axis."""
        task = dataclasses.replace(self.task, answers=lambda outputs: outputs)
        said = self._run(dataclasses.replace(self._loop, task=task), data)
        return np.asarray(said.answers)

    def _run(self, loop: Loop, data: Arrays) -> Evaluation:
        shardings = jax.tree.map(lambda _: self._everywhere, self._state)
        program = jax.jit(
            partial(loop.evaluate, shardings=shardings), out_shardings=self._everywhere
        )
        return program(self._state, devices.everywhere(self._mesh, dict(data)))


def _restored(
    folder: Folder, checkpoint: str, task: Task, abstract: TrainState
) -> tuple[int, TrainState]:
    logging.getLogger("absl").setLevel(logging.ERROR)
    if not folder.checkpoints.is_dir():
        raise ValueError(
            f"{folder.path}: expected checkpoints, the run has saved none yet; "
            "`rmsprop-jax train --resume` with this --run goes on with it."
        )
    # Read only: the run may still be going on, and what looks unfinished be its own.
    manager = ocp.CheckpointManager(
        folder.checkpoints.absolute(),
        options=ocp.CheckpointManagerOptions(
            read_only=True,
            best_fn=lambda m: m["headline"],
            best_mode="max" if task.headline == "accuracy" else "min",
        ),
    )
    try:
        step = _chosen(manager, checkpoint, folder)
        state, _ = restored(manager, folder.checkpoints, step, abstract)
    finally:
        manager.close()
    return step, state


def _chosen(manager: ocp.CheckpointManager, checkpoint: str, folder: Folder) -> int:
    steps = sorted(manager.all_steps())
    if not steps:
        raise ValueError(f"{folder.path}: expected a checkpoint, there is none yet.")
    if checkpoint == "latest":
        return steps[-1]
    if checkpoint == "best":
        judged = any(manager.metrics(step) for step in steps)
        best = manager.best_step() if judged else None
        return steps[-1] if best is None else best
    if not checkpoint.isdecimal() or int(checkpoint) not in steps:
        raise ValueError(
            f"--checkpoint {checkpoint}: expected best, latest, or one of the steps "
            f"that {folder.path} keeps: {', '.join(map(str, steps))}."
        )
    return int(checkpoint)
