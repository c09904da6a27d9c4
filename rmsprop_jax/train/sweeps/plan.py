"""A sweep, told completely: what can be known or refused before it begins."""

import itertools
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.sweeping.space import Range
from rmsprop_jax.train import checks
from rmsprop_jax.train import config as options
from rmsprop_jax.train.devices import local
from rmsprop_jax.train.folder import new_path
from rmsprop_jax.train.ground import Ground, filled, ground
from rmsprop_jax.train.optimizers import Pace, optimizer
from rmsprop_jax.train.sweeps.sweep import HYPERPARAMETERS, Sweep
from rmsprop_jax.train.sweeps.trial import configured
from rmsprop_jax.train.sweeps.values import values

FACTOR = 3  # One in so many goes on, for so many times as long.
_MOST_DROPS = 3
_POINTS = 32
_MOST_JUDGEMENTS = 30
_MOST_TRIALS = 100_000
# Of which example comes when, for all seeds: 8 GB.
_MOST_DRAWN = 2**31


class Stage(NamedTuple):
    """Points that are trained from one number of judgements to another."""

    points: int
    start: int
    stop: int


class Plan(NamedTuple):
    """A sweep, told completely.

    Attributes:
        asked: Its options, defaults filled in.
        ground: What is trained.
        space: What is tried, as the library takes it.
        points: How many points.
        every: Steps between two judgements.
        stages: One, or with halving a rung each.
    """

    asked: Sweep
    ground: Ground
    space: dict[str, Range | list[Any]]
    points: int
    every: int
    stages: list[Stage]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of the runs of each point."""
        return tuple(range(self.asked.seed, self.asked.seed + self.asked.seeds))

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.asked.run or Path()

    @property
    def metric(self) -> str:
        """What decides."""
        return f"validation/{self.asked.tuning.choose_by}"

    @property
    def mode(self) -> Any:
        """Which is better."""
        return "max" if self.asked.tuning.choose_by == "accuracy" else "min"


def planned(asked: Sweep) -> Plan:
    """The plan for the options.

    Raises:
        ValueError: If one is wrong, or options contradict one another.
    """
    for name in ("budget", "seeds", "at_once", "validation"):
        value = options.values(asked)[name]
        if value is not None and value < 1:
            raise ValueError(f"{options.flag(name)} {value}: expected 1 or more.")
    space = {
        name: values(name, getattr(asked, name))
        for name in HYPERPARAMETERS
        if getattr(asked, name) is not None
    }
    points = _points(asked, space)
    trials = points * asked.seeds
    if trials > _MOST_TRIALS:
        raise ValueError(
            f"{points} points by --seeds {asked.seeds}: expected at most "
            f"{_MOST_TRIALS:,} trials. Ask for a smaller --budget, or fewer seeds."
        )
    if asked.at_once is not None and asked.at_once > trials:
        raise ValueError(
            f"--at-once {asked.at_once}: expected at most {trials}, which is how many "
            "trials there are."
        )
    checks.check_seeds(asked.seed, asked.seeds)
    base = ground(options.run_of(asked, but=HYPERPARAMETERS), asked.tuning.choose_by)
    if asked.seeds * base.pace.total_steps * base.pace.batch_size >= _MOST_DRAWN:
        raise ValueError(
            f"--epochs {base.pace.epochs}: expected fewer, or fewer --seeds; the order "
            f"of the examples in all of them is at most {_MOST_DRAWN:,} numbers."
        )
    _check_optimizers(base, space)
    local(asked.devices)
    every, stages = _stages(base.pace, points, asked)
    run = asked.run or new_path(base.config, "sweep")
    asked = options.replace(filled(asked, base.config, HYPERPARAMETERS), run=run)
    return Plan(asked, base, space, points, every, stages)


def _points(asked: Sweep, space: dict[str, Range | list[Any]]) -> int:
    lists = [column for column in space.values() if isinstance(column, list)]
    if len(lists) < len(space):
        return asked.budget or _POINTS
    most = math.prod(map(len, lists))
    if asked.budget is not None and asked.budget > most:
        raise ValueError(
            f"--budget {asked.budget}: expected at most {most}, the combinations of "
            "these lists. Leave it out, or give a range."
        )
    return asked.budget or most


def _check_optimizers(base: Ground, space: dict[str, Range | list[Any]]) -> None:
    """Build one of each that will be compiled."""
    words = {k: v for k, v in space.items() if isinstance(v, list) and k not in RANGES}
    for chosen in itertools.product(*words.values()):
        one = dict(zip(words, chosen, strict=True))
        config = configured(base.config, dict.fromkeys(space) | one)
        try:
            optimizer(config, base.pace, np.float32(1e-3))
        except ValueError as error:
            said = " ".join(
                f"{options.flag(k)} {options.typed(v)}" for k, v in one.items()
            )
            raise ValueError(f"{said}: {error}" if said else f"{error}") from None


def _stages(pace: Pace, points: int, asked: Sweep) -> tuple[int, list[Stage]]:
    """Steps between two judgements, and the stages, counted in those."""
    total, per_epoch = pace.total_steps, pace.steps_per_epoch
    if not asked.halving:
        count = min(pace.epochs, _MOST_JUDGEMENTS)
        every = -(-total // count)
        return every, [Stage(points, 0, -(-total // every))]
    drops = 0
    while (
        drops < _MOST_DROPS
        and FACTOR ** (drops + 1) <= points
        and total >= FACTOR ** (drops + 1) * max(1, per_epoch // FACTOR)
    ):
        drops += 1
    if not drops:
        raise ValueError(
            f"--halving: expected {FACTOR} points and {FACTOR} steps or more, of which "
            f"there are {points} and {total}. Leave it out, or ask for more of them."
        )
    first = -(-total // FACTOR**drops)
    judged = max(1, min(first // per_epoch, _MOST_JUDGEMENTS // FACTOR**drops))
    every, stages, start = -(-first // judged), [], 0
    for i in range(drops + 1):
        stop = judged * FACTOR**i
        stages.append(Stage(max(1, points // FACTOR**i), start, stop))
        start = stop
    return every, stages
