"""The picture of transcripts: what was said when, and what was heard when."""

import os
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.train.pictures import BLUE, INK, QUIET, VERMILLION, picture

MOST = 6
_ROW, _ABOVE, _BELOW = 1.15, 0.85, 0.5  # inches


class Aligned(NamedTuple):
    """A recording, what was said in it and what was heard.

    Attributes:
        features: (frames, features), without padding.
        said: Symbols, as text.
        said_at: The second at which each begins, or `None` where nobody knows.
        heard: Likewise.
        heard_at: Likewise.
        confidence: How sure the model was.
    """

    features: np.ndarray
    said: list[str]
    said_at: np.ndarray | None
    heard: list[str]
    heard_at: np.ndarray
    confidence: float


def alignments(
    examples: list[Aligned],
    seconds_a_frame: float,
    path: str | os.PathLike[str],
    called: str = "recordings",
) -> None:
    """Up to six recordings: half of them mistakes, the surest, if there are so many.

    Args:
        examples: All of them.
        seconds_a_frame: Of the features.
        path: Where to.
        called: What they are.

    Raises:
        ValueError: If there are none.
    """
    if not examples:
        raise ValueError("examples: expected recordings to draw, there are none.")
    wrong = sorted(
        (one for one in examples if one.said != one.heard), key=lambda x: -x.confidence
    )
    right = [one for one in examples if one.said == one.heard]
    shown = wrong[: max(MOST // 2, MOST - len(right))]
    shown += right[: MOST - len(shown)]
    title = f"No mistake in {len(examples)} {called}"
    if wrong:
        strings = f"{len(wrong)} of {len(examples)} {called}"
        title = f"A mistake or more in {strings} ({len(wrong) / len(examples):.1%})"
    height = _ABOVE + _ROW * len(shown) + _BELOW
    with picture(
        path,
        width=8,
        height=height,
        title=title.replace("%", " %"),
        below="Above: what was said"
        + ("." if examples[0].said_at is None else ", where it begins.")
        + " Below: what the model heard.",
    ) as figure:
        longest = seconds_a_frame * max(len(one.features) for one in shown)
        for row, one in enumerate(shown):
            top = _ABOVE + _ROW * row + 0.25
            place = (0.02, 1 - (top + _ROW - 0.6) / height, 0.96, (_ROW - 0.6) / height)
            axes = figure.add_axes(place)
            _draw(axes, one, seconds_a_frame, longest)
        axes.spines["bottom"].set_visible(True)
        axes.spines["bottom"].set_position(("outward", 20))
        axes.tick_params(bottom=True, labelbottom=True, colors=QUIET)
        axes.set_xlabel("seconds")


def _draw(axes: Any, one: Aligned, seconds_a_frame: float, longest: float) -> None:
    seconds = seconds_a_frame * len(one.features)
    axes.imshow(
        one.features.T,
        origin="lower",
        aspect="auto",
        cmap="gray_r",
        extent=(0, seconds, 0, 1),
        interpolation="nearest",
    )
    axes.set(xlim=(0, longest), ylim=(0, 1), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(bottom=False, labelbottom=False)
    color = BLUE if one.said == one.heard else VERMILLION
    sides = [(one.heard, one.heard_at, 0, color)]
    if one.said_at is None:
        axes.text(0, 1.08, "".join(one.said), color=INK, weight="bold")
    else:
        sides.append((one.said, one.said_at, 1, INK))
    for symbols, times, y, ink in sides:
        for symbol, second in zip(symbols, times, strict=True):
            axes.plot(
                [second, second], [y - 0.14, y + 0.14], color=ink, lw=1.5, clip_on=False
            )
            axes.annotate(
                symbol,
                (float(second), y),
                xytext=(0, 7 if y else -8),
                textcoords="offset points",
                ha="center",
                va="bottom" if y else "top",
                color=ink,
                weight="bold",
                annotation_clip=False,
            )
