"""How long do this trainer, PyTorch and Keras take for the same training of MNIST?

`python -m benchmarks.mnist --model mlp|cnn [--repeats N] [--sides NAME ...] [--smoke]`,
in a checkout, adds a line of JSON per measurement to `results/mnist.jsonl` and prints
the table; `--table` prints it from the results that are there. The same model, batches
of 128, initial weights and orders of the data (`protocol.Assignment`); every repetition
of a side is a fresh process, and the sides take turns. Counted are the seconds from the
start of the process (imports, data, compilation) to the first evaluation of all test
images at or above the target, and those of each later epoch without its evaluation.

The rule is RMSprop at a constant rate of 1e-3, decay 0.9: g / (√ν + 1e-12) in PyTorch
and here, g / √(ν + 1e-24) in Keras, which is the same wherever √ν is not near 1e-12.
(It is near 1e-8 often enough: with that for eps, 20 steps end 8e-4 apart.) Before
anything is timed, all sides make 20 steps, 10 with the cnn; their test losses must
agree to 1e-3.
"""

import os
import sys
import tempfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import measure, receipts
from benchmarks.peers import protocol
from benchmarks.peers.protocol import Assignment, Images, Start
from benchmarks.peers.table import table

RESULTS = receipts.file_of("mnist")
# mlp: of eight seeds, that at which 97 % lies farthest from what an epoch ends with.
# cnn: one where rounding errors stay small. Where a channel is dead, so tiny an eps
# makes full steps of those in its gradient; with 5, sides end 3e-2 apart in 20 steps.
SEED = {"mlp": 5, "cnn": 0}
# Rounding errors grow in a cnn: 4e-6 after 5 steps, 7e-5 after 10, 3e-3 after 20.
AGREEMENT_STEPS = {"mlp": 20, "cnn": 10}
# With 8x8 images they grow at once: 7e-3 after 5 steps.
AGREEMENT_STEPS_OF_A_SMALL_CNN = 1
AGREEMENT = 1e-3
EPOCHS = {"mlp": 6, "cnn": 2}
TARGET = {"mlp": 97.0, "cnn": 98.5}
REPEATS = {"mlp": 5, "cnn": 2}
# What is not run unless it is asked for: the start counts for little there.
NOT_OF = {"mlp": (), "cnn": ("products", "command")}
WIDTHS = {"mlp": [("dense", 100)], "cnn": [("conv", 32), ("conv", 64), ("dense", 128)]}


def _side(module, needs, label, environment=None, **options):
    return measure.Side(module, needs, options, environment or {}, label)


def _keras(backend, needs, label, **options):
    return _side(
        "by_keras", ("keras", needs), label, {"KERAS_BACKEND": backend}, **options
    )


_OURS = ("flax", "orbax", "tyro", "rich")
_TORCH = ("torch",)
SIDES = {
    "trainer": _side("by_trainer", _OURS, "this trainer"),
    "command": _side("by_command", _OURS, "this trainer, its whole command"),
    "torch": _side("by_torch", _TORCH, "PyTorch, slices"),
    "torch-loader": _side("by_torch", _TORCH, "PyTorch, DataLoader", batches="loader"),
    "keras-jax": _keras("jax", "jax", "Keras on JAX", steps_per_execution=36),
    "keras-tensorflow": _keras(
        "tensorflow", "tensorflow", "Keras on TensorFlow", steps_per_execution=468
    ),
    "products": _side("matrix_products", ("jax",), "its matrix products alone"),
}
# What the sides above were chosen from, to be run by name.
TRIED = {
    "torch-foreach": _side("by_torch", _TORCH, "PyTorch, foreach", foreach=True),
    "torch-one": _side("by_torch", _TORCH, "PyTorch, one thread", threads=1),
    "torch-last": _side(
        "by_torch", _TORCH, "PyTorch, channels last", channels_last=True
    ),
    "torch-compile": _side("by_torch", _TORCH, "PyTorch, compiled", compile=True),
    "keras-jax-1": _keras("jax", "jax", "Keras on JAX, 1 step an execution"),
    "keras-tensorflow-1": _keras(
        "tensorflow", "tensorflow", "Keras on TensorFlow, 1 step an execution"
    ),
    "keras-tensorflow-ops": _keras(
        "tensorflow",
        "tensorflow",
        "Keras on TensorFlow, without XLA",
        steps_per_execution=468,
        jit_compile=False,
    ),
}


def start_of(model, images, batch_size, epochs):
    """Weights from N(0, 1 / inputs), biases of zero, orders like the trainer's."""
    rng = np.random.default_rng(SEED[model])
    count, side, _, depth = images.shape
    weights = []
    for kind, width in [*WIDTHS[model], ("dense", 10)]:
        if kind == "conv":
            shape = (3, 3, depth, width)
            side, depth = side // 2, width
        else:
            shape = (side * side * depth, width)
            side, depth = 1, width
        scale = np.prod(shape[:-1]) ** -0.5
        kernel = rng.standard_normal(shape, np.float32) * np.float32(scale)
        weights += [kernel, np.zeros(width, np.float32)]
    orders = [
        np.random.default_rng([SEED[model], epoch]).permutation(count)[
            : count // batch_size * batch_size
        ]
        for epoch in range(epochs)
    ]
    return Start(weights, orders)


def prepared(model, folder, smoke):
    """What all sides are told; its files are written to `folder`."""
    from rmsprop_jax.train.data import digits, mnist

    if smoke:
        task, mean, deviation, batch_size, epochs = "digits", 0.3053, 0.3760, 32, 2
        data, path = digits.load(), folder / "digits.npz"
    else:
        task, mean, deviation, batch_size = "mnist", 0.1307, 0.3081, 128
        data, path = mnist.load(task, download=False), mnist.find(task)
        epochs = EPOCHS[model]
    parts = [Images(part["image"], part["label"]) for part in data.parts]
    if path is None or smoke:
        path = folder / "data.npz"
        protocol.write_data(path, *parts)
    start = start_of(model, parts[0].images, batch_size, epochs)
    protocol.write_start(folder / "start.npz", start)
    return Assignment(
        began=0.0,
        task=task,
        model=model,
        data=str(path),
        start=str(folder / "start.npz"),
        steps=len(parts[0].images) // batch_size,
        epochs=epochs,
        batch_size=batch_size,
        seed=SEED[model],
        mean=mean,
        deviation=deviation,
    )


def agreement(sides, assignment, steps):
    """Test loss of each side after the same steps, and how far they are apart."""
    few = replace(assignment, steps=steps, epochs=1)
    losses = {
        name: measure.run(side, few)["epochs"][0]["loss"]
        for name, side in sides.items()
        if name not in ("products", "command")
    }
    if not losses:
        return losses, 0.0
    return losses, max(losses.values()) / min(losses.values()) - 1


def measured(name, side, assignment, target):
    """One measurement: what the side said, and what is counted of it."""
    load = os.getloadavg()[0]
    said = measure.run(side, assignment)
    later = [x["train_seconds"] for x in said["epochs"][1:]]
    reached = [
        (epoch, x["at"])
        for epoch, x in enumerate(said["epochs"], 1)
        if 100 * x.get("accuracy", 0) >= target
    ]
    epoch, seconds = reached[0] if reached else (None, None)
    return {
        "side": name,
        "label": side.label,
        "options": side.options,
        "load_before": load,
        "target": target,
        "target_epoch": epoch,
        "target_seconds": seconds,
        "epoch_seconds": measure.spread(later)[0],
        **said,
    }


def arguments(argv: list[str] | None) -> Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "8x8 digits, in seconds")
    parser.add_argument("--model", choices=list(WIDTHS), default="mlp")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--sides", nargs="+", choices=[*SIDES, *TRIED])
    return parser.parse_args(argv)


def chosen(asked, model):
    """The sides to run, and a line on each that cannot."""
    names = asked or [x for x in SIDES if x not in NOT_OF[model]]
    every = SIDES | TRIED
    lines = [
        f"{every[name].label}: skipped, {' and '.join(missing)} not installed"
        for name in names
        if (missing := every[name].missing())
    ]
    return {name: every[name] for name in names if not every[name].missing()}, lines


def main(argv=None):
    """Measure, append, print."""
    args = arguments(argv)
    out = receipts.kept_in(args, RESULTS)
    if args.table:
        print("\n".join(table(receipts.read(args.out or RESULTS), args.model)))
        return 0
    sides, lines = chosen(args.sides, args.model)
    print("\n".join(lines), end="\n" if lines else "", flush=True)
    common = receipts.about(__doc__.splitlines()[0], args.smoke)
    common |= {"model": args.model}
    if args.smoke:  # So small that two threads only wait for each other.
        sides = {x: measure.with_one_thread(side) for x, side in sides.items()}
    with tempfile.TemporaryDirectory() as folder:
        assignment = prepared(args.model, Path(folder), args.smoke)
        steps = AGREEMENT_STEPS[args.model]
        if args.smoke and args.model == "cnn":
            steps = AGREEMENT_STEPS_OF_A_SMALL_CNN
        losses, apart = agreement(sides, assignment, steps)
        for name, loss in losses.items():
            print(f"test loss after {steps} steps: {loss:.6f}  {name}")
        if apart > AGREEMENT:
            print(f"they differ by {apart:.1e}, expected {AGREEMENT:g} at most")
            return 1
        common |= {"losses_agree_to": apart}
        rows = []
        for repeat in range(args.repeats or (1 if args.smoke else REPEATS[args.model])):
            for name, side in sides.items():
                target = 50.0 if args.smoke else TARGET[args.model]
                row = {"repeat": repeat, **measured(name, side, assignment, target)}
                rows.append(common | row)
                receipts.append(out, rows[-1])
                print(f"{repeat + 1}: {row['epoch_seconds']:.3f} s an epoch  {name}")
                sys.stdout.flush()
    print("\n".join(table(rows, args.model)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
