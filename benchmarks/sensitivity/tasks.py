"""What is trained: a line through noise, an mlp and a cnn on images."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rmsprop_jax import training_run
from rmsprop_jax.train import models
from rmsprop_jax.train.tasks import TASKS

Arrays = dict[str, np.ndarray]


class Trained(NamedTuple):
    """A training of which only the optimizer is open.

    Attributes:
        metric: What is to be small.
        of: What is learned from, for the record.
        steps: How many: the smallest number of the search times a power of four.
        first_steps: What every point of a search gets.
        points: How many points a search begins with.
        learning_rates: Those of the map.
        dampings: Those of the map beside each dialect's own, as `eps` beside the root.
        run: (what makes the optimizer, names of the parts of the data to judge by) → a
            run with a metric for each of these parts.
    """

    metric: str
    of: str
    steps: int
    first_steps: int
    points: int
    learning_rates: tuple[float, ...]
    dampings: tuple[float, ...]
    run: Callable[[Callable[..., Any], tuple[str, ...]], Any]


def linear(smoke: bool) -> Trained:
    """Ten inputs, one output, and noise: the least possible loss is near 0.01."""
    task = TASKS["linear"]
    data = task.load(None)
    steps = 16 if smoke else 640
    parts = {"train": _rows(data.train, 0, 800), "validation": _rows(data.train, 800)}
    return Trained(
        metric="squared error",
        of=f"linear, 800 rows, 32 a step, {steps} steps",
        steps=steps,
        first_steps=4 if smoke else 10,
        points=4 if smoke else 64,
        learning_rates=octaves(-14, 0, 7 if smoke else 1),
        dampings=(1e-2,) if smoke else (1e-2, 1e-1),
        run=partial(
            _training, "linear", "linear", parts | {"test": data.test}, 32, steps
        ),
    )


def images(model: str, smoke: bool) -> Trained:
    """An epoch of MNIST, or of its first 10 000 images for the cnn."""
    name = "digits" if smoke else "mnist"
    data = TASKS[name].load(None)
    count, held_out, batch, first_steps, steps = _SIZES["smoke" if smoke else model]
    parts = {
        "train": _rows(data.train, 0, count),
        "validation": _rows(data.train, len(data.train["label"]) - held_out),
        "test": data.test,
    }
    cnn = model == "cnn"
    return Trained(
        metric="error, %",
        of=f"{name}, {count} images, {batch} a step, {steps} steps",
        steps=steps,
        first_steps=first_steps,
        points=4 if smoke else 32 if cnn else 64,
        learning_rates=octaves(-14, 0, 7 if smoke else 2 if cnn else 1),
        dampings=(1e-2,) if smoke or cnn else (1e-2, 1e-1),
        run=partial(_training, name, model, parts, batch, steps),
    )


TRAINED = {
    "linear": linear,
    "mlp": partial(images, "mlp"),
    "cnn": partial(images, "cnn"),
}
# Images to learn from, to choose by; a step; steps of a first rung; steps in all.
_SIZES = {
    "mlp": (58_000, 2_000, 100, 10, 640),
    "cnn": (10_000, 1_000, 125, 5, 80),
    "smoke": (640, 100, 32, 4, 16),
}
# So many examples are judged at once.
_JUDGED = 100


def octaves(low: int, high: int, by: int) -> tuple[float, ...]:
    """2ˡᵒʷ to 2ʰⁱᵍʰ.

    >>> octaves(-4, -1, 2)
    (0.0625, 0.25)
    """
    return tuple(2.0**k for k in range(low, high + 1, by))


def _rows(part: Arrays, start: int, stop: int | None = None) -> Arrays:
    return {name: x[start:stop] for name, x in part.items()}


def _training(task_name, model, parts, batch, steps, make, judges):
    """A run on batches drawn from `parts["train"]` with replacement."""
    task = TASKS[task_name]

    def new(rngs):
        return models.build(model, task.input_shape, task.outputs, rngs=rngs)

    graph = nnx.graphdef(new(nnx.Rngs(0)))
    parts = jax.tree.map(jnp.asarray, parts)
    count = len(jax.tree.leaves(parts["train"])[0])

    def start(key):
        return nnx.to_pure_dict(nnx.state(new(nnx.Rngs(key)), nnx.Param))

    def outputs(params, examples):
        return nnx.merge(graph, params)(task.inputs(examples))

    def batch_of(step, key):
        chosen = jax.random.randint(jax.random.fold_in(key, step), (batch,), 0, count)
        return jax.tree.map(lambda x: x[chosen], parts["train"])

    def loss(params, examples):
        return task.losses(outputs(params, examples), examples, 0.0).mean()

    def judged(params, part):
        """The task's own metric: a loss, or the error in percent."""
        whole = jax.tree.map(_in_batches, part)
        measures = jax.lax.map(
            lambda examples: task.measures(outputs(params, examples), examples), whole
        )
        value, weight = measures[task.headline]
        mean = value.sum() / weight.sum()
        return 100 * (1 - mean) if task.headline == "accuracy" else mean

    def validation(params):
        return {name: judged(params, parts[name]) for name in judges}

    return training_run(
        loss, start, batch_of, make=make, steps=steps, validation=validation
    )


def _in_batches(x: jax.Array) -> jax.Array:
    """Examples in batches, without the last few that fill none."""
    whole = x[: len(x) // _JUDGED * _JUDGED]
    return whole.reshape(-1, _JUDGED, *x.shape[1:])
