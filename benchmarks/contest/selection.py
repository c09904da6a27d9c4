"""How values are chosen, and which trainings judge the choice.

All points with one seed; the few best of them with two more; chosen is the best mean of
three. Every training is a whole one. This is successive halving of what is measured,
not of the steps: a short first rung favours large learning rates, and a stopped
training has not seen its learning rate fall.
"""

import math
import statistics
from collections.abc import Callable, Sequence

from benchmarks.contest.rivals import Point, Rival

# Point, seed → what validation says of the training; None if not finite.
Tried = Callable[[Point, int], float | None]

FIRST, AGAIN, FINALISTS = 0, (1, 2), 4
# None that a point was chosen by.
FRESH = 100


def mean(values: Sequence[float | None]) -> float:
    """A training that ended in no number is worse than any.

    >>> mean([1.0, 2.0]), mean([1.0, None])
    (1.5, inf)
    """
    return statistics.fmean(math.inf if x is None else x for x in values)


def finalists(tried: Tried, points: Sequence[Point]) -> list[Point]:
    """The best by the first seed."""
    return sorted(points, key=lambda point: mean([tried(point, FIRST)]))[:FINALISTS]


def chosen(tried: Tried, points: Sequence[Point]) -> Point:
    """The best finalist by the mean over all seeds of the search."""

    def over_seeds(point):
        return mean([tried(point, seed) for seed in (FIRST, *AGAIN)])

    return min(finalists(tried, points), key=over_seeds)


def judged(tried: Tried, rival: Rival) -> list[Point]:
    """What is trained with fresh seeds: the choice, and what is customary."""
    choice = chosen(tried, rival.points)
    return [choice] if choice == rival.default else [choice, rival.default]
