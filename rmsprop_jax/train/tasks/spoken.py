"""Tasks of speech in which one thing is said: which of ten digits."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train.audio import features, waves
from rmsprop_jax.train.audio.augmentation import augment
from rmsprop_jax.train.config import Learning
from rmsprop_jax.train.data import fsdd
from rmsprop_jax.train.data.dataset import Arrays, Dataset
from rmsprop_jax.train.recurrent import Sequence
from rmsprop_jax.train.tasks import classifying
from rmsprop_jax.train.tasks.image_files import picture_of
from rmsprop_jax.train.tasks.task import Augment, Batch, Reading, Task

# 1.28 seconds; of the 3 000 recordings, five are longer.
FRAMES = 128
_SAMPLES = features.WINDOW + features.HOP * (FRAMES - 1)
_DIGITS = tuple("0123456789")


def _load(data_dir: Path | None) -> Dataset:
    # In turns, so that the last ones, which --validation holds out, are of every digit
    # and speaker.
    recordings = sorted(fsdd.load(data_dir), key=lambda one: (one.index, one.name))
    return Dataset(
        train=arrays([one for one in recordings if not one.tested]),
        test=arrays([one for one in recordings if one.tested]),
    )


def arrays(recordings: list[fsdd.Recording]) -> Arrays:
    """What the task learns from: features, how many are true, and the digit said."""
    frames, length = features.of_recordings([one.wave for one in recordings], FRAMES)
    label = np.array([one.digit for one in recordings], np.int32)
    return {"frames": frames, "length": length, "label": label}


def _heard(batch: Batch) -> Sequence:
    return Sequence(batch["frames"].astype(jnp.float32), batch["length"])


def _augmented(learning: Learning) -> Augment | None:
    shift, masks = learning.shift or 0.0, learning.masks or 0
    return partial(augment, shift=shift, masks=masks) if shift or masks else None


def _examples(path: Path, reading: Reading) -> tuple[Arrays, list[str]]:
    wave = waves.speech(path, "a spoken digit")
    if len(wave) > _SAMPLES:
        raise ValueError(
            f"{path}: expected one digit, of at most {_SAMPLES / features.RATE:.2f} "
            f"seconds; found {len(wave) / features.RATE:.2f} between the silence "
            "before and after. A run of --task digit-strings hears several."
        )
    frames, length = features.of_recordings([wave], FRAMES)
    if reading.seen is not None:
        reading.seen.mkdir(parents=True, exist_ok=True)
        picture = _spectrogram(frames)[0, :, : int(length[0]), None]
        picture_of(picture).save(reading.seen / f"{path.stem}.png")
    # The loss, which nobody asks for here, is of this label.
    label = np.zeros(1, np.int32)
    return {"frames": frames, "length": length, "label": label}, [str(path)]


def _spectrogram(frames: np.ndarray) -> np.ndarray:
    """High pitches above, loud dark on paper: uint8, 127 where nothing differs."""
    upright = frames.astype(np.float32).swapaxes(1, 2)[:, ::-1]
    return np.rint(np.clip(127 + 50 * upright, 0, 255)).astype(np.uint8)


def _draw(
    folder: Path, test: Mapping[str, np.ndarray], answers: np.ndarray, sure: np.ndarray
) -> None:
    from rmsprop_jax.train import pictures

    labels = test["label"]
    pictures.confusion(labels, answers, _DIGITS, folder / "confusion.png")
    # Nine of ten end before; what comes later is mostly nothing.
    shown = int(np.percentile(test["length"], 90))
    heard = _spectrogram(test["frames"][:, :shown])
    past = np.arange(shown)[None, :] >= test["length"][:, None]
    heard = np.where(past[:, None, :], 0, heard)
    pictures.mistakes(
        heard, labels, answers, sure, folder / "mistakes.png", _DIGITS, "recordings"
    )


TASKS = (
    Task(
        name="spoken-digits",
        input_shape=(FRAMES, features.BANDS),
        outputs=len(_DIGITS),
        models=("lstm", "gru"),
        small_model="lstm",
        headline="accuracy",
        load=_load,
        inputs=_heard,
        losses=classifying.cross_entropy,
        measures=classifying.classified,
        reported=("loss", "accuracy"),
        answers=classifying.most_likely,
        examples=_examples,
        said=partial(classifying.said, _DIGITS),
        draw=_draw,
        augmented=_augmented,
        idle=("rotate",),
        reads=("seen",),
        unit="recordings",
        classes=_DIGITS,
    ),
)
