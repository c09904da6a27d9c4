"""Examples of three lengths that are read one by one, and a task that streams them."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from rmsprop_jax.train.data.dataset import Dataset
from rmsprop_jax.train.data.streaming import Streams
from rmsprop_jax.train.tasks import TASKS

LENGTHS = (2, 3, 5)


@dataclass(frozen=True, eq=False)
class Rows:
    """A source: the sum of an example's rows is what a linear model sees."""

    seed: int
    lengths: np.ndarray
    broken: int | None = None
    first: int = 0

    @property
    def bucket(self):
        return np.searchsorted(LENGTHS, self.lengths)

    def part(self, first, stop):
        lengths = self.lengths[first:stop]
        return Rows(self.seed, lengths, self.broken, self.first + first)

    def read(self, example, bucket):
        number = self.first + example
        if number == self.broken:
            raise ValueError(f"row-{number}.txt: it is cut off.")
        rng = np.random.default_rng([self.seed, number])
        x = np.zeros((LENGTHS[bucket], 4), np.float32)
        x[: self.lengths[example]] = rng.standard_normal((self.lengths[example], 4))
        y = x.sum(axis=0) @ np.array([1, -2, 3, 0.5], np.float32)
        return {"x": x, "y": np.array([y], np.float32)}


def rows(count, seed=0, broken=None):
    lengths = np.random.default_rng(seed).choice(LENGTHS, count)
    return Rows(seed, lengths, broken)


def in_memory(source):
    read = [source.read(i, len(LENGTHS) - 1) for i in range(len(source.lengths))]
    return {name: np.stack([one[name] for one in read]) for name in read[0]}


def task(train=None, test=None):
    """Linear regression of what is streamed; `load` has the same in memory."""
    train, test = train or rows(53, 1), test or rows(21, 2)
    return dataclasses.replace(
        TASKS["linear"],
        input_shape=(4,),
        inputs=lambda batch: batch["x"].sum(axis=1),
        load=lambda _: Dataset(in_memory(train), in_memory(test)),
        stream=lambda _: Streams(train, test, ["three lengths."], {}),
    )
