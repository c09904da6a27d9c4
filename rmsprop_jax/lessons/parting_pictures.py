"""Pictures of ways that part."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np

from rmsprop_jax.lessons import style
from rmsprop_jax.lessons.parting import apart, together

Ways = Mapping[str, Any]

_EVERY = 5  # steps from point to point
# A group looks like the first of these that is in it, in every picture.
_LOOKS = dict(zip(("optax", "torch", "tf1", "graves"), style.LOOKS, strict=False))


@style.applied()
def distances(squares: Mapping[str, Ways], order: Sequence[str]) -> None:
    """How far apart each pair ends, a square of colours for each set of ways.

    Args:
        squares: Title → name → way.
        order: The names in the order of rows and columns.
    """
    import matplotlib.pyplot as plt

    figure, row = plt.subplots(
        1, len(squares), figsize=(style.WIDTH, 4.4), sharey=True, squeeze=False
    )
    edges = np.arange(1, len(order)) - 0.5
    for axes, (title, ways) in zip(row.flat, squares.items(), strict=True):
        gaps = [[apart(ways[a], ways[b]) for b in order] for a in order]
        image = axes.imshow(gaps, vmin=0, vmax=1)
        axes.set_title(title)
        axes.set_xticks(range(len(order)), order, rotation=90)
        axes.set_yticks(range(len(order)), order)
        axes.set_xticks(edges, minor=True)
        axes.set_yticks(edges, minor=True)
        axes.grid(visible=False)
        axes.grid(visible=True, which="minor", color="white", linewidth=0.8)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
    figure.colorbar(
        image, ax=row, shrink=0.8, label="0: together   1: one stands still"
    )
    plt.show()


@style.applied()
def forks(first: Ways, second: Ways, third: Ways, fourth: Ways) -> None:
    """Ways against steps, a line for all that go together: a picture for each choice.

    Args:
        first: With the same numbers; ν₀ and centering as each has them.
        second: With these alike too, and ε where each has it.
        third: With that alike too, and a learning rate that falls at step 100.
        fourth: With all this alike, and weight decay as each has it.
    """
    import matplotlib.pyplot as plt

    panels = (
        ("1  ν₀ and centering: the loud parameter", first, 0),
        ("2  the place of ε: the quiet parameter", second, 1),
        ("3  the place of α: momentum, α falls at 100", third, 0),
        ("4  weight decay: the loud parameter", fourth, 0),
    )
    _, grid = plt.subplots(2, 2, figsize=(style.WIDTH, 6.0))
    for axes, (title, ways, column) in zip(grid.flat, panels, strict=True):
        only = {name: np.asarray(way)[:, [column]] for name, way in ways.items()}
        for group in together(only):
            look = next(look for name, look in _LOOKS.items() if name in group)
            way = only[group[0]][::_EVERY]
            steps = _EVERY * np.arange(len(way))
            label = fill(", ".join(group), 30)
            axes.plot(steps, way, label=label, markevery=5, **look)
        axes.set(title=title, xlabel="step", ylabel="θ − θ₀")
        if ways is third:
            axes.legend(fontsize=7.5, loc="upper right")
        else:
            axes.legend(fontsize=7.5, loc="lower left")
            low, high = axes.get_ylim()
            axes.set_ylim(low - 0.3 * (high - low), high)
    plt.show()
