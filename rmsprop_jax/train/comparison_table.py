"""What came out of a comparison: the choice of a learning rate, ranks, the table."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rmsprop_jax.train.status import loss_text, percent

Row = Mapping[str, Any]
Measure = Literal["accuracy", "loss"]


class Outcome(NamedTuple):
    """All of one optimizer.

    Attributes:
        label: Its name in the comparison.
        trials: A row for each learning rate, in their order.
        chosen: The best of them, `None` if all diverged.
        tests: A row for each seed at `chosen`.
        courses: The epochs of each of these.
    """

    label: str
    trials: list[Row]
    chosen: float | None
    tests: list[Row]
    courses: list[list[Row]]

    @property
    def edge(self) -> str | None:
        """`lowest` or `highest` if nothing was tried beyond the chosen rate."""
        tried = [row["learning_rate"] for row in self.trials]
        if self.chosen is None or len(tried) < 2:
            return None
        return {tried[0]: "lowest", tried[-1]: "highest"}.get(self.chosen)

    def mean(self, name: str) -> tuple[float, float] | None:
        """Mean and its standard error over the seeds that did not diverge.

            s / √n,     s² = Σ (x − x̄)² / (n − 1)

        The error of a single one is not a number.
        """
        values = [row[name] for row in self.tests if not row["diverged"]]
        if not values:
            return None
        error = math.nan
        if len(values) > 1:
            error = statistics.stdev(values) / math.sqrt(len(values))
        return statistics.fmean(values), error


def choose(trials: Sequence[Row], by: Measure) -> float | None:
    """The learning rate that did best on the held-out examples, of equals the lowest.

    Of equal accuracies the one with the lower loss. What diverged is never chosen.
    """

    def badness(row):
        loss = row["validation/loss"]
        return (-row["validation/accuracy"], loss) if by == "accuracy" else (loss,)

    alive = [row for row in trials if not row["diverged"]]
    return min(alive, key=badness)["learning_rate"] if alive else None


def ranked(outcomes: Sequence[Outcome], headline: Measure) -> list[Outcome]:
    """The best first; what diverged by a seed after all that did not."""
    sign = -1 if headline == "accuracy" else 1

    def place(outcome):
        mean = outcome.mean(f"test/{headline}")
        lost = sum(row["diverged"] for row in outcome.tests)
        return mean is None, lost, sign * mean[0] if mean else 0.0

    return sorted(outcomes, key=place)


def verdict(outcomes: Sequence[Outcome], headline: Measure) -> str:
    """What the first of the ranked reaches, and how many others that does not beat.

    Two means differ if they are 2 √(e₁² + e₂²) apart, e the standard errors.
    """
    best, *others = outcomes
    reached = best.mean(f"test/{headline}")
    if reached is None:
        return "No optimizer trained without diverging"
    value = percent(reached[0]) if headline == "accuracy" else loss_text(reached[0])
    text = f"{best.label} reaches a test {headline} of {value}"
    means = [mean for one in others if (mean := one.mean(f"test/{headline}"))]
    if math.isnan(reached[1]) or not means:
        return text
    level = sum(
        abs(mean - reached[0]) <= 2 * math.hypot(error, reached[1])
        for mean, error in means
    )
    if not level:
        return f"{text}, no other as much"
    return f"{text}, level with {level} of {len(others)} others"


def table(outcomes: Sequence[Outcome], reported: Sequence[str]) -> str:
    """A Markdown table that reads as text too."""
    names = [name for name in ("accuracy", "loss") if name in reported]
    rows = [["optimizer", "learning rate", *(f"test {name}" for name in names), "note"]]
    for outcome in outcomes:
        rate = "-" if outcome.chosen is None else f"{outcome.chosen:g}"
        cells = [_cell(name, outcome.mean(f"test/{name}")) for name in names]
        rows.append([outcome.label, rate, *cells, note(outcome)])
    if not any(row[-1] for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows
    )


def note(outcome: Outcome) -> str:
    """What is to be known of it beside its numbers."""
    notes = []
    if outcome.chosen is None:
        return "diverged at every learning rate"
    if outcome.edge:
        notes.append(f"not tuned: its best rate is the {outcome.edge} tried")
    lost = sum(row["diverged"] for row in outcome.tests)
    if lost:
        notes.append(f"diverged by {lost} of {len(outcome.tests)} seeds")
    return "; ".join(notes)


def result(outcomes: Sequence[Outcome], reported: Sequence[str]) -> list[dict]:
    """The same for machines."""
    rows = []
    for outcome in outcomes:
        row: dict[str, Any] = {
            "optimizer": outcome.label,
            "learning_rate": outcome.chosen,
            "learning_rates": [trial["learning_rate"] for trial in outcome.trials],
            "edge": outcome.edge,
            "diverged_trials": sum(trial["diverged"] for trial in outcome.trials),
            "diverged_seeds": sum(test["diverged"] for test in outcome.tests),
            "seeds": [test["seed"] for test in outcome.tests],
        }
        for name in reported:
            mean = outcome.mean(f"test/{name}")
            error = None if mean is None or math.isnan(mean[1]) else mean[1]
            row[f"test/{name}"] = mean and mean[0]
            row[f"test/{name}/standard_error"] = error
        rows.append(row)
    return rows


def _cell(name: str, mean: tuple[float, float] | None) -> str:
    if mean is None:
        return "diverged"
    value, error = mean
    if name == "accuracy":
        text, spread = f"{100 * value:.2f}", f"{100 * error:.2f}"
        unit = " %"
    else:
        text, unit = loss_text(value), ""
        digits = len(text.partition(".")[2]) if "e" not in text else 0
        spread = f"{error:.{digits}f}" if digits else f"{error:.1e}"
    return f"{text}{unit}" if math.isnan(error) else f"{text} ± {spread}{unit}"
