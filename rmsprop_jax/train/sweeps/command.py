"""The `rmsprop-jax train` that trains a point of a sweep."""

import shlex
from collections.abc import Mapping
from typing import Any

from rmsprop_jax.train import config as options
from rmsprop_jax.train import settings
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.ground import Ground

_ALWAYS = ("task", "model", "epochs", "batch_size")
# Where it lies, and what was held out for the sweep alone.
_NEVER = ("validation", "run", "resume", "pictures", "quiet", "log_every", "devices")


def training_command(base: Ground, hyperparameters: Mapping[str, Any]) -> str:
    """What to type; nothing is held out any more.

    Args:
        base: What was trained.
        hyperparameters: The point.
    """
    task, model = base.task, base.config.learning.model
    plain = options.replace(Config(), task=task.name, model=model)
    usual = options.values(settings.resolve(plain, task.name, task.model))
    wanted = options.values(base.config) | dict(hyperparameters)
    words = ["rmsprop-jax", "train"]
    for name, value in wanted.items():
        if name in _NEVER or value is None:
            continue
        if name not in _ALWAYS and name not in hyperparameters and value == usual[name]:
            continue
        words += _typed(name, value)
    return shlex.join(words)


def _typed(name: str, value: Any) -> list[str]:
    flag = options.flag(name)
    if name == "nesterov":
        return [flag] if value else []
    if isinstance(value, float):
        # As many digits as a float32 has.
        return [flag, f"{value:.7g}"]
    return [flag, str(value)]
