"""`sweep`: every trial of a space, in one compiled program for each group."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

from rmsprop_jax.sweeping.finished import Finished
from rmsprop_jax.sweeping.folder import Folder
from rmsprop_jax.sweeping.metrics import (
    agreed_metric,
    check_metrics,
    check_mode,
    check_read,
    named,
    signature,
    traced,
)
from rmsprop_jax.sweeping.programs import (
    Program,
    check_batch_size,
    check_devices,
    choose_devices,
    faster_width,
)
from rmsprop_jax.sweeping.space import Space
from rmsprop_jax.sweeping.table import Mode, Table, row
from rmsprop_jax.sweeping.trials import (
    SEED,
    Group,
    Trial,
    described,
    plan,
    seed_array,
)

Run = Callable[[dict[str, Any], jax.Array], Any]
Report = Callable[[list[dict[str, Any]]], None]


def sweep(
    run: Run,
    space: Space,
    *,
    points: int | None = None,
    seeds: int | Sequence[int] = 1,
    metric: str | None = None,
    mode: Mode = "min",
    batch_size: int | str = "auto",
    devices: Sequence[Any] | None = None,
    static: Collection[str] = (),
    seed: int = 0,
    folder: str | Path | None = None,
    report: Report | None = None,
) -> Table:
    """Run every point of a space with every seed; nothing is compiled twice.

    Numbers are arguments of the compiled run, and not part of it. Words, switches and
    `None` are part of it: trials are grouped by them, one compilation each. A trial
    that ends in numbers that are not finite is a row marked `diverged`.

    A trial is the same whatever else is tried, and whatever the number of devices. With
    another `batch_size` the compiled program sums in another order: equal to rounding,
    and to what the steps make of that. With the same, a repeat is equal bit for bit.

    Args:
        run: A pure function of a dict of hyperparameters, in which numbers are traced
            scalars, and of a key, to its metrics: a number, or a dict of numbers
            and of curves (1-d arrays). `training_run` makes one.
        space: Name → a list of values, a range (`uniform`, `log_uniform`), or the one
            value for all. The names of rmsprop's live numbers have their ranges
            checked.
        points: How many points to try. Without a range: all combinations of the lists
            by default, or so many of them at random. With one: so many Sobol points
            over ranges and lists together.
        seeds: How many seeds for each point, from 0 on; or which. A trial's key is
            `jax.random.key` of its seed, the same for every point.
        metric: The number to compare by; by default the only one, or `"loss"`.
        mode: `"min"` or `"max"`: which is better.
        batch_size: How many trials each device computes side by side; 1 is one after
            another. `"auto"` measures whether more are clearly faster, if there are
            trials enough for that to pay, and the table says what it chose. Side by
            side pays for small models on a CPU, and on accelerators.
        devices: Where to compute; all local devices by default.
        static: Names whose numbers, too, are compiled in: a width, a depth.
        seed: Of what is drawn from the space.
        folder: Where to keep what came of trials. After any end, SIGKILL too, the same
            call goes on from there; another is refused. Of the run, only the shapes
            are compared.
        report: Called with the new rows whenever some trials have ended.

    Raises:
        TypeError: If something is of the wrong kind.
        ValueError: If the space is empty, a value out of range, a name none of the
            run's, the metric none of its numbers, or `batch_size` larger than the
            number of trials; all before anything is compiled.

    Example:
        >>> def run(hyperparameters, key):
        ...     return (hyperparameters["x"] - 2) ** 2
        >>> table = sweep(run, {"x": [0.0, 1.0, 3.5]})
        >>> [row["loss"] for row in table.rows], table.best().hyperparameters
        ([4.0, 1.0, 2.25], {'x': 1.0})
    """
    if not callable(run):
        raise TypeError(
            f"run={run!r:.60}: expected a function (hyperparameters, key) -> metrics, "
            "such as training_run(loss, params, batches)."
        )
    check_mode(mode)
    check_calls(report, devices)
    trials, groups = plan(
        run, space, points=points, seeds=seeds, static=static, seed=seed
    )
    check_batch_size(batch_size, len(trials))
    programs = [_program(run, group) for group in groups]
    chosen = agreed_metric(metric, [program.shape for program in programs])

    kept = None if folder is None else Folder(folder)
    widths, heads = _widths(batch_size, programs, groups, devices, kept)
    if kept is not None:
        kept.keep_settings(
            {
                "search": "sweep",
                **described(space, trials, seed=seed, static=static),
                "metric": chosen,
                "mode": mode,
                "run": [signature(program.shape) for program in programs],
                "batch_size": widths,
            }
        )
    finished = Finished(kept)
    try:
        for group, program, head in zip(groups, programs, heads, strict=True):
            members = finished.without(group.trials)
            for results in _in_turn(head, program, group, members):
                ended, members = members[: len(results)], members[len(results) :]
                finished.add(ended, [named(metrics) for metrics in results])
                if report is not None:
                    report([row(trial, finished[trial])[0] for trial in ended])
    finally:
        finished.write()
    rows, curves = zip(*(row(trial, finished[trial]) for trial in trials), strict=True)
    return Table(list(rows), list(curves), tuple(space), chosen, mode, tuple(widths))


def check_calls(report: Any, devices: Any) -> None:
    """Refuse a report that is no function, and devices that are none."""
    if report is not None and not callable(report):
        raise TypeError(f"report={report!r:.60}: expected a function of rows, or None.")
    check_devices(devices)


def _program(run: Run, group: Group) -> Program:
    def one(numbers, seed):
        return run(group.assemble(numbers), jax.random.key(seed))

    example = (group.example(), SEED)
    program = traced(lambda: Program(one, example), group.names)
    check_metrics(program.shape, group.names)
    check_read(group.example(), (program.jaxpr, 0))
    return program


def _widths(
    batch_size: int | str,
    programs: Sequence[Program],
    groups: Sequence[Group],
    devices: Sequence[Any] | None,
    kept: Folder | None,
) -> tuple[list[int], list[list[Any]]]:
    """How many trials of each group side by side; results of those that decided it."""
    before = None if kept is None else kept.settings()
    heads: list[list[Any]] = [[] for _ in groups]
    if not isinstance(batch_size, str):
        widths = [min(int(batch_size), len(group.trials)) for group in groups]
    elif before is not None and len(before["batch_size"]) == len(groups):
        widths = before["batch_size"]
    else:
        measured = [
            faster_width(program, _arguments(group, group.trials), (), devices)
            for program, group in zip(programs, groups, strict=True)
        ]
        widths, heads = [width for width, _ in measured], [head for _, head in measured]
    for program, group, width in zip(programs, groups, widths, strict=True):
        program.resize(width, choose_devices(devices, width, len(group.trials)))
    return widths, heads


def _in_turn(
    head: list[Any], program: Program, group: Group, members: Sequence[Trial]
) -> Iterator[list[Any]]:
    """The results of `members`, some at a time; those of the first may be there."""
    if head:
        yield head
    if members[len(head) :]:
        yield from program(*_arguments(group, members[len(head) :]))


def _arguments(group: Group, trials: Sequence[Trial]) -> tuple:
    return group.numbers(trials), seed_array(trials)
