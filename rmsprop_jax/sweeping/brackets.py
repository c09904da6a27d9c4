"""How long a search by halving trains how many points: its rungs."""

from dataclasses import dataclass

from rmsprop_jax.sweeping.numbers import whole


@dataclass(frozen=True)
class Bracket:
    """One search by halving.

    Attributes:
        counts: How many points each rung trains.
        steps: How many steps each has made at the end of a rung.
    """

    counts: tuple[int, ...]
    steps: tuple[int, ...]


def successive_halving(
    points: int, *, min_steps: int, max_steps: int, factor: int
) -> list[Bracket]:
    """One bracket: every rung keeps one in `factor`, and trains `factor` times as long.

    Example:
        >>> successive_halving(9, min_steps=10, max_steps=90, factor=3)
        [Bracket(counts=(9, 3, 1), steps=(10, 30, 90))]
    """
    steps = _rungs(min_steps, max_steps, factor)
    counts = tuple(max(1, points // factor**i) for i in range(len(steps)))
    return [Bracket(counts, steps)]


def hyperband(*, min_steps: int, max_steps: int, factor: int) -> list[Bracket]:
    """Hyperband's brackets, from the one that drops most to the one that drops none.

    Bracket s of S starts ⌈S / (s + 1) · factorˢ⌉ points on `max_steps` / factorˢ
    steps, so that all cost about the same: a learning curve that starts slowly has its
    chance in the later ones.

    Example:
        >>> for bracket in hyperband(min_steps=1, max_steps=9, factor=3):
        ...     print(bracket)
        Bracket(counts=(9, 3, 1), steps=(1, 3, 9))
        Bracket(counts=(5, 1), steps=(3, 9))
        Bracket(counts=(3,), steps=(9,))

    References:
        Li et al. (2018), Hyperband, JMLR 18(185), algorithm 1.
    """
    steps = _rungs(min_steps, max_steps, factor)
    brackets = []
    for s in reversed(range(len(steps))):
        first = -(-len(steps) * factor**s // (s + 1))
        counts = tuple(max(1, first // factor**i) for i in range(s + 1))
        brackets.append(Bracket(counts, steps[len(steps) - 1 - s :]))
    return brackets


def checked_schedule(
    min_steps: int, max_steps: int, factor: int
) -> tuple[int, int, int]:
    """The three as Python numbers; rungs that do not fit are refused.

    Raises:
        TypeError: If one is no whole number.
        ValueError: If `max_steps` is not `min_steps` times a power of `factor`.
    """
    min_steps = whole("min_steps", min_steps, 1)
    max_steps = whole("max_steps", max_steps, 1)
    factor = whole("factor", factor, 2)
    reached = [min_steps]
    while reached[-1] < max_steps:
        reached.append(reached[-1] * factor)
    if reached[-1] != max_steps:
        near = " or ".join(str(steps) for steps in reached[-2:])
        raise ValueError(
            f"max_steps={max_steps}: expected min_steps={min_steps} times a power of "
            f"factor={factor}, such as {near}."
        )
    return min_steps, max_steps, factor


def _rungs(min_steps: int, max_steps: int, factor: int) -> tuple[int, ...]:
    steps = [min_steps]
    while steps[-1] < max_steps:
        steps.append(steps[-1] * factor)
    return tuple(steps)
