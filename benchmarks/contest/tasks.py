"""What is trained: an mlp on images, two models of text, a player who catches."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from benchmarks import character_model
from benchmarks.contest import catch, recurrent_model
from rmsprop_jax.train import models
from rmsprop_jax.train.tasks import TASKS as TRAINER

PARTS = ("validation", "test")
# Bytes of text that a model sees at once.
_CONTEXT = 32


class Task(NamedTuple):
    """A training of which only the optimizer is open.

    Attributes:
        metric: What is to be small.
        of: What is learned from, for the record.
        steps: How many.
        start: Seed → first parameters.
        batch: Data to learn from, step, key → a batch.
        loss: Parameters, batch → a scalar.
        judged: Parameters, `validation` or `test` of the data → the metric.
        data: Name of the part → data, of which `train` is learned from.
    """

    metric: str
    of: str
    steps: int
    start: Callable[[int], Any]
    batch: Callable[[Any, jax.Array, jax.Array], Any]
    loss: Callable[[Any, Any], jax.Array]
    judged: Callable[[Any, Any], jax.Array]
    data: dict[str, Any]


def images(smoke: bool) -> Task:
    """The mlp on MNIST; judged by its errors."""
    name, model = ("digits", "linear") if smoke else ("mnist", "mlp")
    batch, held_out, steps = (32, 200, 4) if smoke else (128, 10_000, 1000)
    task = TRAINER[name]
    data = task.load(None)
    count = len(data.train["label"]) - held_out
    parts = {
        "train": {name: x[:count] for name, x in data.train.items()},
        "validation": {name: x[count:] for name, x in data.train.items()},
        "test": data.test,
    }

    def new(rngs):
        return models.build(model, task.input_shape, task.outputs, rngs=rngs)

    graph = nnx.graphdef(new(nnx.Rngs(0)))

    def outputs(params, examples):
        return nnx.merge(graph, params)(task.inputs(examples))

    def pick(train, step, key):
        chosen = jax.random.randint(jax.random.fold_in(key, step), (batch,), 0, count)
        return jax.tree.map(lambda x: x[chosen], train)

    def error(params, examples):
        right, weight = task.measures(outputs(params, examples), examples)["accuracy"]
        return 100 * (1 - right.sum() / weight.sum())

    return Task(
        metric="errors, %",
        of=f"{name}, {count} images, {batch} a step",
        steps=steps,
        start=lambda seed: nnx.to_pure_dict(nnx.state(new(nnx.Rngs(seed)), nnx.Param)),
        batch=pick,
        loss=lambda p, batch: task.losses(outputs(p, batch), batch, 0.0).mean(),
        judged=error,
        data=parts,
    )


def transformer(smoke: bool) -> Task:
    """The transformer of `character_model`."""
    start = partial(character_model.initial, context=_CONTEXT)
    return _text(start, character_model.losses, batch=8, steps=4 if smoke else 1000)


def recurrent(smoke: bool) -> Task:
    """An LSTM on the same text."""

    def start(seed):
        return recurrent_model.initial(jax.random.key(seed))

    return _text(start, recurrent_model.losses, batch=16, steps=4 if smoke else 600)


def _text(start, losses, batch, steps) -> Task:
    """Windows of 32 bytes; half of the held-out text to choose by, half to judge by."""
    context, judged = _CONTEXT, 512
    text = character_model.text()
    middle = len(text.held_out) // 2
    held_out = {
        "validation": text.held_out[:middle],
        "test": text.held_out[middle:],
    }

    def windows(text, first):
        return text[first[:, None] + np.arange(context + 1, dtype=np.int32)[None]]

    def pick(train, step, key):
        last = len(text.train) - context - 1
        first = jax.random.randint(jax.random.fold_in(key, step), (batch,), 0, last)
        return windows(train, first)

    def spaced(part):
        first = np.linspace(0, len(part) - context - 1, judged, dtype=np.int32)
        return windows(part, first)

    return Task(
        metric="nats a byte",
        of=f"{batch} x {context} a step of {len(text.train)} bytes, "
        f"sha256 {text.sha256[:16]}",
        steps=steps,
        start=start,
        batch=pick,
        loss=lambda params, batch: losses(params, batch).mean(),
        judged=lambda params, part: losses(params, part).mean(),
        data={"train": text.train}
        | {name: spaced(part) for name, part in held_out.items()},
    )


def player(smoke: bool) -> Task:
    """An actor with a critic learns to catch a ball; data are what it does."""
    steps, episodes = (4, 100) if smoke else (3000, 10_000)
    return Task(
        metric="balls missed, %",
        of=catch.OF,
        steps=steps,
        start=lambda seed: catch.initial(jax.random.key(seed)),
        batch=lambda _, step, key: jax.random.fold_in(key, step),
        loss=catch.loss,
        judged=lambda params, key: catch.missed(params, key, episodes),
        data={"train": jnp.zeros(())}
        | {name: jax.random.key(2**31 + i) for i, name in enumerate(PARTS)},
    )


TASKS = {
    "images": images,
    "transformer": transformer,
    "recurrent": recurrent,
    "player": player,
}
