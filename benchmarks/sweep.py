"""How long does it take to try 32 configurations of RMSProp on an epoch of MNIST?

`python -m benchmarks.sweep [--sides NAME ...] [--ran N] [--smoke]`, in a checkout, adds
a line of JSON per side to `results/sweep.jsonl` and prints the table; `--table` prints
it from the results that are there. The 784-100-10 mlp, batches of 128, float32; four
learning rates × two decays × two momenta × two eps, beside the root. Counted is a whole
process, imports, reading of the data and compilation too.

The sides: one call of `rmsprop_jax.sweep`; a loop that builds `optax.rmsprop(...)` and
compiles a step for each configuration, as people write it; Optuna driving a training in
PyTorch, with a `DataLoader` and with tensors sliced by hand; and a process of
`rmsprop-jax train` for each. All but the last start from the same weights and see the
same batches: before anything is timed, they make 20 steps of some configurations, and
their test losses must agree to 1e-3. The processes start from their own weights, and
keep their records too.

With `--ran 4` the other sides try only the first four, and their time is scaled: what
comes before the first and after the last counts once. The table says so.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import measure, mnist, receipts
from benchmarks.peers.protocol import Assignment
from benchmarks.peers.sweep_table import table

RESULTS = receipts.file_of("sweep")
CONFIGURATIONS = 32
AGREEMENT_STEPS = 20
AGREEMENT = 1e-3
# One in so many: each value of each hyperparameter is among them.
COMPARED = 5
COMMAND = "command"


def _side(module, needs, label, **options):
    return measure.Side(module, needs, options, {}, label)


_OPTUNA = ("optuna", "torch")
SIDES = {
    "sweep": _side("by_sweep", ("jax",), "rmsprop_jax.sweep"),
    "closures": _side("by_closures", ("jax", "optax"), "loop over optax.rmsprop"),
    "loader": _side(
        "by_optuna", _OPTUNA, "Optuna, PyTorch, DataLoader", batches="loader"
    ),
    "slices": _side("by_optuna", _OPTUNA, "Optuna, PyTorch, slices", batches="slices"),
    COMMAND: _side("", ("flax", "orbax", "tyro", "rich"), "rmsprop-jax train, each"),
}

# What is run only if it is asked for.
CORES = len(os.sched_getaffinity(0))
TRIED = {
    "sweep-cores": SIDES["sweep"]._replace(
        environment={"XLA_FLAGS": f"--xla_force_host_platform_device_count={CORES}"},
        label="rmsprop_jax.sweep, a device for each core",
    )
}


def space_of(count: int) -> dict[str, list[float]]:
    """What is tried; there are so many combinations.

    >>> [len(values) for values in space_of(32).values()]
    [4, 2, 2, 2]
    """
    if count < 8 or count % 8:
        raise ValueError(f"{count} configurations: expected a multiple of 8.")
    return {
        "learning_rate": np.geomspace(1e-4, 3e-3, count // 8).tolist(),
        "decay": [0.9, 0.99],
        "momentum": [0.0, 0.9],
        "eps": [1e-6, 1e-3],
    }


def combined(space: dict[str, list[float]]) -> list[dict[str, float]]:
    """All combinations, in the order of `rmsprop_jax.sweep`."""
    rows = itertools.product(*space.values())
    return [dict(zip(space, row, strict=True)) for row in rows]


def agreement(
    sides: dict[str, measure.Side], assignment: Assignment, space: dict
) -> float:
    """How far the test losses are apart after a few steps, relative to the least."""
    few = replace(assignment, steps=min(AGREEMENT_STEPS, assignment.steps))
    some = combined(space)[::COMPARED]
    losses = []
    for name, side in sides.items():
        if name == COMMAND:
            continue
        said = measure.run(_told(side, space, some), few)["losses"]
        losses.append(said[::COMPARED] if side.module == "by_sweep" else said)
    if len(losses) < 2:
        return 0.0
    table = np.asarray(losses)
    return float((np.ptp(table, axis=0) / table.min(axis=0)).max())


def _told(side, space, configurations):
    options = {**side.options, "space": space, "configurations": configurations}
    return side._replace(options=options)


def measured(name: str, side, assignment: Assignment, space: dict, ran: int) -> dict:
    """One measurement, and the seconds that are counted of it."""
    chosen = combined(space)
    load = os.getloadavg()[0]
    if name == COMMAND:
        said = commands(assignment, chosen[:ran])
    else:
        said = measure.run(_told(side, space, chosen[:ran]), assignment)
    loop = said["marks"]["ended"] - said["marks"]["ready"]
    return {
        "side": name,
        "label": side.label,
        "load_before": load,
        "configurations": len(chosen),
        "seconds": said["process_seconds"] + loop * (len(chosen) / said["ran"] - 1),
        **said,
    }


def commands(assignment: Assignment, configurations: list[dict]) -> dict:
    """What `measure.run` says of a side, of a process for each configuration."""
    began = time.monotonic()
    losses = []
    with measure.other_programs() as others, tempfile.TemporaryDirectory() as folder:
        for number, configuration in enumerate(configurations):
            run = f"{folder}/{number}"
            line = command(assignment, configuration, run)
            subprocess.run(line, cwd=measure.ROOT, check=True, capture_output=True)
            result = json.loads(Path(run, "result.json").read_text())
            losses.append(result["test/loss"])
    seconds = time.monotonic() - began
    return {
        "marks": {"ready": 0.0, "ended": seconds},
        "losses": losses,
        "ran": len(losses),
        "process_seconds": seconds,
        **others,
    }


def command(assignment: Assignment, configuration: dict, run: str) -> list[str]:
    """The line that trains one configuration for an epoch."""
    given = {
        "task": assignment.task,
        "model": "mlp",
        "hidden": 100,
        "epochs": 1,
        "batch_size": assignment.batch_size,
        "seed": assignment.seed,
        "dialect": "torch",
        "schedule": "constant",
        "run": run,
        **configuration,
    }
    if assignment.task != "digits":
        given["data_dir"] = assignment.data
    options = [
        word
        for name, value in given.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    quiet = ["--quiet", "--no-pictures"]
    return [sys.executable, "-m", "rmsprop_jax.train", *options, *quiet]


def chosen(asked: list[str] | None) -> tuple[dict[str, measure.Side], list[str]]:
    """The sides to run, and a line on each that cannot."""
    every = SIDES | TRIED
    sides = {name: every[name] for name in asked or SIDES}
    lines = [
        f"{side.label}: skipped, {' and '.join(missing)} not installed"
        for side in sides.values()
        if (missing := side.missing())
    ]
    return {name: side for name, side in sides.items() if not side.missing()}, lines


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "8x8 digits, in seconds")
    parser.add_argument("--sides", nargs="+", choices=[*SIDES, *TRIED])
    parser.add_argument("--configurations", type=int, default=CONFIGURATIONS)
    parser.add_argument("--ran", type=int, help="of them, by the other sides")
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args(argv)
    if args.smoke:
        args.configurations, args.ran = 8, args.ran or 1
    args.ran = args.ran or args.configurations
    if not 1 <= args.ran <= args.configurations:
        parser.error(f"--ran {args.ran}: expected 1 to {args.configurations}.")
    return args


def main(argv: list[str] | None = None) -> int:
    """Measure, append, print."""
    args = arguments(argv)
    out = receipts.kept_in(args, RESULTS)
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return 0
    sides, lines = chosen(args.sides)
    print("\n".join(lines), end="\n" if lines else "", flush=True)
    if args.smoke:  # So small that two threads only wait for each other.
        sides = {name: measure.with_one_thread(side) for name, side in sides.items()}
    common = receipts.about(__doc__.splitlines()[0], args.smoke)
    common |= {"left_out": lines}
    space, rows = space_of(args.configurations), []
    with tempfile.TemporaryDirectory() as folder:
        assignment = mnist.prepared("mlp", Path(folder), args.smoke)
        assignment = replace(assignment, epochs=1)
        apart = agreement(sides, assignment, space)
        print(f"test losses after {AGREEMENT_STEPS} steps agree to {apart:.1e}")
        if not apart <= AGREEMENT:  # NaN is no agreement either.
            print(f"expected {AGREEMENT:g} at most")
            return 1
        common |= {"losses_agree_to": apart}
        for repeat in range(args.repeats):
            for name, side in sides.items():
                row = measured(name, side, assignment, space, args.ran)
                rows.append(common | {"repeat": repeat} | row)
                receipts.append(out, rows[-1])
                print(f"{row['seconds']:.1f} s  {side.label}", flush=True)
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
