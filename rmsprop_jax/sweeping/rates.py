"""`range_test`: which learning rates a training can bear, in one short run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.state import set_hyperparams
from rmsprop_jax.sweeping.numbers import check_size, is_number, whole, whole_seed
from rmsprop_jax.sweeping.shown import short
from rmsprop_jax.sweeping.training import (
    Loss,
    batches_of,
    built,
    check_functions,
    strong,
)
from rmsprop_jax.transform import rmsprop

# A loss so many times its best has left the range for good, as fastai has it.
_LOST = 4.0
_FALL = (0.1, 0.9)


@dataclass(frozen=True)
class RateRange:
    """What a range test saw: what `range_test` returns.

    Attributes:
        learning_rates: One for each step, growing by one factor.
        losses: Of each step's batch, before the step.
        smoothed: Their running mean: what the rule looks at.
        low: The smallest learning rate suggested; `None` if the loss never fell.
        high: The largest.
        diverged: At which step counting stopped, if it did.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    low: float | None
    high: float | None
    diverged: int | None

    def __repr__(self) -> str:
        """What was tested, and what it suggests."""
        rates, found = self.learning_rates, "the loss fell at no learning rate"
        if self.low is not None and self.high is not None:
            found = f"suggested: low={short(self.low)}, high={short(self.high)}"
        tested = f"{len(rates)} steps from {short(float(rates[0]))} to "
        tested += short(float(rates[-1]))
        if self.diverged is not None:
            rate = short(float(rates[self.diverged]))
            tested += f", diverged at step {self.diverged}, {rate}"
        return f"{found} ({tested})"

    @property
    def rule(self) -> str:
        """How `low` and `high` were found."""
        return (
            "From its start to its minimum, the smoothed loss falls; low is the "
            "learning rate at which it has fallen by a tenth of that, high the one at "
            "which it has by nine tenths. Steps from the first at which the smoothed "
            "loss is not finite, or above both its start and 4 times its minimum so "
            "far, do not count."
        )


def range_test(
    loss: Loss,
    params: Any,
    batches: Any,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 200,
    make: Callable[..., Any] = rmsprop,
    smoothing: float = 0.9,
    seed: int = 0,
) -> RateRange:
    """The learning-rate range test: the rate grows at every step, and the loss tells.

        αₜ = low (high / low)^(t / (steps − 1))

    The rate is a live one, set in the state at each step: one compilation.

    Suggested is from where the smoothed loss has made a tenth of its fall to where it
    has made nine tenths. The fall lags behind the rate, so that the interval lies the
    lower, the more steps there are: test with about as many as will be trained.

    Args:
        loss: (params, batch) → a scalar.
        params: The parameters to start from, or a function from a key to them.
        batches: As `training_run` takes them.
        low: The rate of the first step, > 0.
        high: The rate of the last.
        steps: How many; batches are taken again from the start if there are fewer.
        make: A learning rate → an Optax transformation that holds an RMSProp, to which
            the rate is a live number.
        smoothing: The share of the old in the running mean of losses, in [0, 1).
        seed: Of the key.

    Returns:
        A `RateRange`: `low` and `high`, and what they were read from. Both are `None`
        if the loss never fell, or only by the luck of the first batches.

    Raises:
        TypeError: If something is of the wrong kind.
        ValueError: If a number is out of range, or `make` has a schedule.

    Example:
        >>> import jax.numpy as jnp
        >>> found = range_test(lambda w, x: jnp.sum((w - x) ** 2), 0.0, jnp.ones(8))
        >>> 1e-6 < found.low < found.high < 1, found.losses.shape
        (True, (200,))
    """
    check_functions(loss=loss, make=make)
    steps, seed = whole("steps", steps, 2), whole_seed(seed)
    if not (is_number(low) and is_number(high)) or not 0 < low < high < np.inf:
        raise ValueError(
            f"low={low!r}, high={high!r}: expected numbers, 0 < low < high."
        )
    check_size(f"low={low!r}", low)
    check_size(f"high={high!r}", high)
    if not is_number(smoothing) or not 0 <= smoothing < 1:
        raise ValueError(f"smoothing={smoothing!r}: expected a number in [0, 1).")
    tx = built(make, {"learning_rate": low})
    batch_of, _ = batches_of(batches)
    key = jax.random.key(seed)
    start = jax.tree.map(strong, params(key) if callable(params) else params)
    rates = np.geomspace(low, high, steps)

    def step(carry, now):
        params, state = carry
        count, rate = now
        state = set_hyperparams(state, learning_rate=rate)
        value, grads = jax.value_and_grad(loss)(params, batch_of(count, key))
        updates, state = tx.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    @jax.jit
    def run(params, rates):
        state = tx.init(params)
        return jax.lax.scan(
            step, (params, state), (jnp.arange(steps, dtype=jnp.int32), rates)
        )[1]

    losses = np.asarray(run(start, jnp.asarray(rates, jnp.result_type(float))))
    smoothed = _smoothed(losses.astype(np.float64), smoothing)
    diverged = _diverged(smoothed)
    noise = float(jnp.finfo(losses.dtype).eps)
    interval = _interval(rates, smoothed[:diverged], noise)
    return RateRange(rates, losses, smoothed, *interval, diverged)


def _smoothed(losses: np.ndarray, share: float) -> np.ndarray:
    """The running mean over the losses so far, as bias-corrected ν is one."""
    out, mean = np.empty_like(losses), 0.0
    for t, loss in enumerate(losses):
        mean = share * mean + (1 - share) * loss
        out[t] = mean / (1 - share ** (t + 1))
    return out


def _diverged(smoothed: np.ndarray) -> int | None:
    best = np.minimum.accumulate(np.where(np.isfinite(smoothed), smoothed, np.inf))
    lost = (smoothed > _LOST * np.abs(best)) & (smoothed > smoothed[0])
    lost |= ~np.isfinite(smoothed)
    return int(np.argmax(lost)) if lost.any() else None


def _interval(
    rates: np.ndarray, smoothed: np.ndarray, noise: float
) -> tuple[float | None, float | None]:
    if not smoothed.size:
        return None, None
    fall = smoothed[0] - smoothed.min()
    # A mean of equal losses is not equal to the last digit.
    if not fall > noise * abs(smoothed[0]):
        return None, None
    low, high = (
        float(rates[np.argmax(smoothed <= smoothed[0] - share * fall)])
        for share in _FALL
    )
    # All of it in one step: an early batch was an easy one.
    return (low, high) if low < high else (None, None)
