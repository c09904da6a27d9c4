"""`tune`: hyperparameters that descend on their own gradient."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.sweeping.hypergradients import Direction, Numbers, derivative
from rmsprop_jax.sweeping.numbers import is_number, whole, whole_seed
from rmsprop_jax.sweeping.shown import arguments, short
from rmsprop_jax.transform import rmsprop
from rmsprop_jax.wording import counted


@dataclass(frozen=True)
class Tuned:
    """What a descent on hyperparameters found: what `tune` returns.

    Attributes:
        hyperparameters: The best that it came by, as arguments to build with.
        value: Their metric.
        path: A dict for each round: the hyperparameters, and the metric under its own
            name, `value`.
    """

    hyperparameters: Mapping[str, Any]
    value: float
    path: Sequence[Mapping[str, Any]]

    def __repr__(self) -> str:
        """The best, and how it was come by."""
        rounds = counted(len(self.path), "round")
        first = short(self.path[0]["value"]) if self.path else "nothing"
        return (
            f"{short(self.value)} at {arguments(self.hyperparameters)} "
            f"({rounds}, from {first})"
        )


def tune(
    run: Any,
    start: Mapping[str, Any],
    *,
    rounds: int = 30,
    rate: float = 0.2,
    seed: int = 0,
    metric: str | None = None,
    direction: Direction = "reverse",
) -> Tuned:
    """Descend from `start` on the hypergradient of a run, compiled once.

        z = log x      or, in [0, 1),     z = log x / (1 − x)
        z ← z − rate (1 − t / rounds) · RMSProp(∂y / ∂z)

    Every hyperparameter moves on a scale on which its range has no end: rmsprop's in
    [0, 1), such as decay and momentum, on log x / (1 − x), all others on log x. There
    they take steps of RMSProp, of about `rate` each at first, then smaller. After a
    round whose metric or gradient is not finite, it tries again from the best round
    where both were, with steps of half the size.

    It is for refining: it finds the bottom of the valley that `start` is in. The
    seed, and so the noise, is the same in all rounds; see whether what it found
    holds for others.

    Args:
        run: As `hypergradient` takes it.
        start: Name → a number > 0 to start from; what is no number stays as it is.
        rounds: How many times the run is made, with its gradient.
        rate: The size of the first steps: 0.2 is about a fifth of x.
        seed: Of the run's key.
        metric: As in `hypergradient`; it is minimised.
        direction: As in `hypergradient`.

    Returns:
        A `Tuned`, with the best of its `path`, which is not always the last.

    Raises:
        TypeError: As `hypergradient`.
        ValueError: As `hypergradient`, if a number is not above 0, or if the very
            first run has a metric or a gradient that is not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import training_run
        >>> run = training_run(
        ...     lambda w, x: 0.5 * (w - x) ** 2, 1.0, jnp.zeros(4),
        ...     validation=lambda w: w * w,
        ... )
        >>> found = tune(run, {"learning_rate": 0.01})
        >>> found.hyperparameters["learning_rate"] > 0.05, found.value < 0.01
        (True, True)
    """
    rounds, seed = whole("rounds", rounds, 1), whole_seed(seed)
    if "value" in start:
        raise ValueError("value: expected another name; in `path` it is the metric's.")
    if not is_number(rate) or not 0 < rate < math.inf:
        raise ValueError(f"rate={rate!r}: expected a number > 0.")
    function, numbers = derivative(run, start, metric=metric, direction=direction)
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(
                f"{name}={float(number)!r}: expected a number > 0, for 0 has no "
                "logarithm; start from a small one, or leave it out."
            )

    def value_and_slopes(free, seed):
        numbers = _bounded(free)
        value, slopes = function(numbers, seed)
        _, pull = jax.vjp(_bounded, free)
        return numbers, value, pull(slopes)[0]

    compiled = jax.jit(value_and_slopes)
    tx = rmsprop(rate, decay=0.9, bias_correction=True)
    free = _free(numbers)
    state, scale, path = tx.init(free), 1.0, []
    base = None  # The best round to go on from: its numbers, metric and slopes.
    for turn in range(rounds):
        numbers, value, slopes = compiled(free, jnp.uint32(seed))
        found = _plain(numbers)
        path.append({**start, **found, "value": float(value)})
        if all(math.isfinite(float(x)) for x in (value, *slopes.values())):
            if base is None or value < base[1]:
                base = free, value, slopes
        elif base is None:
            raise ValueError(
                f"start={dict(start)!r}: its metric is {float(value)!r}, with a slope "
                f"of {_plain(slopes)!r}; expected finite ones, of a run that does not "
                "diverge. Start from a smaller learning rate."
            )
        else:
            (free, _, slopes), state, scale = base, tx.init(free), scale / 2
        updates, state = tx.update(slopes, state)
        size = scale * (1 - turn / rounds)
        free = optax.apply_updates(free, optax.tree.scale(size, updates))
    finite = [turn for turn in path if math.isfinite(turn["value"])]
    best = min(finite, key=lambda turn: turn["value"])
    chosen = {name: value for name, value in best.items() if name != "value"}
    return Tuned(chosen, best["value"], path)


def _plain(numbers: Numbers) -> dict[str, float]:
    return {name: float(x) for name, x in numbers.items()}


def _in_unit(name: str) -> bool:
    return name in RANGES and not RANGES[name].holds(1.0)


def _free(numbers: Numbers) -> Numbers:
    """On the scales without an end."""
    return {
        name: jnp.log(x) - jnp.log1p(-x) if _in_unit(name) else jnp.log(x)
        for name, x in numbers.items()
    }


def _bounded(free: Numbers) -> Numbers:
    return {
        name: jax.nn.sigmoid(x) if _in_unit(name) else jnp.exp(x)
        for name, x in free.items()
    }
