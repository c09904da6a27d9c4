"""The picture of a comparison: how each optimizer learned, and how it was tuned."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.train.comparison_table import Measure, Outcome
from rmsprop_jax.train.pictures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    VERMILLION,
    picture,
)
from rmsprop_jax.train.status import loss_text, percent

_COLORS = (BLUE, VERMILLION, GREEN, "#8A3A8F", "#8F5E00", "#2A9BC7", INK)
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
_WIDTH, _TOP, _GAP, _BOTTOM, _LINE = 9.0, 1.15, 0.75, 0.55, 0.19  # inches


class _Series(NamedTuple):
    """A line, the band around it, and what stands at its end."""

    label: str
    style: dict[str, Any]
    x: np.ndarray
    y: np.ndarray
    error: np.ndarray


def draw(
    outcomes: Sequence[Outcome], by: Measure, title: str, below: str, path: Path
) -> None:
    """Test measures by epoch, and what the learning rate does to the held-out examples.

    Args:
        outcomes: The best first, which is the order of the colours.
        by: What the learning rates were chosen by.
        title: What came out.
        below: What one needs to know to read it.
        path: Where to.
    """
    names = [name for name in ("accuracy", "loss") if _courses(outcomes, name)]
    panel = max(2.0, _LINE * len(outcomes) + 0.2)
    count = len(names) + 1
    height = _TOP + count * (panel + _GAP) - _GAP + _BOTTOM
    with picture(
        path, width=_WIDTH, height=height, title=title, below=_wrapped(below)
    ) as figure:
        for i in range(count):
            bottom = height - _TOP - i * (panel + _GAP) - panel
            box = (0.085, bottom / height, 0.63, panel / height)
            axes = figure.add_axes(box)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color=FAINT, linewidth=0.7)
            axes.set_axisbelow(True)
            if i < len(names):
                _draw_courses(axes, names[i], _courses(outcomes, names[i]))
                axes.tick_params(labelbottom=i == len(names) - 1)
                axes.set_xlabel("epoch" if i == len(names) - 1 else "")
            else:
                _draw_trials(axes, outcomes, by)


def _wrapped(text: str) -> str:
    """In two lines, broken after the first half sentence that fills one."""
    parts, lines = text.split("; "), [""]
    for part in parts:
        if len(lines[-1]) + len(part) > 110:
            lines.append("")
        lines[-1] += f"{part}; "
    return "\n".join(lines).removesuffix("; ")


def _style(i: int) -> dict[str, Any]:
    return {
        "color": _COLORS[i % len(_COLORS)],
        "linestyle": _DASHES[i // len(_COLORS) % len(_DASHES)],
    }


def _courses(outcomes: Sequence[Outcome], name: str) -> list[_Series]:
    """The mean over seeds at each epoch that all of them reached."""
    series = []
    for i, outcome in enumerate(outcomes):
        runs = [
            [row[f"test/{name}"] for row in course if f"test/{name}" in row]
            for test, course in zip(outcome.tests, outcome.courses, strict=True)
            if not test["diverged"]
        ]
        if not runs or not runs[0]:
            continue
        y = np.array(runs)
        error = np.zeros(y.shape[1])
        if len(y) > 1:
            error = y.std(axis=0, ddof=1) / np.sqrt(len(y))
        x = np.arange(1, y.shape[1] + 1)
        series.append(_Series(outcome.label, _style(i), x, y.mean(axis=0), error))
    return series


def _draw_courses(axes: Any, name: str, series: Sequence[_Series]) -> None:
    axes.set_title(f"Test {name}: mean and standard error", loc="left")
    if name == "accuracy":
        _spread_accuracies(axes, np.concatenate([one.y for one in series]))
    else:
        _spread_losses(axes, np.concatenate([one.y for one in series]))
    last = max(one.x[-1] for one in series)
    axes.set_xlim(1 if last > 1 else 0.5, last if last > 1 else 1.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for one in series:
        few = "o" if len(one.x) == 1 else ""
        axes.plot(one.x, one.y, linewidth=1.5, marker=few, ms=4, **one.style)
        low, high = one.y - one.error, one.y + one.error
        axes.fill_between(
            one.x, low, high, color=one.style["color"], alpha=0.15, linewidth=0
        )
    word = percent if name == "accuracy" else loss_text
    ordered = sorted(series, key=lambda one: -one.y[-1])
    texts = [f"{one.label}  {word(one.y[-1])}" for one in ordered]
    _label(axes, texts, ordered, [one.y[-1] for one in ordered])


def _draw_trials(axes: Any, outcomes: Sequence[Outcome], by: Measure) -> None:
    """Held-out examples by learning rate; a ring is round what was chosen."""
    axes.set_title(f"Held-out {by} by learning rate; ringed: chosen", loc="left")
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    key, shown = f"validation/{by}", []
    for i, outcome in enumerate(outcomes):
        alive = [row for row in outcome.trials if not row["diverged"]]
        x = np.array([row["learning_rate"] for row in alive])
        y = np.array([row[key] for row in alive])
        shown.append(_Series(outcome.label, _style(i), x, y, np.zeros(0)))
    values = np.concatenate([one.y for one in shown])
    if values.size and by == "accuracy":
        _spread_accuracies(axes, values)
    elif values.size:
        # What learned nothing, or less than that, leaves the picture above.
        _spread_losses(axes, np.minimum(values, 30 * values.min()))
    for one, outcome in zip(shown, outcomes, strict=True):
        axes.plot(one.x, one.y, linewidth=1.2, marker="o", ms=3, **one.style)
        chosen = one.x == outcome.chosen
        axes.plot(
            one.x[chosen],
            one.y[chosen],
            "o",
            ms=9,
            mfc="none",
            color=one.style["color"],
        )
        lost = [row["learning_rate"] for row in outcome.trials if row["diverged"]]
        axes.plot(
            lost, [0.97] * len(lost), "x", ms=5, color=one.style["color"],
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    texts = []
    for outcome in outcomes:
        rate = "diverged" if outcome.chosen is None else f"{outcome.chosen:g}"
        edge = ", at the edge" if outcome.edge else ""
        texts.append(f"{outcome.label}  {rate}{edge}")
    _label(axes, texts, shown, None)


def _spread_accuracies(axes: Any, values: np.ndarray) -> None:
    """As their errors are on a logarithmic axis, if these are of many sizes."""
    errors = 1 - values
    if errors.max() < 5 * errors.min():
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.6g} %")
        return
    least = max(errors[errors > 0].min(initial=1.0) / 2, 1e-5)
    axes.set_yscale(
        "function",
        functions=(
            lambda y: -np.log10(np.maximum(1 - y, least)),
            lambda z: 1 - 10.0**-z,
        ),
    )
    top = 1 - max(0.9 * errors.min(), least)
    bottom = 1 - min(1.1 * errors.max(), 1.0)
    ticks = (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
    ticks = [tick for tick in ticks if bottom <= tick <= top]
    axes.set_ylim(bottom, top)
    axes.set_yticks(ticks, [f"{100 * tick:.6g} %" for tick in ticks])
    axes.minorticks_off()


def _spread_losses(axes: Any, values: np.ndarray) -> None:
    """A logarithmic axis, if the values are of many sizes."""
    from matplotlib.ticker import LogLocator, NullLocator

    if values.max() < 5 * values.min():
        return
    axes.set_yscale("log")
    axes.set_ylim(values.min() / 1.1, values.max() * 1.1)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.3g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _label(
    axes: Any,
    texts: Sequence[str],
    series: Sequence[_Series],
    ends: Sequence[float] | None,
) -> None:
    """The texts to the right from above, each led to by the end of its line, if any."""
    inches = axes.get_position().height * axes.figure.get_size_inches()[1]
    apart, n = _LINE / inches, len(texts)
    wanted = np.linspace((n - 1) * apart, 0, n) + (1 - (n - 1) * apart) / 2
    if ends is not None:
        to_pixels, from_pixels = axes.transData, axes.transAxes.inverted()
        at = [from_pixels.transform(to_pixels.transform((1, end)))[1] for end in ends]
        wanted = _apart(np.clip(at, 0, 1), apart)
        for end, y, one in zip(at, wanted, series, strict=True):
            axes.plot(
                [1.0, 1.025, 1.04], [end, y, y], linewidth=0.7, clip_on=False,
                transform=axes.transAxes, color=one.style["color"],
            )  # fmt: skip
    for text, y, one in zip(texts, wanted, series, strict=True):
        axes.plot(
            [1.045, 1.085], [y, y], linewidth=1.8, clip_on=False,
            transform=axes.transAxes, **one.style,
        )  # fmt: skip
        axes.text(
            1.095,
            y,
            text,
            color=one.style["color"],
            va="center",
            transform=axes.transAxes,
        )


def _apart(wanted: np.ndarray, apart: float) -> np.ndarray:
    """Descending positions near `wanted`, at least `apart` from one another."""
    placed = wanted.copy()
    for i in range(1, len(placed)):
        placed[i] = min(placed[i], placed[i - 1] - apart)
    placed += max(0, -placed[-1])
    for i in range(len(placed) - 1, 0, -1):
        placed[i - 1] = max(placed[i - 1], placed[i] + apart)
    return placed
