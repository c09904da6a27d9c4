"""The table of `state_precision`: differences from float32, seed by seed."""

import statistics
from typing import Any, NamedTuple

from scipy.stats import t as students_t

BASELINE = "float32"
_CELL = ("task", "decay", "momentum", "centered")
# Side → seed → loss.
Sides = dict[str, dict[int, float]]


class Interval(NamedTuple):
    """A mean and how far its 95 % interval reaches to either side."""

    mean: float
    reach: float

    @property
    def holds_zero(self) -> bool:
        """Whether there may be no difference at all."""
        return abs(self.mean) <= self.reach


def interval(values: list[float]) -> Interval:
    """Of the mean of normal values: t₀.₉₇₅(n − 1) s / √n. One value has none: ∞."""
    mean, n = statistics.mean(values), len(values)
    if n < 2:
        return Interval(mean, float("inf"))
    quantile = float(students_t.ppf(0.975, n - 1))
    return Interval(mean, quantile * statistics.stdev(values) / n**0.5)


def differences(
    losses: dict[int, float], baseline: dict[int, float]
) -> dict[int, float]:
    """By seed, of the seeds that both have."""
    return {
        seed: loss - baseline[seed] for seed, loss in losses.items() if seed in baseline
    }


def configuration(row: dict[str, Any]) -> tuple:
    """What two trainings must share to be compared; results make a commit dirty."""
    commit = (row["commit"] or "").removesuffix("-dirty")
    return commit, *(row[name] for name in ("of", "steps", "learning_rate"))


def table(rows: list[dict[str, Any]]) -> str:
    """A line per cell, of the configuration it had last, and one over a task's cells.

    Bold is an interval without 0, of which one in twenty comes by chance.
    """
    last = {_cell(row): row for row in rows}
    cells = cells_of(rows)
    every = dict.fromkeys(side for sides in cells.values() for side in sides)
    columns = [side for side in every if side != BASELINE]
    head = ["task", "cell", "α", "n", "loss, float32", *columns]
    lines = [head, ["---"] * len(head)]
    for task in dict.fromkeys(task for task, *_ in cells):
        own = {cell: sides for cell, sides in cells.items() if cell[0] == task}
        for cell, sides in own.items():
            lines.append(_line(last[cell], sides, columns))
        if len(own) > 1:
            lines.append(_all_cells(task, list(own.values()), columns))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells_of(rows: list[dict[str, Any]]) -> dict[tuple, Sides]:
    """Losses by cell, side and seed, of the configuration that a cell had last."""
    last = {_cell(row): row for row in rows}
    cells: dict[tuple, Sides] = {}
    for row in rows:
        if configuration(row) == configuration(last[_cell(row)]):
            sides = cells.setdefault(_cell(row), {})
            sides.setdefault(row["side"], {})[row["seed"]] = row["loss"]
    return {cell: sides for cell, sides in cells.items() if BASELINE in sides}


def in_percent(cells: list[Sides], side: str) -> list[float]:
    """Differences in per cent of float32's loss, averaged over the cells, by seed.

    Cells without the side do not count, nor seeds that one of the others lacks.
    """
    by_seed: dict[int, list[float]] = {}
    having = [sides for sides in cells if side in sides]
    for sides in having:
        mean = statistics.mean(sides[BASELINE].values())
        for seed, apart in differences(sides[side], sides[BASELINE]).items():
            by_seed.setdefault(seed, []).append(100 * apart / mean)
    return [statistics.mean(x) for x in by_seed.values() if len(x) == len(having)]


def _cell(row):
    return tuple(row[name] for name in _CELL)


def _line(row, sides, columns):
    task, decay, momentum, centered = _cell(row)
    name = f"ρ = {decay:g}"
    name += f", β = {momentum:g}" if momentum is not False else ""
    name += ", centred" if centered else ""
    baseline = sides[BASELINE]
    line = [task, name, f"{row['learning_rate']:.2g}", str(len(baseline))]
    line.append(f"{statistics.mean(baseline.values()):.4f}")
    for side in columns:
        apart = list(differences(sides.get(side, {}), baseline).values())
        fewer = "" if len(apart) == len(baseline) else f" (n = {len(apart)})"
        line.append(_shown(apart, "+.4f", ".4f", fewer))
    return line


def _all_cells(task, cells, columns):
    line = [task, "all of them", "", "", "in percent"]
    for side in columns:
        several = sum(side in sides for sides in cells) > 1
        apart = in_percent(cells, side) if several else []
        line.append(_shown(apart, "+.2f", ".2f", " %"))
    return line


def _shown(values, mean_format, reach_format, end):
    if not values:
        return ""
    found = interval(values)
    text = f"{found.mean:{mean_format}} ± {found.reach:{reach_format}}{end}"
    return text if found.holds_zero else f"**{text}**"
