"""The picture of the best points: how they learned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.train.pictures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    VERMILLION,
    picture,
)

_STYLES = (
    (INK, "-"), (BLUE, (0, (5, 1.5))), (VERMILLION, (0, (1, 1))),
    (GREEN, (0, (4, 1, 1, 1))), (ORANGE, "-"),
)  # fmt: skip
MOST = len(_STYLES)
_DECADES = 1e6  # Over more of them, the axis has powers of 10 only.
_WIDTH, _PANEL, _LINE = 8.0, 2.9, 0.2  # inches


class Course(NamedTuple):
    """A point over its seeds.

    Attributes:
        label: What it is.
        epochs: When it was judged.
        values: Of each seed, a row.
    """

    label: str
    epochs: np.ndarray
    values: np.ndarray


def draw(
    courses: Sequence[Course], *, name: str, title: str, below: str, path: Path
) -> None:
    """The metric over epochs: means over seeds, and from the lowest to the highest.

    Args:
        courses: The best first, at most `MOST`.
        name: What is drawn.
        title: What came out.
        below: What one needs to know to read it.
        path: Where to.
    """
    lower = 0.75 + _LINE * len(courses)
    height = 1.15 + _PANEL + lower
    if len(courses[0].values) > 1:
        below += "\nLines: means of the seeds; bands: from the lowest to the highest."
    with picture(path, width=_WIDTH, height=height, title=title, below=below) as figure:
        axes = figure.add_axes((0.1, lower / height, 0.87, _PANEL / height))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=FAINT, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_title(name, loc="left")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        for i, (one, (color, dash)) in enumerate(zip(courses, _STYLES, strict=False)):
            few = "o" if len(one.epochs) < 12 else ""
            axes.plot(
                one.epochs, one.values.mean(axis=0), color=color, ls=dash, marker=few,
                ms=3.5, lw=2.2 if i == 0 else 1.5, zorder=9 - i,
            )  # fmt: skip
            low, high = one.values.min(axis=0), one.values.max(axis=0)
            axes.fill_between(one.epochs, low, high, color=color, alpha=0.12, lw=0)
        _scale(axes, courses, name)
        for i, (one, (color, dash)) in enumerate(zip(courses, _STYLES, strict=False)):
            y = (0.2 + _LINE * (len(courses) - 1 - i)) / height
            figure.add_artist(_sample(0.1, y, color, dash))
            figure.text(0.165, y, one.label, va="center", color=INK)


def _sample(x: float, y: float, color: str, dash: Any) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([x, x + 0.05], [y, y], color=color, ls=dash, lw=1.8)


def _scale(axes: Any, courses: Sequence[Course], name: str) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    values = np.concatenate([one.values.ravel() for one in courses])
    if "accuracy" in name:
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.6g} %")
    elif values.min() > 0 and values.max() > 5 * values.min():
        axes.set_yscale("log")
        many = values.max() > _DECADES * values.min()
        subs = (1.0,) if many else (1.0, 2.0, 5.0)
        axes.yaxis.set_major_locator(LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.3g}")
        axes.yaxis.set_minor_locator(NullLocator())
