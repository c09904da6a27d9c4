"""What many runs stand on: task, data and options, all filled in."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from rmsprop_jax.train import checks, devices, settings
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Asked, Config
from rmsprop_jax.train.data.choice import auto
from rmsprop_jax.train.optimizers import Pace
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Task
from rmsprop_jax.train.training import Arrays, pace_of, split
from rmsprop_jax.wording import counted

_EPOCHS = {"mnist": 5, "fashion-mnist": 5}
_OTHER_EPOCHS = 20
_HELD_OUT = 6  # one in so many


class Ground(NamedTuple):
    """What is trained, on what.

    Attributes:
        config: The run, all defaults filled in.
        task: Its task.
        data: `"train"`, `"test"` and, if any are held out, `"validation"`.
        about: What they turned out to be: see `Dataset.about`.
        pace: Its steps.
        said: What is to be said of that.
    """

    config: Config
    task: Task
    data: dict[str, Arrays]
    about: Mapping[str, Any]
    pace: Pace
    said: list[str]

    @property
    def course(self) -> str:
        """How a run goes, such as `digits, mlp, 2 epochs of 40 steps`."""
        return (
            f"{self.task.name}, {self.config.learning.model}, "
            f"{counted(self.pace.epochs, 'epoch')} of "
            f"{counted(self.pace.steps_per_epoch, 'step')}"
        )

    @property
    def heading(self) -> str:
        """What there is to learn from, and how a run goes."""
        learned = len(next(iter(self.data["train"].values())))
        return (
            f"{self.task.name}: {learned:,} {self.task.unit} to learn from, "
            f"{self.config.learning.validation:,} held out to choose by · "
            f"{self.config.learning.model} · {self.pace.epochs} x "
            f"{self.pace.steps_per_epoch} steps of {self.pace.batch_size}"
        )


def ground(config: Config, choose_by: str | None = None) -> Ground:
    """Fill in what is `None`, and load the data.

    Args:
        config: The options.
        choose_by: The measure that decides on training examples held out, a sixth by
            default; without one, none are.

    Raises:
        ValueError: If an option is wrong, or options contradict one another.
    """
    checks.check(config)
    config, task, said = with_task(config)
    if choose_by is not None and choose_by not in task.reported:
        raise ValueError(
            f"--choose-by {choose_by}: {task.name} has no such measure, but "
            f"{' and '.join(task.reported)}."
        )
    said += settings.smaller(config.learning.model, task)
    if config.learning.epochs is None:
        config = options.replace(config, epochs=_EPOCHS.get(task.name, _OTHER_EPOCHS))
    config = settings.resolve(config, task.name, task.small_model)
    checks.check_pace(config)
    data = task.load(config.learning.data_dir)
    if choose_by is not None and not config.learning.validation:
        count = len(next(iter(data.train.values())))
        config = options.replace(config, validation=count // _HELD_OUT)
    task = dataclasses.replace(task.told(data.about), load=lambda _: data)
    parts = split(task, data, config.learning.validation)
    pace = pace_of(config, len(next(iter(parts["train"].values()))))
    return Ground(config, task, parts, data.about, pace, [*said, *data.said])


def with_task(config: Config) -> tuple[Config, Task, list[str]]:
    """`config` with a task that is not `auto`, that task, and what is to be said.

    Raises:
        ValueError: If an option says nothing for it.
    """
    said = []
    if config.learning.task == "auto":
        choice = auto(config.learning.data_dir)
        if not devices.same_everywhere(choice.task == "mnist"):
            raise ValueError(
                f"--task auto: it is {choice.task} for this process and not for all. "
                "Name one: --task mnist or --task digits."
            )
        config = options.replace(config, task=choice.task, data_dir=choice.data_dir)
        said.append(choice.line)
    task = TASKS[config.learning.task]
    checks.check_task(config, task)
    return config, task, said


def filled(asked: Asked, config: Config, but: Collection[str] = ()) -> Asked:
    """The options with the defaults that task and model have, without some.

    Where it runs and what it shows stays as it was asked for.
    """
    known = options.values(config)
    names = options.values(asked).keys() & known.keys() - vars(config.running).keys()
    return options.replace(asked, **{k: known[k] for k in names - {*but}})
