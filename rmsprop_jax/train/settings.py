"""What an option is where none is given, by task and model; what cannot be is refused.

The values were measured, but for what says otherwise.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config

if TYPE_CHECKING:
    from rmsprop_jax.train.tasks.task import Task

_PLAIN = {
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
    defaults = _PLAIN | SETTINGS[model] | SETTINGS.get(f"{task}/{model}", {})
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


def check(config: Config) -> None:
    """Refuse values that cannot be, and options that contradict one another.

    Raises:
        ValueError: Naming the option, its value, what was expected and the way out.
    """
    given = options.values(config)
    for name, value in given.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise _unexpected(name, value, "a finite number")
    for name, low in _AT_LEAST.items():
        value = given[name]
        if value is not None and not value >= low:
            raise _unexpected(name, value, f"{low} or more")
    for name, high in _BELOW.items():
        value = given[name]
        if value is not None and not 0 <= value < high:
            raise _unexpected(name, value, f"0 or more, below {high}")
    check_seeds(given["seed"], 1)
    target = given["target_accuracy"]
    if target is not None and not 0 <= target <= 100:
        raise _unexpected("target_accuracy", target, "percent, 0 to 100")
    for name, (other, wanted) in _ONLY_WITH.items():
        if given[name] != _DEFAULTS[name] and given[other] not in wanted:
            raise ValueError(
                f"{options.flag(name)} {given[name]}: it says nothing without "
                f"{options.flag(other)} {' or '.join(map(str, wanted))}."
            )
    if given["decay_schedule"] != "constant" and given["final_decay"] is None:
        raise ValueError(
            f"--decay-schedule {given['decay_schedule']}: expected --final-decay too."
        )
    if given["drop_factor"] <= 0 or given["drop_factor"] >= 1:
        raise _unexpected("drop_factor", given["drop_factor"], "above 0, below 1")
    if given["drop_every"] is not None and given["drop_every"] <= 0:
        raise _unexpected("drop_every", given["drop_every"], "epochs, above 0")
    if given["resume"] and given["run"] is None:
        raise ValueError("--resume: expected --run FOLDER too, the run to go on with.")


def check_seeds(seed: int, count: int) -> None:
    """Refuse seeds that do not fit into 32 bits.

    Args:
        seed: The first.
        count: How many, from it on.

    Raises:
        ValueError: If the last is too large.
    """
    if seed + count > _SEEDS:
        raise _unexpected("seed", seed, f"at most {_SEEDS - count}")


def check_task(config: Config, task: "Task") -> None:
    """Refuse options that say nothing for this task and model, before `resolve`.

    Raises:
        ValueError: Naming the option, its value and the way out.
    """
    given, model = options.values(config), config.learning.model
    for name in task.idle:
        # 0 is what the option is where it says nothing.
        if given[name] is not None and given[name] != _PLAIN.get(name):
            raise ValueError(
                f"{options.flag(name)} {given[name]}: it says nothing for --task "
                f"{task.name}; leave it out."
            )
    if given["workers"] is not None and task.stream is None:
        raise ValueError(
            f"--workers {given['workers']}: it says nothing for --task {task.name}, "
            "whose data are in memory; leave it out."
        )
    if given["hidden"] is not None and model in ("linear", "strong"):
        raise ValueError(
            f"--hidden {given['hidden']}: --model {model} has no hidden layer "
            "of that kind; it is for mlp, cnn, lstm and gru."
        )
    if model is not None and model not in task.models:
        raise ValueError(
            f"--model {model}: it does not take the {task.unit} of --task {task.name}; "
            f"expected {', '.join(task.models[:-1])} or {task.models[-1]}."
        )
    side = task.input_shape[0]
    if given["shift"] is not None and given["shift"] > side / 2:
        unit = "pixels" if len(task.input_shape) == 3 else "hundredths of a second"
        raise _unexpected("shift", given["shift"], f"at most half of {side} {unit}")


def check_pace(config: Config) -> None:
    """Refuse a warm-up that outlasts the run, after `resolve`.

    Raises:
        ValueError: If it does.
    """
    warmup, epochs = config.schedule.warmup or 0, config.learning.epochs or 0
    if warmup and warmup >= epochs:
        raise _unexpected("warmup", warmup, f"less than the --epochs {epochs}")


def _unexpected(name: str, value: object, expected: str) -> ValueError:
    return ValueError(f"{options.flag(name)} {value}: expected {expected}.")


_DEFAULTS = {
    field.name: field.default
    for make in options.PARTS.values()
    for field in dataclasses.fields(make)
}
_SEEDS = 2**32
_AT_LEAST = {
    "hidden": 1,
    "epochs": 1,
    "batch_size": 1,
    "validation": 0,
    "seed": 0,
    "shift": 0,
    "rotate": 0,
    "masks": 0,
    "accumulate": 1,
    "warmup": 0,
    "patience": 0,
    "checkpoint_every": 1,
    "log_every": 1,
    "devices": 1,
    "workers": 0,
    "heartbeat": 5,
}
_BELOW = {
    "label_smoothing": 1,
    "ema": 1,
    "final_fraction": 1,
    "final_decay": 1,
}
_ONLY_WITH = {
    "final_fraction": ("schedule", ["cosine"]),
    "patience": ("schedule", ["plateau"]),
    "drop_factor": ("schedule", ["step", "exponential", "plateau"]),
    "final_decay": ("decay_schedule", ["step", "exponential", "cosine"]),
    "nesterov": ("optimizer", ["rmsprop", "momentum"]),
}
