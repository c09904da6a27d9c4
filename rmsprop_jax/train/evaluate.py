"""`rmsprop-jax evaluate`: a saved run, judged on every test example."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from rmsprop_jax.train import status
from rmsprop_jax.wording import counted


@dataclass(frozen=True)
class Evaluate:
    """Judge a saved run on every test example. Nothing is written unless asked for."""

    run: tyro.conf.Positional[Path]
    """The folder of the run, such as one under runs/."""
    checkpoint: str = "best"
    """Which checkpoint: best, latest, or a step."""
    data_dir: Path | None = None
    """The folder that holds the data, if it is not where the run had it."""
    devices: int | None = None
    """How many of the local devices, whatever the run had; all by default."""
    json: bool = False
    """Print one JSON object in place of text."""
    pictures: Path | None = None
    """Draw into this folder what the run draws at its end, but for the curves."""


def main(arguments: Sequence[str]) -> int:
    """Judge and print; 0 is the exit status.

    Raises:
        ValueError: If there is no such run, checkpoint, data or device.
    """
    asked = tyro.cli(Evaluate, prog="rmsprop-jax evaluate", args=arguments)
    import numpy as np

    from rmsprop_jax.train.saved import SavedRun
    from rmsprop_jax.train.training import means

    saved = SavedRun(asked.run, asked.checkpoint, asked.devices)
    data = saved.data(asked.data_dir)
    for line in data.said:
        print(line, file=sys.stderr)
    test: Any = data.test
    evaluation = saved.judge(test)
    answers, confidence = (np.asarray(x) for x in evaluation.answers)
    result: dict[str, Any] = {
        "run": str(asked.run),
        "step": saved.step,
        "task": saved.task.name,
        "model": saved.config.learning.model,
        "tested": len(confidence),
        **{f"test/{name}": value for name, value in means(evaluation.totals).items()},
    }
    classes = saved.task.classes
    if classes is not None:
        result["classes"] = _by_class(test["label"], answers, classes)
    print(json.dumps(result) if asked.json else _text(result, saved, asked.checkpoint))
    if asked.pictures is not None:
        asked.pictures.mkdir(parents=True, exist_ok=True)
        saved.task.draw(asked.pictures, test, answers, confidence)
    return 0


def _by_class(labels: Any, answers: Any, classes: tuple[str, ...]) -> list[dict]:
    """How many of each class were found, and what the others were taken for."""
    said = Counter(zip(labels.tolist(), answers.tolist(), strict=True))
    rows = []
    for k, name in enumerate(classes):
        counts = [said[k, other] for other in range(len(classes))]
        wrong = [0 if other == k else n for other, n in enumerate(counts)]
        times = max(wrong)
        rows.append(
            {
                "class": name,
                "tested": sum(counts),
                "right": counts[k],
                "taken_for": classes[wrong.index(times)] if times else None,
                "times": times,
            }
        )
    return rows


def _text(result: dict[str, Any], saved: Any, checkpoint: str) -> str:
    which = f"{checkpoint}, " if checkpoint in ("best", "latest") else ""
    by = ", by its averaged weights" if saved.average else ""
    lines = [f"{result['task']}, {result['model']}, {which}step {saved.step}{by}"]
    unit = saved.task.unit
    tested = f"{result['tested']:,} test {unit}"
    if "classes" not in result:
        words = ", ".join(status.measured(result, "test/", ""))
        return f"{lines[0]}\n{words} over {tested}"
    loss = status.loss_text(result["test/loss"])
    right = sum(row["right"] for row in result["classes"])
    lines.append(
        f"{right:,} of {tested} right, {status.percent(result['test/accuracy'])}, "
        f"loss {loss}"
    )
    return "\n".join([*lines, "", *_table(result["classes"], unit)])


def _table(rows: list[dict], unit: str) -> list[str]:
    width = max(5, *(len(row["class"]) for row in rows))
    wide = max(7, len(unit))
    lines = [f"{'class':{width}}  {unit:>{wide}}     right  most often taken for"]
    for row in rows:
        found = status.percent(row["right"] / row["tested"]) if row["tested"] else "-"
        times = counted(row["times"], "time")
        said = f"{row['taken_for']}, {times}" if row["times"] else "-"
        tested = f"{row['tested']:{wide},}"
        lines.append(f"{row['class']:{width}}  {tested}  {found:>8}  {said}")
    return lines
