"""A training whose examples stay on disk: a batch is read when it is needed.

What `run.Run` and `job.train` ask of a `Training` they ask of a `Streamed` too.
"""

import dataclasses
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rmsprop_jax.train import devices
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.data import buckets
from rmsprop_jax.train.data.streaming import Source, batches
from rmsprop_jax.train.loop import Evaluation, Loop, TrainState
from rmsprop_jax.train.optimizers import optimizer
from rmsprop_jax.train.programs import abstract
from rmsprop_jax.train.tasks.task import Answers, Task
from rmsprop_jax.train.totals import plus, zero
from rmsprop_jax.train.training import Training, left, loop_of, pace_of, started


@contextmanager
def prepared(
    config: Config,
    task: Task,
    check: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> "Generator[Training | Streamed]":
    """The training that the task wants, whose reading ends with the context.

    Args:
        config: The run.
        task: Its task.
        check: Is told what the data are about, before anything compiles.
    """
    if task.stream is None:
        data = task.load(config.learning.data_dir)
        check(data.about)
        yield Training(config, dataclasses.replace(task, load=lambda _: data))
        return
    streams = task.stream(config.learning.data_dir)
    check(streams.about)
    training = Streamed(config, dataclasses.replace(task, stream=lambda _: streams))
    try:
        yield training
    finally:
        training.close()


class Unread(ValueError):
    """The next batch cannot be read.

    Attributes:
        state: What was reached before it.
        step: Updates made.
    """

    def __init__(self, error: ValueError, state: TrainState, step: int):
        """Says what `error` does."""
        super().__init__(str(error))
        self.state, self.step = state, step


class Streamed:
    """As `Training`, but for the data.

    Each bucket of the data is one more compilation, when its first batch comes.

    Attributes:
        data: `"train"`, `"test"` and, if any are held out, `"validation"`: sources.
    """

    def __init__(self, config: Config, task: Task):
        """Find the data.

        Raises:
            ValueError: If options contradict one another, the data or the devices.
        """
        assert task.stream is not None
        learning, running = config.learning, config.running
        self.config = config
        train, test, self.said, self.about = task.stream(learning.data_dir)
        self.task = task = task.told(self.about)
        self.data = {**_split(task, train, learning.validation), "test": test}
        self.counts = {name: len(part.bucket) for name, part in self.data.items()}
        self.pace = pace_of(config, self.counts["train"])
        batch_size = self.pace.batch_size
        self.mesh = devices.mesh(running, batch_size, config.optimizer.accumulate)
        self.rule = optimizer(config, self.pace, config.optimizer.learning_rate).rule
        loop = loop_of(config, task, self.pace)
        self.abstract = abstract(loop, self.mesh, running.zero)
        places = jax.tree.map(lambda x: x.sharding, self.abstract)
        self._init = jax.jit(loop.init, out_shardings=places)
        self._follow = jax.jit(
            partial(loop.follow, shardings=places),
            donate_argnums=0,
            out_shardings=places,
        )
        self._judge = Judge(loop, self.mesh, batch_size, running.workers or 0)
        self._rows = devices.own_rows(self.mesh, batch_size)
        self._open, self._batches = ExitStack(), iter(())
        # The seed and the step of the batch that is next, if one is.
        self._next: tuple[int, int] | None = None

    def start(self, seed: int | None = None, learning_rate: float | None = None):
        """The state before the first step."""
        return started(self.config, self._init, seed, learning_rate)

    def advance(
        self, state: TrainState, step: int, stop: int, seed: int | None = None
    ) -> TrainState:
        """Train from `step`, where `state` is, to `stop` in the same epoch.

        Raises:
            Unread: If a file cannot be read; names it.
        """
        seed = self.config.learning.seed if seed is None else seed
        reading = self._reading(seed, step)
        self._next = None  # Unknown, if an exception comes between.
        for now in range(step, stop):
            try:
                batch = devices.spread(self.mesh, next(reading))
            except ValueError as error:
                raise Unread(error, state, now) from None
            state = self._follow(state, batch, np.uint32(seed))
        self._next = seed, stop
        if stop % self.pace.steps_per_epoch == 0:
            self.close()
        return state

    def evaluate(self, state: TrainState, part: str) -> Evaluation:
        """Judge every example of a part of the data."""
        return self._judge(state, self.data[part])

    def close(self) -> None:
        """Read no more."""
        self._open.close()
        self._next = None

    def _reading(self, seed: int, step: int) -> Iterator[Any]:
        """The batches of the epoch, from that of `step` on."""
        if self._next != (seed, step):
            self.close()
            epoch, first = divmod(step, self.pace.steps_per_epoch)
            rng = np.random.default_rng([seed, epoch])
            source = self.data["train"]
            plan = buckets.of_epoch(source.bucket, self.pace.batch_size, rng)
            reading = batches(
                source,
                plan,
                first=first,
                rows=self._rows,
                workers=self.config.running.workers or 0,
            )
            self._batches = self._open.enter_context(reading)
        return self._batches


class Judge:
    """Judges what is on disk, by one program for each bucket."""

    def __init__(self, loop: Loop, mesh: Mesh, batch_size: int, workers: int):
        """Nothing is compiled yet.

        Args:
            loop: The computation.
            mesh: The devices, over which a batch is spread.
            batch_size: Examples a batch, at least.
            workers: Processes that read.
        """
        self._mesh, self._workers = mesh, workers
        self._batch_size = -(-batch_size // mesh.size) * mesh.size

        def added(state, totals, batch, counted):
            measures, answers = loop.judge(state, batch, counted)
            return plus(totals, measures), answers

        everywhere = NamedSharding(mesh, PartitionSpec())
        self._added = jax.jit(added, out_shardings=everywhere)
        self._diagnostics = jax.jit(loop.diagnostics, out_shardings=everywhere)

    def __call__(self, state: TrainState, source: Source) -> Evaluation:
        """Judge every example, in whatever order; answers are in that of the source.

        Raises:
            ValueError: If a file cannot be read; names it.
        """
        plan = buckets.of_all(source.bucket, self._batch_size)
        rows = devices.own_rows(self._mesh, self._batch_size)
        totals, answers = zero(state.epoch), []
        with batches(source, plan, rows=rows, workers=self._workers) as reading:
            for numbers, batch in zip(plan.examples, reading, strict=True):
                counted = (numbers[rows] >= 0).astype(np.float32)
                batch, counted = devices.spread(self._mesh, (batch, counted))
                totals, said = self._added(state, totals, batch, counted)
                answers.append(said)
        said = joined(plan.examples.ravel(), answers)
        return Evaluation(totals, said, self._diagnostics(state))


def joined(numbers: np.ndarray, parts: list[Answers]) -> Answers:
    """Answers of batches as those of the examples with these numbers; −1 is none."""

    def join(*arrays):
        arrays = [np.asarray(x) for x in arrays]
        widest = max(arrays, key=lambda x: x.size).shape
        out = np.full((len(numbers), *widest[1:]), -1, arrays[0].dtype)
        for first, x in zip(range(0, len(out), widest[0]), arrays, strict=True):
            out[(slice(first, first + len(x)), *map(slice, x.shape[1:]))] = x
        return out[np.argsort(numbers, kind="stable")][(numbers < 0).sum() :]

    return jax.tree.map(join, *parts)


def _split(task: Task, train: Source, held_out: int) -> dict[str, Source]:
    """The last `held_out` of the training examples apart."""
    count = len(train.bucket)
    first = left(task, count, held_out)
    if not held_out:
        return {"train": train}
    return {"train": train.part(0, first), "validation": train.part(first, count)}
