"""When should I use RMSProp at all?

`python -m benchmarks.optimizers [--tasks NAME ...] [--optimizers NAME ...] [--smoke]`,
in a checkout, adds a line of JSON per training to `results/optimizers.jsonl`, goes on
after any end (kill -9 too; what is lost is the training it was in), and prints the
table; `--table` prints it from what is there. Tasks may run side by side in two
processes, into one file. The images are MNIST's, from `RMSPROP_JAX_DATA` if it is set.

RMSProp in three dialects; Optax's Adam, AdamW, SGD with momentum, Adagrad and Lion; and
Adam with b1 = 0, which is RMSProp with bias correction. Four trainings of seconds:

* images: the mlp on MNIST, 1 000 steps of 128, where everything works;
* transformer: two blocks on bytes of Python's sources, 1 000 steps of 8 x 32; such
  models are mostly trained with AdamW, and Lion was found on them;
* recurrent: an LSTM on the same bytes, 600 steps of 16 x 32; RMSProp's home ground;
* player: an actor with a critic learns to catch a ball, 3 000 updates of 16 games. Its
  data change with what it has learned, and are noisy: published settings of
  reinforcement learning still name RMSProp.

All have the same budget: 24 points, eight learning rates (half decades around the
customary one) by three settings of what each has beside; all of them whole trainings,
no short ones (`contest.selection` says why); the best four with two more seeds. All
have the same schedule: up in a tenth of the steps, for moments that begin at zero, and
down to zero in a line, so that nobody is judged in the noise of large last steps. A
seed is first parameters and batches, or games, the same for all. Values are chosen by
validation; these, and the customary ones, are judged by test data, with five seeds that
chose nothing.

The table has the mean of the test metric with its 95 % interval (Student's t); its
difference from Adam, paired by seed; how many of the points came within 10 % of the
best, by validation and with one seed: how easily a good one is hit. One in twenty of
the intervals misses by chance.

Not covered: long trainings, large models, other batch sizes and schedules, more values
tuned at once, clipping, value-based reinforcement learning.
"""

import argparse
import sys
from functools import cache
from typing import Any

import jax

from benchmarks import receipts
from benchmarks.contest import selection
from benchmarks.contest.rivals import RIVALS, Rival
from benchmarks.contest.table import table
from benchmarks.contest.tasks import TASKS, Task
from benchmarks.contest.training import compiled
from benchmarks.receipts import Receipts

RESULTS = receipts.file_of("optimizers")
SEEDS = 5
SMOKE = ("rmsprop, torch", "adam")


def measured(
    kept: Receipts, trained: Task, rival: Rival, seeds: int, run: str, **about: Any
) -> None:
    """All of one rival on one task that is not there yet."""
    # Nothing is compiled for what is there.
    ready = cache(lambda: compiled(trained, rival))
    about = about | {"of": trained.of, "steps": trained.steps}

    def value(part, point, seed):
        training = about | {"part": part, "at": point, "seed": seed}
        if there := kept.having(**training):
            return there[-1]["value"]
        ended = ready()(point, seed, part)
        ended = None if ended is None else float(f"{ended:.6g}")
        kept.add({"kind": "training", "run": run, **training, "value": ended})
        print(about["task"], about["optimizer"], part, point, seed, ended)
        sys.stdout.flush()
        return ended

    def tried(point, seed):
        return value("validation", point, seed)

    for point in selection.judged(tried, rival):
        for seed in range(selection.FRESH, selection.FRESH + seeds):
            value("test", point, seed)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "in seconds")
    parser.prog = "python -m benchmarks.optimizers"
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    parser.add_argument("--optimizers", nargs="+", choices=RIVALS)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="that judge")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train what is not there yet, append, print."""
    args = arguments(argv)
    kept = Receipts(
        args.out or RESULTS if args.table else receipts.kept_in(args, RESULTS)
    )
    if not args.table:
        run = receipts.about(__doc__.splitlines()[0], args.smoke)
        kept.add({"kind": "run", **run})
        for name in args.tasks:
            trained = TASKS[name](args.smoke)
            trained = trained._replace(data=jax.device_put(trained.data))
            for optimizer in args.optimizers or (SMOKE if args.smoke else RIVALS):
                measured(
                    kept,
                    trained,
                    RIVALS[optimizer],
                    2 if args.smoke else args.seeds,
                    run["date"],
                    task=name,
                    metric=trained.metric,
                    optimizer=optimizer,
                )
    print(table(kept.rows))


if __name__ == "__main__":
    main()
