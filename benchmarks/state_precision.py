"""Does it hurt the loss if the optimizer's state rests in fewer bytes?

`python -m benchmarks.state_precision [--tasks NAME ...] [--full] [--smoke]`, in a
checkout, adds a line of JSON per training to `results/state_precision.jsonl`, goes on
after an interruption, and prints the table; `--table` prints it from what is there.
Tasks may run side by side in two processes, into one file.

Three trainings: the mlp on MNIST, the cnn on 10 000 of its images, and a transformer on
Python's sources (`character_model`). A seed gives every side the same first parameters
and the same batches; compared are the losses on held-out data at the end, and the table
has the mean of the differences from float32 with its 95 % interval (Student's t). The
learning rate climbs for a tenth of the steps and falls to zero; its peak was chosen for
float32. Tensors of fewer than 4 096 elements rest in float32 on every side. Five seeds
share the luck of one baseline: `--tasks mlp --seeds 20` adds to them what is cheap.

Three sides are there for comparison, in two cells: bfloat16 rounded to nearest, where ν
cannot follow if ρ = .999; int8 in equal steps, where small ν are lost; and float32 from
parameters one rounding away, which is how far apart two trainings end for no reason.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import jax
import optax

import rmsprop_jax as rj
from benchmarks import receipts
from benchmarks.precision.cells import CORE, FULL, Cell, peak, rates
from benchmarks.precision.sides import SIDES, Side
from benchmarks.precision.table import configuration, table
from benchmarks.precision.workloads import WORKLOADS, Workload

RESULTS = receipts.file_of("state_precision")
SEEDS = 5
SMOKE_SIDES = ("float32", "int8")


def compiled(workload: Workload, structure: tuple[bool, bool], side: Side) -> Callable:
    """A training from (parameters, cell, order, rates) to its losses.

    Decay, momentum and learning rate are live: cells of one structure share it.
    """
    momentum, centered = structure
    optimizer = rj.rmsprop(
        1.0,
        momentum=0.0 if momentum else False,
        centered=centered,
        state_dtype=side.state_dtype,
    )

    @jax.jit
    def run(params, state, order, rates, train, held_out):
        def step(carry, now):
            params, state = carry
            batch = workload.pick(train, now[0])
            loss, gradients = jax.value_and_grad(
                lambda params: workload.losses(params, batch).mean()
            )(params)
            state = rj.set_hyperparams(state, learning_rate=now[1])
            updates, state = optimizer.update(gradients, state, params)
            return (optax.apply_updates(params, updates), side.rest(state)), loss

        (params, _), path = jax.lax.scan(step, (params, state), (order, rates))
        judged = jax.lax.map(lambda x: workload.losses(params, x).mean(), held_out)
        return judged.mean(), path[-(len(path) // 10) :].mean()

    train, held_out = jax.device_put((workload.train, workload.held_out))

    def training(params, cell, order, rates):
        params = side.start(params)
        values = {"decay": cell.decay} | (
            {"momentum": cell.momentum} if momentum else {}
        )
        state = rj.set_hyperparams(optimizer.init(params), **values)
        return run(params, state, order, rates, train, held_out)

    return training


def identity(row: dict) -> tuple:
    """What makes a row another training."""
    named = ("task", "decay", "momentum", "centered", "side", "seed")
    return (*configuration(row), *(row[name] for name in named))


def rows(
    names: list[str],
    cells: tuple[Cell, ...],
    sides: dict[str, Side],
    seeds: int,
    smoke: bool,
    done: set[tuple],
    common: dict,
) -> Iterator[dict]:
    """Every training that is not `done`, and how it ended."""
    for name in names:
        workload = WORKLOADS[name](smoke)
        for structure in dict.fromkeys(cell.structure for cell in cells):
            for label, side in sides.items():
                training = compiled(workload, structure, side)
                for cell, seed in _of(structure, side, cells, seeds):
                    row = common | {
                        "task": name,
                        "of": workload.of,
                        "steps": workload.steps,
                        **cell._asdict(),
                        "learning_rate": peak(name, cell),
                        "side": label,
                        "seed": seed,
                    }
                    if identity(row) not in done:
                        yield row | _trained(training, workload, row, cell)


def _of(structure, side, cells, seeds) -> list[tuple[Cell, int]]:
    cells = [
        cell
        for cell in cells
        if cell.structure == structure and (not side.only or cell in side.only)
    ]
    return [(cell, seed) for cell in cells for seed in range(seeds)]


def _trained(training, workload, row, cell) -> dict:
    params, order = workload.params(row["seed"]), workload.order(row["seed"])
    began = time.monotonic()
    loss, train_loss = training(
        params, cell, order, rates(workload.steps, row["learning_rate"])
    )
    return {
        "loss": float(loss),
        "train_loss": float(train_loss),
        "seconds": time.monotonic() - began,
    }


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "in seconds")
    parser.add_argument("--tasks", nargs="+", choices=WORKLOADS, default=[*WORKLOADS])
    parser.add_argument("--sides", nargs="+", choices=SIDES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--full", action="store_true", help="16 cells, not 6")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train what is not there yet, append, print."""
    args = arguments(argv)
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return
    out = receipts.kept_in(args, RESULTS)
    before = receipts.read(out) if out else []
    common = receipts.about(__doc__.splitlines()[0], args.smoke)
    if args.smoke:
        args.seeds = min(args.seeds, 2)
    cells = FULL if args.full else (Cell(0.999),) if args.smoke else CORE
    named = args.sides or (SMOKE_SIDES if args.smoke else SIDES)
    sides = {name: SIDES[name] for name in named}
    done = {identity(row) for row in before}
    new = []
    for row in rows(args.tasks, cells, sides, args.seeds, args.smoke, done, common):
        new.append(row)
        receipts.append(out, row)
        shown = f"{row['task']} {Cell(*(row[x] for x in Cell._fields))} {row['side']}"
        print(f"{row['loss']:.5f} {row['seconds']:.1f} s  {shown} {row['seed']}")
        sys.stdout.flush()
    print(table(before + new))


if __name__ == "__main__":
    main()
