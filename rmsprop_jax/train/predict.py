"""`rmsprop-jax predict`: what the model of a saved run sees in files, or reads."""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import tyro


@dataclass(frozen=True)
class Predict:
    """Say what a saved run sees, hears or reads: 7 (99.2 %), then 1 (0.4 %).

    Any size and kind of image will do. What is drawn is cut out, scaled and centred as
    the run's data were made; an image of exactly the model's size is taken as it is.
    For a task of rows, text files: a line each, numbers apart by commas or blanks.
    For a task of speech, recordings: WAV files; for librispeech FLAC and others too.
    For a task of texts, sentences in quotes, or files of them: .txt with one in each
    line, or .tsv, .csv or .jsonl with a column text.
    """

    run: tyro.conf.Positional[Path]
    """The folder of the run, such as one under runs/."""
    files: tyro.conf.Positional[tuple[str, ...]]
    """Image files, one digit or thing on each; or what else the task is about."""
    checkpoint: str = "best"
    """Which checkpoint: best, latest, or a step."""
    invert: Literal["auto", "yes", "no"] = "auto"
    """Whether the ink is darker than the page; auto: going by the border."""
    beam: int | None = None
    """Transcripts: by a search among so many beginnings, not frame by frame."""
    json: bool = False
    """Print a JSON object for each file in place of text."""
    seen: Path | None = None
    """Write into this folder what the model is shown of each file, as PNG."""


def main(arguments: Sequence[str]) -> int:
    """Answer and print; the exit status is 1 if a file could not be read.

    Raises:
        ValueError: If there is no such run or checkpoint, or no file is given.
    """
    asked = tyro.cli(Predict, prog="rmsprop-jax predict", args=arguments)
    if not asked.files:
        raise ValueError("expected files after the run, got none.")
    from rmsprop_jax.train.saved import SavedRun
    from rmsprop_jax.train.tasks.task import Reading

    saved = SavedRun(asked.run, asked.checkpoint, count=1)
    answer = _answer(saved.task, asked.beam)
    reading = Reading(asked.invert, asked.seen)
    for name in Reading._fields:
        if (given := getattr(reading, name)) != getattr(Reading(), name):
            _check_said(f"--{name} {given}", name in saved.task.reads, saved.task.name)
    found = [_examples(given, saved.task, reading) for given in asked.files]
    parts = [part[0] for part in found if not isinstance(part, Exception)]
    outputs = iter(_outputs(saved, parts))
    for given, part in zip(asked.files, found, strict=True):
        kind = "text" if _is_typed(given, saved.task) else "file"
        if isinstance(part, Exception):
            _refuse(kind, given, part, asked.json)
            continue
        for name in part[1]:
            print(_line({kind: name}, answer(next(outputs)), asked.json))
    return 1 if len(parts) < len(found) else 0


def _answer(task: Any, beam: int | None) -> Any:
    """What is said of the outputs for an example."""
    if beam is None:
        return task.said
    _check_said(f"--beam {beam}", task.each_frame, task.name)
    if beam < 1:
        raise ValueError(f"--beam {beam}: expected 1 or more.")
    return partial(task.said, beam=beam)


def _check_said(option: str, says_something: bool, task: str) -> None:
    if not says_something:
        raise ValueError(f"{option}: it says nothing for --task {task}; leave it out.")


def _outputs(saved: Any, parts: list[Any]) -> list[Any]:
    """Those for each example; what is of one shape goes through the model at once."""
    import numpy as np

    groups = defaultdict(list)
    for place, part in enumerate(parts):
        groups[tuple(x.shape[1:] for x in part.values())].append(place)
    found: dict[int, list[Any]] = {}
    for places in groups.values():
        names = parts[places[0]]
        joined = {k: np.concatenate([parts[i][k] for i in places]) for k in names}
        outputs = iter(saved.outputs(joined))
        for place in places:
            count = len(next(iter(parts[place].values())))
            found[place] = list(islice(outputs, count))
    return [one for place in range(len(parts)) for one in found[place]]


def _examples(given: str, task: Any, reading: Any) -> Any:
    """Of one file or sentence, with their names; or what is wrong with it."""
    try:
        if _is_typed(given, task):
            return task.typed(given)
        return task.examples(Path(given), reading)
    except (ValueError, OSError) as error:
        return error


def _is_typed(given: str, task: Any) -> bool:
    """Whether it is no file, for a task that takes what is typed as well."""
    return task.typed is not None and not os.path.exists(given)


def _line(named: dict[str, str], answer: dict[str, Any], as_json: bool) -> str:
    if as_json:
        return json.dumps({**named, **answer})
    (name,) = named.values()
    if "confidence" not in answer:
        return f"{name}: {answer['answer']:.6g}"
    shares = answer.get("shares", {answer["answer"]: answer["confidence"]})
    likeliest = sorted(shares.items(), key=lambda kv: -kv[1])[:2]
    said = [f"{text or 'nothing'} ({_percent(share)})" for text, share in likeliest]
    return f"{name}: {', then '.join(said)}"


def _percent(share: float) -> str:
    """100 % of nothing but 1, 0 % of nothing but 0."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _refuse(kind: str, given: str, error: Exception, as_json: bool) -> None:
    text = str(error) if str(Path(given)) in str(error) else f"{given}: {error}"
    if as_json:
        print(json.dumps({kind: given, "error": text}))
    print(f"rmsprop-jax predict: {text}", file=sys.stderr)
