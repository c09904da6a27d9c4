"""How long does a whole step take, and how near is it to the bytes it must move?

`python -m benchmarks.update_time [--trees NAME ...] [--sides NAME ...] [--smoke]`, in a
checkout, on whatever JAX finds, adds a line of JSON per measurement to
`results/update_time.jsonl` and prints the tables; `--table` prints those of the latest
run. A step is the update and its application, in place, gradients given. What is
measured of it:

- step: seconds of one in a row of calls, that Python makes and then waits for. The
  floor is the bytes that it must move, parameters and state twice and gradients once,
  over those a second of x + 1 in place, which takes turns with the others.
- dispatch: seconds until such a call returns, where it returns before it has ended.
- trace and compile: seconds from the function to its program and to machine code,
  with nothing remembered. Of PyTorch's compiler both, with the first step.

Sides take turns; a line is the median over the rounds, with tenth and ninetieth
percentile and, in `times_peer`, the median of the ratios within a round.
"""

import gc
import os
import statistics
import sys
from argparse import Namespace
from functools import partial
from time import perf_counter

import jax
import numpy as np

from benchmarks import measure, receipts, trees
from benchmarks.update_sides import (
    SIDES,
    InPlace,
    JaxArrays,
    OnJax,
    OnTorch,
    TorchArrays,
    compiling,
    why_not,
)

RESULTS = receipts.file_of("update_time")
FLOOR = "floor"
# Minutes of compilation on a CPU; measured when asked for by name.
NOT_OF = {"thousand": ("torch-compile",)}
ROUNDS = {"compile": 3, "step": 10, "dispatch": 10}
PATIENCE = 8.0


def compile_times(sides, shapes, rounds):
    """Seconds of tracing and of compiling, round by round, of those on JAX."""
    traced = {name: [] for name in sides}

    def once(name):
        trace, compile_ = compiling(sides[name], shapes)
        traced[name].append(trace)
        return compile_

    compiled = measure.in_turns(
        {name: partial(once, name) for name in sides}, rounds, PATIENCE
    )
    return {"trace": traced, "compile": compiled}


def at_work(sides, shapes):
    """The sides, a first step behind them, and why some cannot."""
    rng = np.random.default_rng(0)
    gradients = {
        name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()
    }
    arrays, running, left_out = {}, {}, {}
    kinds = {"jax": (JaxArrays, OnJax), "torch": (TorchArrays, OnTorch)}
    for name, side in sides.items():
        arrays_of, on = kinds[side.framework]
        try:
            if side.framework not in arrays:
                arrays[side.framework] = arrays_of(gradients)
            running[name] = on(side, arrays[side.framework])
        # That a peer cannot, and why, belongs in the receipts; ours must not fail.
        except Exception as error:
            if side.framework == "jax":
                raise
            said = str(error).strip().partition("\n")[0]
            left_out[name] = f"{type(error).__name__}: {said}"
    return running, left_out


def dispatched(side):
    """Seconds until a call returns, the median of a few."""
    seconds = []
    for _ in range(7):
        side.wait()
        began = perf_counter()
        side.advance()
        seconds.append(perf_counter() - began)
    side.wait()
    return statistics.median(seconds)


def run_times(running, rounds, lasting):
    """Seconds of a step and of its dispatch, round by round."""
    step = {
        name: partial(measure.seconds_of, side.advance, side.wait, lasting)
        for name, side in running.items()
    }
    dispatch = {
        name: partial(dispatched, side)
        for name, side in running.items()
        if side.asynchronous and name != FLOOR
    }
    return {
        "step": measure.in_turns(step, rounds["step"], PATIENCE),
        "dispatch": measure.in_turns(dispatch, rounds["dispatch"], PATIENCE),
    }


def measured(sides, shapes, rounds, lasting, floor_shape):
    """All rows of one tree, and why some sides have none."""
    reasons = {name: why_not(side, shapes) for name, side in sides.items()}
    left_out = {name: reason for name, reason in reasons.items() if reason}
    sides = {name: side for name, side in sides.items() if name not in left_out}
    on_jax = {name: side for name, side in sides.items() if side.framework == "jax"}
    seconds = compile_times(on_jax, shapes, rounds["compile"])
    running, failed = at_work(sides, shapes)
    running[FLOOR] = InPlace(floor_shape)
    seconds |= run_times(running, rounds, lasting)
    for name, side in running.items():
        if name != FLOOR and sides[name].compiled:
            seconds["compile"][name] = [side.first_seconds]
    moved = {name: side.bytes for name, side in running.items()}
    return rows_of(seconds, sides, moved, trees.count(shapes)), left_out | failed


def rows_of(seconds, sides, moved, params):
    """One row for what was measured of each side."""
    floor = statistics.median(seconds["step"][FLOOR]) / moved[FLOOR]
    for what, by_side in seconds.items():
        for name, values in by_side.items():
            row = {"side": name, "measured": what, **measure.summary(values)}
            row |= {"label": "x + 1 in place"}
            if name != FLOOR:
                side = sides[name]
                row |= {"label": side.label, "peer": side.peer}
                peers = by_side.get(side.peer, ())
                ratios = [x / y for x, y in zip(values, peers, strict=False)]
                row["times_peer"] = statistics.median(ratios) if ratios else None
            if what == "step":
                row |= {
                    "bytes": moved[name],
                    "gigabytes_per_second": moved[name] / row["median"] / 1e9,
                }
                if name != FLOOR:
                    row |= {
                        "bytes_per_parameter": moved[name] / params,
                        "times_floor": row["median"] / (moved[name] * floor),
                    }
            yield row


def table(rows):
    """The rows of one tree as Markdown, a line for each side."""
    first = rows[0]
    yield (
        f"\n{first['tree']}: {first['leaves']} arrays, {first['parameters']:,} "
        f"numbers; {first['device']}; {first['commit']}, {first['date']}; other "
        f"programs had {first['others_cores']:.2f} cores"
    )
    if not receipts.is_quiet(rows):
        yield "\nNOT A QUIET MACHINE: these are no results."
    yield ""
    yield (
        "| side | B a parameter | ms a step (p10 to p90) | GB/s | times the floor "
        "| times Optax | trace, s (times) | compile, s (times) | dispatch, ms (times) |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    by_side = {}
    for row in rows:
        by_side.setdefault(row["side"], {})[row["measured"]] = row
    for of in by_side.values():
        if "step" not in of:
            continue
        step = of["step"]
        yield (
            f"| {step['label']} | {_number(step.get('bytes_per_parameter'), '.2f')} "
            f"| {1e3 * step['median']:.4g} ({1e3 * step['p10']:.4g} to "
            f"{1e3 * step['p90']:.4g}) | {step['gigabytes_per_second']:.4g} "
            f"| {_number(step.get('times_floor'), '.2f')} "
            f"| {_number(step.get('times_peer'), '.3f')} | {_cell(of, 'trace', 1)} "
            f"| {_cell(of, 'compile', 1)} | {_cell(of, 'dispatch', 1e3)} |"
        )
    names = {}
    for name, reason in first["left_out"].items():
        names.setdefault(reason, []).append(name)
    for reason, those in names.items():
        yield f"\nWithout {', '.join(those)}: {reason}."


def _number(x, form):
    return "" if x is None else format(x, form)


def _cell(of, what, scale):
    if what not in of:
        return ""
    row = of[what]
    times = row.get("times_peer")
    return f"{scale * row['median']:.3g}" + (f" ({times:.3f})" if times else "")


def latest(rows):
    """Those of the latest run, by tree."""
    by_tree = {}
    for row in receipts.latest(rows):
        by_tree.setdefault(row["tree"], []).append(row)
    return by_tree


def arguments(argv: list[str] | None) -> Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "small trees, in seconds")
    parser.add_argument("--trees", nargs="+", choices=trees.TREES)
    parser.add_argument("--sides", nargs="+", choices=SIDES)
    parser.add_argument("--rounds", type=int, help="of steps and of dispatches")
    return parser.parse_args(argv)


def chosen(asked, tree, smoke):
    """The sides to run on a tree."""
    slow = ("torch-compile",) if smoke else NOT_OF.get(tree, ())
    names = asked or [name for name in SIDES if name not in slow]
    return {name: SIDES[name] for name in names}


def main(argv=None):
    """Measure, append, print."""
    args = arguments(argv)
    out = receipts.kept_in(args, RESULTS)
    if args.table:
        for rows in latest(receipts.read(args.out or RESULTS)).values():
            print("\n".join(table(rows)))
        return 0
    # Other frameworks need room on the device, and nothing may be remembered.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")
    jax.config.update("jax_enable_compilation_cache", False)
    device = jax.devices()[0]
    common = receipts.about(__doc__.splitlines()[0], args.smoke)
    common |= {"device": device.device_kind, "platform": device.platform}
    rounds, lasting, floor_shape = dict(ROUNDS), 0.1, (8192, 8192)
    if args.smoke:
        rounds, lasting, floor_shape = dict.fromkeys(ROUNDS, 1), 1e-3, (64, 64)
    if args.rounds:
        rounds |= {"step": args.rounds, "dispatch": args.rounds}
    for tree in args.trees or trees.TREES:
        shapes = trees.TREES[tree]()
        shapes = trees.cut(shapes) if args.smoke else shapes
        sides = chosen(args.sides, tree, args.smoke)
        with measure.other_programs() as others:
            of_tree, left_out = measured(sides, shapes, rounds, lasting, floor_shape)
            of_tree = list(of_tree)
        about = {"tree": tree, "leaves": len(shapes), "left_out": left_out, **others}
        about["parameters"] = trees.count(shapes)
        rows = [common | about | row for row in of_tree]
        receipts.append(out, *rows)
        print("\n".join(table(rows)), flush=True)
        gc.collect()
    return 0


if __name__ == "__main__":
    sys.exit(main())
