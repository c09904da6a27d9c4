"""A comparison, told completely: what can be known or refused before it begins."""

import dataclasses
import time
from pathlib import Path
from typing import NamedTuple

from rmsprop_jax.train import compare as asking
from rmsprop_jax.train import config as options
from rmsprop_jax.train import devices, settings
from rmsprop_jax.train.compare import Compare
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.contenders import Contender, contenders, rates
from rmsprop_jax.train.data.choice import auto
from rmsprop_jax.train.optimizers import Pace, optimizer
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Task

_EPOCHS = {"mnist": 5, "fashion-mnist": 5}
_OTHER_EPOCHS = 20
_HELD_OUT = 6  # one in so many
# Where it runs and what it shows stays as it was asked for.
_NOT_FILLED = {"run", "resume", "quiet", "pictures", "devices"}


class Plan(NamedTuple):
    """A comparison, told completely.

    Attributes:
        asked: Its options, defaults filled in.
        task: Its task, whose data are loaded already.
        pace: The steps of every run.
        contenders: The optimizers.
        configs: For each label, a run of it.
        said: What is to be said of that.
    """

    asked: Compare
    task: Task
    pace: Pace
    contenders: list[Contender]
    configs: dict[str, Config]
    said: list[str]

    @property
    def seeds(self) -> range:
        """Of the runs that are tested: none that a learning rate was chosen by."""
        first = self.asked.seed + 1
        return range(first, first + self.asked.seeds)

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.asked.run or Path()

    def rates(self, contender: Contender) -> list[float]:
        """The learning rates to try, the lowest first."""
        return rates(contender.centre, self.asked.trials)


def planned(asked: Compare) -> Plan:
    """The plan for the options.

    Raises:
        ValueError: If one is wrong, or options contradict one another.
    """
    _check(asked)
    rivals, config = contenders(asked.optimizers), asking.base(asked)
    settings.check(config)
    settings.check_seeds(asked.seed, 1 + asked.seeds)
    config, said = _with_task(config)
    task = TASKS[config.learning.task]
    settings.check_task(config, task)
    if asked.choose_by not in task.reported:
        raise ValueError(
            f"--choose-by {asked.choose_by}: {task.name} has no such measure, but "
            f"{' and '.join(task.reported)}."
        )
    if asked.epochs is None:
        epochs = _EPOCHS.get(task.name, _OTHER_EPOCHS)
        config = options.replace(config, epochs=epochs)
    said += settings.smaller(config.learning.model, task)
    config = settings.resolve(config, task.name, task.small_model)
    settings.check_pace(config)
    data = task.load(config.learning.data_dir)
    task = dataclasses.replace(task.told(data.about), load=lambda _: data)
    count = len(next(iter(data.train.values())))
    held_out = asked.validation or count // _HELD_OUT
    size, epochs = config.learning.batch_size or 1, config.learning.epochs or 1
    if count - held_out < size:
        raise ValueError(
            f"--batch-size {size}: of {count} training examples --validation "
            f"{held_out} are held out; expected no more than are left."
        )
    # Rows of metrics are not written here.
    config = options.replace(config, validation=held_out, log_every=10**9)
    pace = Pace((count - held_out) // size, epochs, size)
    configs = {one.label: _config(one, config, pace) for one in rivals}
    asked = dataclasses.replace(asked, run=asked.run or _new_path(config))
    said += data.said
    return Plan(_filled(asked, config), task, pace, rivals, configs, said)


def _check(asked: Compare) -> None:
    for name in ("seeds", "trials", "validation"):
        value = getattr(asked, name)
        if value is not None and value < 1:
            why = ", to choose learning rates by" if name == "validation" else ""
            raise ValueError(f"--{name} {value}: expected 1 or more{why}.")


def _with_task(config: Config) -> tuple[Config, list[str]]:
    if config.learning.task != "auto":
        return config, []
    choice = auto(config.learning.data_dir)
    task = options.replace(config, task=choice.task, data_dir=choice.data_dir)
    return task, [choice.line]


def _config(contender: Contender, config: Config, pace: Pace) -> Config:
    """A run of it, checked as far as it can be without compiling."""
    own = {"learning_rate": contender.centre} | contender.options
    config = options.replace(config, **own)
    try:
        settings.check(config)
        optimizer(config, pace, contender.centre)
        devices.mesh(config.running, pace.batch_size, config.optimizer.accumulate)
    except ValueError as error:
        raise ValueError(f"--optimizers {contender.label}: {error}") from None
    return config


def _filled(asked: Compare, config: Config) -> Compare:
    """The options with the defaults that task and model have."""
    values = options.values(config)
    names = {field.name for field in dataclasses.fields(asked)} & values.keys()
    return dataclasses.replace(asked, **{n: values[n] for n in names - _NOT_FILLED})


def _new_path(config: Config) -> Path:
    """A folder under runs/ that does not exist, named by the time and the task."""
    learning = config.learning
    stem = time.strftime("%Y%m%d-%H%M%S") + f"-{learning.task}-{learning.model}-compare"
    path, count = Path("runs", stem), 1
    while path.exists():
        count += 1
        path = Path("runs", f"{stem}-{count}")
    return path
