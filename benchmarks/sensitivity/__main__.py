"""How much does it matter which values RMSProp is given, and in which dialect?

`python -m benchmarks.sensitivity [--tasks NAME ...] [--dialects NAME ...] [--smoke]`,
in a checkout, adds lines of JSON to `results/sensitivity.jsonl`, goes on after an
interruption, and prints the tables; `--table` prints them from what is there.

Three trainings: a linear regression of 10 inputs (640 steps), the mlp on MNIST (640
steps of 100, an epoch), the cnn on 10 000 of its images (80 of 125, an epoch). Batches
are drawn with replacement. A seed, of three, is first parameters and batches, the same
for all points. For each dialect and training:

* a search by halving from 64 Sobol points (32 for the cnn) over learning rate, decay, ε
  and momentum, judged by held-out examples; the point that is left is trained again;
* the defaults (a learning rate of 1e-3 for optax and tf1, which demand one);
* a map of learning rates, two to the power of whole numbers (of even ones for the cnn),
  at the dialect's ε and at larger ones, decay and momentum being the defaults.

Compared is the task's own metric on the test data, the mean over the seeds: squared
error, or percent of errors. What is called chosen or tuned was chosen by the held-out
examples. Octaves are those of the learning rate around the best of a line of the map in
which the metric is within 10 % (or 50 %) of that best.

Not covered: schedules, weight decay, clipping, centering, other batch sizes, long
trainings, large or recurrent models, reinforcement learning. Few steps make small
learning rates look worse than they are, and a ν₀ of 1 more important.
"""

import argparse
import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.sensitivity.table import table
from benchmarks.sensitivity.tasks import TRAINED, Trained
from benchmarks.sensitivity.trials import mapped, searched, trained_at

RESULTS = measure.ROOT / "benchmarks" / "results" / "sensitivity.jsonl"
DIALECTS = ("optax", "torch", "keras", "tf1")
SEEDS = 3


class Receipts:
    """The rows of a file, and those that are added to it."""

    def __init__(self, path: Path | None):
        """What the file has, if there is one."""
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.rows = [json.loads(line) for line in lines]
        self._path = path

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row; the file has it when this returns."""
        self.rows.append(row)
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps(row) + "\n")

    def having(self, **values: Any) -> list[dict[str, Any]]:
        """The rows with these values."""
        return [row for row in self.rows if values.items() <= row.items()]


def measured(receipts: Receipts, trained: Trained, seeds: int, **about: Any) -> None:
    """All of one task and dialect that is not there yet."""
    about = about | {"of": trained.of, "seeds": seeds}
    dialect = about["dialect"]
    if not (search := receipts.having(kind="search", **about)):
        began = time.monotonic()
        found = searched(trained, dialect, seeds)
        seconds = round(time.monotonic() - began, 1)
        search = [{"kind": "search", **about, "seconds": seconds, **found}]
        receipts.add(search[0])
        _say(search[0], "search", f"{seconds:.0f} s, best {found['best']}")
    planned = [search[-1]["best"], *mapped(trained, dialect)]
    there = [row["at"] for row in receipts.having(kind="point", **about)]
    missing = [point for point in planned if point not in there]

    def told(point, metrics):
        row = {"kind": "point", **about, "at": point, **metrics}
        receipts.add(row)
        _say(row, point, row["test"])

    if missing:
        trained_at(trained, dialect, missing, seeds, told)


def _say(row, *words):
    print(row["task"], row["dialect"], *words)
    sys.stdout.flush()


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sensitivity", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--tasks", nargs="+", choices=TRAINED, default=[*TRAINED])
    parser.add_argument("--dialects", nargs="+", choices=DIALECTS)
    parser.add_argument("--smoke", action="store_true", help="in seconds, no record")
    parser.add_argument("--table", action="store_true", help="of what was measured")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train what is not there yet, append, print."""
    args = arguments(argv)
    receipts = Receipts(None if args.smoke and not args.out else args.out or RESULTS)
    if not args.table:
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        # No date in the points: they are the same on every day.
        receipts.add({"kind": "run", "date": date, **measure.circumstances()})
        for task in args.tasks:
            trained = TRAINED[task](args.smoke)
            for dialect in args.dialects or (DIALECTS[1:2] if args.smoke else DIALECTS):
                measured(
                    receipts,
                    trained,
                    2 if args.smoke else SEEDS,
                    task=task,
                    metric=trained.metric,
                    dialect=dialect,
                )
    print(table(receipts.rows))


if __name__ == "__main__":
    main()
