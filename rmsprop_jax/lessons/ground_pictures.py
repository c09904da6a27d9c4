"""Pictures of walks, seen from above."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from rmsprop_jax.lessons import style
from rmsprop_jax.lessons.paths import Walk
from rmsprop_jax.lessons.valleys import Ground

LEVELS = 7


@style.applied()
def descents(ground: Ground, paths: Mapping[str, Any]) -> None:
    """A panel for each path, by title; what leaves the picture is cut off.

    Args:
        ground: What it goes over.
        paths: Title → θ after 0, 1, 2, … steps.
    """
    import matplotlib.pyplot as plt

    figure, row = plt.subplots(1, len(paths), sharex=True, sharey=True, squeeze=False)
    for axes, (title, path) in zip(row[0], paths.items(), strict=True):
        _contours(axes, ground, 1.2, 1.0)
        _path(axes, np.asarray(path), style.LOOKS[0]["color"])
        axes.set_title(title)
        axes.set_xlabel("θ₁")
    row[0, 0].set_ylabel("θ₂", rotation=0)
    plt.show()
    plt.close(figure)


@style.applied()
def walks(
    grounds: Mapping[str, Ground], walked: Mapping[str, Mapping[str, Walk]], ours: str
) -> None:
    """A row for each ground, a column for each optimizer, in each how long it takes.

    Args:
        grounds: By name.
        walked: Ground → optimizer → its walk.
        ours: The optimizer in the colour of the first look.
    """
    import matplotlib.pyplot as plt

    optimizers = list(walked[next(iter(grounds))])
    size = (style.WIDTH, 1.75 * len(grounds))
    figure, grid = plt.subplots(
        len(grounds), len(optimizers), sharex="row", sharey="row", figsize=size
    )
    for row, (name, ground) in zip(grid, grounds.items(), strict=True):
        row[0].set_ylabel(name, fontweight="bold")
        for axes, optimizer in zip(row, optimizers, strict=True):
            walk = walked[name][optimizer]
            _contours(axes, ground, 1.45, 1.25)
            _path(axes, walk.path, style.LOOKS[optimizer != ours]["color"])
            axes.set_title(f"{walk.steps:.0f} steps", fontweight="normal", pad=3)
            axes.set_xticks([])
            axes.set_yticks([])
    for axes, optimizer in zip(grid[0], optimizers, strict=True):
        above = {"xycoords": "axes fraction", "textcoords": "offset points"}
        axes.annotate(optimizer, (0, 1), (0, 16), **above, fontweight="bold")
    plt.show()
    plt.close(figure)


def _contours(axes, ground: Ground, across: float, up: float) -> None:
    x, y = np.meshgrid(np.linspace(-across, across, 81), np.linspace(-up, up, 81))
    height = np.asarray(jax.jit(ground.height)(np.stack([x, y]).astype(np.float32)))
    # Heights as square roots: a quadratic's lines are then equally far apart.
    root = np.sqrt(height - height.min())
    axes.contourf(x, y, root, LEVELS, cmap="Greys_r", vmin=-1.6 * root.max())
    axes.plot(*ground.lowest.T, "*", color="white", markeredgecolor="black", ms=9)
    axes.set(xlim=(-across, across), ylim=(-up, up))
    axes.grid(visible=False)


def _path(axes, path: np.ndarray, colour: str) -> None:
    axes.plot(*path.T, "-", color=colour, lw=1.3, marker="o", ms=2.2)
    axes.plot(*path[0], "o", color="white", markeredgecolor="black", ms=6)
