"""The picture of all points: a line for each, through its hyperparameters."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rmsprop_jax.sweeping.table import Point
from rmsprop_jax.train.pictures import INK, QUIET, VERMILLION, picture
from rmsprop_jax.train.sweeps.scales import WORST, Scale, spread

_DIVERGED = -0.12
_LETTERS = 13  # To an inch.
_APART = 0.7  # How much of a place in a list its lines take.


def draw(
    points: Sequence[Point],
    scales: Mapping[str, Scale],
    *,
    metric: str,
    words: Any,
    mode: str,
    title: str,
    below: str,
    path: Path,
) -> None:
    """A line for each point; the better it is, the darker and the further in front.

    Args:
        points: The points of the sweep.
        scales: By hyperparameter, those that differ between points.
        metric: What it is called.
        words: A value of it → how it is written.
        mode: `"min"` or `"max"`: which is better.
        title: What came out.
        below: What one needs to know to read it.
        path: Where to.
    """
    from matplotlib import colormaps

    heights = spread([point.value for point in points], mode)
    across = np.arange(len(scales) + 1)
    width = max(6.6, 1.5 + 1.45 * len(scales))
    lost = [point for point in points if point.diverged]
    below += " A line is a point; dark: the best."
    if lost:
        below += " Dashed: diverged."
    below = textwrap.fill(below, int(_LETTERS * width))
    with picture(path, width=width, height=5.4, title=title, below=below) as figure:
        axes = figure.add_axes((0.9 / width, 0.1, 1 - 2.1 / width, 0.64))
        axes.set(xlim=(0, len(scales)), ylim=(_DIVERGED if lost else 0, 1))
        axes.axis("off")
        order = np.argsort(np.nan_to_num(heights, nan=-1), kind="stable")
        for rank, i in enumerate(order):
            y = [_place(scales[k], k, i, points) for k in scales]
            if points[i].diverged:
                style = {
                    "color": VERMILLION,
                    "ls": (0, (3, 2)),
                    "lw": 0.8,
                    "alpha": 0.5,
                }
                y.append(_DIVERGED)
            else:
                shade = colormaps["Blues"](0.25 + 0.75 * heights[i])
                winner = rank == len(order) - 1
                style = {
                    "color": INK if winner else shade,
                    "lw": 2.6 if winner else 1.1,
                }
                y.append(float(heights[i]))
            axes.plot(across, y, zorder=2 + rank, clip_on=False, **style)
        for x, one in enumerate(scales.values()):
            _axis(axes, x, one.name, one.ticks())
        _axis(axes, len(scales), metric, _metric_ticks(points, heights, words, mode))
        if lost:
            _say(axes, len(scales), _DIVERGED, f"diverged: {len(lost)}", VERMILLION)


def _place(one: Scale, name: str, i: int, points: Sequence[Point]) -> float:
    """On a list, points with the same value lie beside one another."""
    value = points[i].hyperparameters[name]
    if not one.listed:
        return one.at(value)
    alike = [j for j, p in enumerate(points) if p.hyperparameters[name] == value]
    share = (alike.index(i) + 0.5) / len(alike) - 0.5
    return one.at(value) + _APART * share / one.cells(1)


def _axis(axes: Any, x: int, name: str, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([x, x], [0, 1], color=QUIET, lw=1, zorder=1, clip_on=False)
    axes.text(x, 1.05, name, ha="center", va="bottom", weight="bold", color=INK)
    for y, text in ticks:
        _say(axes, x, y, text, INK)


def _say(axes: Any, x: int, y: float, text: str, color: str) -> None:
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
    axes.annotate(
        text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", size=8.5,
        color=color, bbox=box, zorder=1000, annotation_clip=False,
    )  # fmt: skip


def _metric_ticks(
    points: Sequence[Point], heights: np.ndarray, words: Any, mode: str
) -> list[tuple[float, str]]:
    """The best, the worst and some of those between, none on another."""
    finite = [int(i) for i in np.argsort(-heights) if np.isfinite(heights[i])]
    limit = WORST * points[finite[0]].value if finite and mode == "min" else np.inf
    chosen: list[int] = []
    for i in [*finite[:1], *finite[-1:], *finite]:
        if all(abs(heights[i] - heights[j]) > 0.09 for j in chosen):
            chosen.append(i)
    return [(float(heights[i]), _capped(points[i].value, limit, words)) for i in chosen]


def _capped(value: float, limit: float, words: Any) -> str:
    return words(value) if value <= limit else f"over {words(limit)}"
