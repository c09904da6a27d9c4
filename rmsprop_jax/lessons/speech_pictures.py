"""Pictures of speech: what a model is shown, how it learns, what it says when."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.lessons import style
from rmsprop_jax.lessons.bad_batch import Course
from rmsprop_jax.lessons.hearing import Epoch, seconds_a_step
from rmsprop_jax.train.audio import features
from rmsprop_jax.train.audio.augmentation import augment
from rmsprop_jax.train.recurrent import Sequence as Frames


@style.applied()
def seen(wave: np.ndarray, frames: np.ndarray, seed: int = 10) -> None:
    """A sound, its log-mel features, and those with masks, one below the other.

    Args:
        wave: float32 of (samples,), 8 kHz.
        frames: Its features.
        seed: Draws the masks, two of time and two of pitch.
    """
    import matplotlib.pyplot as plt

    batch = jnp.asarray(frames, jnp.float32)[None]
    whole = Frames(batch, jnp.array([len(frames)], jnp.int32))
    masked = augment(jax.random.key(seed), whole, shift=0, masks=2)
    seconds = len(wave) / features.RATE
    _, (above, middle, below) = plt.subplots(
        3, 1, figsize=(style.WIDTH, 4.6), sharex=True
    )
    t = np.arange(len(wave)) / features.RATE
    above.plot(t, wave, color=style.COLOURS["blue"], linewidth=0.6)
    above.set(title="the sound", xlim=(0, seconds))
    titles = {
        "40 bands of pitch, 100 times a second": whole,
        "in training: two stretches of time and two bands masked": masked,
    }
    for axes, (title, x) in zip((middle, below), titles.items(), strict=True):
        _spectrogram(axes, np.asarray(x.frames[0]), seconds)
        axes.set_title(title)
    below.set_xlabel("seconds")
    plt.show()


def _spectrogram(axes: Any, frames: np.ndarray, seconds: float) -> None:
    extent = (0, seconds, 0, frames.shape[1])
    looks = {"aspect": "auto", "interpolation": "nearest", "cmap": "gray_r"}
    axes.imshow(frames.T, origin="lower", extent=extent, **looks)
    axes.set(yticks=[0, 20, 40], ylabel="band")
    axes.grid(visible=False)


@style.applied()
def remembered(courses: Mapping[str, Course], at: int) -> None:
    """Losses about an accident, and the effective learning rates.

    Args:
        courses: Name → training.
        at: The step of the accident.
    """
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 3.2))
    for (name, course), look in zip(courses.items(), style.LOOKS, strict=False):
        some = {"markevery": 25, "label": name} | look
        left.plot(_smooth(course.losses), **some)
        if np.isfinite(course.rates).all():
            right.plot(course.rates, **some)
    for axes in (left, right):
        axes.axvline(at, color="black", linewidth=0.8)
        axes.set(yscale="log", xlabel="step")
    left.set_title("training loss, mean of five steps")
    right.set_title("α / √ν, the median of all parameters")
    left.legend(loc="lower left")
    plt.show()


def _smooth(curve: np.ndarray, over: int = 5) -> np.ndarray:
    """The mean of each value and those before it."""
    sums = np.cumsum(np.pad(curve, (over, 0)))
    counts = np.minimum(np.arange(1, len(curve) + 1), over)
    return (sums[over:] - sums[:-over]) / counts


@style.applied()
def learned(epochs: Sequence[Epoch], test: Mapping[str, Any], shown: int = 0) -> None:
    """Loss and mistakes by epochs; and what the model says of one string, and when.

    Args:
        epochs: The training.
        test: Test strings.
        shown: Which of them.
    """
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(style.WIDTH, 4.2))
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.7))
    numbers = range(1, len(epochs) + 1)
    curves = {
        "mistakes for each digit": [one.error for one in epochs],
        "loss for each digit": [one.loss for one in epochs],
    }
    both = halves[0].subplots(2, 1, sharex=True)
    for axes, (title, values), look in zip(
        both, curves.items(), style.LOOKS, strict=False
    ):
        axes.plot(numbers, values, **look)
        axes.set(title=title, ylim=(0, None))
    both[1].set_xlabel("epoch")
    middle = nearest(epochs, 0.5)
    chosen = [1, middle, len(epochs) - 1]
    rows = halves[1].subplots(len(chosen), 1, sharex=True)
    seconds = test["length"][shown] * features.HOP / features.RATE
    for axes, number in zip(rows, chosen, strict=True):
        _shares(axes, epochs[number].outputs, test, shown)
        axes.set(xlim=(0, seconds))
        axes.set_title(f"after epoch {number + 1}: how sure of which digit", pad=12)
    rows[-1].set_xlabel("seconds; above, what is said, where it begins")
    plt.show()


def _shares(axes: Any, outputs: np.ndarray, test: Any, shown: int) -> None:
    scores = jnp.asarray(outputs[shown])
    shares = np.asarray(jax.nn.softmax(scores, axis=-1))[:, 1:]
    extent = (0, seconds_a_step(outputs, test) * len(shares), -0.5, 9.5)
    looks = {"aspect": "auto", "interpolation": "nearest", "cmap": "gray_r"}
    axes.imshow(shares.T, origin="lower", extent=extent, vmin=0, vmax=1, **looks)
    axes.set(yticks=[0, 5, 9], ylabel="digit")
    axes.grid(visible=False)
    for digit, begins in zip(test["digits"][shown], test["begins"][shown], strict=True):
        if digit >= 0:
            axes.axvline(begins, color=style.COLOURS["vermilion"], linewidth=0.8)
            axes.annotate(
                str(digit),
                (begins, 1),
                xycoords=("data", "axes fraction"),
                ha="center",
                va="bottom",
                color=style.COLOURS["vermilion"],
            )


def nearest(epochs: Sequence[Epoch], error: float) -> int:
    """Which epoch has about so many mistakes for each digit."""
    return int(np.argmin([abs(one.error - error) for one in epochs]))
