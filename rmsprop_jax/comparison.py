"""What differs between two RMSProps, and how much each difference matters."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.dialects import Dialect
from rmsprop_jax.rule import Rule, Slots, step
from rmsprop_jax.sides import NUMBERS, RULE, Side, Values, call, sides
from rmsprop_jax.wording import CHOICES, percent, sentence

STEPS, SIZE = 100, 64


@dataclass(frozen=True)
class Difference:
    """One difference, and what comes of it alone.

    Attributes:
        argument: An argument of `rmsprop`, or a field of `Rule`.
        one: Its value on the one side.
        other: Its value on the other.
        first: How far off the first step is if this alone is changed, ‖Δ' − Δ‖ / ‖Δ‖.
        later: The same of the whole way, after `STEPS` steps.
        sentence: The difference in words.
    """

    argument: str
    one: Any
    other: Any
    first: float
    later: float
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """What differs between two RMSProps; `print` it. What `explain` returns.

    Attributes:
        one: The name of the one.
        other: The name of the other.
        differences: What differs, the largest first.
        first: How far off the first step of `other` is, ‖Δ' − Δ‖ / ‖Δ‖.
        later: The same of the whole way, after `STEPS` steps.
        rounding: What `first` and `later` may be from rounding alone.
        gradient_scale: Root mean square of the gradients.
        call: Python that makes of `other`'s dialect what `one` is.
    """

    one: str
    other: str
    differences: tuple[Difference, ...]
    first: float
    later: float
    rounding: tuple[float, float]
    gradient_scale: float
    call: str

    def __str__(self):
        """The differences as a table, and the call."""
        title = f"{self.other} in place of {self.one}"
        lines = "\n".join(f"    {line}" for line in self.call.splitlines())
        if not self.differences:
            return f"{title}: no difference.\n\n{lines}"
        rows = [("first step", f"{STEPS} steps", "off, relative to it")]
        for it in (self, *self.differences):
            first, later = map(percent, (it.first, it.later), self.rounding)
            text = it.sentence if isinstance(it, Difference) else "all in all"
            rows.append((first, later, text))
        table = "\n".join(f"{a:>10}  {b:>10}  {text}" for a, b, text in rows)
        return (
            f"{title}, with gradients of about {self.gradient_scale:g} and\na learning "
            f"rate that falls to a tenth half-way:\n\n{table}\n\n"
            f"{self.one} in the other's dialect:\n\n{lines}"
        )


def explain(
    one: str | Dialect | Mapping[str, Any],
    other: str | Dialect | Mapping[str, Any],
    *,
    gradient_scale: float = 1.0,
    learning_rate: float | None = None,
    **arguments: Any,
) -> Explanation:
    """Why `other` does not do what `one` does, and what makes it.

        ‖Δ′ − Δ‖ / ‖Δ‖                         of the first step; of the way of 100

    Both run from the same point on the same gradients, with a learning rate that
    falls to a tenth half-way; then `one` again and again, with one difference at a
    time taken over from `other`. The figures hold for gradients of this scale, and
    need not add up.

    Args:
        one: A key of `DIALECTS`, a `Dialect`, or a mapping of the arguments of
            `rmsprop` that this side alone has, `"dialect"` among them.
        other: Likewise.
        gradient_scale: Root mean square of the gradients, beside that of the
            parameters, about 1. The smaller it is, the more ε and ν₀ matter.
        learning_rate: α of both. By default each dialect's own, or the other's where
            one demands it.
        **arguments: Further arguments of `rmsprop` for both sides: hyperparameters,
            as numbers, and choices.

    Returns:
        What to `print`. Its `differences` have the figures, and its `call` is Python
        that makes of `other`'s dialect what `one` is.

    Raises:
        TypeError: If an argument is none of `rmsprop`'s that matter here, or is a
            schedule or traced.
        ValueError: If a value is out of range, or a side refuses it.

    Example:
        >>> why = explain("torch", "optax", learning_rate=0.01)
        >>> why.differences[0].sentence
        'ρ = 0.9, not 0.99: ν remembers about 1 / (1 − ρ) steps'
        >>> f"{why.differences[0].first:.0%}"           # 1 − √(0.01 / 0.1)
        '68%'
        >>> print(explain("keras", "tf1", decay=0.99).call)
        rmsprop(0.001, dialect="tf1", decay=0.99, eps=1e-07, nu_init=0.0)
    """
    number = isinstance(gradient_scale, (int, float, np.number))
    if not number or not 0 < gradient_scale < math.inf:
        raise ValueError(
            f"gradient_scale={gradient_scale!r}: expected a finite number > 0."
        )
    shared = {**arguments, "learning_rate": learning_rate}
    return _explanation(*sides(one, other, shared), float(gradient_scale))


def _explanation(one: Side, other: Side, scale: float) -> Explanation:
    a, b = one.values, other.values
    alone = {name: _alone(name, a, b) for name in CHOICES if _differs(name, a, b)}
    runs = [a]
    for pair in [(a, b), *alone.values()]:
        runs += [values for values in pair if values not in runs]
    ways = _ways(runs, scale) if len(runs) > 1 else np.zeros((1, STEPS, SIZE))

    def off(start, changed):
        """How far off a changed run is, after the first step and after the last."""
        way, other_way = (ways[runs.index(x)][[0, -1]] for x in (start, changed))
        gaps = np.linalg.norm(other_way - way, axis=1)
        lengths = np.linalg.norm(way, axis=1)
        pairs = zip(gaps.tolist(), lengths.tolist(), strict=True)
        return [gap and (gap / length if length else math.inf) for gap, length in pairs]

    eps = float(jnp.finfo(jnp.result_type(float)).eps)
    rounding = 8 * eps, 8 * STEPS * eps
    found, rounds = [], False
    for name, pair in alone.items():
        need, (first, later) = CHOICES[name].needs, off(*pair)
        idle = need is not None and not a[need] and not b[need]
        text = sentence(name, a[name], b[name], idle)
        found.append(Difference(name, a[name], b[name], first, later, text))
        if name == "float32_hyperparams":
            rounds = first > rounding[0] or later > rounding[1]
    found.sort(key=lambda it: -max(it.first, it.later))
    first, later = off(a, b)
    return Explanation(
        one=one.name,
        other=other.name,
        differences=tuple(found),
        first=first,
        later=later,
        rounding=rounding,
        gradient_scale=scale,
        call=call(a, other, rounds),
    )


def _differs(name: str, a: Values, b: Values) -> bool:
    if name == "peak_learning_rate" and None in (a[name], b[name]):
        return False  # The form of the weight decay differs, and that says it.
    return a[name] != b[name]


def _alone(name: str, a: Values, b: Values) -> tuple[Values, Values]:
    """Values that differ in this alone, and where it has an effect, if it ever has."""
    start, need = a, CHOICES[name].needs
    if need is not None and not a[need] and b[need]:
        start = a | {need: b[need]}
    changed = start | {name: b[name]}
    if name == "weight_decay_form":
        changed["peak_learning_rate"] = b["peak_learning_rate"]
    return start, changed


def problem(scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of every step, shares of the learning rate, and where to start."""
    rng = np.random.default_rng(0)
    # A mean half as large as the deviation, so that centering shows.
    grads = scale * (0.5 + rng.standard_normal((STEPS, SIZE))) / math.sqrt(1.25)
    falls = np.where(np.arange(STEPS) < STEPS // 2, 1.0, 0.1)
    return grads, falls, rng.standard_normal(SIZE)


def _ways(runs: list[Values], scale: float) -> np.ndarray:
    """The way of each run after every step: (runs, steps, elements)."""
    dtype = jnp.result_type(float)
    arrays = (jnp.asarray(x, dtype) for x in problem(scale))
    rules, numbers = [], []
    for values in runs:
        peak = values["peak_learning_rate"] or values["learning_rate"]
        choices = {name: values[name] for name in RULE} | {"peak_learning_rate": peak}
        rules.append(Rule(**choices))
        numbers.append(hp.starting({name: values[name] for name in NUMBERS}, dtype))
    return np.asarray(_run(tuple(rules), numbers, *arrays), np.float64)


@functools.partial(jax.jit, static_argnames="rules")
def _run(rules, numbers, grads, falls, theta):
    zeros = jnp.zeros_like(theta)

    def start(rule, h):
        nu = rule.nu_init + (zeros[:1] if rule.moment == "tensor" else zeros)
        mu = zeros if rule.centered else None
        return Slots(nu, mu, None if h.momentum is None else zeros)

    def step_all(carry, now):
        count, g, fall = now
        after = []
        for (slots, way), rule, h in zip(carry, rules, numbers, strict=True):
            h = h._replace(learning_rate=fall * h.learning_rate)
            delta, slots = step(g, slots, h, rule=rule, count=count, theta=theta + way)
            after.append((slots, way + delta))
        return after, [way for _, way in after]

    carry = [(start(rule, h), zeros) for rule, h in zip(rules, numbers, strict=True)]
    counts = jnp.arange(1, len(grads) + 1)
    return jnp.stack(jax.lax.scan(step_all, carry, (counts, grads, falls))[1])
