"""The sweep itself: searched, reported, and kept in its folder."""

import dataclasses
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from rmsprop_jax.files import write_text
from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.sweeping.halving import halving
from rmsprop_jax.sweeping.sweep import sweep
from rmsprop_jax.sweeping.table import Table
from rmsprop_jax.train.devices import local
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.screen import is_terminal, live, say
from rmsprop_jax.train.status import duration, flow
from rmsprop_jax.train.sweeps.command import training_command
from rmsprop_jax.train.sweeps.plan import FACTOR, Plan, planned
from rmsprop_jax.train.sweeps.standing import (
    Row,
    Standing,
    best,
    described,
    metric_words,
    named,
    read_rows,
)
from rmsprop_jax.train.sweeps.sweep import SWEEP, Sweep
from rmsprop_jax.train.sweeps.trial import TaskRun, orders, placed
from rmsprop_jax.wording import counted

_COLUMNS = 88


def search(asked: Sweep) -> tuple[bool, str]:
    """Run every trial that is not kept; whether one is best, and what to say of it.

    Raises:
        ValueError: If an option is wrong, or options contradict one another.
    """
    plan = planned(asked)
    folder = Folder(plan.folder, SWEEP)
    with folder.begun(plan.asked, plan.ground.about):
        folder.save(plan.asked)
        return _searched(plan, folder)


def _searched(plan: Plan, folder: Folder) -> tuple[bool, str]:
    table = _Search(plan, folder).table()
    write_text(folder.trials, table.to_jsonl())
    found, said = best(table), _words(plan, table)
    result: dict[str, Any] = {"task": plan.ground.task.name, "metric": plan.metric}
    result |= {"points": plan.points, "trials": len(table), "best": None}
    result["diverged"] = sum(row["diverged"] for row in table.rows)
    if found is not None:
        result["best"] = {**found.hyperparameters, plan.metric: found.value}
        result["train"] = training_command(plan.ground, found.hyperparameters)
    folder.finish(result)
    if plan.asked.pictures:
        from rmsprop_jax.train.sweeps.drawing import draw

        draw(plan, table, _caption(plan))
    return found is not None, f"{said}\n{folder.path}"


class _Search:
    """The library's search, and what is shown and kept meanwhile."""

    def __init__(self, plan: Plan, folder: Folder):
        self._plan, self._path = plan, folder.trials
        self._kept = folder.path / "search"
        # Without what the search keeps, its rows are of no use: it begins anew.
        begun = (self._kept / "progress.npz").exists()
        self._standing = Standing(plan, read_rows(self._path) if begun else [])

    def table(self) -> Table:
        """Make every run that is not made yet."""
        plan, base, quiet = self._plan, self._plan.ground, self._plan.asked.quiet
        for line in [] if quiet else _heading(plan, self._standing):
            say(line)
        options: dict[str, Any] = {
            "points": plan.points,
            "seeds": plan.seeds,
            "metric": plan.metric,
            "mode": plan.mode,
            "batch_size": plan.asked.at_once or "auto",
            "devices": local(plan.asked.devices),
            "seed": plan.asked.seed,
            "folder": self._kept,
            "report": self._report,
        }
        run = TaskRun(
            base.config,
            base.task,
            base.pace,
            data=placed(base.data),
            seeds=plan.seeds,
            orders=orders(base.data, base.pace, plan.seeds),
            every=plan.every,
            count=plan.stages[-1].stop,
            tick=self._standing.tick,
        )
        seen = not quiet and is_terminal(sys.stdout)
        with live(self._standing, sys.stdout) if seen else nullcontext():
            if len(plan.stages) == 1:
                return sweep(run, plan.space, **options)
            least = plan.stages[0].stop * plan.every
            table = halving(run, plan.space, min_steps=least, factor=FACTOR, **options)
            return dataclasses.replace(table, rows=_made(plan, table.rows))

    def _report(self, rows: list[Row]) -> None:
        standing, plan = self._standing, self._plan
        rows = _made(plan, rows)
        standing.report(rows)
        write_text(self._path, standing.table.to_jsonl())
        if plan.asked.quiet:
            return
        if len(plan.stages) > 1:
            say(_rung(plan, standing, rows))
            return
        left, trials = standing.seconds_left(), plan.points * plan.asked.seeds
        done = len(standing.table)
        for i, row in enumerate(rows, done - len(rows) + 1):
            eta = f"  ({duration(left)} left)" if left and i == done else ""
            say(f"{i:{len(str(trials))}}/{trials}  {_trial(plan, row)}{eta}")


def _made(plan: Plan, rows: Sequence[Row]) -> list[Row]:
    """Rows with the steps that were made: the last stretch may end with the run."""
    total = plan.ground.pace.total_steps
    return [
        {k: min(v, total) if k == "steps" else v for k, v in row.items()}
        for row in rows
    ]


def _trial(plan: Plan, row: Row) -> str:
    words = named({name: row[name] for name in plan.space})
    seed = [f"seed {row['seed']}"] if plan.asked.seeds > 1 else []
    came = "diverged" if row["diverged"] else metric_words(plan, row[plan.metric])
    return f"{'  '.join([*words, *seed])}: {came}"


def _rung(plan: Plan, standing: Standing, rows: list[Row]) -> str:
    lost = sum(row["diverged"] for row in rows)
    found, left = standing.best(), standing.seconds_left()
    words = [counted(len(rows), "trial"), counted(rows[0]["steps"], "step")]
    words += [f"{lost} diverged"] if lost else []
    if found is not None:
        words.append(f"best: {', '.join(described(plan, found))}")
    eta = f"  ({duration(left)} left)" if left else ""
    return f"rung {standing.stage}/{len(plan.stages)}  {'; '.join(words)}{eta}"


def _heading(plan: Plan, standing: Standing) -> list[str]:
    base, asked = plan.ground, plan.asked
    trials = plan.points * asked.seeds
    seeds = f" x {asked.seeds} seeds" if asked.seeds > 1 else ""
    lines = [
        *base.said,
        base.heading,
        f"{counted(plan.points, 'point')}{seeds}: {counted(trials, 'trial')}",
    ]
    if len(plan.stages) > 1:
        rungs = [
            f"{one.points} to step {min(one.stop * plan.every, base.pace.total_steps)}"
            for one in plan.stages
        ]
        lines[-1] += f"; points by rung: {', '.join(rungs)}"
    if standing.share() > 0:
        lines.append(f"goes on: {standing.share():.0%} is done")
    return lines


def _words(plan: Plan, table: Table) -> str:
    found = best(table)
    lost = sum(row["diverged"] for row in table.rows)
    diverged = f"{lost} of {len(table)} trials diverged."
    if found is None:
        return f"{diverged} Try smaller learning rates, or --clip-norm 1."
    words = flow(["best:", *described(plan, found)], _COLUMNS)
    edges = _edges(plan, found.hyperparameters)
    return "\n".join(
        [
            *words,
            *([diverged] if lost else []),
            *edges,
            "to train it, on all training examples:",
            f"  {training_command(plan.ground, found.hyperparameters)}",
        ]
    )


def _edges(plan: Plan, chosen: Any) -> list[str]:
    """Which of the numbers are the largest or smallest that were tried."""
    lines = []
    for name, column in plan.space.items():
        if not isinstance(column, list) or len(column) < 3 or name not in RANGES:
            continue
        for which, end in (("smallest", min(column)), ("largest", max(column))):
            if chosen[name] == end:
                said = name.replace("_", " ")
                lines.append(f"its {said} is the {which} of the list.")
    return lines


def _caption(plan: Plan) -> str:
    asked, base = plan.asked, plan.ground
    seeds = f", mean of {asked.seeds} seeds" if asked.seeds > 1 else ""
    return (
        f"{base.course}; {asked.tuning.choose_by} on "
        f"{base.config.learning.validation:,} held-out {base.task.unit}{seeds}."
    )
