"""Tasks of images: which of ten things is on each."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train.config import Learning
from rmsprop_jax.train.data import digits, mnist
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.tasks import classifying, image_files
from rmsprop_jax.train.tasks.augmentation import augment
from rmsprop_jax.train.tasks.task import Augment, Batch, Reading, Task


def _pixels(batch: Batch, *, mean: float, deviation: float) -> jax.Array:
    return batch["image"].astype(jnp.float32) / (255 * deviation) - mean / deviation


def _augmented(learning: Learning) -> Augment | None:
    shift, rotate = learning.shift or 0.0, learning.rotate or 0.0
    return partial(augment, shift=shift, rotate=rotate) if shift or rotate else None


def _examples(name: str, path: Path, reading: Reading) -> tuple[Arrays, list[str]]:
    image = image_files.read(path, name, reading.invert)
    if reading.seen is not None:
        reading.seen.mkdir(parents=True, exist_ok=True)
        image_files.picture_of(image).save(reading.seen / f"{path.stem}.png")
    # The loss, which nobody asks for here, is of this label.
    return {"image": image[None], "label": np.zeros(1, np.int32)}, [str(path)]


def _draw(
    classes: tuple[str, ...],
    folder: Path,
    test: Mapping[str, np.ndarray],
    answers: np.ndarray,
    confidence: np.ndarray,
) -> None:
    from rmsprop_jax.train import pictures

    images, labels = test["image"], test["label"]
    pictures.confusion(labels, answers, classes, folder / "confusion.png")
    pictures.mistakes(
        images, labels, answers, confidence, folder / "mistakes.png", classes
    )


def _images(
    name, side, models, load, mean, deviation, classes, idle=("masks",)
) -> Task:
    return Task(
        name=name,
        input_shape=(side, side, 1),
        outputs=len(classes),
        models=models,
        small_model="mlp",
        headline="accuracy",
        load=load,
        inputs=partial(_pixels, mean=mean, deviation=deviation),
        losses=classifying.cross_entropy,
        measures=classifying.classified,
        reported=("loss", "accuracy"),
        answers=classifying.most_likely,
        examples=partial(_examples, name),
        said=partial(classifying.said, classes),
        draw=partial(_draw, classes),
        augmented=_augmented,
        idle=idle,
        reads=("invert", "seen"),
        unit="images",
        classes=classes,
    )


_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "boot",
)  # fmt: skip
_MODELS = ("mlp", "cnn", "strong", "linear")
_MNIST, _FASHION = (partial(mnist.load, x) for x in ("mnist", "fashion-mnist"))

TASKS = (
    _images("mnist", 28, _MODELS, _MNIST, 0.1307, 0.3081, _DIGITS),
    _images("fashion-mnist", 28, _MODELS, _FASHION, 0.2860, 0.3530, _CLOTHES),
    _images(
        "digits",
        8,
        ("cnn", "mlp", "strong", "linear"),
        lambda _: digits.load(),
        0.3053,
        0.3760,
        _DIGITS,
        idle=("data_dir", "masks"),
    ),
)
