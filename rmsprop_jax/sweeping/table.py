"""What came of the trials: a row and the curves of each."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rmsprop_jax.sweeping.shown import MOST, columns, ranked, short
from rmsprop_jax.wording import counted

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Point:
    """A point of the space, with what came of it over all its seeds.

    Attributes:
        hyperparameters: The arguments to build with: `rmsprop(**...)`.
        value: The mean of the metric over the seeds; NaN if one diverged.
        values: The metric of each seed.
        trials: Their numbers.
        diverged: How many of them diverged.
        steps: How far they went, if not all trials went as far.
    """

    hyperparameters: Mapping[str, Any]
    value: float
    values: Sequence[float]
    trials: Sequence[int]
    diverged: int
    steps: int | None = None


@dataclass(frozen=True)
class Table:
    """The trials of a sweep: what `sweep` and `halving` return.

    Attributes:
        rows: A dict for each trial: `trial`, `point`, its hyperparameters, `seed`, its
            metrics that are numbers, and whether it `diverged`: whether any of its
            metrics, curves included, is not finite.
        curves: For each trial, its metrics that are arrays.
        names: The hyperparameters.
        metric: What is compared.
        mode: `"min"` or `"max"`: which is better.
        batch_size: How many trials were computed side by side, for each group that was
            compiled. With the same, a repeat is the same bit for bit.
    """

    rows: Sequence[dict[str, Any]]
    curves: Sequence[dict[str, np.ndarray]]
    names: Sequence[str]
    metric: str
    mode: Mode
    batch_size: Sequence[int]

    def __len__(self) -> int:
        """How many trials there are."""
        return len(self.rows)

    def __repr__(self) -> str:
        """The best points, a line each."""
        points = ranked(self.points(), self.mode)
        trials = counted(len(self.rows), "trial")
        lost = sum(row["diverged"] for row in self.rows)
        better = "lower" if self.mode == "min" else "higher"
        head = f"{counted(len(points), 'point')}, {trials}, {lost} diverged; {better}"
        far = ["steps"] * any(point.steps for point in points)
        lines = columns(
            ["point", *self.names, *far, self.metric],
            (
                [
                    str(self.rows[point.trials[0]]["point"]),
                    *(short(point.hyperparameters[name]) for name in self.names),
                    *(str(point.steps) for _ in far),
                    f"{point.diverged}/{len(point.trials)} diverged"
                    if point.diverged
                    else short(point.value),
                ]
                for point in points[:MOST]
            ),
        )
        more = len(points) - MOST
        rest = [f"... {more} more, in .rows and .points()"] if more > 0 else []
        return "\n".join([f"{head} {self.metric} is better", *lines, *rest])

    def points(self) -> list[Point]:
        """Each point of the space over its seeds, in order."""
        members: dict[Any, list[dict[str, Any]]] = {}
        for row in self.rows:
            members.setdefault(row["point"], []).append(row)
        return [_point(rows, self.names, self.metric) for rows in members.values()]

    def best(self) -> Point:
        """The point with the best mean of the metric over its seeds.

        A point of which a seed diverged is not among them; of points that went
        unequally far, only those that went farthest are.

        Raises:
            ValueError: If every point diverged.
        """
        sound = [p for p in self.points() if not p.diverged]
        if not sound:
            raise ValueError(
                f"best(): expected a point that did not diverge, but of all "
                f"{len(self.points())} a trial ended in a number that is not finite, "
                f"in {', '.join(self._not_finite())}. Try smaller learning "
                "rates."
            )
        return ranked(sound, self.mode)[0]

    def _not_finite(self) -> list[str]:
        """The metrics that are not finite in some trial."""
        lost = {
            name: None
            for numbers, arrays in zip(self.rows, self.curves, strict=True)
            for name, x in {**numbers, **arrays}.items()
            if name not in self.names and not np.isfinite(np.asarray(x, float)).all()
        }
        return list(lost)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The rows as CSV, also written to `path` if there is one."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return _written(text.getvalue(), path)

    def to_jsonl(self, path: str | Path | None = None) -> str:
        """A line of JSON for each trial, curves too; what is not finite is null."""
        lines = [
            json.dumps(
                {
                    **{name: _in_json(value) for name, value in row.items()},
                    **{name: _in_json(x.tolist()) for name, x in curves.items()},
                }
            )
            for row, curves in zip(self.rows, self.curves, strict=True)
        ]
        return _written("\n".join(lines) + "\n", path)

    def to_pandas(self) -> Any:
        """The rows as a `pandas.DataFrame`.

        Raises:
            ImportError: If pandas is not installed.
        """
        try:
            import pandas  # pyright: ignore[reportMissingImports]: optional
        except ImportError:
            raise ImportError(
                "to_pandas: expected pandas, which is not installed. Install it, or "
                "use table.rows or table.to_csv()."
            ) from None
        return pandas.DataFrame(list(self.rows))


def row(
    trial: Any, metrics: Mapping[str, Any], **more: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The row and the curves of a trial that returned `metrics`."""
    arrays = {name: np.asarray(value) for name, value in metrics.items()}
    finite = all(np.isfinite(x.astype(np.float64)).all() for x in arrays.values())
    numbers = {name: x.item() for name, x in arrays.items() if not x.ndim}
    columns = {
        "trial": trial.index,
        "point": trial.point,
        **trial.hyperparameters,
        "seed": trial.seed,
        **more,
        **numbers,
        "diverged": not finite,
    }
    return columns, {name: x for name, x in arrays.items() if x.ndim}


def _point(rows: list[dict[str, Any]], names: Sequence[str], metric: str) -> Point:
    values = [row[metric] for row in rows]
    diverged = sum(row["diverged"] for row in rows)
    return Point(
        hyperparameters={name: rows[0][name] for name in names},
        value=math.nan if diverged else math.fsum(values) / len(values),
        values=values,
        trials=[row["trial"] for row in rows],
        diverged=diverged,
        steps=rows[0].get("steps"),
    )


def _in_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_in_json(x) for x in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    plain = value is None or isinstance(value, (bool, int, float, str))
    return value if plain else str(value)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", newline="")
    return text
