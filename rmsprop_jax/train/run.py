"""A run: a training that is recorded, shown and saved, and that can be gone on with."""

import hashlib
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

import jax
import numpy as np

from rmsprop_jax.train import devices
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.interruption import Interruption
from rmsprop_jax.train.loop import Evaluation, TrainState
from rmsprop_jax.train.plateau import Plateau
from rmsprop_jax.train.progress import Progress
from rmsprop_jax.train.records import Records
from rmsprop_jax.train.streamed import Streamed, Unread
from rmsprop_jax.train.tensorboard import EventFile
from rmsprop_jax.train.training import Training, means

SECONDS_A_CHUNK = 0.25


class NonFiniteLoss(RuntimeError):
    """The loss is not finite any more."""


class Interrupted(Exception):
    """The run was asked to stop, and is saved."""

    def __init__(self, step: int, signal: int):
        """At a step, by a signal."""
        super().__init__(f"stopped after step {step}")
        self.step, self.signal = step, signal


@dataclass
class Memory:
    """What a run remembers beside its arrays.

    Attributes:
        seconds: Since it began, interruptions aside.
        best: The best epoch so far: its number, step and headline measure.
        reached: When the target accuracy was reached: epoch, step, seconds.
        plateau: Where the learning rate's plateau stands.
    """

    seconds: float = 0.0
    best: dict[str, float] | None = None
    reached: dict[str, float] | None = None
    plateau: dict[str, float] = field(default_factory=dict)


class Run:
    """One run, of which only one process writes the folder."""

    def __init__(self, training: Training | Streamed, folder: Folder, began: float):
        """Nothing runs yet; `began` is the `time.perf_counter()` of its start."""
        self.training = training
        self.folder = folder
        self._began = began
        self._last_evaluation: Evaluation | None = None
        schedule = training.config.schedule
        self._plateau = Plateau(schedule.drop_factor, schedule.patience)
        self._memory = Memory()

    def fit(self) -> tuple[TrainState, Evaluation, Memory]:
        """Train to the end, from the latest checkpoint if there is one.

        Raises:
            Interrupted: After a signal; what was reached is saved.
            NonFiniteLoss: With the steps between which it happened.
        """
        # Orbax takes a while to import; meanwhile XLA compiles.
        from rmsprop_jax.train.checkpoints import Checkpoints

        config = self.training.config
        with ExitStack() as stack:
            self._checkpoints = Checkpoints(
                self.folder.checkpoints, self.training.task.headline
            )
            stack.callback(self._checkpoints.close)
            state, step = self._first_state()
            resumed_at = step or None
            self._outputs: list[Any] = []
            quiet = config.running.quiet or not devices.is_writer()
            if devices.is_writer():
                self._records = stack.enter_context(
                    Records(self.folder.metrics, after=step)
                )
                self._outputs.append(self._records.append)
                if config.running.tensorboard:
                    events = EventFile(self.folder.events, resumed_at)
                    self._outputs.append(stack.enter_context(events).add)
            self._progress = stack.enter_context(
                Progress(
                    epochs=self.training.pace.epochs,
                    steps_per_epoch=self.training.pace.steps_per_epoch,
                    start_step=step,
                    quiet=quiet,
                    unit=self.training.task.unit,
                )
            )
            if resumed_at:
                self._progress.say(f"goes on after step {step}")
            interruption = stack.enter_context(Interruption())
            state = self._advance(state, step, interruption)
            evaluation = self._last_evaluation or self.training.evaluate(state, "test")
        self._memory.seconds = self._seconds()
        return state, evaluation, self._memory

    def _first_state(self) -> tuple[TrainState, int]:
        step = self._checkpoints.latest
        if step is None:
            if self.folder.result.exists():
                raise ValueError(
                    f"--run {self.folder.path}: the run there is finished, but its "
                    "checkpoints are gone. Choose another folder for a new run."
                )
            return self.training.start(), 0
        state, memory = self._checkpoints.restore(step, self.training.abstract)
        self._memory = Memory(**memory)
        self._began -= self._memory.seconds
        for name, value in self._memory.plateau.items():
            setattr(self._plateau, name, value)
        return state, step

    def _advance(
        self, state: TrainState, step: int, interruption: Interruption
    ) -> TrainState:
        pace, running = self.training.pace, self.training.config.running
        seconds_a_step, mark = 0.1, (step, time.perf_counter())
        while step < pace.total_steps:
            stop = self._boundary(step, seconds_a_step)
            begun = time.perf_counter()
            state = self._trained(state, step, stop)
            self._check_finite(state, stop)
            seconds_a_step = (time.perf_counter() - begun) / (stop - step)
            step = stop
            speed = (step - mark[0]) * pace.batch_size / (time.perf_counter() - mark[1])
            row = self._row(state, step) | {"examples_per_second": speed}
            is_row = step % running.log_every == 0 or step % pace.steps_per_epoch == 0
            if is_row:
                self._write(row)
            self._progress.update(row)
            if step % pace.steps_per_epoch == 0:
                state = self._finish_epoch(state, step, speed)
            elif running.checkpoint_every and step % running.checkpoint_every == 0:
                self._save(state, step, None)
            if is_row:
                mark = step, time.perf_counter()
            if devices.agree(interruption.asked is not None):
                self._save(state, step, None)
                raise Interrupted(step, interruption.asked or 15)
        return state

    def _trained(self, state: TrainState, step: int, stop: int) -> TrainState:
        """The state at `stop`; what is reached before what cannot be read is saved."""
        try:
            return self.training.advance(state, step, stop)
        except Unread as end:
            if not end.step or jax.process_count() > 1:  # A save takes all processes.
                raise
            self._check_finite(end.state, end.step)
            self._save(end.state, end.step, None)
            saved = f"{self.folder.path} is saved after step {end.step}"
            raise ValueError(f"{end} {saved}; --resume goes on.") from None

    def _boundary(self, step: int, seconds_a_step: float) -> int:
        """Where to stop next: a row, an epoch, a checkpoint, or soon."""
        running = self.training.config.running
        periods = [self.training.pace.steps_per_epoch, running.log_every]
        if running.checkpoint_every:
            periods.append(running.checkpoint_every)
        ends = [step - step % period + period for period in periods]
        if jax.process_count() == 1:  # Or processes would stop at different steps.
            ends.append(step + max(1, int(SECONDS_A_CHUNK / seconds_a_step)))
        return min(ends)

    def _check_finite(self, state: TrainState, step: int) -> None:
        bad = int(jax.device_get(state.nonfinite))
        if not bad or self.training.config.optimizer.skip_nonfinite:
            return
        running, per_epoch = (
            self.training.config.running,
            self.training.pace.steps_per_epoch,
        )
        last = step - 1
        first = max(last - last % running.log_every, last - last % per_epoch) + 1
        kept = self._checkpoints.latest
        raise NonFiniteLoss(
            f"the loss was not finite in {bad} of the steps {first} to {step} "
            f"(latest checkpoint: {'none' if kept is None else f'step {kept}'}). Try a "
            "lower --learning-rate, --clip-norm 1, or --skip-nonfinite, which leaves "
            "such steps out and counts them."
        )

    def _row(self, state: TrainState, step: int) -> dict[str, Any]:
        epoch = -(-step // self.training.pace.steps_per_epoch)
        return {
            "kind": "train",
            "step": step,
            "epoch": epoch,
            **means(state.row),
            "learning_rate": float(jax.device_get(state.learning_rate)),
            "seconds": self._seconds(),
        }

    def _finish_epoch(self, state: TrainState, step: int, speed: float) -> TrainState:
        """Evaluate, write the epoch's row, save."""
        pace, parts = self.training.pace, self.training.data
        row = {
            "kind": "epoch",
            "step": step,
            "epoch": step // pace.steps_per_epoch,
            **_prefixed("train", means(state.epoch)),
        }
        for part in parts:
            if part != "train":
                evaluation = self.training.evaluate(state, part)
                row |= _prefixed(part, means(evaluation.totals))
                if part == "test":
                    self._last_evaluation = evaluation
                    said = jax.device_get(evaluation.diagnostics)
                    row |= {k: v.item() for k, v in said.items() if k in _SAID}
        row["learning_rate"] = float(jax.device_get(state.learning_rate))
        row |= {"examples_per_second": speed, "seconds": self._seconds()}
        judge = "validation" if "validation" in parts else "test"
        value = row[f"{judge}/{self.training.task.headline}"]
        self._remember(row, value)
        state = self._follow_plateau(state, row)
        self._write(row)
        self._progress.epoch(row)
        self._save(state, step, value)
        return state

    def _remember(self, row: dict[str, Any], value: float) -> None:
        memory, headline = self._memory, self.training.task.headline
        sign = 1 if headline == "accuracy" else -1
        if memory.best is None or sign * value >= sign * memory.best["value"]:
            memory.best = {"epoch": row["epoch"], "step": row["step"], "value": value}
        target = self.training.config.learning.target_accuracy
        accuracy = row.get("test/accuracy")
        if target is None or accuracy is None or memory.reached is not None:
            return
        if 100 * accuracy >= target:
            memory.reached = {k: row[k] for k in ("epoch", "step", "seconds")}

    def _follow_plateau(self, state: TrainState, row: dict[str, Any]) -> TrainState:
        if self.training.config.schedule.schedule != "plateau":
            return state
        factor = self._plateau.factor_after(
            row.get("validation/loss", row["train/loss"])
        )
        self._memory.plateau = asdict(self._plateau)
        if factor == 1:
            return state
        peak = np.float32(jax.device_get(state.peak) * np.float32(factor))
        return state._replace(peak=devices.everywhere(self.training.mesh, peak))

    def _write(self, row: dict[str, Any]) -> None:
        for output in self._outputs:
            output(row)

    def _save(self, state: TrainState, step: int, value: float | None) -> None:
        """Rows first: a checkpoint never knows less than they say."""
        if devices.is_writer():
            self._records.sync()
        self._memory.seconds = self._seconds()
        self._checkpoints.save(step, state, asdict(self._memory), value)

    def _seconds(self) -> float:
        return time.perf_counter() - self._began


# Of what the optimizer says of itself, what an epoch's row keeps.
_SAID = (
    "skipped",
    "eps_share",
    "decay",
    "effective_learning_rate/q05",
    "effective_learning_rate/q50",
    "effective_learning_rate/q95",
)


def _prefixed(prefix: str, numbers: dict[str, float]) -> dict[str, float]:
    return {f"{prefix}/{name}": number for name, number in numbers.items()}


def fingerprint(trees: Iterable[Any]) -> str:
    """The sha256 of all arrays, by which two runs are the same or not."""
    digest = hashlib.sha256()
    for x in jax.tree.leaves(list(trees)):
        digest.update(np.asarray(x.addressable_data(0)).tobytes())
    return digest.hexdigest()
