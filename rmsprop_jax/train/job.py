"""From options to a result: what `rmsprop-jax train` does, and `train` in Python."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rmsprop_jax.train import checks, devices, run, settings
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.folder import Folder, new_path
from rmsprop_jax.train.ground import with_task
from rmsprop_jax.train.loop import Evaluation, TrainState
from rmsprop_jax.train.screen import say
from rmsprop_jax.train.streamed import Streamed, prepared
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training, means
from rmsprop_jax.train.watcher import Watcher
from rmsprop_jax.wording import counted


def train(config: Config, began: float | None = None) -> dict[str, Any]:
    """Train as `config` says; what the run folder's `result.json` holds is returned.

    The same as `rmsprop-jax train`: the folder is written, the progress shown, and
    with `resume` a run that was stopped goes on, to the same weights bit for bit.

    Args:
        config: The run; what is `None` has the default of task and model.
        began: The `time.perf_counter()` from which seconds count; now by default.

    Raises:
        ValueError: If an option is wrong, or options contradict one another.
        NonFiniteLoss: If the loss stopped being finite.
        Interrupted: After Ctrl-C or SIGTERM; the run is saved.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from rmsprop_jax.train import Learning, Running
        >>> with TemporaryDirectory() as folder:
        ...     running = Running(run=Path(folder, "a"), quiet=True, pictures=False)
        ...     result = train(Config(Learning("linear", epochs=1), running=running))
        >>> result["steps"], result["tested"]
        (31, 200)
    """
    began = time.perf_counter() if began is None else began
    checks.check(config)
    devices.join(config.running)
    _use_cache(config.running.compilation_cache)
    config, task, said = with_task(config)
    config = settings.resolve(config, task.name, task.model)
    checks.check_pace(config)
    path = config.running.run or new_path(config)
    config = options.replace(config, run=path)
    folder = Folder(path)
    folder.check(config)
    with (
        prepared(config, task, folder.check_data) as training,
        folder.begun(config, training.about) if devices.is_writer() else nullcontext(),
    ):
        return _fitted(training, folder, said, began)


def _fitted(
    training: Training | Streamed, folder: Folder, said: list[str], began: float
) -> dict[str, Any]:
    running = training.config.running
    if devices.is_writer() and not running.quiet:
        for line in [*said, *training.said, _heading(training)]:
            say(line)
    with _watched(folder):
        state, evaluation, memory = run.Run(training, folder, began).fit()
    result = _result(training, state, evaluation, memory)
    if devices.is_writer():
        folder.finish(result)
    if devices.is_writer() and running.pictures:
        try:
            _draw(training, folder, evaluation)
        except OSError as error:  # The run is whole without them.
            print(f"pictures in {folder.path}: {error}", file=sys.stderr)
    return result


def _watched(folder: Folder) -> AbstractContextManager:
    if jax.process_count() == 1:
        return nullcontext()
    return Watcher(
        f"rmsprop-jax train: process {jax.process_index()} of {jax.process_count()} "
        "ended before the run did, as all do when one is lost. Start all of them "
        f"again with the same command and --resume: the run in {folder.path} goes on "
        "from its latest checkpoint.",
        expected=(run.Interrupted, run.NonFiniteLoss),
    )


def summary(result: dict[str, Any]) -> str:
    """The result in a sentence or two."""
    name = f"{result['task']}, {result['model']}, {result['optimizer']}"
    tested = f"{result['tested']:,} test {TASKS[result['task']].unit}"
    if "test/accuracy" in result:
        said = f"{100 * result['test/accuracy']:.2f} % of {tested}"
    else:
        said = f"test loss {result['test/loss']:.4g} over {tested}"
    if "test/error" in result:
        said += f" (error {100 * result['test/error']:.2f} %)"
    epochs, seconds = counted(result["epochs"], "epoch"), f"{result['seconds']:.1f} s"
    text = f"{name}: {said} after {epochs}, {seconds}"
    if result["target_accuracy"] is not None:
        reached = result["reached"]
        text += (
            f"\n{result['target_accuracy']:g} %: not reached"
            if reached is None
            else f"\n{result['target_accuracy']:g} %: reached after epoch "
            f"{reached['epoch']}, {reached['seconds']:.1f} s"
        )
    return f"{text}\n{result['run']}"


def _heading(training: Training | Streamed) -> str:
    config, pace = training.config, training.pace
    learning, chosen = config.learning, config.optimizer
    name = chosen.recipe or chosen.dialect or ""
    optimizer = f"{chosen.optimizer} {name}".strip()
    counts = ", ".join(f"{count:,} {name}" for name, count in training.counts.items())
    parameters = sum(x.size for x in jax.tree.leaves(training.abstract.params))
    return (
        f"{learning.task} ({counts}) · {learning.model}, {parameters:,} parameters · "
        f"{optimizer} · {pace.epochs} x {pace.steps_per_epoch} steps of "
        f"{pace.batch_size} · {devices.description(training.mesh)}"
    )


def _result(
    training: Training | Streamed,
    state: TrainState,
    evaluation: Evaluation,
    memory: run.Memory,
) -> dict[str, Any]:
    config = training.config
    result = {
        "task": config.learning.task,
        "model": config.learning.model,
        "optimizer": config.optimizer.recipe
        or config.optimizer.dialect
        or config.optimizer.optimizer,
        "epochs": training.pace.epochs,
        "steps": training.pace.total_steps,
        **{f"test/{name}": value for name, value in means(evaluation.totals).items()},
        "tested": training.counts["test"],
        "best": memory.best,
        "target_accuracy": config.learning.target_accuracy,
        "reached": memory.reached,
        "seconds": memory.seconds,
        "devices": devices.description(training.mesh),
        "run": str(config.running.run),
        "sha256": {"params": run.fingerprint([state.params, state.stats])},
    }
    if not config.running.zero:  # Or each device has a part of it only.
        result["sha256"]["optimizer"] = run.fingerprint([state.opt_state])
    return result


def _draw(
    training: Training | Streamed, folder: Folder, evaluation: Evaluation
) -> None:
    from rmsprop_jax.train import curves
    from rmsprop_jax.train.records import read

    curves.curves(read(folder.metrics), folder.path / "curves.png")
    said = (np.asarray(x) for x in evaluation.answers)
    training.task.draw(folder.path, training.data["test"], *said)


def _use_cache(folder: Path | None) -> None:
    if folder is None:
        return
    # Compiled code of another machine or version can crash.
    own = folder / f"jax-{jax.__version__}-{jax.devices()[0].device_kind}"
    jax.config.update("jax_compilation_cache_dir", str(own.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
