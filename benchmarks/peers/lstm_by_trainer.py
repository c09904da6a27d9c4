"""The side of this trainer: its own programs, as `rmsprop-jax train` uses them."""

import dataclasses

import numpy as np

from benchmarks.peers import protocol, spoken
from benchmarks.peers.trainer_loop import following
from rmsprop_jax.train import checks, devices, settings
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.data.dataset import Dataset
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training


def given(assignment, width):
    """The options that the assignment stands for."""
    return {
        "task": assignment.task,
        "model": assignment.model,
        "hidden": width,
        "epochs": assignment.epochs,
        "batch_size": assignment.batch_size,
        "seed": assignment.seed,
        "dialect": "torch",
        "decay": assignment.decay,
        "eps": assignment.eps,
        "learning_rate": assignment.learning_rate,
        "clip_norm": spoken.CLIP_NORM,
        "schedule": "constant",
        # What the task has by default, and the other sides have not.
        "warmup": 0.0,
        "ema": 0.0,
        "shift": 0.0,
        "masks": 0,
    }


def parameters(drawn):
    """The weights as the model has them."""
    weights = spoken.weights(drawn)
    layers = [
        {"into": into, "again": again, "bias": bias}
        for into, again, bias in zip(*weights[:3], strict=True)
    ]
    out = {"kernel": weights.out, "bias": np.zeros(spoken.OUTPUTS, np.float32)}
    return {"first": layers[0], "second": layers[1], "out": out}


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    start = protocol.start(assignment)
    parts = [part._asdict() for part in spoken.data(assignment.data)]
    task = dataclasses.replace(TASKS[assignment.task], load=lambda _: Dataset(*parts))
    width = start.weights[1].shape[0]
    config = options.replace(Config(), **given(assignment, width))
    checks.check(config)
    training = Training(settings.resolve(config, task.name, assignment.model), task)
    diary.mark("data")
    assert assignment.steps == training.pace.steps_per_epoch
    state = training.start()
    params = devices.everywhere(training.mesh, parameters(start.weights))
    state = state._replace(params=params)
    diary.mark("ready")

    train_epoch, judge = following(training, state, assignment.steps)
    at_first = judge()
    diary.follow(assignment.epochs, train_epoch, judge)
    diary.print(at_first=at_first)


if __name__ == "__main__":
    main()
