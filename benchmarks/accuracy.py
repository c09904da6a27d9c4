"""What does each model reach on MNIST with its default settings, over several seeds?

    python -m benchmarks.accuracy --models mlp cnn --seeds 5

Every run is the command `rmsprop-jax train --task mnist --model NAME --seed S`, a
process of its own; each adds a line to the results. `--table` sums them up.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import circumstances

RESULTS = Path(__file__).parent / "results" / "accuracy.jsonl"


def measure(task: str, model: str, seed: int, *more: str) -> dict:
    """One run's result, with where it ran."""
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
        **circumstances(),
    }


def table(rows: list[dict]) -> str:
    """Mean ± standard error for each task and model, of the latest run of each seed."""
    latest = {(row["task"], row["model"], row["seed"]): row for row in rows}
    lines = ["| task | model | seeds | epochs | test accuracy, % | seconds |"]
    lines.append("|---|---|---|---|---|---|")
    for task, model in dict.fromkeys((task, model) for task, model, _ in latest):
        own = [r for (t, m, _), r in latest.items() if (t, m) == (task, model)]
        accuracies = [100 * row["test/accuracy"] for row in own]
        error = statistics.stdev(accuracies) / len(own) ** 0.5 if len(own) > 1 else 0
        seconds = statistics.median(row["seconds"] for row in own)
        lines.append(
            f"| {task} | {model} | {len(own)} | {own[-1]['epochs']} | "
            f"{statistics.mean(accuracies):.2f} ± {error:.2f} | {seconds:.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and record, or show what was recorded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="mnist")
    parser.add_argument("--models", nargs="+", default=["mlp", "cnn", "strong"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="seconds, no record")
    parser.add_argument("--table", action="store_true", help="show, do not measure")
    options = parser.parse_args()
    if options.smoke:
        print(json.dumps(measure("digits", "mlp", 0, "--epochs", "1")))
        return
    if not options.table:
        for model in options.models:
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                row = measure(options.task, model, seed)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(model, seed, f"{row['test/accuracy']:.4f}", flush=True)
    print(table([json.loads(line) for line in RESULTS.read_text().splitlines()]))


if __name__ == "__main__":
    main()
