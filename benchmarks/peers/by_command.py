"""The side of the command line: `rmsprop-jax train`, all of it but the pictures.

The options are parsed, the run is recorded and saved; only the first state is that of
all sides. Times are those of the rows of `metrics.jsonl`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers import protocol
from rmsprop_jax.train import cli


def main():
    """Follow the assignment."""
    assignment, diary = protocol.assigned()
    from benchmarks.peers.by_trainer import given, started
    from rmsprop_jax.train.training import Training

    diary.mark("imports")
    weights = protocol.start(assignment).weights
    first = Training.start

    def start(training, *args):
        diary.mark("data")
        state = started(training, first(training, *args), weights)
        diary.mark("ready")
        return state

    Training.start = start
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["train", "--run", f"{folder}/run", "--no-pictures"]
        for name, value in given(assignment, weights).items():
            if value is not None:
                arguments += [f"--{name.replace('_', '-')}", str(value)]
        # The trainer's clock is another than ours; this is how far they are apart.
        apart = time.perf_counter() - time.monotonic() + assignment.began
        cli.BEGAN = apart
        status = cli.main(arguments)
        rows = Path(folder, "run", "metrics.jsonl").read_text().splitlines()
    if status:
        sys.exit(status)
    diary.epochs = epochs_of([json.loads(row) for row in rows])
    diary.print()


def epochs_of(rows):
    """The diary's epochs, out of the rows of `metrics.jsonl`."""
    epochs, begun, trained = [], None, 0.0
    for row in rows:
        if row["kind"] == "train":
            trained = row["seconds"]
        else:
            epochs.append(
                {
                    # A first epoch has no row at its beginning.
                    "train_seconds": None if begun is None else trained - begun,
                    "judge_seconds": row["seconds"] - trained,
                    "at": row["seconds"],
                    "accuracy": row["test/accuracy"],
                    "loss": row["test/loss"],
                }
            )
            begun = row["seconds"]
    return epochs


if __name__ == "__main__":
    main()
