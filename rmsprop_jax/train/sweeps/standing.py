"""Where a sweep is: what has ended, what is best so far, how long it will take."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from rmsprop_jax.sweeping.shown import short
from rmsprop_jax.sweeping.table import Point, Table
from rmsprop_jax.train.config import typed
from rmsprop_jax.train.status import duration, loss_text, percent
from rmsprop_jax.train.sweeps.plan import Plan

Row = dict[str, Any]
_IN_EVERY_ROW = {"trial", "point", "seed", "diverged"}


class Standing:
    """The rows so far, and the share of the work that is done.

    Work is counted in judgements. Between two reports they are as the trials tell
    themselves, which is true but for those that only measure the speed.
    """

    def __init__(self, plan: Plan, rows: Iterable[Row]):
        """What was done before counts as done."""
        self._plan, self._stages = plan, plan.stages
        self._rows = {row["trial"]: row for row in rows}
        self._whole = [
            stage.points * plan.asked.seeds * (stage.stop - stage.start)
            for stage in self._stages
        ]
        self.stage = 0
        self._ended = len(self._rows)
        if len(self._stages) > 1:
            self.stage, self._ended = self._stages_done(), 0
        self._ticks, self._first = 0, None

    @property
    def table(self) -> Table:
        """The rows so far, without their curves."""
        plan = self._plan
        rows = [self._rows[trial] for trial in sorted(self._rows)]
        curves = [{} for _ in rows]
        return Table(rows, curves, tuple(plan.space), plan.metric, plan.mode, ())

    def tick(self, step: Any) -> None:
        """A trial was judged."""
        del step
        self._ticks += 1
        # The first has waited for the compiler: time counts from there.
        self._first = self._first or (time.monotonic(), self._done())

    def report(self, rows: Sequence[Row]) -> None:
        """Trials have ended, or with halving a rung has."""
        # Anew: another thread may be drawing the old ones.
        self._rows = self._rows | {row["trial"]: row for row in rows}
        self._ticks = 0
        if len(self._stages) > 1:
            self.stage += 1
        else:
            self._ended += len(rows)

    def best(self) -> Point | None:
        """The best point so far, unless every one diverged."""
        return best(self.table)

    def share(self) -> float:
        """The share of the work that is done, in [0, 1]."""
        return self._done() / sum(self._whole)

    def heading(self) -> tuple[str, str]:
        """What stands to the left and to the right of the bar."""
        now = min(self.stage, len(self._stages) - 1)
        stage = self._stages[now]
        trials = stage.points * self._plan.asked.seeds
        done = self._ended + self._ticks // (stage.stop - stage.start)
        done = trials if self.stage > now else min(trials, done)
        rung = ""
        if len(self._stages) > 1:
            rung = f"rung {now + 1}/{len(self._stages)}  "
        left = self.seconds_left()
        eta = "" if left is None else f"  ETA {duration(left)}"
        return f"{rung}trial {done}/{trials}", f"{self.share():4.0%}{eta:17}"

    def numbers(self) -> list[str]:
        """The best so far, in words."""
        found = self.best()
        if found is None:
            return ["compiling and starting" if not self._first else "none has ended"]
        return ["best so far:", *described(self._plan, found)]

    def seconds_left(self) -> float | None:
        """What remains at the mean pace since the first judgement, if there is one."""
        if self._first is None:
            return None
        since, before = self._first
        made = self._done() - before
        if made <= 0:
            return None
        return (sum(self._whole) - self._done()) * (time.monotonic() - since) / made

    def _done(self) -> int:
        if self.stage >= len(self._stages):
            return sum(self._whole)
        stage = self._stages[self.stage]
        now = self._ended * (stage.stop - stage.start) + self._ticks
        return sum(self._whole[: self.stage]) + min(self._whole[self.stage], now)

    def _stages_done(self) -> int:
        reached = max((row["steps"] for row in self._rows.values()), default=0)
        total = self._plan.ground.pace.total_steps
        ends = [min(one.stop * self._plan.every, total) for one in self._stages]
        return sum(end <= reached for end in ends)


def best(table: Table) -> Point | None:
    """Its best point, unless every one diverged."""
    sound = any(not point.diverged for point in table.points())
    return table.best() if sound else None


def described(plan: Plan, point: Point) -> list[str]:
    """A point and what came of it, in words."""
    return [metric_words(plan, point.value), *named(point.hyperparameters)]


def metric_words(plan: Plan, value: float) -> str:
    """The metric that decides, as people read it."""
    word = percent if plan.asked.tuning.choose_by == "accuracy" else loss_text
    return f"{plan.asked.tuning.choose_by} {word(value)}"


def named(hyperparameters: Any) -> list[str]:
    """Hyperparameters as people read them: `learning rate 0.00123`."""
    return [
        f"{name.replace('_', ' ')} {short(typed(value), digits=3)}"
        for name, value in hyperparameters.items()
    ]


def read_rows(path: Any) -> list[Row]:
    """The rows that are kept, without curves; none if there is no file."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        rows = [
            {k: float("nan") if v is None else v for k, v in json.loads(line).items()}
            for line in lines
        ]
        for row in rows:
            if missing := _IN_EVERY_ROW - row.keys():
                raise ValueError(f"no {min(missing)}")
        return rows
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected a trial as JSON in each line, got {error}. Move it "
            "away, and --resume: it is written anew from what the search keeps."
        ) from None
