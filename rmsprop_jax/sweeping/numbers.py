"""What is a number here, a whole one, a seed; and what the computation makes of it."""

import operator
from typing import Any

import jax.numpy as jnp
import numpy as np


def is_number(value: Any) -> bool:
    """Whether it is a Python or NumPy number; a switch is none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(
        value, bool
    )


def is_whole(value: Any) -> bool:
    """Whether it is a Python or NumPy whole number; a switch is none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def whole(name: str, value: Any, least: int) -> int:
    """`value` as a Python number.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it is below `least`.

    Example:
        >>> import numpy as np
        >>> whole("steps", np.int64(3), 1)
        3
    """
    expected = f"expected a whole number >= {least}."
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r:.60}: {expected}") from None
    if isinstance(value, bool):
        raise TypeError(f"{name}={value!r}: {expected}")
    if number < least:
        raise ValueError(f"{name}={value!r}: {expected}")
    return number


def whole_seed(seed: Any) -> int:
    """`seed` as a Python number.

    Raises:
        TypeError: If it is no whole number.
        ValueError: If it does not fit into 32 bits.
    """
    number = whole("seed", seed, 0)
    if number >= 2**32:
        raise ValueError(f"seed={seed!r}: expected a whole number in [0, 2**32).")
    return number


def check_size(said: str, value: float) -> None:
    """Refuse a number that would be 0, or infinite, once it is computed with.

    Args:
        said: The number as it was given, with its name.
        value: The number.

    Raises:
        ValueError: If it is out of the range of JAX's floating-point numbers.
    """
    limits = jnp.finfo(jnp.result_type(float))
    smallest, largest = float(limits.tiny), float(limits.max)
    if 0 < abs(value) < smallest:
        raise ValueError(
            f"{said}: it is 0 in {limits.dtype}; the smallest above is {smallest:.2g}."
        )
    if largest < abs(value) < np.inf:
        raise ValueError(
            f"{said}: it is infinite in {limits.dtype}; the largest is {largest:.2g}."
        )
