"""The side of this trainer: its own programs, on its own reading of the data.

`Training` is what `rmsprop-jax train` trains with; what that adds is the records, the
progress, the checkpoints and the pictures (`by_command` measures it with them). Steps
go on to each row of the metrics, which is fetched, as there. The rule is that of the
dialect `torch`.
"""

import jax
import numpy as np

from benchmarks.peers import protocol
from benchmarks.peers.trainer_loop import following
from rmsprop_jax.train import checks, devices, settings
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.job import train as _  # noqa: F401, all that the command imports
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training


def given(assignment, weights):
    """The options that the assignment stands for."""
    folder = None if assignment.task == "digits" else assignment.data
    return {
        "task": assignment.task,
        "data_dir": folder,
        "model": assignment.model,
        "hidden": weights[-2].shape[0],
        "epochs": assignment.epochs,
        "batch_size": assignment.batch_size,
        "seed": assignment.seed,
        "dialect": "torch",
        "decay": assignment.decay,
        "eps": assignment.eps,
        "learning_rate": assignment.learning_rate,
        "schedule": "constant",
        # What a task or model may have by default, and the other sides have not.
        "warmup": 0.0,
        "ema": 0.0,
        "label_smoothing": 0.0,
        "shift": 0.0,
        "rotate": 0.0,
    }


def started(training, state, weights):
    """`state` with these weights, each where its shape is found."""
    left = {x.shape: x for x in weights}
    assert len(left) == len(weights), "two weights of one shape"
    params = jax.tree.map(lambda x: left.pop(x.shape), state.params)
    assert not left, f"the model has no place for {[*left]}"
    return state._replace(params=devices.everywhere(training.mesh, params))


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    diary.mark("imports")
    start = protocol.start(assignment)
    config = options.replace(Config(), **given(assignment, start.weights))
    checks.check(config)
    config = settings.resolve(config, assignment.task, assignment.model)
    training = Training(config, TASKS[assignment.task])
    diary.mark("data")
    assert assignment.epochs == 1 or assignment.steps == training.pace.steps_per_epoch
    state = started(training, training.start(), start.weights)
    diary.mark("ready")

    train_epoch, judge = following(training, state, assignment.steps)
    assert all(
        np.array_equal(order, expected(assignment, epoch, training))
        for epoch, order in enumerate(start.orders)
    )
    diary.follow(assignment.epochs, train_epoch, judge)
    diary.print()


def expected(assignment, epoch, training):
    """The order that the trainer makes for itself."""
    total = len(training.data["train"]["label"])
    order = np.random.default_rng([assignment.seed, epoch]).permutation(total)
    return order[: assignment.steps * assignment.batch_size]


if __name__ == "__main__":
    main()
