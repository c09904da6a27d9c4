"""Pictures of a finished run, drawn without a display; curves of it: `curves.py`.

Colours are those of Okabe and Ito, or a map that loses nothing in grey.
"""

import io
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rmsprop_jax.files import write_bytes

INK, QUIET, FAINT = "#222222", "#666666", "#DDDDDD"
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#C74E00", "#008A63", "#E69F00"

MOST_MISTAKES = 24


@contextmanager
def picture(
    path: str | os.PathLike[str], *, width: float, height: float, title: str, below: str
) -> Iterator[Any]:
    """A figure with a title and a quieter line below it, written whole at the end.

    Args:
        path: Where to; the suffix decides the format.
        width: In inches, of which 100 pixels each are enough to read it.
        height: In inches.
        title: What one sees, in a sentence.
        below: What one needs to know to read it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    path = Path(path)
    style: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 9,
        "text.color": INK,
    }
    style |= {"axes.edgecolor": QUIET, "axes.labelcolor": QUIET, "axes.labelsize": 9}
    style |= {"xtick.color": QUIET, "ytick.color": QUIET, "text.usetex": False}
    style |= {"axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlecolor": INK}
    style |= {"axes.facecolor": "white", "figure.facecolor": "white"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width, height), dpi=160)
        left = 0.16 / width
        figure.text(left, 1 - 0.14 / height, title, size=13, weight="bold", va="top")
        figure.text(left, 1 - 0.42 / height, below, size=9, color=QUIET, va="top")
        yield figure
        content = io.BytesIO()
        figure.savefig(content, format=path.suffix.removeprefix(".") or "png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content.getvalue())


def confusion(
    labels: Any, predictions: Any, names: Sequence[str], path: str | os.PathLike[str]
) -> None:
    """What is taken for what: counts, coloured by how many are wrong.

    The diagonal has no part in the colours: it would outshine what one looks for.

    Args:
        labels: The true classes, as indices of `names`.
        predictions: The classes the model says, in the same order.
        names: What the classes are called.
        path: Where to.

    Raises:
        ValueError: If labels and predictions do not pair, or a class has no name.
    """
    labels, predictions = _pair("labels", labels, "predictions", predictions)
    # Between two dollars matplotlib would see a formula.
    n, names = len(names), [_short(str(x)).replace("$", r"\$") for x in names]
    for name, values in (("labels", labels), ("predictions", predictions)):
        if values.size and not (values.min() >= 0 and values.max() < n):
            raise ValueError(
                f"{name}: expected classes from 0 to {n - 1}, one for each of names, "
                f"got {values.min()} to {values.max()}."
            )
    counts = np.zeros((n, n), np.int64)
    np.add.at(counts, (labels, predictions), 1)
    wrong = counts * ~np.eye(n, dtype=bool)
    if wrong.any():
        label, said = divmod(int(wrong.argmax()), n)
        share = wrong.sum() / labels.size
        title = f"{_many(wrong.sum())} of {_many(labels.size)} wrong ({share:.2%})"
        title = title.replace("%", " %")
        below = (
            f"Most often: {names[label]} taken for {names[said]}, "
            f"{wrong[label, said]} times. The colours show mistakes only."
        )
    else:
        title, below = f"All {_many(labels.size)} right", "There is nothing to confuse."
    side = max(6.4, 0.3 * n + 1)
    with picture(
        path, width=side + 0.6, height=side + 0.75, title=title, below=below
    ) as figure:
        _matrix(figure, counts, wrong, names)


def _matrix(figure: Any, counts: Any, wrong: Any, names: list[str]) -> None:
    n, (width, height) = len(names), figure.get_size_inches()
    longest = max(map(len, names), default=1)
    room = 0.55 + min(0.068 * longest, 1.6)
    side = width - room - 0.75
    axes = figure.add_axes(
        (room / width, (height - 0.95 - side) / height, side / width, side / height)
    )
    axes.imshow(
        np.ma.masked_where(np.eye(n, dtype=bool), wrong),
        cmap="Blues",
        vmin=0,
        vmax=max(1.25 * wrong.max(), 1),
    )
    axes.set(facecolor="#EEEEEE", xlabel="the model says", ylabel="it is")
    axes.set_xticks(range(n), names, rotation=0 if longest < 4 else 90)
    axes.set_yticks(range(n), names)
    axes.tick_params(length=0, colors=INK)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    size = np.clip(72 * side / max(n, 1) / 4.2, 4, 10)
    if n <= 40:
        for (i, j), count in np.ndenumerate(counts):
            if count:
                dark = i != j and wrong[i, j] > 0.65 * wrong.max()
                color = QUIET if i == j else "white" if dark else INK
                axes.text(j, i, count, ha="center", va="center", size=size, color=color)
    totals = counts.sum(axis=1)
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    beside |= {"xytext": (6, 0), "color": QUIET, "va": "center", "size": min(size, 9)}
    axes.annotate("found", (1, -0.5), **beside | {"xytext": (6, 8)})
    for i in np.flatnonzero(totals):
        axes.annotate(f"{100 * counts[i, i] / totals[i]:.1f} %", (1, i), **beside)


def mistakes(
    images: Any,
    labels: Any,
    predictions: Any,
    confidences: Any,
    path: str | os.PathLike[str],
    names: Sequence[str] | None = None,
    unit: str = "images",
) -> None:
    """The images about which the model was surest and wrong, up to 24 of them.

    Args:
        images: Grey images, (n, height, width) or with one channel last.
        labels: The true classes.
        predictions: The classes the model says.
        confidences: The probabilities it gives them, in [0, 1].
        path: Where to.
        names: What the classes are called; their numbers if None.
        unit: What the images are of.

    Raises:
        ValueError: If the arguments do not pair, or the images are not grey.
    """
    labels, predictions = _pair("labels", labels, "predictions", predictions)
    labels, confidences = _pair("labels", labels, "confidences", confidences)
    images = np.asarray(images)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 or len(images) != len(labels):
        raise ValueError(
            f"images: expected shape ({len(labels)}, height, width), one for each of "
            f"labels, got {images.shape}."
        )
    wrong = np.flatnonzero(labels != predictions)
    # Stable, and NaN last: the same picture from the same run.
    surest = wrong[np.argsort(-confidences[wrong], kind="stable")][:MOST_MISTAKES]
    if not surest.size:
        with picture(
            path,
            width=8,
            height=1.1,
            title=f"No mistakes in {_many(labels.size)} {unit}",
            below="There is nothing to show.",
        ):
            return
    title = f"The {surest.size} surest of {_many(wrong.size)} mistakes"
    if surest.size == wrong.size:
        title = f"All {wrong.size} mistakes" if wrong.size > 1 else "The only mistake"
    if names is None:
        names = [str(k) for k in range(1 + max(labels.max(), predictions.max()))]
    called = [_short(str(name)) for name in names]
    apart = "\n" if max(map(len, called)) > 2 else ", "
    captions = [
        apart.join((called[is_], f"said {called[says]}", _sure(float(confidence))))
        for is_, says, confidence in zip(
            labels[surest], predictions[surest], confidences[surest], strict=True
        )
    ]
    row = 1.8 if apart == "\n" else 1.5
    with picture(
        path,
        width=8,
        height=0.75 + row * -(-surest.size // 6),
        title=f"{title} in {_many(labels.size)} {unit}",
        below="What it is, what the model said, and how sure it was.",
    ) as figure:
        _gallery(figure, images[surest], captions, row)


def _gallery(figure: Any, images: Any, captions: list[str], row: float) -> None:
    """Six images to a row of `row` inches, their captions above them."""
    cells = figure.subplots(-(-len(images) // 6), 6, squeeze=False).flat
    top = 1 - (row - 0.75) / figure.get_figheight()
    figure.subplots_adjust(0.02, 0.02, 0.98, top, hspace=(row - 1.2) / 1.2)
    for axes in cells:
        axes.axis("off")
    for axes, image, caption in zip(figure.axes, images, captions, strict=False):
        axes.imshow(image, cmap="gray_r", interpolation="nearest")
        axes.set_title(caption, size=9, weight="normal", pad=3)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"


def _sure(share: float) -> str:
    """A probability that is only 100 % if it is 1."""
    if 0.995 <= share < 1:
        return f"{math.floor(1000 * share) / 10} %"
    return f"{100 * share:.0f} %"


def fit(y: Any, predictions: Any, path: str | os.PathLike[str]) -> None:
    """What a regression says against what is so; on the line it is right.

    Args:
        y: The true values.
        predictions: What the model says.
        path: Where to.

    Raises:
        ValueError: If there are not as many of the one as of the other.
    """
    y, predictions = _pair("y", y, "predictions", predictions)
    finite = np.isfinite(y) & np.isfinite(predictions)
    true, said = y[finite].astype(float), predictions[finite].astype(float)
    lost = y.size - true.size
    title, below = "No finite predictions", f"{_many(lost)} are not finite."
    low, high = 0.0, 1.0
    if true.size:
        error = np.sqrt(np.mean((said - true) ** 2))
        spread = true.std()
        low = min(true.min(), said.min())
        high = max(true.max(), said.max())
        title = f"The predictions are off by {error:.3g} (root mean square)"
        below = f"{_many(true.size)} test examples whose values spread by {spread:.3g}."
        if spread > 0:
            below += f" R² = {1 - (error / spread) ** 2:.4g}."
        if lost:
            below += f" {_many(lost)} more are not finite."
    margin = 0.04 * (high - low) or 1.0
    limits = (low - margin, high + margin)
    with picture(path, width=6.4, height=6.6, title=title, below=below) as figure:
        axes = figure.add_axes((0.13, 0.085, 0.83, 0.8))
        axes.plot(limits, limits, color=QUIET, linewidth=1, zorder=1)
        alpha = float(np.clip(200 / max(true.size, 1), 0.15, 0.8))
        axes.scatter(
            true, said, s=14, color=BLUE, alpha=alpha, linewidths=0, rasterized=True
        )
        axes.set(xlim=limits, ylim=limits, aspect="equal")
        axes.set(xlabel="it is", ylabel="the model says")
        axes.spines[["top", "right"]].set_visible(False)


def _pair(name: str, values: Any, other: str, others: Any) -> tuple[Any, Any]:
    values, others = np.asarray(values).reshape(-1), np.asarray(others).reshape(-1)
    if values.shape != others.shape:
        raise ValueError(
            f"{name}, {other}: expected one for one, got {values.size} and "
            f"{others.size}."
        )
    return values, others


def _many(number: int) -> str:
    """A count with its thousands apart: `10 000`."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
