"""How the values of a hyperparameter lie on an axis: by decades, or evenly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.sweeping.shown import ranked, short
from rmsprop_jax.sweeping.space import Range
from rmsprop_jax.sweeping.table import Point
from rmsprop_jax.train.config import typed

# So many times the best loss are as bad as any more.
WORST = 100


@dataclass(frozen=True)
class Scale:
    """Where values lie, from 0 to 1, and what is written beside them.

    Attributes:
        name: The hyperparameter, as one reads it.
        column: The list or the range that was tried.
    """

    name: str
    column: Range | Sequence[Any]

    @property
    def listed(self) -> bool:
        """Whether there are places for some values only."""
        return not isinstance(self.column, Range)

    def at(self, value: Any) -> float:
        """Where a value lies."""
        if not isinstance(self.column, Range):
            return (list(self.column).index(value) + 0.5) / len(self.column)
        low, high = self.column.low, self.column.high
        zero = self.column.zero
        if zero is None:
            return (value - low) / (high - low)
        return math.log((value - zero) / (low - zero)) / math.log(
            (high - zero) / (low - zero)
        )

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Places, and what stands there."""
        if not isinstance(self.column, Range):
            values = list(self.column)
            return [(self.at(value), short(typed(value), 3)) for value in values]
        shares = self.edges(most - 1)
        return [(share, short(float(self.column.at(share)), 3)) for share in shares]

    def cells(self, most: int) -> int:
        """How many cells it has: one for each value of a list."""
        return most if isinstance(self.column, Range) else len(self.column)

    def edges(self, cells: int) -> list[float]:
        """The ends of so many equal parts."""
        return [i / cells for i in range(cells + 1)]


def scale(name: str, column: Range | Sequence[Any]) -> Scale:
    """That of a hyperparameter; a list of numbers goes from the smallest up."""
    if not isinstance(column, Range) and name in RANGES:
        column = sorted(column)
    return Scale(name.replace("_", " "), column)


def best_first(points: Sequence[Point], mode: str) -> list[Point]:
    """Those that did not diverge; of unequally long ones, the longest go before."""
    return [point for point in ranked(points, mode) if not point.diverged]


def spread(values: Sequence[float], mode: str) -> np.ndarray:
    """Metrics from 0, the worst, to 1, the best; by decades if they are of many sizes.

    What is not finite is NaN.
    """
    numbers = np.array(values, float)
    finite = np.isfinite(numbers)
    if not finite.any():
        return numbers
    if mode == "min" and numbers[finite].min() > 0:
        # What learned nothing, or worse, is all the same.
        numbers = np.log(np.minimum(numbers, WORST * numbers[finite].min()))
    sign = -1 if mode == "min" else 1
    low, high = (f(sign * numbers[finite]) for f in (np.min, np.max))
    if low == high:
        return np.where(finite, 1.0, np.nan)
    return np.where(finite, (sign * numbers - low) / (high - low), np.nan)
