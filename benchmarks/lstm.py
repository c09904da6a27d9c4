"""How many steps a second does the LSTM that hears digits make, here and elsewhere?

`python -m benchmarks.lstm [--repeats N] [--sides NAME ...] [--smoke]`, in a checkout,
adds a line of JSON per measurement to `results/lstm.jsonl` and prints the table;
`--table` prints it from the results that are there. The recordings of FSDD are looked
for where the trainer looks, RMSPROP_JAX_DATA say.

The same on all sides (`peers.spoken`): features, two layers of 128 and dropout, first
weights, batches of 64 and their orders, RMSprop at a constant rate, the gradient's norm
kept to 1; no augmentation, no average of the weights. One side of PyTorch trims each
batch to its longest sequence, as people do by hand. A step is all of that: batch,
loss, gradient, clipping, update. Every repetition of a side is a fresh process, and the
sides take turns; counted are the epochs after the first. That the model is the same is
seen by the test loss before the first step, which must agree to 1e-4; what dropout
drops is each side's own, so later ones do not.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import measure, receipts
from benchmarks.peers import protocol, spoken
from benchmarks.peers.lstm_table import table
from benchmarks.peers.protocol import Assignment, Start
from benchmarks.peers.spoken import Spoken

RESULTS = receipts.file_of("lstm")
AGREEMENT = 1e-4
EPOCHS, BATCH_SIZE, WIDTH, SEED = 5, 64, 128, 0
REPEATS = 5


def _side(module, needs, label, environment=None, **options):
    return measure.Side(module, needs, options, environment or {}, label)


def _keras(backend, label, **options):
    needs, environment = ("keras", backend), {"KERAS_BACKEND": backend}
    return _side("lstm_by_keras", needs, label, environment, **options)


SIDES = {
    "trainer": _side("lstm_by_trainer", ("flax", "orbax"), "this trainer"),
    "torch": _side("lstm_by_torch", ("torch",), "PyTorch"),
    "torch-trim": _side(
        "lstm_by_torch", ("torch",), "PyTorch, batches trimmed", trim=True
    ),
    "keras-jax": _keras("jax", "Keras on JAX", steps_per_execution=6),
    "keras-tensorflow": _keras(
        "tensorflow", "Keras on TensorFlow", steps_per_execution=42
    ),
}
# What the sides above were chosen from, to be run by name.
TRIED = {
    "torch-packed": _side("lstm_by_torch", ("torch",), "PyTorch, packed", pack=True),
    "torch-time": _side(
        "lstm_by_torch", ("torch",), "PyTorch, time first", first="time"
    ),
    "keras-jax-1": _keras("jax", "Keras on JAX, 1 step an execution"),
    "keras-jax-42": _keras(
        "jax", "Keras on JAX, 42 steps an execution", steps_per_execution=42
    ),
    "keras-tensorflow-ops": _keras(
        "tensorflow",
        "Keras on TensorFlow, without XLA",
        steps_per_execution=42,
        jit_compile=False,
    ),
    "keras-tensorflow-unrolled": _keras(
        "tensorflow",
        "Keras on TensorFlow, unrolled",
        steps_per_execution=42,
        unroll=True,
    ),
    "keras-torch": _keras("torch", "Keras on PyTorch"),
}


def recordings(smoke: bool) -> tuple[Spoken, Spoken]:
    """Of the task; in the smallest size, noise."""
    if smoke:
        rng = np.random.default_rng(SEED)
        return _noise(rng, 96), _noise(rng, 32)
    from rmsprop_jax.train.tasks import TASKS

    train, test = TASKS["spoken-digits"].load(None).parts
    return Spoken(**train), Spoken(**test)


def _noise(rng: np.random.Generator, count: int) -> Spoken:
    return Spoken(
        rng.standard_normal((count, 128, 40)).astype(np.float16),
        rng.integers(20, 128, count).astype(np.int32),
        rng.integers(0, spoken.OUTPUTS, count).astype(np.int32),
    )


def prepared(folder: Path, smoke: bool) -> Assignment:
    """What all sides are told; its files are written to `folder`."""
    train, test = recordings(smoke)
    epochs, batch_size, width = (2, 32, 8) if smoke else (EPOCHS, BATCH_SIZE, WIDTH)
    spoken.write_data(folder / "data.npz", train, test)
    steps, count = len(train.label) // batch_size, len(train.label)
    features = spoken.STACKED * train.frames.shape[2]
    orders = [
        np.random.default_rng([SEED, epoch]).permutation(count)[: steps * batch_size]
        for epoch in range(epochs)
    ]
    drawn = spoken.drawn(np.random.default_rng(SEED), features, width)
    protocol.write_start(folder / "start.npz", Start(drawn, orders))
    return Assignment(
        began=0.0,
        task="spoken-digits",
        model="lstm",
        data=str(folder / "data.npz"),
        start=str(folder / "start.npz"),
        steps=steps,
        epochs=epochs,
        batch_size=batch_size,
        seed=SEED,
        mean=0.0,
        deviation=1.0,
    )


def measured(name: str, side: measure.Side, assignment: Assignment) -> receipts.Row:
    """One measurement: what the side said, and what is counted of it."""
    load = os.getloadavg()[0]
    said = measure.run(side, assignment)
    later = [x["train_seconds"] for x in said["epochs"][1:]]
    return {
        "side": name,
        "label": side.label,
        "options": side.options,
        "load_before": load,
        "steps_per_second": assignment.steps / measure.spread(later)[0],
        **said,
    }


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "noise, in seconds")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--sides", nargs="+", choices=[*SIDES, *TRIED])
    return parser.parse_args(argv)


def apart(rows: list[receipts.Row]) -> float:
    """How far the sides' first test losses are from one another, of the least."""
    losses = [row["at_first"][1] for row in rows]
    return max(losses) / min(losses) - 1


def main(argv: list[str] | None = None) -> int:
    """Measure, append, print; 1 if the sides' models are not the same."""
    args = arguments(argv)
    out = receipts.kept_in(args, RESULTS)
    if args.table:
        print("\n".join(table(receipts.full(receipts.read(args.out or RESULTS)))))
        return 0
    every = SIDES | TRIED
    sides = {name: every[name] for name in args.sides or SIDES}
    for name in [name for name, side in sides.items() if side.missing()]:
        missing = " and ".join(sides[name].missing())
        print(f"{sides.pop(name).label}: skipped, {missing} not installed", flush=True)
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    rows: list[receipts.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        assignment = prepared(Path(folder), args.smoke)
        for repeat in range(args.repeats or (1 if args.smoke else REPEATS)):
            for name, side in sides.items():
                row = about | {"repeat": repeat} | measured(name, side, assignment)
                rows.append(row)
                if apart(rows) > AGREEMENT:
                    print(f"first test losses are {apart(rows):.1e} apart: {name}")
                    return 1
                print(f"{repeat + 1}: {row['steps_per_second']:.1f} steps/s  {name}")
                sys.stdout.flush()
    receipts.append(out, *rows)
    print("\n".join(table(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
