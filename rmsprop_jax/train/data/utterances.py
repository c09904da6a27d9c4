"""Utterances as batches have them: sound and letters, padded to their bucket."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmsprop_jax.train.data import buckets, flac, librispeech
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.data.librispeech import Utterance


@dataclass(frozen=True, eq=False)
class Utterances:
    """A `streaming.Source`.

    Attributes:
        spoken: What there is.
        samples: By bucket, how many samples its examples are padded to; ascending.
        letters: By bucket, how many letters.
    """

    spoken: Sequence[Utterance]
    samples: np.ndarray
    letters: np.ndarray

    @property
    def bucket(self) -> np.ndarray:
        """Of each utterance."""
        return np.searchsorted(self.samples, [one.samples for one in self.spoken])

    def part(self, first: int, stop: int) -> "Utterances":
        """Some of them."""
        return Utterances(self.spoken[first:stop], self.samples, self.letters)

    def read(self, example: int, bucket: int) -> Arrays:
        """`wave`, int16, and how many of its `samples` are true; `letters` as below.

        Raises:
            ValueError: If the file is damaged; names it.
        """
        one = self.spoken[example]
        wave = np.zeros(self.samples[bucket], np.int16)
        wave[: one.samples] = flac.read(one.path, one.samples)
        return {
            "wave": wave,
            "samples": np.array(one.samples, np.int32),
            "letters": letters_of(one.text, int(self.letters[bucket])),
        }


def letters_of(text: str, count: int) -> np.ndarray:
    """The place of each among `librispeech.SYMBOLS`, int32, −1 after the last."""
    places = [librispeech.SYMBOLS.index(letter) for letter in text]
    return np.pad(
        np.array(places, np.int32), (0, count - len(places)), constant_values=-1
    )


def bucketed(
    train: Sequence[Utterance], test: Sequence[Utterance]
) -> tuple[Utterances, Utterances]:
    """Both parts of a corpus, in the same few buckets."""
    spoken = [*train, *test]
    lengths = np.array([one.samples for one in spoken])
    bounds = buckets.bounds(lengths)
    # A shorter one can be in the bucket of longer ones, and have more letters.
    letters = np.zeros(len(bounds), np.int64)
    counts = [len(one.text) for one in spoken]
    np.maximum.at(letters, np.searchsorted(bounds, lengths), counts)
    letters = np.maximum.accumulate(letters)
    return Utterances(train, bounds, letters), Utterances(test, bounds, letters)
