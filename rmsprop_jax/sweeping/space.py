"""What to try: lists, ranges, and the points drawn from them."""

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.hyperparams import Sources
from rmsprop_jax.sweeping.numbers import check_size, is_number, is_whole, whole_seed

# The live numbers of rmsprop, whose ranges are known.
LIVE = tuple(name.removesuffix("_from") for name in Sources._fields)
# Numbers of rmsprop that are no live ones: compiled in, like words.
COMPILED_IN = ("nu_init", "peak_learning_rate")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; made by `uniform` and `log_uniform`.

    Attributes:
        low: The smallest.
        high: What they stay below.
        zero: Where the logarithmic distance is counted from; `None` is a linear range.
    """

    low: float
    high: float
    zero: float | None = None

    def at(self, share: float) -> float:
        """The number at `share` of the way, from 0 to 1."""
        if self.zero is None:
            return self.low + share * (self.high - self.low)
        near, far = self.low - self.zero, self.high - self.zero
        return self.zero + near * (far / near) ** share


def uniform(low: float, high: float) -> Range:
    """Any number from `low` to `high`, as likely everywhere.

        low + s (high − low)                   for s from 0 to 1

    Args:
        low: One end.
        high: The other, larger.

    Raises:
        TypeError: If either is no number.
        ValueError: If they are not finite and in order.

    Example:
        >>> uniform(0.0, 2.0).at(0.25)
        0.5
    """
    return _checked("uniform", low, high)


def log_uniform(low: float, high: float, *, below: float | None = None) -> Range:
    """Any number from `low` to `high`, as likely in every decade.

        low (high / low)ˢ                      for s from 0 to 1

    Decades are counted from 0. Those of a decay are those of 1 − ρ:
    `log_uniform(0.9, 0.9999, below=1)`.

    Args:
        low: One end.
        high: The other, larger.
        below: The number from which decades are counted downwards, instead of upwards
            from 0.

    Raises:
        TypeError: If any is no number.
        ValueError: If they are not finite and in order: 0 < low < high, or low < high <
            below.

    Example:
        >>> round(log_uniform(1e-4, 1e-2).at(0.5), 6)
        0.001
        >>> round(log_uniform(0.9, 0.999, below=1).at(0.5), 6)
        0.99
    """
    if below is not None and (not is_number(below) or not high < below):
        raise ValueError(
            f"log_uniform({low!r}, {high!r}, below={below!r}): expected low < high < "
            "below."
        )
    if below is None and is_number(low) and low <= 0:
        raise ValueError(
            f"log_uniform({low!r}, {high!r}): expected 0 < low, for 0 has no decade. "
            "Use uniform, or a list that holds 0."
        )
    return _checked("log_uniform", low, high, 0.0 if below is None else float(below))


Space = Mapping[str, Any]


def draw(
    space: Space, points: int | None, *, seed: int, static: Collection[str]
) -> list[dict[str, Any]]:
    """The points of the space to try, each a value for every name.

    Without a range they are all combinations, or `points` of them at random. With
    one, they are `points` Sobol points over ranges and lists together; a list is a
    range in as many equal parts as it has entries.

    Raises:
        TypeError: If a name is no string.
        ValueError: If a name has nothing to try, a value is out of its range, or
            `points` does not fit.
    """
    seed = whole_seed(seed)
    columns = _columns(space, static)
    if points is not None and (not is_whole(points) or points < 1):
        raise ValueError(f"points={points!r}: expected a whole number >= 1, or None.")
    drawn = [name for name, column in columns.items() if isinstance(column, Range)]
    if drawn and points is None:
        raise ValueError(
            f"points=None: expected how many points to draw, for {drawn[0]} is a "
            "range. Pass points=64, or a list for every name."
        )
    if drawn:
        assert points is not None
        shares = _sobol(points, len(columns), seed)
        return [
            {
                name: _at(column, share)
                for (name, column), share in zip(columns.items(), row, strict=True)
            }
            for row in shares
        ]
    grid = [
        dict(zip(columns, row, strict=True))
        for row in itertools.product(*columns.values())
    ]
    if points is None or points == len(grid):
        return grid
    if points > len(grid):
        raise ValueError(
            f"points={points}: expected at most {len(grid)}, the combinations of these "
            f"lists. Pass points={len(grid)}, or give a range."
        )
    chosen = np.random.default_rng(seed).permutation(len(grid))[:points]
    return [grid[i] for i in sorted(chosen)]


def is_traced(name: str, value: Any, static: Collection[str]) -> bool:
    """Whether a value is an argument of the compiled run, or a part of it."""
    return is_number(value) and name not in static and name not in COMPILED_IN


def _columns(space: Space, static: Collection[str]) -> dict[str, Any]:
    if not isinstance(space, Mapping) or not space:
        raise ValueError(
            f"space={space!r}: expected a dict of name → values to try, such as "
            "{'learning_rate': log_uniform(1e-4, 1e-1), 'decay': [0.9, 0.99]}."
        )
    for name in static:
        if name not in space:
            raise ValueError(
                f"static={name!r}: expected a name of the space, {', '.join(space)}."
            )
    columns = {}
    for name, given in space.items():
        if not isinstance(name, str):
            raise TypeError(f"space[{name!r}]: expected a name, as a str.")
        column = _column(name, given)
        ends = [column.low, column.high] if isinstance(column, Range) else column
        if isinstance(column, Range) and not is_traced(name, column.low, static):
            raise ValueError(
                f"{name}={given!r}: expected a list, for each value is compiled anew."
            )
        for value in ends:
            _check(name, value, static)
        columns[name] = column
    return columns


def _column(name: str, given: Any) -> Any:
    if isinstance(given, Range):
        return given
    if isinstance(given, (np.ndarray, jax.Array)):
        given = given.tolist() if given.ndim else [given.item()]
    if isinstance(given, (Iterator, Set, Mapping)):
        raise TypeError(
            f"{name}={given!r:.60}: expected a list of values, a range, or one value; "
            "the order of a list is that of the trials."
        )
    values = list(given) if isinstance(given, (list, tuple, range)) else [given]
    if not values:
        raise ValueError(f"{name}={given!r}: expected at least one value to try.")
    return [x.item() if isinstance(x, np.generic) else x for x in values]


def _check(name: str, value: Any, static: Collection[str]) -> None:
    if is_traced(name, value, static):
        check_size(f"{name}={value!r}", value)
        # As it will be used: float32 has no number between 0.99999997 and 1.
        value = np.asarray(value, jnp.result_type(float))[()]
        if name in LIVE:
            hp.check(name, value)
        if not np.isfinite(value):
            raise ValueError(f"{name}={value!r}: expected a finite number.")
        return
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"{name}={value!r:.60}: expected numbers, words, True, False, None, or "
            "something else that is hashable; runs are grouped by it."
        ) from None


def _checked(call: str, low: Any, high: Any, zero: float | None = None) -> Range:
    if not (is_number(low) and is_number(high)):
        raise TypeError(f"{call}({low!r}, {high!r}): expected two numbers.")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{call}({low!r}, {high!r}): expected finite low < high.")
    return Range(float(low), float(high), zero)


def _at(column: Any, share: float) -> Any:
    if isinstance(column, Range):
        return column.at(float(share))
    return column[int(share * len(column))]


def _sobol(points: int, dimensions: int, seed: int) -> np.ndarray:
    """Shares in [0, 1): Sobol's points, shifted by a random vector (modulo 1)."""
    from scipy.stats import qmc  # JAX brings SciPy; this part takes a second to load.

    # Only whole powers of two are balanced. The first of more are those of fewer.
    power = max(0, math.ceil(math.log2(points)))
    evenly = qmc.Sobol(dimensions, scramble=False).random_base2(power)[:points]
    return (evenly + np.random.default_rng(seed).random(dimensions)) % 1.0
