"""What the page says of the trainer: accuracies, times beside others, kills."""

import jax
from flax import nnx

from benchmarks import receipts
from benchmarks.accuracy import reached
from benchmarks.measure import spread
from benchmarks.peers.table import sides_of
from benchmarks.receipts import Row
from benchmarks.reporting import markers
from rmsprop_jax.train import models
from rmsprop_jax.train.settings import SETTINGS
from rmsprop_jax.train.tasks import TASKS

MODELS = {
    "mlp": "`mlp`, the default",
    "cnn": "`cnn`",
    "strong": "`strong`, with images moved and turned",
}
SIDES = {
    "trainer": "this trainer",
    "torch": "PyTorch, slicing tensors",
    "torch-loader": "PyTorch, DataLoader",
    "keras-jax": "Keras 3 on JAX",
    "keras-tensorflow": "Keras 3 on TensorFlow",
}
# Model → decimals of its seconds to the target, and of those an epoch.
DECIMALS = {"mlp": (1, 2), "cnn": (0, 1)}


def median(rows: list[Row], name: str) -> float:
    """Of the values of that name."""
    return spread(row[name] for row in rows)[0]


def accuracy(rows: list[Row]) -> str:
    """A line for each model."""
    found = reached(rows)
    lines = [["`--model`", "parameters", "epochs", "test accuracy, %"]]
    for model, words in MODELS.items():
        of = found["mnist", model]
        percent = f"{of.mean:.2f} ± {of.error:.2f}, {of.seeds} seeds"
        lines.append([words, f"{parameters(model):,}", str(of.epochs), percent])
    return markers.table(*lines)


def parameters(model: str) -> int:
    """How many a model has on MNIST, with its own width."""
    task = TASKS["mnist"]
    hidden = SETTINGS[model].get("hidden", 100)

    def made():
        shapes = task.input_shape, task.outputs
        return models.build(model, *shapes, hidden=hidden, rngs=nnx.Rngs(0))

    params = nnx.state(nnx.eval_shape(made), nnx.Param)
    return sum(x.size for x in jax.tree.leaves(params))


def times(rows: list[Row]) -> str:
    """A line for each side, and for each model two columns."""
    runs = _runs(rows)
    head = [""]
    for model, run in runs.items():
        head += [f"{model}: to {run[0]['target']:g} %", "an epoch"]
    lines = [head]
    for side, words in SIDES.items():
        lines.append([words])
        for model, run in runs.items():
            lines[-1] += _cells(sides_of(run)[side], *DECIMALS[model])
    return markers.table(*lines)


def processes(rows: list[Row]) -> str:
    """Of how many the medians are."""
    return ", ".join(
        f"{model} of {len(sides_of(run)['trainer'])}"
        for model, run in _runs(rows).items()
    )


def products(rows: list[Row]) -> str:
    """What the matrix products alone take."""
    (run,) = receipts.newest(_of("mlp", rows), "model", ["products"]).values()
    return f"{median(sides_of(run)['products'], 'epoch_seconds'):.2f} s"


def kills(rows: list[Row]) -> str:
    """How many did not change the end."""
    row = rows[-1]
    return f"{row['kills'] - row['different']} of {row['kills']} kills"


def _runs(rows):
    runs = receipts.newest(rows, "model", SIDES)
    return {model: runs[model] for model in DECIMALS}


def _of(model, rows):
    return [row for row in rows if row["model"] == model]


def _cells(rows, target_decimals, epoch_decimals):
    reached_all = all(row["target_seconds"] is not None for row in rows)
    return [
        f"{median(rows, 'target_seconds'):.{target_decimals}f} s"
        if reached_all
        else f"not in {len(rows[0]['epochs'])} epochs",
        f"{median(rows, 'epoch_seconds'):.{epoch_decimals}f} s",
    ]
