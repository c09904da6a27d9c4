"""A configured training without files: data on the devices, programs compiled."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from rmsprop_jax.train import devices, models
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.loop import Evaluation, Loop, TrainState
from rmsprop_jax.train.optimizers import Pace, optimizer
from rmsprop_jax.train.programs import programs
from rmsprop_jax.train.tasks.task import Task

Arrays = Mapping[str, np.ndarray]
_MOST_STEPS = 2**31


class Training:
    """Everything of a run but its files: makes, advances and judges states.

    Attributes:
        config: The run, all defaults filled in.
        task: Its task.
        data: `"train"`, `"test"` and, if any are held out, `"validation"`.
        counts: How many examples each has.
        about: What they turned out to be: see `Dataset.about`.
        said: What is to be said of that, a line each.
        pace: Its steps.
        mesh: Its devices.
        rule: The RMSProp it uses, `None` for other optimizers.
        abstract: What a state consists of.
    """

    def __init__(self, config: Config, task: Task):
        """Load the data, start to compile.

        Raises:
            ValueError: If options contradict one another, the data or the devices.
        """
        learning, running = config.learning, config.running
        data = task.load(learning.data_dir)
        self.config, self.task = config, task.told(data.about)
        self.data = split(task, data, learning.validation)
        self.counts = {k: len(next(iter(x.values()))) for k, x in self.data.items()}
        self.about, self.said = data.about, data.said
        self.pace = pace_of(config, self.counts["train"])
        batch_size = self.pace.batch_size
        self.mesh = devices.mesh(running, batch_size, config.optimizer.accumulate)
        made = optimizer(config, self.pace, config.optimizer.learning_rate)
        self.rule = made.rule
        loop = loop_of(config, self.task, self.pace)
        self._programs = programs(loop, self.data, self.mesh, running.zero)
        self.abstract = self._programs.abstract
        self._placed = {
            name: devices.everywhere(self.mesh, dict(part))
            for name, part in self.data.items()
        }
        self._order: tuple[Any, Any] = (None, None)

    def start(self, seed: int | None = None, learning_rate: float | None = None):
        """The state before the first step."""
        return started(self.config, self._programs.init.result(), seed, learning_rate)

    def advance(
        self, state: TrainState, step: int, stop: int, seed: int | None = None
    ) -> TrainState:
        """Train from `step`, where `state` is, to `stop` in the same epoch."""
        seed = self.config.learning.seed if seed is None else seed
        epoch = step // self.pace.steps_per_epoch
        if self._order[0] != (seed, epoch):
            count = self.pace.steps_per_epoch * self.pace.batch_size
            rng = np.random.default_rng([seed, epoch])
            order = rng.permutation(self.counts["train"])[:count]
            order = devices.everywhere(self.mesh, order.astype(np.int32))
            self._order = (seed, epoch), order
        return self._programs.advance.result()(
            state,
            np.int32(stop),
            self._order[1],
            self._placed["train"],
            np.uint32(seed),
        )

    def evaluate(self, state: TrainState, part: str) -> Evaluation:
        """Judge every example of a part of the data."""
        return self._programs.evaluate[part].result()(state, self._placed[part])


def pace_of(config: Config, count: int) -> Pace:
    """The steps of a run on so many examples.

    Raises:
        ValueError: If they are fewer than a batch, or the steps too many to count.
    """
    batch_size = config.learning.batch_size or 0
    if batch_size > count:
        held_out = config.learning.validation
        beside = f" beside --validation {held_out}" if held_out else ""
        raise ValueError(
            f"--batch-size {batch_size}: expected at most {count}, which is how "
            f"many examples there are to train on{beside}."
        )
    pace = Pace(count // batch_size, config.learning.epochs or 0, batch_size)
    if pace.total_steps >= _MOST_STEPS:
        raise ValueError(
            f"--epochs {pace.epochs}: expected fewer than "
            f"{_MOST_STEPS // pace.steps_per_epoch:,} of {pace.steps_per_epoch:,} "
            "steps each; steps are counted in 32 bits."
        )
    return pace


def split(task: Task, data: Any, held_out: int) -> dict[str, Arrays]:
    """The parts of the data, the last `held_out` of the training examples apart."""
    if not held_out:
        return {"train": data.train, "test": data.test}
    count = left(task, len(next(iter(data.train.values()))), held_out)
    train = {name: x[:count] for name, x in data.train.items()}
    validation = {name: x[count:] for name, x in data.train.items()}
    return {
        "train": train,
        "validation": task.held_out(train, validation),
        "test": data.test,
    }


def left(task: Task, count: int, held_out: int) -> int:
    """How many of the training examples are to train on.

    Raises:
        ValueError: If none are.
    """
    if held_out >= count:
        raise ValueError(
            f"--validation {held_out}: {task.name} has {count} training examples; "
            "expected fewer."
        )
    return count - held_out


def started(
    config: Config, init: Any, seed: int | None, learning_rate: float | None
) -> TrainState:
    """What `init` makes of both, which are those of `config` where they are `None`."""
    seed = config.learning.seed if seed is None else seed
    if learning_rate is None:
        learning_rate = config.optimizer.learning_rate or 0.0
    return init(np.uint32(seed), np.float32(learning_rate))


def loop_of(config: Config, task: Task, pace: Pace) -> Loop:
    """The computation that `config` asks for."""
    learning, chosen = config.learning, config.optimizer
    return Loop(
        task=task,
        model=model_of(config, task),
        optimizer=partial(optimizer, config, pace),
        batch_size=pace.batch_size,
        steps_per_epoch=pace.steps_per_epoch,
        log_every=config.running.log_every,
        accumulate=chosen.accumulate,
        ema=chosen.ema or 0.0,
        label_smoothing=learning.label_smoothing or 0.0,
        augment=task.augmented(learning),
        skip_nonfinite=chosen.skip_nonfinite,
    )


def model_of(config: Config, task: Task):
    """Makes the model out of its random streams."""
    learning = config.learning
    return partial(
        models.build,
        learning.model or task.model,
        task.input_shape,
        task.outputs,
        hidden=learning.hidden or 100,
        each_frame=task.each_frame,
        symbols=task.symbols,
        dtype=learning.compute_dtype,
    )


def means(totals: Any) -> dict[str, float]:
    """Σ value / Σ weight of each measure, as Python numbers."""
    return {
        name: float(value) / float(weight) if float(weight) else float("nan")
        for name, (value, weight) in jax.device_get(dict(totals)).items()
    }
