"""What an option is where none is given, by task and model.

The values were measured, but for what says otherwise.
"""

from typing import TYPE_CHECKING

from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config

if TYPE_CHECKING:
    from rmsprop_jax.train.tasks.task import Task

PLAIN = {
    "epochs": 10,
    "batch_size": 128,
    "label_smoothing": 0.0,
    "shift": 0.0,
    "rotate": 0.0,
    "masks": 0,
    "ema": 0.0,
    "warmup": 0.0,
    "schedule": "constant",
    "learning_rate": 1e-3,
}

# The digits are few and small: they are moved by half a pixel, and seen often.
_DIGITS = {
    "batch_size": 32,
    "learning_rate": 2e-3,
    "warmup": 0.0,
    "ema": 0.99,
    "shift": 0.5,
    "rotate": 8.0,
    "label_smoothing": 0.1,
}
_STRINGS = {"epochs": 8, "batch_size": 32, "shift": 0.0, "masks": 0, "ema": 0.99}
# Not measured on the real corpus, but on small ones in its layout.
_READ = {"hidden": 320, "batch_size": 32, "learning_rate": 1e-3, "ema": 0.999}
_SPOKEN = {"learning_rate": 3e-3, "shift": 5.0, "masks": 1}
_TEXT = {"batch_size": 32}
_SPEECH = {
    "epochs": 20,
    "batch_size": 64,
    "hidden": 128,
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "warmup": 0.5,
    "clip_norm": 1.0,
    "ema": 0.99,
}
# By model, and by task and model where a task wants something else.
SETTINGS = {
    "linear": {"schedule": "cosine"},
    "mlp": {"epochs": 15, "hidden": 100, "schedule": "cosine"},
    "cnn": {"epochs": 4, "hidden": 128, "schedule": "cosine"},
    "strong": {
        "epochs": 10,
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "warmup": 1.0,
        "ema": 0.998,
        "shift": 2.0,
        "rotate": 10.0,
        "label_smoothing": 0.1,
    },
    "lstm": _SPEECH,
    "gru": _SPEECH,
    "spoken-digits/lstm": _SPOKEN,
    "spoken-digits/gru": _SPOKEN,
    "digit-strings/lstm": _STRINGS,
    "digit-strings/gru": _STRINGS,
    "text-sentiment/lstm": _TEXT,
    "text-sentiment/gru": _TEXT,
    "text-sentiment-bytes/lstm": _TEXT,
    "text-sentiment-bytes/gru": _TEXT,
    "librispeech/lstm": _READ,
    "librispeech/gru": _READ,
    "digits/linear": {"epochs": 40, "batch_size": 32},
    "digits/mlp": {"epochs": 40, "batch_size": 32},
    "digits/cnn": _DIGITS | {"epochs": 40},
    "digits/strong": _DIGITS | {"epochs": 30},
    "linear/linear": {"epochs": 60, "batch_size": 32, "learning_rate": 1e-2},
}


def resolve(config: Config, task: str, default_model: str) -> Config:
    """`config` with the defaults of `task` and its model in place of every `None`."""
    model = config.learning.model or default_model
    defaults = PLAIN | SETTINGS[model] | SETTINGS.get(f"{task}/{model}", {})
    if config.optimizer.recipe is not None:
        del defaults["learning_rate"], defaults["schedule"], defaults["warmup"]
    given = options.values(config)
    filled = {name: value for name, value in defaults.items() if given[name] is None}
    return options.replace(config, **filled | {"task": task, "model": model})


def smaller(given: str | None, task: "Task") -> list[str]:
    """What is to be said where many runs take another model than one run does."""
    if given is not None or task.small_model == task.model:
        return []
    return [
        f"model: {task.small_model}, since runs are many; train's default is --model "
        f"{task.model}."
    ]
