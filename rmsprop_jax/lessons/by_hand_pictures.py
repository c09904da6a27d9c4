"""Pictures of what one number of RMSProp does: ε, ρ, β, and centring."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rmsprop_jax.lessons import style
from rmsprop_jax.lessons.by_hand import recovery


@style.applied()
def knees(g: np.ndarray, steps: Mapping[str, np.ndarray]) -> None:
    """How long the steps of a steady gradient are, a line for each denominator.

    Args:
        g: Sizes of the gradient.
        steps: Denominator, in words → lengths / α.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    for (name, step), look in zip(steps.items(), style.LOOKS, strict=False):
        axes.loglog(g, step, label=name, **look, markevery=len(g) // 12)
    axes.set(xlabel="size of the gradient", ylabel="step / α")
    axes.set_ylim(1e-5, 3)
    axes.legend()
    plt.show()
    plt.close(figure)


@style.applied()
def memories(
    names: Sequence[str], drifts: Sequence[Any], steps: Sequence[np.ndarray]
) -> None:
    """Too short a memory drifts; too long a one does not get over a burst.

    Args:
        names: Of the memories, from the shortest on.
        drifts: θ on `VOTES`, of each that is not without end.
        steps: Lengths / α on `BURST`, of each.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 3.4))
    looks = [style.LOOKS[i] for i in (1, 2, 0, 3, 4)]
    for name, way, look in zip(names, drifts, looks, strict=False):
        left.plot(way, label=f"{name}: {way[-1]:.2f}", **look, markevery=len(way) // 9)
    for name, lengths, look in zip(names, steps, looks, strict=False):
        after = recovery(lengths)
        label = f"{name}: {'never' if after is None else after}"
        right.semilogy(lengths, label=label, **look, markevery=len(lengths) // 9)
    left.set(title="nine times +0.1, once −0.9", xlabel="step", ylabel="θ")
    left.legend(loc="lower left", title="θ at the end")
    right.set(title="one gradient of 100 among ones", xlabel="step")
    right.set(ylabel="step / α", ylim=(5e-3, 900))
    right.legend(loc="upper right", title="steps to half of α again", ncols=2)
    plt.show()
    plt.close(figure)


@style.applied()
def trace_and_centre(
    traced: Mapping[float, Any], centred: Mapping[str, Any], plain: float = 1.0
) -> None:
    """Momentum before and after a turn; centred steps on a steady gradient.

    Args:
        traced: β → θ after every step.
        centred: How it is computed → lengths of the steps / α, NaN where it broke.
        plain: The length without centring.
    """
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 3.2))
    for (beta, way), look in zip(traced.items(), style.LOOKS[1:], strict=False):
        left.plot(way, label=f"β = {beta:g}", **look, markevery=len(way) // 8)
    left.axvline(len(way) / 2, color="#888888", lw=0.8)
    left.set(title="the gradient turns half-way", xlabel="step", ylabel="θ")
    # The first is wide, to be seen beneath the second.
    for (name, steps), look, wide in zip(
        centred.items(), style.LOOKS, (4, 1.4), strict=False
    ):
        steps, every = np.asarray(steps), len(steps) // 8
        right.semilogy(steps, label=name, **look, lw=wide, markevery=every)
        if np.isnan(steps).any():
            good = int(np.isnan(steps).argmax())
            end = good - 1, steps[good - 1]
            right.plot(*end, "X", color=look["color"], ms=11)
            right.annotate(f"   NaN after {good} steps", end, va="top")
    right.axhline(plain, color="#888888", lw=0.8)
    right.set(title="a steady gradient, centred", xlabel="step")
    right.set_ylabel("step / α")
    left.legend()
    right.legend(loc="lower right")
    plt.show()
    plt.close(figure)
