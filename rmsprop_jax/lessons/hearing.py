"""The trainer's digit strings, on any recordings; after each epoch, what it gives."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train import Config
from rmsprop_jax.train.audio import features
from rmsprop_jax.train.audio.decoding import beam_search, best_path
from rmsprop_jax.train.audio.edit_distance import edit_distance
from rmsprop_jax.train.data import digit_strings
from rmsprop_jax.train.data.dataset import Arrays, Dataset
from rmsprop_jax.train.data.fsdd import Recording
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Answers, Task
from rmsprop_jax.train.training import Training, means

TESTED = 128


class Epoch(NamedTuple):
    """Where a training stands.

    Attributes:
        loss: CTC's for each digit, of the epoch's training strings.
        error: Mistakes for each digit of the test strings, by the best path.
        outputs: For each test string, (steps, classes), before the softmax.
    """

    loss: float
    error: float
    outputs: np.ndarray


def joined(recordings: Sequence[Recording], tested: bool) -> digit_strings.Recordings:
    """The single digits that strings are joined of: those for testing or the others."""
    chosen = [one for one in recordings if one.tested == tested]
    return digit_strings.Recordings(
        [one.wave for one in chosen], np.array([one.digit for one in chosen])
    )


def strings(recordings: Sequence[Recording], count: int) -> Task:
    """The task `digit-strings`, its data made of `recordings`.

    Args:
        recordings: Single digits.
        count: How many strings to learn from. 128 test, of other recordings.
    """
    learning, testing = np.random.default_rng(0).spawn(2)
    data = Dataset(
        train=digit_strings.examples(joined(recordings, False), count, learning),
        test=digit_strings.examples(joined(recordings, True), TESTED, testing),
    )
    return dataclasses.replace(TASKS["digit-strings"], load=lambda _: data)


def trained(task: Task, config: Config) -> list[Epoch]:
    """What the training that `config` tells comes to, epoch by epoch; no files.

    Args:
        task: What is learned.
        config: The run; what is `None` has the default of task and model.
    """
    # What is answered is what the model gives, so that one can read it in two ways.
    whole = dataclasses.replace(task, answers=lambda out: Answers(out, out[:, 0, 0]))
    training = Training(resolve(config, task.name, task.model), whole)
    state, per_epoch, epochs = training.start(), training.pace.steps_per_epoch, []
    for first in range(0, training.pace.total_steps, per_epoch):
        state = training.advance(state, first, first + per_epoch)
        judged = training.evaluate(state, "test")
        epochs.append(
            Epoch(
                loss=means(state.epoch)["loss"],
                error=means(judged.totals)["error"],
                outputs=np.asarray(judged.answers.answer),
            )
        )
    return epochs


def by_best_path(outputs: np.ndarray) -> np.ndarray:
    """Transcripts: −1 where no digit begins."""
    return np.asarray(best_path(jnp.asarray(outputs))[0])


def by_beam(outputs: np.ndarray, beam: int) -> np.ndarray:
    """Transcripts, −1 after their ends, by a search among `beam` beginnings."""
    said = [beam_search(one, beam)[0].symbols for one in outputs]
    heard = np.full((len(said), outputs.shape[1]), -1)
    for row, symbols in zip(heard, said, strict=True):
        row[: len(symbols)] = symbols
    return heard


def error(heard: np.ndarray, said: np.ndarray) -> float:
    """Mistakes for each digit that was said.

    Example:
        >>> error(np.array([[3, 1, -1, 4]]), np.array([[3, 4, 4, -1]]))
        0.3333333333333333
    """
    mistakes = edit_distance(jnp.asarray(heard), jnp.asarray(said))
    return float(mistakes.sum()) / int((said >= 0).sum())


def text(symbols: np.ndarray) -> str:
    """The digits of a transcript.

    Example:
        >>> text(np.array([-1, 4, -1, 2]))
        '42'
    """
    return "".join(str(symbol) for symbol in symbols if symbol >= 0)


def confidence(outputs: np.ndarray) -> np.ndarray:
    """How likely the best path of each string is."""
    return np.asarray(best_path(jnp.asarray(outputs))[1])


def string(recordings: Sequence[Recording], seed: int) -> digit_strings.Spoken:
    """A string of recordings for testing, as it sounds.

    Args:
        recordings: Single digits.
        seed: Draws them, and all else.
    """
    rng = np.random.default_rng(seed)
    return digit_strings.spoken(joined(recordings, tested=True), rng, features.RATE)


def seconds_a_step(outputs: np.ndarray, test: Arrays) -> float:
    """How long a step of the model is, by the frames that it was given.

    Args:
        outputs: Or transcripts: a row for each string, with all its steps.
        test: Test strings.
    """
    steps = outputs.shape[1]
    return test["frames"].shape[1] / steps * features.HOP / features.RATE


def past_the_end(outputs: np.ndarray, test: Arrays) -> float:
    """The largest share that any digit has past the end of its string.

    Args:
        outputs: For each string, (steps, classes), before the softmax.
        test: Test strings.
    """
    shares = np.asarray(jax.nn.softmax(jnp.asarray(outputs), axis=-1))[..., 1:]
    begins = seconds_a_step(outputs, test) * np.arange(outputs.shape[1])
    ends = test["length"] * features.HOP / features.RATE
    return float(shares[begins[None, :] >= ends[:, None]].max())


def delays(heard: np.ndarray, test: Arrays) -> np.ndarray:
    """How long after its beginning each digit is heard, as a share of the time it has.

    0 is where it begins, 1 where the next one does. Of the strings without a mistake,
    all digits but the last.

    Args:
        heard: Transcripts, the digits at the steps where they begin.
        test: Test strings.

    Raises:
        ValueError: If there is no such string.
    """
    found, seconds = [], seconds_a_step(heard, test)
    for row, digits, begins in zip(heard, test["digits"], test["begins"], strict=True):
        if text(row) == text(digits):
            at, begins = seconds * np.flatnonzero(row >= 0), begins[digits >= 0]
            found.append((at - begins)[:-1] / np.diff(begins))
    if not found:
        raise ValueError(
            f"heard: expected a string without a mistake among {len(heard)}, there is "
            "none; train longer."
        )
    return np.concatenate(found)
