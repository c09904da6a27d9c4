"""What does each model reach on MNIST with its default settings, over several seeds?

    python -m benchmarks.accuracy --models mlp cnn --seeds 5

Every run is the command `rmsprop-jax train --task mnist --model NAME --seed S`, a
process of its own, and adds a line to `results/accuracy.jsonl`; `--table` sums them up.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks import receipts
from benchmarks.receipts import Row

RESULTS = receipts.file_of("accuracy")


class Reached(NamedTuple):
    """What one model came to.

    Attributes:
        seeds: How many.
        epochs: Of each.
        mean: Test accuracy in per cent.
        error: Its standard error.
        seconds: The median of the runs.
    """

    seeds: int
    epochs: int
    mean: float
    error: float
    seconds: float


def measure(task: str, model: str, seed: int, *more: str) -> Row:
    """One run's result."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "rmsprop_jax.train", "--task", task]
        line += ["--model", model, "--seed", str(seed), "--run", f"{folder}/run"]
        subprocess.run(
            [*line, "--quiet", "--no-pictures", *more],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        result = json.loads(Path(folder, "run", "result.json").read_text())
    kept = ("test/accuracy", "test/loss", "epochs", "steps", "seconds", "sha256")
    return {
        "benchmark": "accuracy",
        "task": task,
        "model": model,
        "seed": seed,
        **{name: result[name] for name in kept},
    }


def reached(rows: list[Row]) -> dict[tuple[str, str], Reached]:
    """By task and model, from the latest run of each seed."""
    by_model: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        by_model.setdefault((row["task"], row["model"]), {})[row["seed"]] = row
    return {name: _reached([*by_seed.values()]) for name, by_seed in by_model.items()}


def _reached(rows: list[Row]) -> Reached:
    accuracies = [100 * row["test/accuracy"] for row in rows]
    return Reached(
        seeds=len(rows),
        epochs=rows[-1]["epochs"],
        mean=statistics.mean(accuracies),
        error=statistics.stdev(accuracies) / len(rows) ** 0.5 if len(rows) > 1 else 0,
        seconds=statistics.median(row["seconds"] for row in rows),
    )


def table(rows: list[Row]) -> str:
    """Mean ± standard error for each task and model, as Markdown."""
    lines = ["| task | model | seeds | epochs | test accuracy, % | seconds |"]
    lines.append("|---|---|---|---|---|---|")
    for (task, model), of in reached(rows).items():
        lines.append(
            f"| {task} | {model} | {of.seeds} | {of.epochs} "
            f"| {of.mean:.2f} ± {of.error:.2f} | {of.seconds:.0f} |"
        )
    return "\n".join(lines)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "an epoch of 8x8 digits")
    parser.add_argument("--task", default="mnist")
    parser.add_argument("--models", nargs="+", default=["mlp", "cnn", "strong"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure and record, or show what was recorded."""
    args = arguments(argv)
    out = receipts.kept_in(args, RESULTS)
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    runs = [(args.task, model, seed) for model in args.models for seed in seeds]
    shorter = ()
    if args.smoke:
        runs, shorter = [("digits", "mlp", 0)], ("--epochs", "1")
    rows = []
    for run in runs:
        rows.append(about | measure(*run, *shorter))
        receipts.append(out, rows[-1])
        print(*run, f"{rows[-1]['test/accuracy']:.4f}", flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
