"""The tables of `sensitivity`: how far the defaults are, how many rates are good."""

import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.sensitivity.trials import default

Row = dict[str, Any]
# Learning rate → metric.
Line = Mapping[float, float]

# A learning rate is good if the metric is within so much of the best of its line.
GOOD = (1.1, 1.5)


def mean(values: Sequence[float | None]) -> float:
    """Over the seeds; a training that ended in no number is worse than any."""
    return statistics.fmean(math.inf if x is None else x for x in values)


def good_octaves(line: Line, within: float) -> tuple[float, bool]:
    """How many octaves around the best learning rate have `within` times its metric.

    Between two rates of the map the metric is taken to be linear in the logarithm of
    the rate. The second value is whether the region ends inside the map.

    >>> good_octaves({0.5: 2.0, 1.0: 1.0, 2.0: 1.1, 4.0: 2.1}, 1.5)
    (1.9, True)
    """
    rates = sorted(line)
    best = min(rates, key=lambda rate: line[rate])
    limit = within * line[best]
    at, reach, inside = rates.index(best), 0.0, True
    for side in (rates[at:], rates[at::-1]):
        for near, far in itertools.pairwise(side):
            octaves = abs(math.log2(far / near))
            if line[far] > limit:
                reach += octaves * (limit - line[near]) / (line[far] - line[near])
                break
            reach += octaves
        else:
            inside = False
    return round(reach, 2), inside


class Distance(NamedTuple):
    """How far the defaults of a dialect are from what was found; a row for each.

    Attributes:
        defaults: The metric there.
        rate: Where only the learning rate is tuned.
        search: What the search chose.
        best: Of all that was trained.
    """

    defaults: Row
    rate: Row
    search: Row
    best: Row


def distances(rows: Sequence[Row]) -> dict[tuple[str, str], Distance]:
    """By task and dialect, where a search and the defaults were trained."""
    searches = {
        (row["task"], row["dialect"], row["of"]): row["best"]
        for row in rows
        if row["kind"] == "search"
    }
    found = {}
    for (task, dialect), points in _cells(rows).items():
        usual = default(dialect)
        tuned = [row for row in points if _differs(row["at"], usual, "learning_rate")]
        choice = searches.get((task, dialect, points[0]["of"]))
        first = [row for row in points if row["at"] == usual]
        search = [row for row in points if row["at"] == choice]
        if first and search:
            found[task, dialect] = Distance(
                first[0], _chosen(tuned), search[0], _chosen(points)
            )
    return found


def maps(rows: Sequence[Row]) -> dict[tuple[str, str, float], dict[float, Row]]:
    """Lines of the map, learning rate → row, by task, dialect and ε."""
    lines: dict[tuple[str, str, float], dict[float, Row]] = {}
    for (task, dialect), points in _cells(rows).items():
        usual = default(dialect)
        for row in points:
            at = row["at"]
            if _differs(at, usual, "learning_rate", "eps") and _on_map(at):
                line = lines.setdefault((task, dialect, at["eps"]), {})
                line[at["learning_rate"]] = row
    return lines


def metrics(line: Mapping[float, Row]) -> Line:
    """Of a line of the map."""
    return {rate: mean(row["test"]) for rate, row in line.items()}


def table(rows: Sequence[Row]) -> str:
    """Two tables in Markdown: a line for each task and dialect, and for each ε."""
    return "\n".join([*_distances(rows), "", *_widths(rows)])


def _cells(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """Points by task and dialect, of the size that the task had last."""
    points = [row for row in rows if row["kind"] == "point"]
    latest = {row["task"]: row["of"] for row in points}
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in points:
        if row["of"] == latest[row["task"]]:
            cells.setdefault((row["task"], row["dialect"]), []).append(row)
    return cells


def _distances(rows) -> Iterator[str]:
    yield (
        "| task, metric | dialect | defaults | times the best | learning rate tuned "
        "| search's choice | best of all |"
    )
    yield "|---|---|---|---|---|---|---|"
    for (task, dialect), of in distances(rows).items():
        worse = mean(of.defaults["test"]) / mean(of.best["test"])
        yield (
            f"| {task}, {of.best['metric']} | {dialect} "
            f"| {_metric(of.defaults)} at {of.defaults['at']['learning_rate']:g} "
            f"| {worse:.3g} "
            f"| {_metric(of.rate)} at {of.rate['at']['learning_rate']:.2g} "
            f"| {_metric(of.search)} at {_values(of.search['at'])} "
            f"| {_metric(of.best)} at {_values(of.best['at'])} |"
        )


def _widths(rows) -> Iterator[str]:
    within = [f"octaves within {100 * (x - 1):.0f} %" for x in GOOD]
    yield f"| task | dialect | ε | best learning rate | metric | {' | '.join(within)} |"
    yield "|---|---|---|---|---|" + "---|" * len(GOOD)
    for (task, dialect, eps), line in maps(rows).items():
        heights = metrics(line)
        best = min(heights, key=lambda rate: heights[rate])
        widths = [good_octaves(heights, x) for x in GOOD]
        shown = [f"{'' if inside else '≥ '}{x:.1f}" for x, inside in widths]
        yield (
            f"| {task} | {dialect} | {eps:.0e} | 2^{math.log2(best):.0f} = "
            f"{best:.2g} | {_metric(line[best])} | {' | '.join(shown)} |"
        )


def _chosen(rows: list[Row]) -> Row:
    """The best by the held-out examples, not by the test data."""
    return min(rows, key=lambda row: mean(row["validation"]))


def _differs(at: Mapping[str, float], usual: Mapping[str, float], *names: str) -> bool:
    """Whether a point differs from the usual one in these at most."""
    return {**at, **{name: usual[name] for name in names}} == usual


def _on_map(at: Mapping[str, float]) -> bool:
    return math.log2(at["learning_rate"]).is_integer()


def _metric(row: Row) -> str:
    """Mean over the seeds ± its standard error."""
    value = mean(row["test"])
    if not math.isfinite(value):
        return "diverged"
    error = statistics.stdev(row["test"]) / len(row["test"]) ** 0.5
    return f"{value:.3g} ± {error:.1g}"


def _values(at: Mapping[str, float]) -> str:
    rate, decay, eps, momentum = (
        at[name] for name in ("learning_rate", "decay", "eps", "momentum")
    )
    return f"α {rate:.2g}, ρ {decay:.4g}, ε {eps:.2g}, β {momentum:.2g}"
