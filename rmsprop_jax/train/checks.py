"""Options that cannot be, or say nothing, are refused."""

import math
from typing import TYPE_CHECKING

import rmsprop_jax as rj
from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.sweeping.numbers import check_size
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.settings import PLAIN
from rmsprop_jax.wording import nearest

if TYPE_CHECKING:
    from rmsprop_jax.train.tasks.task import Task

_DEFAULTS = options.values(Config())
_SEEDS, _COUNTED = 2**32, 2**31
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


def check(config: Config) -> None:
    """Refuse values that cannot be, and options that contradict one another.

    Raises:
        ValueError: Naming the option, its value, what was expected and the way out.
    """
    given = options.values(config)
    for name, value in given.items():
        if isinstance(value, float):
            if not math.isfinite(value):
                raise _unexpected(name, value, "a finite number")
            check_size(f"{options.flag(name)} {value:g}", value)
    for name, range_ in RANGES.items():
        value = given.get(name)
        if value is not None and not range_.holds(value):
            raise _unexpected(name, value, range_.text)
    for name, low in _AT_LEAST.items():
        value = given[name]
        if value is not None and not value >= low:
            raise _unexpected(name, value, f"{low} or more")
        if isinstance(value, int) and value >= _COUNTED and name != "seed":
            raise _unexpected(name, value, f"at most {_COUNTED - 1}")
    for name, high in _BELOW.items():
        value = given[name]
        if value is not None and not 0 <= value < high:
            raise _unexpected(name, value, f"0 or more, below {high}")
    check_seeds(given["seed"], 1)
    if (dialect := given["dialect"]) not in (None, *rj.DIALECTS):
        raise ValueError(
            f"--dialect {dialect}: expected one of {', '.join(rj.DIALECTS)}."
            f"{nearest(dialect, rj.DIALECTS)}"
        )
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
    drops = given["schedule"] in ("step", "exponential")
    drops = drops or given["decay_schedule"] == "step"
    if given["drop_every"] is not None and not drops:
        raise ValueError(
            f"--drop-every {given['drop_every']}: it says nothing without --schedule "
            "step or exponential, or --decay-schedule step."
        )
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
    given = options.values(config)
    model = config.learning.model or task.small_model
    for name in task.idle:
        # 0 is what the option is where it says nothing.
        if given[name] is not None and given[name] != PLAIN.get(name):
            raise ValueError(
                f"{options.flag(name)} {given[name]}: it says nothing for --task "
                f"{task.name}; leave it out."
            )
    if given["workers"] is not None and task.stream is None:
        raise ValueError(
            f"--workers {given['workers']}: it says nothing for --task {task.name}, "
            "whose data are in memory; leave it out."
        )
    if model not in task.models:
        raise ValueError(
            f"--model {model}: it does not take the {task.unit} of --task {task.name}; "
            f"expected {', '.join(task.models[:-1])} or {task.models[-1]}."
        )
    if given["hidden"] is not None and model in ("linear", "strong"):
        raise ValueError(
            f"--hidden {given['hidden']}: --model {model} has no hidden layer "
            "of that kind; it is for mlp, cnn, lstm and gru."
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
