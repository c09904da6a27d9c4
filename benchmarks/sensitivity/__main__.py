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
import sys
import time
from typing import Any

from benchmarks import receipts
from benchmarks.receipts import Receipts
from benchmarks.sensitivity.table import table
from benchmarks.sensitivity.tasks import TRAINED, Trained
from benchmarks.sensitivity.trials import mapped, searched, trained_at

RESULTS = receipts.file_of("sensitivity")
DIALECTS = ("optax", "torch", "keras", "tf1")
SEEDS = 3


def measured(kept: Receipts, trained: Trained, seeds: int, **about: Any) -> None:
    """All of one task and dialect that is not there yet."""
    about = about | {"of": trained.of, "seeds": seeds}
    dialect = about["dialect"]
    if not (search := kept.having(kind="search", **about)):
        began = time.monotonic()
        found = searched(trained, dialect, seeds)
        seconds = round(time.monotonic() - began, 1)
        search = [{"kind": "search", **about, "seconds": seconds, **found}]
        kept.add(search[0])
        _say(search[0], "search", f"{seconds:.0f} s, best {found['best']}")
    planned = [search[-1]["best"], *mapped(trained, dialect)]
    there = [row["at"] for row in kept.having(kind="point", **about)]
    missing = [point for point in planned if point not in there]

    def told(point, metrics):
        row = {"kind": "point", **about, "at": point, **metrics}
        kept.add(row)
        _say(row, point, row["test"])

    if missing:
        trained_at(trained, dialect, missing, seeds, told)


def _say(row, *words):
    print(row["task"], row["dialect"], *words)
    sys.stdout.flush()


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "in seconds")
    parser.prog = "python -m benchmarks.sensitivity"
    parser.add_argument("--tasks", nargs="+", choices=TRAINED, default=[*TRAINED])
    parser.add_argument("--dialects", nargs="+", choices=DIALECTS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train what is not there yet, append, print."""
    args = arguments(argv)
    kept = Receipts(
        args.out or RESULTS if args.table else receipts.kept_in(args, RESULTS)
    )
    if not args.table:
        # No date in the points: they are the same on every day.
        about = receipts.about(__doc__.splitlines()[0], args.smoke)
        kept.add({"kind": "run", **about})
        for task in args.tasks:
            trained = TRAINED[task](args.smoke)
            for dialect in args.dialects or (DIALECTS[1:2] if args.smoke else DIALECTS):
                measured(
                    kept,
                    trained,
                    2 if args.smoke else SEEDS,
                    task=task,
                    metric=trained.metric,
                    dialect=dialect,
                )
    print(table(kept.rows))


if __name__ == "__main__":
    main()
