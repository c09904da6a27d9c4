"""The picture of learning rate by decay: how good it gets where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmsprop_jax.sweeping.table import Point
from rmsprop_jax.train.pictures import INK, VERMILLION, picture
from rmsprop_jax.train.sweeps.scales import Scale, best_first, spread

_CELLS_ACROSS, _CELLS_UP = 9, 6
_CELL, _ROOM = (0.86, 0.55), (1.05, 0.3, 1.0, 0.75)  # inches; left, right, top, bottom


def draw(
    points: Sequence[Point],
    scales: tuple[Scale, Scale],
    *,
    words: Any,
    mode: str,
    title: str,
    below: str,
    path: Path,
) -> None:
    """Each cell: its best point, and how many of its points diverged.

    Args:
        points: The points of the sweep.
        scales: Those of learning rate and decay.
        words: A value of the metric → how it is written.
        mode: `"min"` or `"max"`: which is better.
        title: What came out.
        below: What one needs to know to read it.
        path: Where to.
    """
    across, up = (
        one.cells(most)
        for one, most in zip(scales, (_CELLS_ACROSS, _CELLS_UP), strict=True)
    )
    cells: dict[tuple[int, int], list[Point]] = {}
    for point in points:
        x, y = (
            min(count - 1, int(one.at(point.hyperparameters[name]) * count))
            for one, name, count in zip(
                scales, ("learning_rate", "decay"), (across, up), strict=True
            )
        )
        cells.setdefault((x, y), []).append(point)
    best = {
        at: best_first(there, mode)[0]
        for at, there in cells.items()
        if best_first(there, mode)
    }
    left, right, top, bottom = _ROOM
    wide, high = max(5.6, across * _CELL[0]), max(1.2, up * _CELL[1])
    width, height = left + wide + right, top + high + bottom
    below = f"{below}\nEach cell: its best point. White: no point."
    if any(point.diverged for point in points):
        below += " ×: points that diverged, of so many."
    with picture(path, width=width, height=height, title=title, below=below) as figure:
        box = (left / width, bottom / height, wide / width, high / height)
        axes = figure.add_axes(box)
        axes.set(xlim=(0, across), ylim=(0, up))
        axes.set(xlabel=scales[0].name, ylabel=scales[1].name)
        for one, count, axis in zip(
            scales, (across, up), (axes.xaxis, axes.yaxis), strict=True
        ):
            ticks = one.ticks(count + 1)
            axis.set_ticks([at * count for at, _ in ticks], [text for _, text in ticks])
        axes.tick_params(length=0 if all(one.listed for one in scales) else 3)
        shades = spread([point.value for point in best.values()], mode)
        shaded = dict(zip(best, shades, strict=True))
        for at, there in cells.items():
            value = best[at].value if at in best else None
            _cell(axes, at, there, value, shaded.get(at), words)
        for winner in best_first(list(best.values()), mode)[:1]:
            _frame(axes, next(at for at, point in best.items() if point is winner))


def _cell(
    axes: Any,
    at: tuple[int, int],
    there: Sequence[Point],
    value: float | None,
    shade: float | None,
    words: Any,
) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    lost = sum(point.diverged > 0 for point in there)
    color = "#EEEEEE" if shade is None else colormaps["viridis"](0.1 + 0.9 * shade)
    hatch = "////" if value is None else None
    axes.add_patch(
        Rectangle(at, 1, 1, facecolor=color, hatch=hatch, edgecolor="white", lw=1.5)
    )
    ink = INK if shade is None or shade > 0.55 else "white"
    x, y = at[0] + 0.5, at[1] + 0.5
    if value is not None:
        raised = 0.17 if lost else 0.0
        axes.text(x, y + raised, words(value), ha="center", va="center", color=ink)
    if lost:
        said = f"× {lost}" if len(there) == lost else f"× {lost} of {len(there)}"
        lowered = 0.0 if value is None else 0.22
        color = VERMILLION if value is None else ink
        axes.text(
            x, y - lowered, said, ha="center", va="center", color=color, size=8,
            weight="bold",
        )  # fmt: skip


def _frame(axes: Any, at: tuple[int, int]) -> None:
    from matplotlib.patches import Rectangle

    for color, width in (("white", 4.5), (INK, 2.2)):
        axes.add_patch(
            Rectangle(
                at, 1, 1, fill=False, edgecolor=color, lw=width, clip_on=False, zorder=3
            )
        )
