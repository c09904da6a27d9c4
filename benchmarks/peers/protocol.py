"""What every side of `benchmarks.mnist` does, whatever it is written in.

A side is a process of its own. It reads the data and the start, trains epoch by epoch,
judges every test image after each, and prints what happened when as a line of JSON. No
framework in here: what a side imports is part of what is measured.
"""

import gzip
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Assignment:
    """What all sides are told alike.

    Attributes:
        began: `time.monotonic()` just before the process was started.
        task: The name of the data.
        model: `mlp` or `cnn`; the shapes of the weights say the rest.
        data: A folder with the four IDX files as .gz, or an .npz of the same arrays.
        start: An .npz of the initial weights and of each epoch's order.
        steps: Updates an epoch.
        epochs: How many epochs.
        batch_size: Examples an update.
        seed: What the orders were drawn from.
        mean: Of the pixels, taken away.
        deviation: Of the pixels, divided by.
        learning_rate: Of RMSprop, constant.
        decay: Of the average of squared gradients.
        eps: Beside the square root; inside it stands its square.
        options: What is for this side alone.
    """

    began: float
    task: str
    model: str
    data: str
    start: str
    steps: int
    epochs: int
    batch_size: int
    seed: int
    mean: float
    deviation: float
    learning_rate: float = 1e-3
    decay: float = 0.9
    eps: float = 1e-12
    options: dict[str, Any] = field(default_factory=dict)

    def dumps(self) -> str:
        """As the one argument of a side."""
        return json.dumps(asdict(self))


class Images(NamedTuple):
    """Images of (n, height, width, 1), uint8, and their labels."""

    images: np.ndarray
    labels: np.ndarray


class Start(NamedTuple):
    """Kernel, bias, kernel, ... as (height, width, in, out) or (in, out); orders."""

    weights: list[np.ndarray]
    orders: list[np.ndarray]


class Diary:
    """What happened when, in seconds since the process was started."""

    def __init__(self, began: float):
        """Nothing happened yet."""
        self._began = began
        self.marks: dict[str, float] = {}
        self.epochs: list[dict[str, float]] = []

    def mark(self, name: str) -> float:
        """It happened now."""
        self.marks[name] = time.monotonic() - self._began
        return self.marks[name]

    def follow(
        self,
        epochs: int,
        train: Callable[[int], object],
        judge: Callable[[], tuple[float, float]],
    ) -> None:
        """Train and judge; `train` and `judge` return when all is computed."""
        for epoch in range(epochs):
            begun = time.monotonic()
            train(epoch)
            trained = time.monotonic()
            accuracy, loss = judge()
            judged = time.monotonic()
            self.epochs.append(
                {
                    "train_seconds": trained - begun,
                    "judge_seconds": judged - trained,
                    "at": judged - self._began,
                    "accuracy": accuracy,
                    "loss": loss,
                }
            )

    def print(self, **more: Any) -> None:
        """The last line of the output, for the one who started this process."""
        print(
            json.dumps({"marks": self.marks, "epochs": self.epochs} | more), flush=True
        )


def assigned() -> tuple[Assignment, Diary]:
    """What this process is to do, and an open diary."""
    assignment = Assignment(**json.loads(sys.argv[1]))
    diary = Diary(assignment.began)
    diary.mark("python")
    return assignment, diary


def data(assignment: Assignment) -> tuple[Images, Images]:
    """The training and the test images."""
    path = Path(assignment.data)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            parts = [arrays[name] for name in _FILES]
    else:
        parts = [_idx(path / f"{name}.gz") for name in _FILES]
    train_images, train_labels, test_images, test_labels = parts
    return Images(train_images, train_labels), Images(test_images, test_labels)


def start(assignment: Assignment) -> Start:
    """Where all sides start, and what they see in which order."""
    with np.load(assignment.start) as arrays:
        weights = [arrays[x] for x in sorted(arrays.files) if x.startswith("weight")]
        orders = [arrays[f"order{epoch}"] for epoch in range(assignment.epochs)]
    count = assignment.steps * assignment.batch_size
    return Start(weights, [order[:count] for order in orders])


def write_data(path: Path, train: Images, test: Images) -> None:
    """What `data` reads."""
    np.savez(path, **dict(zip(_FILES, [*train, *test], strict=True)))


def write_start(path: Path, start: Start) -> None:
    """What the function `start` reads."""
    weights = {f"weight{i:02}": x for i, x in enumerate(start.weights)}
    np.savez(path, **weights, **{f"order{i}": x for i, x in enumerate(start.orders)})


def scaled(images: np.ndarray, assignment: Assignment) -> np.ndarray:
    """(pixel / 255 − mean) / deviation, float32."""
    out = images.astype(np.float32)
    out *= np.float32(1 / (255 * assignment.deviation))
    out -= np.float32(assignment.mean / assignment.deviation)
    return out


def judged(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Accuracy and mean cross-entropy."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    losses = np.log(np.exp(shifted).sum(axis=1)) - right
    return float((logits.argmax(axis=1) == labels).mean()), float(losses.mean())


_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _idx(path: Path) -> np.ndarray:
    with gzip.open(path) as file:
        content = file.read()
    rank = content[3]
    shape = np.frombuffer(content, ">i4", count=rank, offset=4)
    array = np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    return array[..., np.newaxis] if rank == 3 else array
