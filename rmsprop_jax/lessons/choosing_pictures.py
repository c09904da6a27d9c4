"""Pictures of searches for hyperparameters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rmsprop_jax.lessons import style
from rmsprop_jax.sweeping import RateRange, Table, Tuned

_WORST = 2.5  # No less loss than by guessing, log(10), and a little more.


@style.applied()
def ranges(found: RateRange, whole: Table) -> None:
    """A range test, and below it where whole trainings ended.

    Args:
        found: What the test saw.
        whole: A sweep over learning rates.
    """
    import matplotlib.pyplot as plt

    low, high = found.low or 0.0, found.high or 0.0
    _, (above, below) = plt.subplots(
        2, 1, sharex=True, figsize=(style.WIDTH, 4.2), height_ratios=(3, 2)
    )
    counted = slice(found.diverged)
    rates, smoothed = found.learning_rates[counted], found.smoothed[counted]
    above.plot(found.learning_rates, found.losses, color="#BBBBBB", lw=0.8)
    above.plot(rates, smoothed, color=style.COLOURS["blue"])
    lowest = int(np.argmin(smoothed))
    mark = {"color": style.COLOURS["vermilion"], "marker": "v", "ls": "", "ms": 8}
    above.plot(rates[lowest], smoothed[lowest] + 0.25, **mark, label="lowest")
    points = whole.points()
    tried = [point.hyperparameters["learning_rate"] for point in points]
    below.plot(tried, [point.value for point in points], **style.LOOKS[1])
    for axes in (above, below):
        axes.axvspan(low, high, color=style.COLOURS["sky"], alpha=0.35)
        axes.axvline(rates[lowest], color=style.COLOURS["vermilion"], lw=1, ls=":")
        axes.set(xscale="log", ylim=(0, _WORST))
    above.text(np.sqrt(low * high), 0.94 * _WORST, "suggested", ha="center")
    above.set_title("one short run whose rate grows: loss of its batches")
    below.set_title("a whole run at each rate: loss on the digits held out")
    below.set_xlabel("learning rate α")
    above.legend()
    plt.show()


@style.applied()
def heat(table: Table, marked: Mapping[str, Mapping[str, float]]) -> None:
    """The loss by learning rate and decay, a cell for each.

    Args:
        table: A sweep over lists of both.
        marked: Name → the hyperparameters at which it is written.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    _, axes = plt.subplots(figsize=(style.WIDTH, 3.1))
    rates, decays = _heat(axes, table)
    for name, at in marked.items():
        x, y = rates.index(at["learning_rate"]), decays.index(at["decay"])
        axes.add_patch(
            Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, edgecolor="black", lw=2)
        )
        axes.annotate(
            name,
            (x, y + 0.5),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    plt.show()


@style.applied()
def courses(tables: Mapping[str, Table], every: int = 12) -> None:
    """Training loss of every point until it was dropped, the winner's in colour.

    Args:
        tables: What is said of a search → what came of it.
        every: Steps whose mean is a point of a line.
    """
    import matplotlib.pyplot as plt

    _, row = plt.subplots(1, len(tables), sharey=True, figsize=(style.WIDTH, 3.0))
    for axes, (title, table) in zip(row, tables.items(), strict=True):
        best = table.best().trials
        for trial, curves in enumerate(table.curves):
            means = curves["curve"][: len(curves["curve"]) // every * every]
            means = means.reshape(-1, every).mean(1)
            won = trial in best
            axes.plot(
                every * np.arange(1, len(means) + 1),
                np.minimum(means, _WORST),
                color=style.COLOURS["vermilion"] if won else "#888888",
                lw=2.2 if won else 0.6,
                marker="" if len(means) > 1 else ".",
                zorder=3 if won else 2,
                antialiased=won,
            )
        axes.set(title=title, xlabel="step", yscale="log")
    row[0].set_ylabel("training loss")
    plt.show()


@style.applied()
def descents(
    table: Table, slopes: Sequence[tuple[float, Any, Any]], paths: Mapping[str, Tuned]
) -> None:
    """Slopes on the valley of the learning rate; descents on the map of both.

    Args:
        table: A sweep over lists of both.
        slopes: Learning rate, loss there, and its derivative by the learning rate.
        paths: Name → a descent.
    """
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(
        1, 2, figsize=(style.WIDTH, 3.3), width_ratios=(2, 3)
    )
    valley = [p for p in table.points() if p.hyperparameters["decay"] == 0.9]
    rates = [point.hyperparameters["learning_rate"] for point in valley]
    left.plot(rates, [point.value for point in valley], color="#888888")
    for (rate, value, exact), look in zip(slopes, style.LOOKS, strict=False):
        slope = np.clip(exact, -1e9, 1e9)
        near = rate * np.geomspace(0.4, 2.5, 9)
        # Along the logarithm of the rate a slope is multiplied by it.
        line = value + slope * rate * np.log(near / rate)
        line = np.clip(line, -_WORST, 2 * _WORST)
        left.plot(near, line, **look | {"marker": ""}, label=f"{exact:.0e}")
        left.plot(rate, value, color=look["color"], marker=look["marker"])
    left.set(xscale="log", ylim=(0, _WORST), xlabel="learning rate α")
    left.set_title("loss at ρ = 0.9, and slopes")
    left.legend(title="∂ loss / ∂α")
    xs, ys = _heat(right, table)
    for (name, tuned), look in zip(paths.items(), style.LOOKS, strict=False):
        x = np.interp(
            np.log([at["learning_rate"] for at in tuned.path]),
            np.log(xs),
            range(len(xs)),
        )
        y = np.interp([at["decay"] for at in tuned.path], ys, range(len(ys)))
        right.plot(x, y, color="black", lw=4)
        right.plot(x, y, **look | {"color": "white"}, label=name, markevery=4)
    right.legend(
        facecolor="#333333", labelcolor="white", frameon=True, loc="lower left"
    )
    plt.show()


def _heat(axes: Any, table: Table) -> tuple[list[float], list[float]]:
    points = table.points()
    rates, decays = (
        sorted({point.hyperparameters[name] for point in points})
        for name in ("learning_rate", "decay")
    )
    values = np.full((len(decays), len(rates)), np.nan)
    for point in points:
        at = point.hyperparameters
        values[decays.index(at["decay"]), rates.index(at["learning_rate"])] = (
            point.value
        )
    shown = np.log(np.minimum(values, _WORST))
    image = axes.imshow(shown, origin="lower", aspect="auto", cmap="cividis_r")
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    ticks = [0.15, 0.3, 0.6, 1.2, _WORST]
    bar.set_ticks(np.log(ticks), labels=[f"{tick:g}" for tick in ticks])
    bar.outline.set_visible(False)
    whole = [i for i, rate in enumerate(rates) if abs(np.log10(rate) % 1) < 1e-9]
    axes.set_xticks(whole, [f"{rates[i]:g}" for i in whole])
    axes.set_yticks(range(len(decays)), [f"{decay:g}" for decay in decays])
    axes.grid(visible=False)
    axes.set(
        xlabel="learning rate α", ylabel="decay ρ", title="loss on held-out digits"
    )
    return rates, decays
