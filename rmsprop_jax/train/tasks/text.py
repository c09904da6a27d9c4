"""Tasks of texts that are of one class each, such as what one thinks of a film.

Which classes, and of which words the texts are made, the data tell.
"""

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from rmsprop_jax.train.data import labelled, texts
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.embedding import Symbols
from rmsprop_jax.train.tasks import classifying
from rmsprop_jax.train.tasks.task import Batch, Reading, Task
from rmsprop_jax.train.text import mistakes, symbols


def _read(batch: Batch) -> Symbols:
    return Symbols(batch["symbols"].astype(jnp.int32), batch["length"])


def _told(task: Task, about: Mapping[str, Any]) -> Task:
    if "vocabulary" not in about:
        raise ValueError(
            f"--task {task.name}: expected the vocabulary that the run learned, which "
            "is in the task.json of its folder; there is none."
        )
    made, labels = symbols.of(about), tuple(about["labels"])
    encoded = partial(_encoded, made, about["longest"])
    return dataclasses.replace(
        task,
        input_shape=(about["longest"],),
        outputs=len(labels),
        load=partial(texts.to_test, made, about),
        examples=partial(_examples, encoded),
        said=partial(classifying.said, labels),
        draw=partial(_draw, made, labels),
        classes=labels,
        symbols=made.count,
        typed=partial(_typed, encoded),
    )


def _encoded(made: symbols.Symbols, longest: int, said: list[str]) -> Arrays:
    # The loss, which nobody asks for here, is of this label.
    found, labels = made.symbols(said), [0] * len(said)
    # Most are as wide as the longest text was, so that one program serves all.
    return texts.arrays(made, found, labels, multiple=longest)


def _examples(encoded: Any, path: Path, reading: Reading) -> tuple[Arrays, list[str]]:
    del reading
    if path.suffix.lower() == ".txt":
        lines = enumerate(labelled.lines_of(path), start=1)
        said = [(number, line.strip()) for number, line in lines if line.strip()]
    elif path.suffix.lower() in labelled.ENDINGS:
        said = [(row.line, row.text) for row in labelled.read(path, labels=False)]
    else:
        raise ValueError(
            f"{path}: expected a .txt file, of a text in each line, or "
            f"{labelled.EXPECTED} with a column text."
        )
    if not said:
        raise ValueError(f"{path}: expected a text in each line, it is empty.")
    names = [f"{path}, line {number}" for number, _ in said]
    return encoded([text for _, text in said]), names


def _typed(encoded: Any, text: str) -> tuple[Arrays, list[str]]:
    if not text.strip():
        raise ValueError(f"{text!r}: expected a text or a file, it is empty.")
    if Path(text).suffix.lower() in (".txt", ".json", *labelled.ENDINGS):
        raise FileNotFoundError(f"{text}: there is no such file.")
    return encoded([text.strip()]), [" ".join(text.split())]


def _draw(
    made: symbols.Symbols,
    labels: tuple[str, ...],
    folder: Path,
    test: Mapping[str, np.ndarray],
    answers: np.ndarray,
    sure: np.ndarray,
) -> None:
    from rmsprop_jax.train import pictures

    pictures.confusion(test["label"], answers, labels, folder / "confusion.png")
    mistakes.write(made, labels, test, answers, sure, folder / "mistakes.tsv")


def _undecided(*_: Any) -> Any:
    raise ValueError("expected a task that was told what its data are about.")


def _task(name: str, kind: str) -> Task:
    return Task(
        name=name,
        # Until its data tell.
        input_shape=(symbols.KINDS[kind].most,),
        outputs=0,
        models=("lstm", "gru"),
        small_model="lstm",
        headline="accuracy",
        load=partial(texts.load, kind),
        inputs=_read,
        losses=classifying.cross_entropy,
        measures=classifying.classified,
        reported=("loss", "accuracy"),
        answers=classifying.most_likely,
        examples=_undecided,
        said=_undecided,
        draw=_undecided,
        idle=("shift", "rotate", "masks"),
        unit="sentences",
        tell=_told,
        held_out=texts.unseen if kind == "words" else lambda _, part: part,
    )


TASKS = (
    _task("text-sentiment", "words"),
    _task("text-sentiment-bytes", "bytes"),
)
