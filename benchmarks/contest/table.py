"""The table of `optimizers`: who was best with which values, task by task."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.contest.rivals import RIVALS, Point, Rival
from benchmarks.contest.selection import FIRST, FRESH, chosen, mean
from benchmarks.precision.table import Interval, differences, interval
from benchmarks.receipts import Row

Losses = dict[int, float]

BASELINE = "adam"
# A point is good if its metric is within so much of the best one's.
GOOD = 1.1


class Line(NamedTuple):
    """One optimizer on one task.

    Attributes:
        optimizer: Its name.
        choice: The values that validation chose.
        tuned: Seed → test metric with these; infinite if it diverged.
        customary: The same with the customary values.
        tried: Validation metric of every point of the first rung.
    """

    optimizer: str
    choice: Point
    tuned: Losses
    customary: Losses
    tried: list[float]


def table(rows: Sequence[Row]) -> str:
    """In Markdown; of each task the size that was trained last.

    Bold is a difference whose interval has no 0, of which one in twenty comes by
    chance.
    """
    head = (
        "task, metric", "optimizer", "seeds", "tuned", f"less {BASELINE}'s",
        "customary", "times tuned",
        f"of {{}} within {GOOD - 1:.0%} of own best, of any's", "diverged", "chosen",
    )  # fmt: skip
    count = len(next(iter(RIVALS.values())).points)
    shown = [" | ".join(head).format(count), " | ".join(["---"] * len(head))]
    for title, lines in standings(rows).items():
        shown += [" | ".join(cells) for cells in _cells(title, lines)]
    return "\n".join(f"| {line} |" for line in shown)


def standings(rows: Sequence[Row]) -> dict[str, list[Line]]:
    """By task and metric, the lines of those who have ended, the best first."""
    trainings = [row for row in rows if row["kind"] == "training"]
    found = {}
    for last in {row["task"]: row for row in trainings}.values():
        own = [row for row in trainings if _size(row) == _size(last)]
        lines = [x for name, rival in RIVALS.items() if (x := _line(own, name, rival))]
        found[f"{last['task']}, {last['metric']}"] = sorted(
            lines, key=lambda line: mean([*line.tuned.values()])
        )
    return found


def apart(line: Line, lines: Sequence[Line]) -> Interval | None:
    """The difference from the baseline, seed by seed; without any, nothing."""
    baseline = next((x.tuned for x in lines if x.optimizer == BASELINE), {})
    values = [*differences(line.tuned, baseline).values()]
    if line.optimizer == BASELINE or not values or not all(map(math.isfinite, values)):
        return None
    return interval(values)


def _size(row: Row) -> tuple:
    return tuple(row[name] for name in ("task", "of", "steps"))


def _line(rows: list[Row], name: str, rival: Rival) -> Line | None:
    """What came of a rival, if all of it is there."""
    values: dict[tuple, float] = {}
    for row in rows:
        if row["optimizer"] == name:
            key = row["part"], _key(row["at"]), row["seed"]
            values[key] = mean([row["value"]])

    def tried(point, seed):
        return values["validation", _key(point), seed]

    def judged(point):
        return {
            seed: value
            for (part, at, seed), value in values.items()
            if part == "test" and at == _key(point) and seed >= FRESH
        }

    try:
        choice = chosen(tried, rival.points)
        first = [tried(point, FIRST) for point in rival.points]
    except KeyError:
        # The search has not ended.
        return None
    line = Line(name, choice, judged(choice), judged(rival.default), first)
    return line if line.tuned and line.customary else None


def _key(point: Point) -> tuple:
    return tuple(sorted(point.items()))


def _cells(title: str, lines: list[Line]) -> Iterator[tuple[str, ...]]:
    best = min((value for line in lines for value in line.tried), default=math.inf)
    for line in lines:
        good = [
            sum(value <= GOOD * limit < math.inf for value in line.tried)
            for limit in (min(line.tried), best)
        ]
        yield (
            title,
            line.optimizer,
            str(len(line.tuned)),
            _mean(line.tuned),
            _difference(apart(line, lines)),
            _mean(line.customary),
            _times(line),
            f"{good[0]}, {good[1]}",
            str(sum(value == math.inf for value in line.tried)),
            _values(RIVALS[line.optimizer], line.choice),
        )


def _mean(losses: Losses) -> str:
    """Mean over the seeds and its 95 % interval."""
    gone = sum(value == math.inf for value in losses.values())
    if gone:
        return f"{gone} of {len(losses)} diverged"
    found = interval([*losses.values()])
    return f"{found.mean:.4g} ± {found.reach:.2g}"


def _difference(found: Interval | None) -> str:
    if found is None:
        return ""
    text = f"{found.mean:+.3g} ± {found.reach:.2g}"
    return text if found.holds_zero else f"**{text}**"


def _times(line: Line) -> str:
    tuned, customary = (
        statistics.fmean(losses.values()) for losses in (line.tuned, line.customary)
    )
    return f"{customary / tuned:.2f}" if customary < math.inf else "∞"


def _values(rival: Rival, point: Point) -> str:
    """The values, and whether there might be better ones beyond the last rate tried."""
    beside = {name: x for name, x in point.items() if name != "learning_rate"}
    alike = [other for other in rival.points if beside.items() <= other.items()]
    rates = [other["learning_rate"] for other in alike]
    rate = point["learning_rate"]
    edge = " (edge)" if rate in (min(rates), max(rates)) else ""
    return f"α {rate:g}{edge}, {', '.join(f'{n} {x:g}' for n, x in beside.items())}"
