"""The comparison itself: every optimizer tuned alike, then tested, all of it recorded.

One compilation serves all learning rates and seeds of an optimizer; that of the next
one goes on beside the runs of this one.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rmsprop_jax.files import write_text
from rmsprop_jax.train import comparison_table
from rmsprop_jax.train.compare import COMPARISON, Compare
from rmsprop_jax.train.comparison_plan import Plan, planned
from rmsprop_jax.train.comparison_table import Outcome, choose
from rmsprop_jax.train.contenders import Contender
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.ledger import Ledger, Row
from rmsprop_jax.train.loop import TrainState
from rmsprop_jax.train.screen import say
from rmsprop_jax.train.status import duration, loss_text, percent
from rmsprop_jax.train.training import Training, means
from rmsprop_jax.wording import counted

Say = Callable[[str], None]


def compare(asked: Compare) -> str:
    """Make every run that is not made yet; the table, and where the rest lies.

    Raises:
        ValueError: If an option is wrong, or options contradict one another.
    """
    plan = planned(asked)
    folder = Folder(plan.folder, COMPARISON)
    with folder.begun(plan.asked, plan.ground.about), Ledger(folder.trials) as ledger:
        folder.save(plan.asked)
        _Runs(plan, ledger, _quiet if asked.quiet else say).make()
        outcomes = [_outcome(plan, one, ledger) for one in plan.contenders]
    base, task = plan.ground, plan.ground.task
    outcomes = comparison_table.ranked(outcomes, task.headline)
    verdict = comparison_table.verdict(outcomes, task.headline)
    table = comparison_table.table(outcomes, task.reported)
    text = f"{table}\n\n{verdict}.\n{_caption(plan)}\n"
    write_text(folder.path / "table.md", text)
    rows = comparison_table.result(outcomes, task.reported)
    folder.finish({"task": task.name, "steps": base.pace.total_steps, "rows": rows})
    if asked.pictures:
        from rmsprop_jax.train.comparison_picture import draw

        path = folder.path / "comparison.png"
        draw(outcomes, plan.choose_by, verdict, _caption(plan), path)
    return f"{text}{folder.path}"


class _Runs:
    """The runs of a comparison that are not in the ledger yet."""

    def __init__(self, plan: Plan, ledger: Ledger, say: Say):
        self._plan, self._ledger, self._say = plan, ledger, say
        self._done, self._began = 0, time.perf_counter()
        self._width = max(len(one.label) for one in plan.contenders)

    def make(self) -> None:
        """Make them all, and say how each came out."""
        todo = [one for one in self._plan.contenders if self._missing(one)]
        self._todo = sum(map(self._missing, todo))
        for line in _heading(self._plan, self._todo):
            self._say(line)
        for contender, training in _compiled_ahead(self._plan, todo):
            seed = self._plan.asked.seed
            for rate in self._plan.rates(contender):
                if _row(self._ledger, "trial", contender, rate, seed) is None:
                    self._add(_trial(training, contender, rate, seed))
            best = choose(
                _trials(self._plan, contender, self._ledger),
                self._plan.choose_by,
            )
            if best is None:
                self._todo -= len(self._plan.seeds)
                continue
            for seed in self._plan.seeds:
                if _row(self._ledger, "test", contender, best, seed) is None:
                    self._add(_test(training, contender, best, seed))

    def _missing(self, contender: Contender) -> int:
        """How many runs are to be made, if some learning rate does not diverge."""
        trials = _trials(self._plan, contender, self._ledger)
        absent = len(self._plan.rates(contender)) - len(trials)
        if absent:
            return absent + len(self._plan.seeds)
        best = choose(trials, self._plan.choose_by)
        if best is None:
            return 0
        return len(self._plan.seeds) - len(
            _tests(self._plan, contender, best, self._ledger)
        )

    def _add(self, rows: Sequence[Row]) -> None:
        """Record a run, its epochs before what they came to."""
        for row in rows:
            self._ledger.append(row)
        self._done += 1
        seconds = (time.perf_counter() - self._began) / self._done
        left = seconds * (self._todo - self._done)
        row = rows[-1]
        what = "held out" if row["kind"] == "trial" else f"seed {row['seed']}, test"
        self._say(
            f"{self._done:{len(str(self._todo))}}/{self._todo}  "
            f"{row['optimizer']:{self._width}}  learning rate "
            f"{row['learning_rate']:<8g}  {what}: {_measured(row)}"
            + (f"  ({duration(left)} left)" if left else "")
        )


def _compiled_ahead(
    plan: Plan, todo: Sequence[Contender]
) -> Iterator[tuple[Contender, Training]]:
    """Each with its training; the next one's compiles meanwhile."""
    coming = [Training(plan.configs[one.label], plan.ground.task) for one in todo[:1]]
    for i, contender in enumerate(todo):
        training = coming.pop()
        for after in todo[i + 1 : i + 2]:
            coming.append(Training(plan.configs[after.label], plan.ground.task))
        yield contender, training


def _trial(
    training: Training, contender: Contender, rate: float, seed: int
) -> list[Row]:
    """One learning rate, judged on the held-out examples at the end."""
    began = time.perf_counter()
    state, rows = _trained(training, contender, rate, seed, tested=False)
    judged = {}
    if not rows[-1]["diverged"]:
        judged = means(training.evaluate(state, "validation").totals)
    return [_final("trial", "validation", judged, rows[-1], began)]


def _test(
    training: Training, contender: Contender, rate: float, seed: int
) -> list[Row]:
    """One seed at the best learning rate; what it is tested by is its last epoch."""
    began = time.perf_counter()
    _, rows = _trained(training, contender, rate, seed, tested=True)
    last = rows[-1]
    judged = {name: last[f"test/{name}"] for name in training.task.reported}
    return [*rows, _final("test", "test", judged, last, began)]


def _final(kind: str, part: str, judged: Row, last: Row, began: float) -> Row:
    """What a whole run came to, without measures if it diverged."""
    finite = not last["diverged"] and all(map(math.isfinite, judged.values()))
    key = {name: last[name] for name in ("optimizer", "learning_rate", "seed", "step")}
    measures = {f"{part}/{name}": value for name, value in judged.items()}
    return {
        "kind": kind,
        **key,
        "diverged": not finite,
        **(measures if finite else {}),
        "seconds": round(time.perf_counter() - began, 3),
    }


def _trained(
    training: Training, contender: Contender, rate: float, seed: int, *, tested: bool
) -> tuple[TrainState, list[dict[str, Any]]]:
    """Train to the end, or until the loss is not finite; a row for each epoch."""
    pace, state, rows = training.pace, training.start(seed, rate), []
    for epoch in range(1, pace.epochs + 1):
        step = epoch * pace.steps_per_epoch
        state = training.advance(state, step - pace.steps_per_epoch, step, seed)
        learned = means(state.epoch)
        row = {
            "kind": "epoch",
            "optimizer": contender.label,
            "learning_rate": rate,
            "seed": seed,
            "epoch": epoch,
            "step": step,
            "diverged": not math.isfinite(learned["loss"]),
            **{f"train/{name}": value for name, value in learned.items()},
        }
        if tested:
            judged = means(training.evaluate(state, "test").totals)
            row |= {f"test/{name}": value for name, value in judged.items()}
        rows.append(row)
        if row["diverged"]:
            break
    return state, rows


def _row(
    ledger: Ledger, kind: str, contender: Contender, rate: float, seed: int
) -> Any:
    label = contender.label
    return ledger.find(kind=kind, optimizer=label, learning_rate=rate, seed=seed)


def _trials(plan: Plan, contender: Contender, ledger: Ledger) -> list[Row]:
    """The learning rates that have been tried, in their order."""
    seed = plan.asked.seed
    found = [_row(ledger, "trial", contender, r, seed) for r in plan.rates(contender)]
    return [row for row in found if row is not None]


def _tests(plan: Plan, contender: Contender, rate: float, ledger: Ledger) -> list[Row]:
    """The seeds that have been tested."""
    found = [_row(ledger, "test", contender, rate, seed) for seed in plan.seeds]
    return [row for row in found if row is not None]


def _outcome(plan: Plan, contender: Contender, ledger: Ledger) -> Outcome:
    trials = _trials(plan, contender, ledger)
    best = choose(trials, plan.choose_by)
    if best is None:
        return Outcome(contender.label, trials, None, [], [])
    courses = [ledger.course(contender.label, best, seed) for seed in plan.seeds]
    tests = _tests(plan, contender, best, ledger)
    return Outcome(contender.label, trials, best, tests, courses)


def _measured(row: Row) -> str:
    if row["diverged"]:
        return "diverged"
    words = {"loss": loss_text, "accuracy": percent}
    part = "validation" if row["kind"] == "trial" else "test"
    return "  ".join(
        f"{name} {word(row[f'{part}/{name}'])}"
        for name, word in words.items()
        if f"{part}/{name}" in row
    )


def _heading(plan: Plan, todo: int) -> list[str]:
    asked, base = plan.asked, plan.ground
    tested = len(next(iter(base.data["test"].values())))
    done = len(plan.contenders) * (asked.trials + asked.seeds) - todo
    return [
        *base.said,
        f"{base.heading}; {tested:,} to test",
        f"{len(plan.contenders)} optimizers: {asked.trials} learning rates each, the "
        f"best again by {counted(asked.seeds, 'seed')}: {counted(todo, 'run')}"
        + (f", {done} are done" if done else ""),
    ]


def _caption(plan: Plan) -> str:
    asked, base = plan.asked, plan.ground
    seeds = (
        f"mean ± standard error of {asked.seeds} seeds" if asked.seeds > 1 else "1 seed"
    )
    return (
        f"{base.course}; {seeds} after the last epoch; learning rate: best "
        f"{plan.choose_by} of {asked.trials} on {base.config.learning.validation:,} "
        f"held-out {base.task.unit}."
    )


def _quiet(line: str) -> None:
    del line
