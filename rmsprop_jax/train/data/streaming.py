"""Batches read from disk while others are computed on, by threads or processes.

Grain reads; what it reads is told by a plan, so that any batch can be the first.
"""

import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from rmsprop_jax.train.data.buckets import Plan
from rmsprop_jax.train.data.dataset import Arrays

# Batches that are read ahead: by threads of this process, and by each other process.
_THREADS, _AHEAD = 8, 8
_AHEAD_EACH = 2


class Source(Protocol):
    """Examples on disk, each of them in a bucket: of what length it is padded to."""

    @property
    def bucket(self) -> np.ndarray:
        """Of each example, the shortest that holds it."""
        ...

    def read(self, example: int, bucket: int) -> Arrays:
        """One example, padded to the length of that bucket or a longer one.

        Raises:
            ValueError: If it cannot be read; names the file.
        """
        ...

    def part(self, first: int, stop: int) -> "Source":
        """Some of them, with the same buckets."""
        ...


class Streams(NamedTuple):
    """What there is to learn from and to test.

    Attributes:
        train: To learn from.
        test: To test by.
        said: Lines that say what it is.
        about: By what it is known again, for `--resume`; it can be written as JSON.
    """

    train: Source
    test: Source
    said: Sequence[str]
    about: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class _Reading:
    """By its number in the plan, a batch, or those rows of it that are needed here."""

    source: Source
    plan: Plan
    rows: np.ndarray

    def __call__(self, number: int) -> Arrays:
        bucket = int(self.plan.buckets[number])
        # Where there is no example, any will do.
        numbers = np.maximum(self.plan.examples[number], 0)[self.rows]
        read = [self.source.read(int(example), bucket) for example in numbers]
        return {name: np.stack([one[name] for one in read]) for name in read[0]}


@contextmanager
def batches(
    source: Source, plan: Plan, *, first: int = 0, rows: np.ndarray, workers: int = 0
) -> Generator[Any, None, None]:
    """An iterator over the batches of a plan; nothing is left of it afterwards.

    Args:
        source: What to read from.
        plan: Which batches.
        first: The first of them.
        rows: Those of each batch that are needed here.
        workers: Processes that read; with 0, threads of this one do.
    """
    # Grain takes a second to import.
    import grain
    from absl import flags

    numbers = grain.MapDataset.range(first, len(plan.buckets))
    read = numbers.map(_Reading(source, plan, rows))
    if workers:
        # Grain asks for flags, which a program that is not of absl never reads.
        if not flags.FLAGS.is_parsed():
            flags.FLAGS.mark_as_parsed()
        # Shared memory is left behind when reading ends before the data do.
        by_pipe = grain.experimental.DatasetOptions(min_shm_size=sys.maxsize)
        stream = grain.experimental.WithOptionsIterDataset(
            read.to_iter_dataset(grain.ReadOptions(1, 1)), by_pipe
        ).mp_prefetch(grain.MultiprocessingOptions(workers, _AHEAD_EACH), _begin)
    else:
        stream = read.to_iter_dataset(grain.ReadOptions(_THREADS, _AHEAD))
    iterator = iter(stream)
    reading = _read(iterator, workers)
    try:
        yield reading
    finally:
        reading.close()
        iterator.close()


def _read(iterator: Iterator[Any], workers: int) -> Generator[Arrays]:
    """The same; errors say what the source says, without the lines Grain adds."""
    try:
        with _undisturbed():
            batch = next(iterator, None)
        while batch is not None:
            yield batch
            batch = next(iterator, None)
    except ValueError as error:
        raise ValueError(str(error)) from None
    except RuntimeError as error:
        ended = re.search(r"terminated unexpectedly with exit code (\S+\d)", str(error))
        if ended is None:
            raise
        raise ValueError(
            f"--workers {workers}: a process that reads was ended, with exit code "
            f"{ended[1]}; -9 is that of one killed, as where memory is short. Pass "
            "fewer, or 0, with which threads read."
        ) from None


@contextmanager
def _undisturbed() -> Generator[None]:
    """Processes that start here are not stopped by Ctrl-C before they can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows.
        yield
        return
    signals = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(worker: int, count: int) -> None:
    """Whoever reads for a run ends with it, not before, and even if it is killed."""
    del worker, count
    # Ctrl-C goes to all processes, but the run still finishes its step.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_run, daemon=True).start()


def _end_with_the_run() -> None:
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
        os._exit(1)
