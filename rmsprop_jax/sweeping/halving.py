"""`halving`: train many a little, the best of them more, and so on."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from rmsprop_jax.sweeping.brackets import (
    Bracket,
    checked_schedule,
    hyperband,
    successive_halving,
)
from rmsprop_jax.sweeping.folder import Folder
from rmsprop_jax.sweeping.metrics import agreed_metric, check_mode
from rmsprop_jax.sweeping.numbers import whole
from rmsprop_jax.sweeping.programs import check_batch_size
from rmsprop_jax.sweeping.rungs import Search
from rmsprop_jax.sweeping.space import Space
from rmsprop_jax.sweeping.stretches import Stretches
from rmsprop_jax.sweeping.sweep import Report, check_calls
from rmsprop_jax.sweeping.table import Mode, Table
from rmsprop_jax.sweeping.training import Stretchable, check_stretchable
from rmsprop_jax.sweeping.trials import described, plan


def halving(
    run: Stretchable,
    space: Space,
    *,
    min_steps: int,
    max_steps: int | None = None,
    factor: int = 3,
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
    """Successive halving: all points for a few steps, the best of them for more.

        rung i: points / factorⁱ, each min_steps · factorⁱ steps in all

    Every rung keeps one point in `factor`, and trains it `factor` times as long. A
    point goes on from where it stopped, through the same compiled calls as one that was
    never stopped: its curve is that of a full run, bit for bit. All that is random
    follows from `seed` and `seeds`, so that a repeat is the same.

    With a `folder`, a search that was ended, by SIGKILL too, goes on after its last
    whole rung when the same call is made again. Another call is refused; of the run,
    only the shapes are compared.

    Args:
        run: What can be stopped and continued, such as `training_run` makes.
        space: As in `sweep`.
        min_steps: How many steps every point gets. Stretches of so many are compiled.
        max_steps: How many the last ones get: `min_steps` times a power of `factor`; by
            default the run's number of steps.
        factor: One point in so many is kept.
        points: How many to begin with. `None` is Hyperband: as many brackets as there
            are rungs, from one that drops early to one that drops none.
        seeds: As in `sweep`. A point is kept for the mean over its seeds, and if one
            diverges, it is not.
        metric: As in `sweep`.
        mode: As in `sweep`.
        batch_size: As in `sweep`.
        devices: As in `sweep`.
        static: As in `sweep`.
        seed: As in `sweep`.
        folder: Where to keep what a continuation needs.
        report: Called with the rows of a rung when it ends.

    Returns:
        A row for each trial, with the `bracket` it was in and the `steps` that it made;
        `best()` is among those that made the most.

    Raises:
        TypeError: As `sweep`, and if the run cannot be continued.
        ValueError: As `sweep`, if the numbers of steps do not fit, or if the folder has
            a search with other settings.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import training_run
        >>> run = training_run(lambda w, x: (w - x) ** 2, 1.0, jnp.zeros(9))
        >>> space = {"learning_rate": [1e-4, 1e-3, 1e-2]}
        >>> table = halving(run, space, points=3, min_steps=3)
        >>> [row["steps"] for row in table.rows], table.best().hyperparameters
        ([3, 3, 9], {'learning_rate': 0.01})
    """
    check_stretchable(run, "sweep takes any function")
    check_mode(mode)
    check_calls(report, devices)
    min_steps, max_steps, factor = checked_schedule(
        min_steps, run.steps if max_steps is None else max_steps, factor
    )
    brackets = _brackets(points, min_steps, max_steps, factor)
    trials, groups = plan(
        run,
        space,
        points=sum(bracket.counts[0] for bracket in brackets),
        seeds=seeds,
        static=static,
        seed=seed,
    )
    check_batch_size(batch_size, len(trials))
    stretches = [Stretches(run, group, min_steps) for group in groups]
    chosen = agreed_metric(metric, [one.metrics for one in stretches])

    kept = None if folder is None else Folder(folder)
    widths = _widths(batch_size, stretches, devices, kept)
    if kept is not None:
        kept.keep_settings(
            {
                "search": "halving",
                **described(space, trials, seed=seed, static=static),
                "brackets": [[b.counts, b.steps] for b in brackets],
                "metric": chosen,
                "mode": mode,
                "run": [one.signature for one in stretches],
                "batch_size": widths,
            }
        )

    search = Search(trials, stretches, brackets, metric=chosen, mode=mode)
    _run(search, kept, report)
    rows, curves = zip(*(search.row(trial) for trial in trials), strict=True)
    return Table(list(rows), list(curves), tuple(space), chosen, mode, tuple(widths))


def _run(search: Search, kept: Folder | None, report: Report | None) -> None:
    if kept is not None and (progress := kept.progress()) is not None:
        search.restore(*progress)
    while not search.ended:
        rows = search.rung()
        if kept is not None:
            kept.keep_progress(*search.snapshot())
        if report is not None:
            report(rows)


def _brackets(
    points: int | None, min_steps: int, max_steps: int, factor: int
) -> list[Bracket]:
    if points is None:
        return hyperband(min_steps=min_steps, max_steps=max_steps, factor=factor)
    return successive_halving(
        whole("points", points, 1),
        min_steps=min_steps,
        max_steps=max_steps,
        factor=factor,
    )


def _widths(
    batch_size: int | str,
    stretches: Sequence[Stretches],
    devices: Sequence[Any] | None,
    kept: Folder | None,
) -> list[int]:
    """How many trials of each group are computed side by side, from now on."""
    before = None if kept is None else kept.settings()
    if not isinstance(batch_size, str):
        widths = [min(int(batch_size), len(s.group.trials)) for s in stretches]
    elif before is not None and len(before["batch_size"]) == len(stretches):
        widths = before["batch_size"]
    else:
        widths = [s.faster_width(devices) for s in stretches]
    for one, width in zip(stretches, widths, strict=True):
        one.resize(width, devices)
    return widths
