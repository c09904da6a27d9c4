"""One training, from a seed and an optimizer's values to a number."""

import math
from collections.abc import Callable
from functools import cache, partial

import jax
import jax.numpy as jnp

from benchmarks.contest.rivals import Point, Rival
from benchmarks.contest.tasks import Task
from rmsprop_jax import training_run

# (Values, seed, part of the data to judge by) → the metric, `None` if not finite.
Training = Callable[[Point, int, str], float | None]


def share(step: jax.Array, steps: int) -> jax.Array:
    """Of the highest learning rate: up in a tenth of the steps, and down to zero.

    >>> [round(float(share(jnp.int32(i), 20)), 2) for i in (0, 1, 2, 11, 20)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    climb, now = max(1, steps // 10), jnp.asarray(step).astype(jnp.float32)
    return jnp.minimum((now + 1) / climb, (steps - now) / (steps - climb))


def compiled(task: Task, rival: Rival) -> Training:
    """All trainings of an optimizer on a task, for one compilation."""

    def make(learning_rate, **beside):
        def rate(step):
            return learning_rate * share(step, task.steps)

        return rival.make(rate, **beside)

    @jax.jit
    def trained(values, params, key, data):
        run = training_run(
            task.loss, params, partial(task.batch, data), make=make, steps=task.steps
        )
        return run.advance(values, run.init(values, key), 0, run.steps)[0].params

    judge, start = jax.jit(task.judged), cache(task.start)

    def training(point, seed, part):
        values = {name: jnp.float32(x) for name, x in point.items()}
        # Optax's Adam raises a traced decay to the power of a whole number.
        with jax.numpy_dtype_promotion("standard"):
            params = trained(
                values, start(seed), jax.random.key(seed), task.data["train"]
            )
        value = float(judge(params, task.data[part]))
        finite = all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves(params))
        return value if finite and math.isfinite(value) else None

    return training
