"""Pictures of moments in few bits, and of what comes of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rmsprop_jax.lessons import style


@style.applied()
def frozen(moments: Mapping[str, Any], grads: Any) -> None:
    """ν of one parameter against steps, beside what it should come to.

    Args:
        moments: Name → ν after every step.
        grads: The gradient of every step.
    """
    import matplotlib.pyplot as plt

    axes: Any = plt.subplots(figsize=(style.WIDTH, 3.0))[1]
    axes.plot(np.square(grads), color="#999999", linewidth=1, label="g²")
    for (name, nu), look in zip(moments.items(), style.LOOKS, strict=False):
        axes.plot(nu, label=name, markevery=800, **look)
    axes.set(title="ν of one parameter, ρ = 0.999", xlabel="step", ylim=(0, 1.1))
    axes.legend(loc="center right")
    plt.show()


@style.applied()
def levels(nu: Any, stored: Mapping[str, Any]) -> None:
    """How large the ν of an array are, and which numbers there are for them.

    Args:
        nu: The array.
        stored: Name → the array as it is read back.
    """
    import matplotlib.pyplot as plt

    positive = np.asarray(nu)[np.asarray(nu) > 0]
    low = np.log10(positive.min())
    bins = np.logspace(
        max(low, np.log10(positive.max()) - 14), np.log10(positive.max())
    )
    _, (above, below) = plt.subplots(
        2, 1, figsize=(style.WIDTH, 3.4), sharex=True, height_ratios=(3, 1.2)
    )
    above.hist(positive, bins=bins.tolist(), color=style.COLOURS["sky"])
    least = positive.max() / 510
    above.axvspan(bins[0], least, color="#000000", alpha=0.12, linewidth=0)
    share = np.mean(positive < least)
    above.set(xscale="log", title="ν of the hidden layer's weights", ylabel="weights")
    note = f"{share:.0%} rounded to 0 by equal steps"
    above.text(0.02, 0.85, note, transform=above.transAxes)
    for row, (_, values) in enumerate(stored.items()):
        numbers = np.unique(np.asarray(values))
        look = {"color": style.LOOKS[row]["color"], "linewidths": 0.5}
        below.eventplot(numbers[numbers > 0], lineoffsets=-row, linelengths=0.8, **look)
    below.set_yticks([-row for row in range(len(stored))], [*stored])
    below.set(xlabel="ν, and the numbers that it may rest in", xlim=(bins[0], bins[-1]))
    below.grid(visible=False)
    plt.show()


@style.applied()
def curves(runs: Mapping[str, Sequence[Any]]) -> None:
    """Training and test losses of several runs a side, their mean and each seed.

    Args:
        runs: Name → a `Trained` for each seed.
    """
    import matplotlib.pyplot as plt

    _, both = plt.subplots(1, 2, figsize=(style.WIDTH, 3.4), sharey=True)
    titles = {"losses": "training loss, smoothed", "test_losses": "test loss"}
    for axes, (field, title) in zip(both, titles.items(), strict=True):
        for number, (name, each) in enumerate(runs.items()):
            # The first below is wide, so that what lies on it does not hide it.
            look = style.LOOKS[number] | {"linewidth": max(5 - 2 * number, 1.4)}
            lines = [_smooth(getattr(run, field)) for run in each]
            for line in lines:
                axes.plot(line, color=look["color"], linewidth=0.5, alpha=0.5)
            every = (10 * number, 40)
            axes.plot(np.mean(lines, axis=0), label=name, markevery=every, **look)
        axes.set(title=title, xlabel="step", yscale="log", ylim=(3e-3, 5))
    both[1].legend(loc="lower left")
    plt.show()


def _smooth(curve: Any, over: int = 20) -> np.ndarray:
    return np.convolve(curve, np.full(over, 1 / over), mode="valid")
