"""A task: data, what is learned from them, and how an answer is judged.

The loop knows nothing of images or sound: it takes batches out of `load`, gives
`inputs` to the model, lowers the mean of `losses`, and averages `measures`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from rmsprop_jax.train.config import Learning
from rmsprop_jax.train.data.dataset import Arrays, Dataset
from rmsprop_jax.train.data.streaming import Streams

Batch = Mapping[str, jax.Array]
Measures = Mapping[str, tuple[jax.Array, jax.Array]]
# A key and what the model would see → what it sees.
Augment = Callable[[jax.Array, Any], Any]


class Answers(NamedTuple):
    """What the model says of each example, and how sure it is."""

    answer: jax.Array
    confidence: jax.Array


class Reading(NamedTuple):
    """How files are read for `predict`: see its options."""

    invert: Literal["auto", "yes", "no"] = "auto"
    seen: Path | None = None


@dataclass(frozen=True)
class Task:
    """Data, losses and measures under one name.

    Attributes:
        name: As in `--task`.
        input_shape: Of one example, as the model sees it.
        outputs: How many numbers the model gives for one example.
        models: Those that take such examples, the default first.
        small_model: The default where trials are many.
        headline: The measure that the run is about; the best is the highest accuracy
            or the lowest loss.
        load: Folder or `None` → the data.
        inputs: Batch → what the model sees.
        losses: Outputs, batch, label smoothing → the loss of each example.
        measures: Outputs, batch → by name, value and weight of each example.
        reported: Their names; what is reported is Σ value / Σ weight.
        answers: Outputs → answers.
        examples: A file of the user's → examples like those of `load`, and their names.
        reads: Which options of `Reading` say something for such files.
        said: The outputs for one example → what `predict` prints of it.
        draw: Folder, test data, answers, confidence → pictures in the folder.
        augmented: Options → how what the model sees is varied, or `None`.
        idle: Options that say nothing for this task.
        unit: What examples are called.
        classes: What the answers are called; `None` if they are no classes.
        each_frame: Whether the model gives its outputs for each frame of a sequence.
        symbols: How many there are, if an example is a sequence of symbols.
        typed: What is typed in place of a file → examples and their names, or `None`.
        tell: The task, and what its data are about → the task as it is for such data.
        held_out: What is learned from, and what is held out of it → the latter, as if
            nobody had seen it.
        stream: Folder or `None` → data that a run reads from disk, batch by batch;
            `load` is for sweeps and comparisons then, `draw` is given the source of
            the test data, and answers of examples that differ in length end in −1.
    """

    name: str
    input_shape: tuple[int, ...]
    outputs: int
    models: tuple[str, ...]
    small_model: str
    headline: Literal["accuracy", "loss"]
    load: Callable[[Path | None], Dataset]
    inputs: Callable[[Batch], Any]
    losses: Callable[[Any, Batch, float], jax.Array]
    measures: Callable[[Any, Batch], Measures]
    reported: tuple[str, ...]
    answers: Callable[[Any], Answers]
    examples: Callable[[Path, Reading], tuple[Arrays, list[str]]]
    said: Callable[[np.ndarray], dict[str, Any]]
    draw: Callable[[Path, Any, np.ndarray, np.ndarray], None]
    augmented: Callable[[Learning], Augment | None] = lambda _: None
    idle: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    unit: str = "examples"
    classes: tuple[str, ...] | None = None
    each_frame: bool = False
    symbols: int | None = None
    typed: Callable[[str], tuple[Arrays, list[str]]] | None = None
    tell: Callable[["Task", Mapping[str, Any]], "Task"] = lambda task, _: task
    held_out: Callable[[Arrays, Arrays], Arrays] = lambda _, part: part
    stream: Callable[[Path | None], Streams] | None = None

    def told(self, about: Mapping[str, Any]) -> "Task":
        """The task as it is for data that turned out to be so: see `Dataset.about`."""
        return self.tell(self, about)

    @property
    def model(self) -> str:
        """The default model."""
        return self.models[0]
