"""Tasks of rows: numbers of which others follow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train.data import linear
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.tasks import row_files
from rmsprop_jax.train.tasks.task import Answers, Batch, Measures, Reading, Task

_FEATURES = 10


def _squared_error(outputs: jax.Array, batch: Batch, smoothing: float) -> jax.Array:
    del smoothing
    return jnp.square(outputs - batch["y"]).mean(axis=-1)


def _measured(outputs: jax.Array, batch: Batch) -> Measures:
    errors = _squared_error(outputs, batch, 0.0)
    return {"loss": (errors, jnp.ones_like(errors))}


def _value(outputs: jax.Array) -> Answers:
    return Answers(outputs[:, 0], jnp.ones_like(outputs[:, 0]))


def _examples(path: Path, reading: Reading) -> tuple[Arrays, list[str]]:
    del reading
    rows = row_files.read(path, _FEATURES)
    names = [f"{path}, row {number + 1}" for number in range(len(rows))]
    # The loss, which nobody asks for here, is of this y.
    return {"x": rows, "y": np.zeros((len(rows), 1), np.float32)}, names


def _said(outputs: np.ndarray) -> dict[str, Any]:
    return {"answer": float(outputs[0])}


def _draw(
    folder: Path, test: Mapping[str, np.ndarray], answers: np.ndarray, _: np.ndarray
) -> None:
    from rmsprop_jax.train import pictures

    pictures.fit(test["y"], answers, folder / "fit.png")


TASKS = (
    Task(
        name="linear",
        input_shape=(_FEATURES,),
        outputs=1,
        models=("linear", "mlp"),
        small_model="linear",
        headline="loss",
        load=lambda _: linear.load(),
        inputs=lambda batch: batch["x"],
        losses=_squared_error,
        measures=_measured,
        reported=("loss",),
        answers=_value,
        examples=_examples,
        said=_said,
        draw=_draw,
        idle=(
            "data_dir",
            "target_accuracy",
            "label_smoothing",
            "shift",
            "rotate",
            "masks",
        ),
        unit="rows",
    ),
)
