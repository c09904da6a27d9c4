"""The picture of a range test: the loss while the learning rate grows."""

from pathlib import Path

import numpy as np

from rmsprop_jax.sweeping.rates import RateRange
from rmsprop_jax.train.pictures import BLUE, FAINT, GREEN, QUIET, VERMILLION, picture

_SHADE = 0.15


def draw(found: RateRange, title: str, below: str, path: Path) -> None:
    """The losses pale, their running mean strong, the suggested range shaded.

    Args:
        found: What the test saw.
        title: What came out.
        below: What one needs to know to read it.
        path: Where to.
    """
    with picture(path, width=8, height=4.4, title=title, below=below) as figure:
        axes = figure.add_axes((0.09, 0.12, 0.87, 0.66))
        axes.set_xscale("log")
        axes.set_xlim(found.learning_rates[0], found.learning_rates[-1])
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=FAINT, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.set_xlabel("learning rate, one step each")
        axes.set_title(
            "Training loss: each batch pale, running mean strong", loc="left"
        )
        axes.plot(found.learning_rates, found.losses, color=BLUE, alpha=0.3, lw=0.9)
        counted = slice(None, found.diverged)
        axes.plot(
            found.learning_rates[counted], found.smoothed[counted], color=BLUE, lw=1.8
        )
        _limit(axes, found)
        where = axes.get_xaxis_transform()
        if found.low is not None and found.high is not None:
            axes.axvspan(found.low, found.high, color=GREEN, alpha=_SHADE, lw=0)
            middle = np.sqrt(found.low * found.high)
            said = f"suggested\n{found.low:.2g} to {found.high:.2g}"
            axes.text(
                middle, 0.97, said, ha="center", va="top", color=GREEN, transform=where
            )
        if found.diverged is not None:
            at = found.learning_rates[found.diverged]
            axes.axvline(at, color=VERMILLION, lw=1, ls=":")
            late = found.diverged > 0.7 * len(found.losses)
            axes.text(
                at,
                0.03,
                "what follows does not count " if late else " does not count",
                ha="right" if late else "left",
                color=QUIET,
                transform=where,
            )


def _limit(axes, found: RateRange) -> None:
    """What counts fills the picture; what has left the range leaves it above."""
    counted = found.smoothed[: found.diverged]
    if not counted.size:
        return
    low, high = float(counted.min()), float(counted.max())
    room = 0.25 * (high - low) or 0.5
    axes.set_ylim(max(0.0, low - room), high + 1.6 * room)
