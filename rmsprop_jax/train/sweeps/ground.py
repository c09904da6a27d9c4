"""What a sweep or a range test stands on: task, data and options, all filled in."""

import dataclasses
import time
from pathlib import Path
from typing import NamedTuple

from rmsprop_jax.train import config as options
from rmsprop_jax.train import settings
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.data.choice import auto
from rmsprop_jax.train.optimizers import Pace
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Task
from rmsprop_jax.train.training import Arrays, split

_EPOCHS = {"mnist": 5, "fashion-mnist": 5}
_OTHER_EPOCHS = 20
_HELD_OUT = 6  # one in so many


class Ground(NamedTuple):
    """What is trained, on what.

    Attributes:
        config: The run, all defaults filled in.
        task: Its task.
        data: `"train"`, `"test"` and, if any are held out, `"validation"`.
        pace: Its steps.
        said: What is to be said of that.
    """

    config: Config
    task: Task
    data: dict[str, Arrays]
    pace: Pace
    said: list[str]


def ground(config: Config, *, holds_out: bool) -> Ground:
    """Fill in what is `None`, and load the data.

    Args:
        config: The options.
        holds_out: Whether training examples are to be held out, a sixth by default.

    Raises:
        ValueError: If an option is wrong, or options contradict one another.
    """
    settings.check(config)
    said = []
    if config.learning.task == "auto":
        choice = auto(config.learning.data_dir)
        config = options.replace(config, task=choice.task, data_dir=choice.data_dir)
        said.append(choice.line)
    task = TASKS[config.learning.task]
    settings.check_task(config, task)
    said += settings.smaller(config.learning.model, task)
    if config.learning.epochs is None:
        config = options.replace(config, epochs=_EPOCHS.get(task.name, _OTHER_EPOCHS))
    config = settings.resolve(config, task.name, task.small_model)
    settings.check_pace(config)
    data = task.load(config.learning.data_dir)
    count = len(next(iter(data.train.values())))
    held_out = 0
    if holds_out:
        held_out = config.learning.validation or count // _HELD_OUT
        config = options.replace(config, validation=held_out)
    size, epochs = config.learning.batch_size or 1, config.learning.epochs or 1
    if count - held_out < size:
        left = f" of which --validation {held_out} are held out" if held_out else ""
        raise ValueError(
            f"--batch-size {size}: there are {count} training examples{left}; expected "
            "no more than are left."
        )
    pace = Pace((count - held_out) // size, epochs, size)
    task = dataclasses.replace(task.told(data.about), load=lambda _: data)
    said += data.said
    return Ground(config, task, split(task, data, held_out), pace, said)


def new_path(config: Config, purpose: str) -> Path:
    """A folder under runs/ that does not exist, named by the time and the task."""
    learning = config.learning
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{learning.task}-{learning.model}"
    path, count = Path("runs", f"{stem}-{purpose}"), 1
    while path.exists():
        count += 1
        path = Path("runs", f"{stem}-{purpose}-{count}")
    return path
