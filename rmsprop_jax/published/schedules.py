"""Learning rates over the steps, in the forms in which settings are published.

Each is data that says what it needs and makes, given that, a number or a schedule.
TensorFlow's stairs are counted in float32, as it counts them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp

Schedule = Callable[[jax.Array], jax.Array]
Given = Mapping[str, Any]


@dataclass(frozen=True)
class Constant:
    """One rate, after a warm-up from 0 if there is one.

    Attributes:
        rate: The rate; `None` leaves it open.
        per_batch: The batch size for which `rate` holds; it grows with the batch.
        warmup_epochs: Epochs in which it climbs from 0.
    """

    rate: float | None
    per_batch: int | None = None
    warmup_epochs: float = 0

    @property
    def needs(self) -> tuple[str, ...]:
        """What the setting leaves open."""
        return _open(
            learning_rate=self.rate is None,
            batch_size=self.per_batch,
            steps_per_epoch=self.warmup_epochs,
        )

    def __call__(self, given: Given) -> Any:
        """The learning rate, or the schedule of it."""
        if self.rate is None:
            return given["learning_rate"]
        peak = _peak(self.rate, self.per_batch, given)
        if not self.warmup_epochs:
            return peak
        warmup = int(self.warmup_epochs * given["steps_per_epoch"])
        return lambda count: _warmed_up(count, warmup, peak, jnp.float32(peak))

    def __str__(self):
        """The rate in words."""
        return _text(self.rate, self.per_batch) + _warmup_text(self.warmup_epochs)


@dataclass(frozen=True)
class Linear:
    """From the rate to 0, in a straight line over `total_steps` updates.

        α_t = α (1 − t / T)

    Attributes:
        rate: α; `None` leaves it open.
        held: How many updates in a row share one rate.
        at_batch_end: Whether t is that of the batch's last sample, t + 1 − 1 / batch.
    """

    rate: float | None
    held: int = 1
    at_batch_end: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """What the setting leaves open."""
        return _open(
            learning_rate=self.rate is None,
            total_steps=True,
            batch_size=self.at_batch_end,
        )

    def __call__(self, given: Given) -> Schedule:
        """The schedule."""
        rate = given["learning_rate"] if self.rate is None else self.rate
        total = given["total_steps"]
        ahead = 1 - 1 / given["batch_size"] if self.at_batch_end else 0

        def schedule(count):
            left = total - self.held * (count // self.held)
            return rate * (jnp.maximum(_real(left) - ahead, 0) / total)

        return schedule

    def __str__(self):
        """The rate in words."""
        held = f", {self.held} updates at a time" if self.held > 1 else ""
        ahead = ", read at the batch's last sample" if self.at_batch_end else ""
        return f"{_text(self.rate)}, linearly to 0 over total_steps{held}{ahead}"


@dataclass(frozen=True)
class Staircase:
    """TensorFlow's `exponential_decay(staircase=True)`, counted from step 0.

        α_t = α · factor^⌊t / size⌋

    A warm-up leaves the count alone, so it ends some stairs down; the floor holds then.

    Attributes:
        rate: α.
        factor: From one stair to the next.
        epochs: How long a stair is.
        per_batch, warmup_epochs: As of a `Constant`.
        floor: The least rate, as a share of α.
        whole: What is rounded down to whole steps: the `"epoch"`, or the `"stair"`.
    """

    rate: float
    factor: float
    epochs: float
    per_batch: int | None = None
    warmup_epochs: float = 0
    floor: float = 0
    whole: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """What the setting leaves open."""
        return _open(batch_size=self.per_batch, steps_per_epoch=True)

    def __call__(self, given: Given) -> Schedule:
        """The schedule."""
        epoch = given["steps_per_epoch"]
        if self.whole == "epoch":
            epoch = int(epoch)
        size = epoch * self.epochs
        if self.whole == "stair":
            size = int(size)
        if size < 1:
            raise ValueError(f"steps_per_epoch={epoch!r}: a stair is less than a step.")
        peak = _peak(self.rate, self.per_batch, given)
        warmup = int(self.warmup_epochs * epoch)

        def schedule(count):
            # Not every device divides float32 to the last bit; integers it does.
            stairs = (
                count // int(size)
                if size == int(size)
                else jnp.floor(count.astype(jnp.float32) / jnp.float32(size))
            ).astype(jnp.float32)
            rate = jnp.float32(peak) * jnp.float32(self.factor) ** stairs
            rate = _warmed_up(count, warmup, peak, rate)
            return jnp.maximum(rate, self.floor * peak)

        return schedule

    def __str__(self):
        """The rate in words."""
        floor = f", never under {self.floor:g} of that" if self.floor else ""
        return (
            f"{_text(self.rate, self.per_batch)}, x {self.factor:g} every "
            f"{_epochs(self.epochs)} from step 0 on"
            f"{_warmup_text(self.warmup_epochs)}{floor}"
        )


@dataclass(frozen=True)
class EpochStaircase:
    """Stairs that are whole epochs, set when an epoch begins.

        α_e = α · factor^⌊max(e − first, 0) / epochs⌋,     e = ⌊t / steps_per_epoch⌋

    Attributes:
        rate: α.
        factor: From one stair to the next.
        epochs: How long a stair is; exactly, so that 36 epochs are 15 stairs of 2.4.
        first: The epoch from which stairs are counted.
        warmup_epochs: Epochs, counted in e all the same, in which the rate is
            `warmup_from` + e (α − `warmup_from`) / `warmup_epochs`.
        warmup_from: The rate of epoch 0.
    """

    rate: float
    factor: float
    epochs: float
    first: int = 0
    warmup_epochs: int = 0
    warmup_from: float = 0

    @property
    def needs(self) -> tuple[str, ...]:
        """What the setting leaves open."""
        return ("steps_per_epoch",)

    def __call__(self, given: Given) -> Schedule:
        """The schedule."""
        per_epoch = given["steps_per_epoch"]
        if per_epoch != int(per_epoch):
            raise ValueError(
                f"steps_per_epoch={per_epoch!r}: expected a whole number, this "
                "setting changes its rate between epochs."
            )
        stair = Fraction(self.epochs).limit_denominator(1000)

        def schedule(count):
            epoch = count // int(per_epoch)
            past = jnp.maximum(epoch - self.first, 0)
            stairs = past * stair.denominator // stair.numerator
            rate = self.rate * jnp.exp(_real(stairs) * math.log(self.factor))
            if not self.warmup_epochs:
                return rate
            climb = (self.rate - self.warmup_from) / self.warmup_epochs
            warm = self.warmup_from + climb * _real(epoch)
            return jnp.where(epoch < self.warmup_epochs, warm, rate)

        return schedule

    def __str__(self):
        """The rate in words."""
        since = f", from the end of epoch {self.first + 1} on" if self.first else ""
        return (
            f"{_text(self.rate)}, x {self.factor:g} every {_epochs(self.epochs)}"
            f"{since}, changed between epochs"
            f"{_warmup_text(self.warmup_epochs, f' from {self.warmup_from:g}')}"
        )


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from the rate to 0 over `total_steps`, counted from step 0.

        α_t = α (1 + cos(π t / T)) / 2

    Attributes:
        rate, per_batch, warmup_epochs: As of a `Constant`.
    """

    rate: float
    per_batch: int
    warmup_epochs: float

    @property
    def needs(self) -> tuple[str, ...]:
        """What the setting leaves open."""
        return ("batch_size", "steps_per_epoch", "total_steps")

    def __call__(self, given: Given) -> Schedule:
        """The schedule."""
        peak = _peak(self.rate, self.per_batch, given)
        warmup = int(self.warmup_epochs * given["steps_per_epoch"])
        total = given["total_steps"]

        def schedule(count):
            share = jnp.minimum(count, total).astype(jnp.float32) / total
            rate = peak * (1 + jnp.cos(jnp.pi * share)) / 2
            return _warmed_up(count, warmup, peak, rate)

        return schedule

    def __str__(self):
        """The rate in words."""
        return (
            f"{_text(self.rate, self.per_batch)}, along a cosine to 0 over total_steps"
            f"{_warmup_text(self.warmup_epochs)}"
        )


Rate = Constant | Linear | Staircase | EpochStaircase | Cosine


def _peak(rate: float, per_batch: int | None, given: Given) -> float:
    return rate * given["batch_size"] / per_batch if per_batch else rate


def _real(count: jax.Array) -> jax.Array:
    return count.astype(jnp.result_type(float))


def _warmed_up(count, warmup: int, peak: float, rate: jax.Array) -> jax.Array:
    climbing = peak * count.astype(jnp.float32) / max(warmup, 1)
    return jnp.where(count < warmup, climbing, rate)


def _open(**needed: Any) -> tuple[str, ...]:
    return tuple(name for name, need in needed.items() if need)


def _text(rate: float | None, per_batch: int | None = None) -> str:
    if rate is None:
        return "learning_rate"
    return f"{rate!r}" + (f" x batch_size / {per_batch}" if per_batch else "")


def _warmup_text(epochs: float, start: str = "") -> str:
    return f", after a warm-up of {_epochs(epochs)}{start}" if epochs else ""


def _epochs(epochs: float) -> str:
    return "1 epoch" if epochs == 1 else f"{epochs:g} epochs"
