"""A task: data, what is learned from them, and how an answer is judged.

The loop knows nothing of images or sound: it takes batches out of `load`, gives
`inputs` to the model, lowers the mean of `losses`, and averages `measures`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax.train.data import digits, linear, mnist
from rmsprop_jax.train.data.dataset import Dataset

Batch = Mapping[str, jax.Array]
Measures = Mapping[str, tuple[jax.Array, jax.Array]]


class Answers(NamedTuple):
    """What the model says of each example, and how sure it is."""

    answer: jax.Array
    confidence: jax.Array


@dataclass(frozen=True)
class Task:
    """Data, losses and measures under one name.

    Attributes:
        name: As in `--task`.
        input_shape: Of one example, as the model sees it.
        outputs: How many numbers the model gives for one example.
        model: The default model.
        headline: The measure that the run is about; the best is the highest accuracy
            or the lowest loss.
        load: Folder or `None` → the data.
        inputs: Batch → what the model sees.
        losses: Outputs, batch, label smoothing → the loss of each example.
        measures: Outputs, batch → by name, value and weight of each example.
        reported: Their names; what is reported is Σ value / Σ weight.
        answers: Outputs → answers.
        unit: What examples are called.
        classes: What the answers are called; `None` if they are no classes.
    """

    name: str
    input_shape: tuple[int, ...]
    outputs: int
    model: str
    headline: Literal["accuracy", "loss"]
    load: Callable[[Path | None], Dataset]
    inputs: Callable[[Batch], jax.Array]
    losses: Callable[[jax.Array, Batch, float], jax.Array]
    measures: Callable[[jax.Array, Batch], Measures]
    reported: tuple[str, ...]
    answers: Callable[[jax.Array], Answers]
    unit: str = "images"
    classes: tuple[str, ...] | None = None


def _pixels(batch: Batch, *, mean: float, deviation: float) -> jax.Array:
    return batch["image"].astype(jnp.float32) / (255 * deviation) - mean / deviation


def _cross_entropy(outputs: jax.Array, batch: Batch, smoothing: float) -> jax.Array:
    """Of the label, which keeps a share 1 − s; s is spread over all classes."""
    losses = optax.softmax_cross_entropy_with_integer_labels(outputs, batch["label"])
    if not smoothing:
        return losses
    spread = -jax.nn.log_softmax(outputs).mean(axis=-1)
    return (1 - smoothing) * losses + smoothing * spread


def _classified(outputs: jax.Array, batch: Batch) -> Measures:
    right = (outputs.argmax(axis=-1) == batch["label"]).astype(jnp.float32)
    losses = _cross_entropy(outputs, batch, 0.0)
    return {
        "loss": (losses, jnp.ones_like(losses)),
        "accuracy": (right, jnp.ones_like(right)),
    }


def _most_likely(outputs: jax.Array) -> Answers:
    shares = jax.nn.softmax(outputs)
    return Answers(outputs.argmax(axis=-1).astype(jnp.int32), shares.max(axis=-1))


def _squared_error(outputs: jax.Array, batch: Batch, smoothing: float) -> jax.Array:
    del smoothing
    return jnp.square(outputs - batch["y"]).mean(axis=-1)


def _measured(outputs: jax.Array, batch: Batch) -> Measures:
    errors = _squared_error(outputs, batch, 0.0)
    return {"loss": (errors, jnp.ones_like(errors))}


def _value(outputs: jax.Array) -> Answers:
    return Answers(outputs[:, 0], jnp.ones_like(outputs[:, 0]))


def _images(name, side, model, load, mean, deviation, classes) -> Task:
    return Task(
        name=name,
        input_shape=(side, side, 1),
        outputs=len(classes),
        model=model,
        headline="accuracy",
        load=load,
        inputs=partial(_pixels, mean=mean, deviation=deviation),
        losses=_cross_entropy,
        measures=_classified,
        reported=("loss", "accuracy"),
        answers=_most_likely,
        classes=classes,
    )


_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "boot",
)  # fmt: skip

TASKS = {
    task.name: task
    for task in (
        _images(
            "mnist", 28, "mlp", partial(mnist.load, "mnist"), 0.1307, 0.3081, _DIGITS
        ),
        _images(
            "fashion-mnist",
            28,
            "mlp",
            partial(mnist.load, "fashion-mnist"),
            0.2860,
            0.3530,
            _CLOTHES,
        ),
        _images("digits", 8, "cnn", lambda _: digits.load(), 0.3053, 0.3760, _DIGITS),
        Task(
            name="linear",
            input_shape=(10,),
            outputs=1,
            model="linear",
            headline="loss",
            load=lambda _: linear.load(),
            inputs=lambda batch: batch["x"],
            losses=_squared_error,
            measures=_measured,
            reported=("loss",),
            answers=_value,
            unit="rows",
        ),
    )
}
