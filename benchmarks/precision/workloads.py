"""What is trained: the mlp and the cnn on images, a transformer on characters."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from benchmarks import character_model
from rmsprop_jax.train import models
from rmsprop_jax.train.tasks import TASKS


class Workload(NamedTuple):
    """What is trained, and on what.

    Attributes:
        steps: How many.
        params: Seed → first parameters.
        order: Seed → which examples are in which step, (steps, batch).
        pick: Data, some examples' indices → a batch.
        losses: Parameters, batch → the loss of each example.
        train: The data to learn from.
        held_out: Batches to be judged by, all of one size.
        of: What is learned from, for the record.
    """

    steps: int
    params: Callable[[int], Any]
    order: Callable[[int], np.ndarray]
    pick: Callable[[Any, jax.Array], Any]
    losses: Callable[[Any, Any], jax.Array]
    train: Any
    held_out: Any
    of: str


def images(model: str, smoke: bool) -> Workload:
    """MNIST, or digits of 8x8 pixels; the cnn learns from the first 10 000."""
    task = TASKS["digits" if smoke else "mnist"]
    data = task.load(None)
    count = 640 if smoke else {"mlp": 60_000, "cnn": 10_000}[model]
    batch, epochs = {"mlp": (128, 3), "cnn": (100, 1)}[model]
    judged = {name: x[: len(x) // 100 * 100] for name, x in data.test.items()}

    def new(seed):
        rngs = nnx.Rngs(seed)
        return models.build(model, task.input_shape, task.outputs, rngs=rngs)

    graph = nnx.graphdef(new(0))

    def losses(params, examples):
        outputs = nnx.merge(graph, params)(task.inputs(examples))
        return task.losses(outputs, examples, 0.0)

    def order(seed):
        rng = np.random.default_rng(seed)
        whole = count // batch * batch
        shuffled = [rng.permutation(count)[:whole] for _ in range(epochs)]
        return np.concatenate(shuffled).reshape(-1, batch)

    return Workload(
        steps=count // batch * epochs,
        params=lambda seed: nnx.to_pure_dict(nnx.state(new(seed), nnx.Param)),
        order=order,
        pick=lambda data, chosen: {name: x[chosen] for name, x in data.items()},
        losses=losses,
        train={name: x[:count] for name, x in data.train.items()},
        held_out={name: x.reshape(-1, 100, *x.shape[1:]) for name, x in judged.items()},
        of=f"{task.name}, {count} images, {batch} a step",
    )


def characters(smoke: bool) -> Workload:
    """Windows of 32 bytes, 8 a step; judged by 1 024 of the held-out bytes' windows."""
    context, batch, steps = 32, 8, 20 if smoke else 1000
    data = character_model.text()

    def windows(text, first):
        return text[first[:, None] + np.arange(context + 1, dtype=np.int32)[None]]

    def starts(seed, text, *shape):
        last = len(text) - context - 1
        return np.random.default_rng(seed).integers(last, size=shape, dtype=np.int32)

    judged = windows(data.held_out, starts(0, data.held_out, 1024))
    return Workload(
        steps=steps,
        params=partial(character_model.initial, context=context),
        order=lambda seed: starts(seed, data.train, steps, batch),
        pick=windows,
        losses=character_model.losses,
        train=data.train,
        held_out=judged.reshape(16, 64, context + 1),
        of=f"{batch} x {context} a step of {len(data.train)} bytes, "
        f"sha256 {data.sha256[:16]}",
    )


WORKLOADS = {
    "mlp": partial(images, "mlp"),
    "cnn": partial(images, "cnn"),
    "characters": characters,
}
