"""`rmsprop-jax predict`: what the model of a saved run sees in files."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro


@dataclass(frozen=True)
class Predict:
    """Say what a saved run sees in image files: 7 (99.2 %), then 1 (0.4 %).

    Any size and kind of image will do. What is drawn is cut out, scaled and centred as
    the run's data were made; an image of exactly the model's size is taken as it is.
    For a task of rows, text files: a line each, numbers apart by commas or blanks.
    """

    run: tyro.conf.Positional[Path]
    """The folder of the run, such as one under runs/."""
    files: tyro.conf.Positional[tuple[Path, ...]]
    """Image files, one digit or thing on each."""
    checkpoint: str = "best"
    """Which checkpoint: best, latest, or a step."""
    invert: Literal["auto", "yes", "no"] = "auto"
    """Whether the ink is darker than the page; auto: going by the border."""
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
    import numpy as np

    from rmsprop_jax.train.saved import SavedRun
    from rmsprop_jax.train.tasks.task import Reading

    saved = SavedRun(asked.run, asked.checkpoint, count=1)
    reading = Reading(asked.invert, asked.seen)
    found = [_examples(path, saved.task, reading) for path in asked.files]
    parts = [part[0] for part in found if not isinstance(part, Exception)]
    joined = {
        name: np.concatenate([part[name] for part in parts])
        for name in (parts[0] if parts else ())
    }
    outputs = iter(saved.outputs(joined) if parts else ())
    for path, part in zip(asked.files, found, strict=True):
        if isinstance(part, Exception):
            _refuse(path, part, asked.json)
            continue
        for name in part[1]:
            print(_line(name, saved.task.said(next(outputs)), asked.json))
    return 1 if len(parts) < len(found) else 0


def _examples(path: Path, task: Any, reading: Any) -> Any:
    """Of one file, with their names; or what is wrong with it."""
    try:
        return task.examples(path, reading)
    except (ValueError, OSError) as error:
        return error


def _line(name: str, answer: dict[str, Any], as_json: bool) -> str:
    if as_json:
        return json.dumps({"file": name, **answer})
    if "shares" not in answer:
        return f"{name}: {answer['answer']:.6g}"
    first, second = sorted(answer["shares"].items(), key=lambda kv: -kv[1])[:2]
    return (
        f"{name}: {first[0]} ({_percent(first[1])}), "
        f"then {second[0]} ({_percent(second[1])})"
    )


def _percent(share: float) -> str:
    """100 % of nothing but 1, 0 % of nothing but 0."""
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def _refuse(path: Path, error: Exception, as_json: bool) -> None:
    text = str(error) if str(path) in str(error) else f"{path}: {error}"
    if as_json:
        print(json.dumps({"file": str(path), "error": text}))
    print(f"rmsprop-jax predict: {text}", file=sys.stderr)
