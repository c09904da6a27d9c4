"""Who competes, and with which values: as many for each."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import optax

import rmsprop_jax as rj

Point = dict[str, float]

# Learning rates around the customary one, a factor √10 apart; one more above than
# below, for short trainings want large ones: with three above, some chose the largest.
HALF_DECADES = (-3, -2, -1, 0, 1, 2, 3, 4)


class Rival(NamedTuple):
    """An optimizer.

    Attributes:
        make: Learning rate and the values of `beside` → the optimizer.
        rate: The customary learning rate.
        beside: What it has beside a learning rate: three settings, the first customary.
    """

    make: Callable[..., Any]
    rate: float
    beside: tuple[Point, Point, Point]

    @property
    def default(self) -> Point:
        """What is customary."""
        return {"learning_rate": _short(self.rate), **self.beside[0]}

    @property
    def points(self) -> list[Point]:
        """All that is tried.

        A trace adds up the steps of the last 1 / (1 − β), so that its learning rates
        are smaller by as much.
        """
        custom = 1 - self.beside[0].get("momentum", 0.0)
        return [
            {
                "learning_rate": _short(
                    self.rate * 10 ** (k / 2) * (1 - beta) / custom
                ),
                **beside,
            }
            for beside in self.beside
            for beta in [beside.get("momentum", 0.0)]
            for k in HALF_DECADES
        ]


def _short(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")


def _rmsprop(dialect: str, rate: float, decay: float) -> Rival:
    """The dialect's own ε, ν₀ and order; the usual decays; the momentum of images."""
    other = 0.99 if decay == 0.9 else 0.9
    return Rival(
        partial(rj.rmsprop, dialect=dialect),
        rate,
        (
            {"decay": decay, "momentum": 0.0},
            {"decay": other, "momentum": 0.0},
            {"decay": 0.9, "momentum": 0.9},
        ),
    )


RIVALS = {
    "rmsprop, optax": _rmsprop("optax", 1e-3, 0.9),
    "rmsprop, torch": _rmsprop("torch", 1e-2, 0.99),
    "rmsprop, tf1": _rmsprop("tf1", 1e-3, 0.9),
    "adam": Rival(optax.adam, 1e-3, ({"b2": 0.999}, {"b2": 0.99}, {"b2": 0.95})),
    # RMSProp with bias correction: whether it is the momentum that makes a difference.
    "adam, b1 = 0": Rival(
        partial(optax.adam, b1=0.0), 1e-3, ({"b2": 0.999}, {"b2": 0.99}, {"b2": 0.9})
    ),
    "adamw": Rival(
        optax.adamw,
        1e-3,
        ({"weight_decay": 1e-4}, {"weight_decay": 1e-2}, {"weight_decay": 1e-1}),
    ),
    "sgd": Rival(
        optax.sgd, 10**-1.5, ({"momentum": 0.9}, {"momentum": 0.0}, {"momentum": 0.99})
    ),
    "adagrad": Rival(
        optax.adagrad,
        1e-2,
        (
            {"initial_accumulator_value": 0.1},
            {"initial_accumulator_value": 0.0},
            {"initial_accumulator_value": 1.0},
        ),
    ),
    "lion": Rival(optax.lion, 1e-4, ({"b1": 0.9}, {"b1": 0.8}, {"b1": 0.95})),
}
