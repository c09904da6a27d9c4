"""What is tried with a dialect, and what came of it."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp

from benchmarks.sensitivity.tasks import Trained
from rmsprop_jax import DIALECTS, halving, log_uniform, rmsprop, sweep

Point = dict[str, float]
Told = Callable[[Point, dict[str, Any]], None]

# For dialects that demand one.
LEARNING_RATE = 1e-3
FACTOR = 4
# Where a search looks; that of the map is in `tasks`.
LEARNING_RATES = (2.0**-14, 1.0)
PARTS = ("validation", "test")
NAMES = ("learning_rate", "decay", "eps", "momentum")


def default(dialect: str) -> Point:
    """What a dialect does if nothing is said."""
    row = DIALECTS[dialect]
    rate = LEARNING_RATE if row.learning_rate is None else row.learning_rate
    return {
        "learning_rate": rate,
        "decay": row.decay,
        "eps": row.eps,
        "momentum": row.momentum,
    }


def eps_of(dialect: str, damping: float) -> float:
    """The ε that a small gradient meets as `damping` beside the root: √ε is inside."""
    inside = DIALECTS[dialect].rule.eps_placement == "inside"
    return damping**2 if inside else damping


def mapped(trained: Trained, dialect: str) -> list[Point]:
    """The defaults; and with decay and momentum of these, learning rates × ε."""
    usual = default(dialect)
    dampings = [eps_of(dialect, damping) for damping in trained.dampings]
    return [usual] + [
        usual | {"learning_rate": rate, "eps": eps}
        for eps in (usual["eps"], *dampings)
        for rate in trained.learning_rates
    ]


def searched(trained: Trained, dialect: str, seeds: int) -> dict[str, Any]:
    """A search by halving, judged by held-out examples: all its points, and the best.

    Dialects of one rule search the same points.
    """
    table = halving(
        trained.run(partial(rmsprop, dialect=dialect), ("validation",)),
        {
            "learning_rate": log_uniform(*LEARNING_RATES),
            "decay": log_uniform(0.5, 0.9995, below=1),
            "eps": log_uniform(eps_of(dialect, 1e-8), eps_of(dialect, 1e-1)),
            "momentum": log_uniform(0.0, 0.95, below=1),
        },
        points=trained.points,
        min_steps=trained.first_steps,
        max_steps=trained.steps,
        factor=FACTOR,
        seeds=seeds,
        metric="validation",
        batch_size=1,
    )
    points = [
        {
            **{name: _short(x) for name, x in point.hyperparameters.items()},
            "steps": point.steps,
            "validation": None if point.diverged else _short(point.value),
        }
        for point in table.points()
    ]
    return {"best": dict(table.best().hyperparameters), "points": points}


def trained_at(
    trained: Trained, dialect: str, points: Sequence[Point], seeds: int, told: Told
) -> None:
    """Train at each point with every seed, and tell its metrics when all have ended."""
    columns = {name: jnp.asarray([p[name] for p in points]) for name in NAMES}

    def make(number):
        """One compilation for points that are no grid: the numbers are looked up."""
        at = number.astype(jnp.int32)
        return rmsprop(
            dialect=dialect, **{name: column[at] for name, column in columns.items()}
        )

    ended: list[dict[str, Any]] = []

    def report(rows):
        ended.extend(rows)
        while len(ended) >= seeds:
            one = [ended.pop(0) for _ in range(seeds)]
            told(
                points[int(one[0]["number"])],
                {part: [_short(row[part]) for row in one] for part in PARTS}
                | {"diverged": sum(row["diverged"] for row in one)},
            )

    sweep(
        trained.run(make, PARTS),
        {"number": list(range(len(points)))},
        seeds=seeds,
        metric="validation",
        batch_size=1,
        report=report,
    )


def _short(value: float) -> float | None:
    """Five digits; what is not finite is null in JSON."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
