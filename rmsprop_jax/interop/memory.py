"""What one leaf's memory is elsewhere, and what it is here. NumPy arrays only.

Frameworks keep raw moments: E[g²] and E[g] with the start ν₀ still in them. Ours hold
the variance beside a mean, and with bias correction the average over the steps made.
"""

from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.rule import Rule


class Memory(NamedTuple):
    """ν, μ and m of one leaf; `None` is what the rule goes without."""

    nu: Any
    mu: Any = None
    trace: Any = None


def ours(
    raw: Memory, *, source: Rule, rule: Rule, decay: float, count: int, factor: float
) -> Memory:
    """Raw moments made by `source` after `count` steps, as `rule` keeps them.

        ν → ν − μ²                                  (centered)
        ν → (ν − ρᵗ ν₀) / (1 − ρᵗ)                  (bias correction)

    Args:
        raw: The source's moments.
        source: The rule that made them.
        rule: The rule that is to go on.
        decay: The source's ρ.
        count: t.
        factor: Of the trace: α or 1 / α, where one rule traces α u and the other u.
    """
    nu, mu = _wide(raw.nu), _wide(raw.mu)
    if rule.bias_correction and count:
        # −expm1(t log ρ): 1 − ρᵗ without the cancellation.
        seen = -np.expm1(count * np.log(decay)) if decay else 1.0
        start = _full(nu, source.nu_init)
        nu = _at_least_0((nu - (1 - seen) * start) / seen)
        mu = None if mu is None else mu / seen
    if mu is not None:
        nu = _at_least_0(nu - _squared(mu, nu, rule))
    return Memory(nu, mu, None if raw.trace is None else factor * _wide(raw.trace))


def raw(kept: Memory, *, rule: Rule, decay: float, count: int) -> Memory:
    """The inverse of `ours`, for the same rule on both sides."""
    nu, mu = _wide(kept.nu), _wide(kept.mu)
    if mu is not None:
        nu = nu + _squared(mu, nu, rule)
    if rule.bias_correction and count:
        seen = -np.expm1(count * np.log(decay)) if decay else 1.0
        nu = seen * nu + (1 - seen) * _full(nu, rule.nu_init)
        mu = None if mu is None else seen * mu
    return Memory(nu, mu, None if kept.trace is None else _wide(kept.trace))


def check_raw(raw: Memory, what: str) -> None:
    """Refuse moments that no gradients can have left behind.

    Args:
        raw: The source's moments.
        what: Whose they are, for the error.

    Raises:
        ValueError: If a number is not finite, ν is negative, or μ² exceeds ν.
    """
    for name, value in raw._asdict().items():
        if value is None:
            continue
        _refuse(~np.isfinite(value), value, f"{what}: {name}", "finite numbers")
        if name == "nu":
            negative = (np.real(value) < 0) | (np.imag(value) < 0)
            _refuse(negative, value, f"{what}: {name}", "numbers >= 0")
    if raw.mu is not None and raw.mu.dtype.itemsize >= 4:
        # Above this lies no rounding, and no square that underflowed.
        excess = np.abs(_wide(raw.mu)) ** 2 > 1.1 * np.abs(_wide(raw.nu)) + 1e-30
        _refuse(excess, raw.mu, f"{what}: mu", "a mean whose square is at most nu")


def _refuse(bad: np.ndarray, value: np.ndarray, what: str, expected: str) -> None:
    if bad.any():
        raise ValueError(
            f"{what}: expected {expected}, got {value[bad][0]} ({bad.sum()} such of "
            f"{bad.size}). The source has diverged, or is damaged, or is misread."
        )


def started(like: Any, start: float) -> np.ndarray:
    """A slot like `like` before the first step."""
    return np.full(like.shape, _full(like, start), like.dtype)


def fitted(value: np.ndarray, like: Any, what: str) -> np.ndarray:
    """`value` in the dtype of the slot `like`.

    Raises:
        ValueError: If shapes differ, or a number is too large for the dtype.
        TypeError: If a complex array would lose a part.
    """
    if value.shape != like.shape:
        raise ValueError(
            f"{what}: expected shape {like.shape}, as ours has, got {value.shape}. "
            "Name the parameters in the source's order, and their layouts."
        )
    if np.iscomplexobj(value) and not np.issubdtype(like.dtype, np.complexfloating):
        raise TypeError(f"{what}: expected real numbers, got dtype {value.dtype}.")
    with np.errstate(over="ignore"):
        cast = value.astype(like.dtype)
    if not np.isfinite(cast).all():
        raise ValueError(
            f"{what}: expected numbers that fit into {like.dtype}, the largest is "
            f"{np.abs(value).max():g}."
        )
    return cast


def _wide(x: Any) -> Any:
    """`x` in double precision."""
    if x is None:
        return None
    x = np.asarray(x)
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def _full(nu: np.ndarray, start: float) -> Any:
    return complex(start, start) if np.iscomplexobj(nu) else start


def _squared(mu: np.ndarray, nu: np.ndarray, rule: Rule) -> np.ndarray:
    """μ² as ν counts it: part by part, element by element, or of the whole tensor."""
    if np.iscomplexobj(nu):
        square = np.real(mu) ** 2 + 1j * np.imag(mu) ** 2
    else:
        square = np.abs(mu) ** 2
    return square.sum(keepdims=True) if rule.moment == "tensor" else square


def _at_least_0(x: np.ndarray) -> np.ndarray:
    if np.iscomplexobj(x):
        return np.maximum(np.real(x), 0) + 1j * np.maximum(np.imag(x), 0)
    return np.maximum(x, 0)
