"""The picture of a run from its rows: loss, accuracy, learning rate over epochs."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.train.pictures import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    QUIET,
    VERMILLION,
    picture,
)
from rmsprop_jax.train.status import loss_text, percent

Row = Mapping[str, Any]

_PANEL, _TOP, _GAP, _BOTTOM = 2.0, 1.05, 0.5, 0.5  # inches
_PARTS = (("train", BLUE), ("validation", GREEN), ("test", VERMILLION))
BROWN = "#8F5E00"
_EFFECTIVE = "effective_learning_rate"


class _Line(NamedTuple):
    name: str
    color: str
    x: np.ndarray
    y: np.ndarray
    final: str


def curves(rows: Sequence[Row], path: str | os.PathLike[str]) -> None:
    """Loss, accuracy and learning rate over epochs, with the last numbers at the ends.

    Accuracies near 100 % are spread as their errors are on a logarithmic axis. The
    effective learning rate, where the rows have it, is a band from its 5 % to its
    95 % quantile around its median.

    Args:
        rows: As `records.read` returns them.
        path: Where to.

    Raises:
        ValueError: If no row has a loss.
    """
    if not any(name.endswith("loss") for row in rows for name in row):
        raise ValueError("rows: expected at least one with a loss; has the run begun?")
    panels = [_draw_loss]
    if any(name.endswith("accuracy") for row in rows for name in row):
        panels.append(_draw_accuracy)
    if any(row.get("learning_rate") is not None for row in rows):
        panels.append(_draw_learning_rate)
    height = _TOP + len(panels) * (_PANEL + _GAP) - _GAP + _BOTTOM
    title, below = _headline(rows)
    with picture(path, width=8, height=height, title=title, below=below) as figure:
        end = max(_epochs(rows, _pace(rows)))
        for i, draw in enumerate(panels):
            bottom = height - _TOP - i * (_PANEL + _GAP) - _PANEL
            axes = figure.add_axes((0.09, bottom / height, 0.70, _PANEL / height))
            axes.set_xlim(0, 1.02 * end or 1)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color=FAINT, linewidth=0.7)
            axes.set_axisbelow(True)
            draw(axes, rows)
            axes.tick_params(labelbottom=i == len(panels) - 1)
            axes.xaxis.get_major_locator().set_params(integer=True)
        figure.axes[-1].set_xlabel("epoch" if _pace(rows) else "step")


def _headline(rows: Sequence[Row]) -> tuple[str, str]:
    """What came out, and what one looks at."""
    epochs = [row for row in rows if row.get("kind") == "epoch"]
    count = epochs[-1]["epoch"] if epochs else 0
    after = f"after {count} epoch{'s' * (count != 1)}"
    below = "Strong: each whole epoch."
    if any("loss" in row for row in rows):
        below = f"Pale: the training examples between two reports. {below}"
    for name, word, best in (
        ("accuracy", percent, np.nanmax),
        ("loss", loss_text, np.nanmin),
    ):
        values = _column(epochs, f"test/{name}")
        if np.isfinite(values).any():
            at = epochs[int(np.flatnonzero(values == best(values))[0])]["epoch"]
            title = f"Test {name} {word(values[-1])} {after}"
            if values[-1] != best(values):
                below = f"Best: {word(best(values))} after {at}. {below}"
            return title, below
    return (f"Nothing finite {after}", below) if epochs else ("The first epoch", below)


def _draw_loss(axes: Any, rows: Sequence[Row]) -> None:
    lines = _lines(rows, "loss", loss_text)
    pale = _pale(rows, "loss")
    values = np.concatenate([line.y for line in (*lines, pale)])
    log = _ratio(values[np.isfinite(values)]) > 5
    if log:
        axes.set_yscale("log")
        _plain_log_ticks(axes)
    axes.set_title(f"Loss{' (logarithmic)' * bool(log)}", loc="left")
    _draw_lines(axes, pale, lines)


def _draw_accuracy(axes: Any, rows: Sequence[Row]) -> None:
    lines, pale = _lines(rows, "accuracy", percent), _pale(rows, "accuracy")
    values = np.concatenate([line.y for line in (*lines, pale)])
    errors = 1 - values[np.isfinite(values)]
    axes.set_title("Accuracy", loc="left")
    if errors.size and errors.min() < 0.1:
        positive = errors[errors > 0]
        least = positive.min() / 2 if positive.size else 1e-3
        perfect = errors.min() <= 0
        axes.set_yscale(
            "function",
            functions=(
                lambda y: -np.log10(np.maximum(1 - y, least)),
                lambda z: 1 - 10.0**-z,
            ),
        )
        top = 1 - 0.85 * errors.min()
        bottom = 1 - np.clip(1.1 * errors.max(), 0.01, 1)
        ticks = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999]
        ticks += [0.9995, 0.9998, 0.9999]
        highest = 1 - 2.2 * least if perfect else top
        ticks = [t for t in ticks if bottom <= t <= highest]
        ticks += [1.0] * int(perfect)
        axes.set_ylim(bottom, top)
        axes.set_yticks(ticks, [f"{100 * t:.6g} %" for t in ticks])
        axes.minorticks_off()
    else:
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
    _draw_lines(axes, pale, lines)


def _draw_learning_rate(axes: Any, rows: Sequence[Row]) -> None:
    rows = [row for row in rows if row.get("learning_rate") is not None]
    pace, ends = _pace(rows), [row for row in rows if row.get("kind") == "epoch"]
    rate = _column(rows, "learning_rate")
    axes.set_title("Learning rate", loc="left")
    x = _epochs(ends, pace)
    low, mid, high = (_column(ends, f"{_EFFECTIVE}/q{q}") for q in ("05", "50", "95"))
    columns = [column[column > 0] for column in (rate, low, mid, high)]
    columns = [column for column in columns if column.size]
    if np.isfinite(mid).any() or (_ratio(rate) > 100):
        axes.set_yscale("log")
        # What a schedule ends with may be as good as 0: it leaves the picture below.
        least = min(np.quantile(column, 0.05) for column in columns)
        most = max(column.max() for column in columns)
        beyond = (most / least) ** 0.06
        axes.set_ylim(least / beyond, most * beyond)
    elif columns:
        axes.set_ylim(0, 1.15 * columns[0].max())
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.3g}")
    lines = [_rate_line("set:", INK, _epochs(rows, pace), rate, axes)]
    if np.isfinite(mid).any():
        axes.set_title("Learning rate, as set and as it takes effect", loc="left")
        band = [
            _rate_line("95 % below", BROWN, x, high, axes),
            _rate_line("median", BROWN, x, mid, axes),
            _rate_line("5 % below", BROWN, x, low, axes),
        ]
        floor = axes.get_ylim()[0]
        axes.fill_between(
            x, np.fmax(low, floor), band[0].y, color=ORANGE, alpha=0.25, linewidth=0
        )
        lines += band
    _draw_lines(axes, None, lines)


def _rate_line(name: str, color: str, x: Any, y: Any, axes: Any) -> _Line:
    """A line that leaves a logarithmic axis below where the rate is 0."""
    below = axes.get_ylim()[0] / 2
    shown = np.where(y <= 0, below, y) if axes.get_yscale() == "log" else y
    return _Line(name, color, x, shown, f"{y[-1]:.2g}")


def _ratio(values: np.ndarray) -> float:
    """How many times the smallest value the largest is; 1 if one is not positive."""
    return values.max() / values.min() if values.size and values.min() > 0 else 1.0


def _draw_lines(axes: Any, pale: _Line | None, lines: Sequence[_Line]) -> None:
    if pale is not None:
        axes.plot(pale.x, pale.y, color=pale.color, alpha=0.3, linewidth=0.9)
    for line in lines:
        edge, few = line.name.endswith("below"), len(line.x) <= 30
        marker = "o" if few else ""
        if edge:
            marker = "_" if len(line.x) == 1 else ""
        axes.plot(
            line.x,
            line.y,
            color=line.color,
            linewidth=0.6 if edge else 1.6,
            marker=marker,
            ms=9 if edge else 3,
        )
    shown = [line for line in (pale, *lines) if line is not None]
    if not any(np.isfinite(line.y).any() for line in shown):
        axes.text(0.5, 0.5, "no finite value", ha="center", transform=axes.transAxes)
        axes.set_yticks([])
        return
    broken = np.concatenate([line.x[~np.isfinite(line.y)] for line in shown])
    if broken.size and pale is not None:
        at = broken.min()
        axes.axvline(at, color=QUIET, linewidth=0.8, linestyle=":")
        late = at > 0.6 * axes.get_xlim()[1]
        text, side = ("not finite ", "right") if late else (" not finite", "left")
        where = axes.get_xaxis_transform()
        axes.text(at, 0.9, text, ha=side, color=QUIET, transform=where)
    ended = [line for line in lines if np.isfinite(line.y).any()]
    if ended:
        _label_ends(axes, ended)


def _label_ends(axes: Any, lines: Sequence[_Line]) -> None:
    """Each line's name and last value to the right of it, none on another."""
    axes.get_ylim()  # Or the transformation is that of the empty axes.
    to_pixels = axes.transData.transform
    (_, bottom), (_, top) = axes.transAxes.transform([(0, 0), (1, 1)])
    ends = [line.y[np.isfinite(line.y)][-1] for line in lines]
    heights = np.array([to_pixels((0, end))[1] for end in ends])
    apart = 13 * axes.figure.dpi / 72
    wanted = np.clip(np.nan_to_num(heights, neginf=bottom, posinf=top), bottom, top)
    placed = _spread(wanted, apart)
    placed -= max(placed.max() - top, 0)
    placed += max(bottom - placed.min(), 0)
    for line, pixel in zip(lines, placed, strict=True):
        axes.text(
            1.015,
            (pixel - bottom) / (top - bottom),
            f"{line.name} {line.final}".strip(),
            color=line.color,
            va="center",
            transform=axes.transAxes,
        )


def _spread(wanted: np.ndarray, apart: float) -> np.ndarray:
    """The positions nearest to `wanted`, in its order, at least `apart` apart."""
    order = np.argsort(wanted, kind="stable")
    slack = apart * np.arange(len(wanted))
    # Least squares under an order: pool neighbours that violate it at their mean.
    pools: list[list[float]] = []
    for value in wanted[order] - slack:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    placed = np.concatenate([np.full(len(p), np.mean(p)) for p in pools]) + slack
    out = np.empty_like(placed)
    out[order] = placed
    return out


def _lines(rows: Sequence[Row], name: str, word: Any) -> list[_Line]:
    ends, pace = [row for row in rows if row.get("kind") == "epoch"], _pace(rows)
    lines = []
    for part, color in _PARTS:
        y = _column(ends, f"{part}/{name}")
        if any(f"{part}/{name}" in row for row in ends):
            lines.append(_Line(part, color, _epochs(ends, pace), y, word(y[-1])))
    return lines


def _pale(rows: Sequence[Row], name: str) -> _Line:
    """The training metric of every report."""
    reports = [row for row in rows if name in row]
    y = _column(reports, name)
    return _Line("train", BLUE, _epochs(reports, _pace(rows)), y, "")


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    values = [row.get(name) for row in rows]
    return np.array([np.nan if v is None else v for v in values], float)


def _pace(rows: Sequence[Row]) -> float:
    """Steps per epoch, or 0 before the first has ended."""
    ends = [row for row in rows if row.get("kind") == "epoch" and row.get("epoch")]
    return ends[-1]["step"] / ends[-1]["epoch"] if ends else 0


def _epochs(rows: Sequence[Row], pace: float) -> np.ndarray:
    return _column(rows, "step") / (pace or 1)


def _plain_log_ticks(axes: Any) -> None:
    """0.02, 0.1, not 2·10⁻²: a loss is read, not calculated with."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.3g}")
    axes.yaxis.set_minor_locator(NullLocator())
