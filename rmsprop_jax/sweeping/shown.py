"""How results print: aligned columns, the best first, what diverged marked."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# As many as one reads.
MOST = 10
_MARGIN = "  "


def short(value: Any, digits: int = 4) -> str:
    """A value in a few characters; of decays the digits beyond the 9s count."""
    if not isinstance(value, float):
        return getattr(value, "__name__", str(value))
    if 0.9 < value < 1:
        return f"{1 - float(f'{1 - value:.{digits - 1}g}'):.9g}"
    return f"{value:.{digits}g}"


def arguments(hyperparameters: Mapping[str, Any]) -> str:
    """Such as `learning_rate=0.01, decay=0.9`."""
    return ", ".join(f"{name}={short(x)}" for name, x in hyperparameters.items())


def columns(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns end at the same place."""
    lines = [tuple(names), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        _MARGIN.join(x.rjust(w) for x, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def ranked(points: Sequence[Any], mode: str) -> list[Any]:
    """Points, the best first: those that went farthest, and last what diverged."""
    sign = 1 if mode == "min" else -1

    def rank(point):
        lost = math.isnan(point.value)
        return lost, -(point.steps or 0), 0.0 if lost else sign * point.value

    return sorted(points, key=rank)
