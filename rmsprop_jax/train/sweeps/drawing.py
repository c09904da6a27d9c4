"""The three pictures of a sweep, out of its table."""

import numpy as np

from rmsprop_jax.sweeping.space import Range
from rmsprop_jax.sweeping.table import Point, Table
from rmsprop_jax.train.status import loss_text, percent
from rmsprop_jax.train.sweeps import best_curves, heat_map, parallel
from rmsprop_jax.train.sweeps.best_curves import Course
from rmsprop_jax.train.sweeps.plan import Plan
from rmsprop_jax.train.sweeps.scales import best_first, scale
from rmsprop_jax.train.sweeps.standing import best, metric_words, named


def draw(plan: Plan, table: Table, caption: str) -> None:
    """Those of them that show something.

    Args:
        plan: The sweep.
        table: What came of it.
        caption: What was trained, on what.
    """
    points, folder = table.points(), plan.folder
    word = percent if plan.asked.tuning.choose_by == "accuracy" else loss_text
    held_out = f"held-out {plan.asked.tuning.choose_by}"
    scales = {
        name: scale(name, column)
        for name, column in plan.space.items()
        if isinstance(column, Range) or len(column) > 1
    }
    title, below = _title(plan, table), caption
    if len(plan.stages) > 1:
        below += " A point that was dropped counts as it was then."
    shown = {"words": word, "mode": plan.mode, "title": title, "below": below}
    if {"learning_rate", "decay"} <= scales.keys():
        pair = scales["learning_rate"], scales["decay"]
        heat_map.draw(points, pair, path=folder / "heat_map.png", **shown)
    if scales:
        path = folder / "parallel.png"
        parallel.draw(points, scales, metric=held_out, path=path, **shown)
    chosen = best_first(points, plan.mode)[: best_curves.MOST]
    if chosen:
        title = f"The best {len(chosen)} of {len(points)} points"
        courses = [_course(plan, table, point) for point in chosen]
        best_curves.draw(
            courses,
            name=held_out.capitalize(),
            title=title if len(chosen) > 1 else "The best point",
            below=caption,
            path=folder / "best.png",
        )


def _title(plan: Plan, table: Table) -> str:
    found = best(table)
    if found is None:
        return "Every point diverged"
    at = named({k: v for k, v in found.hyperparameters.items() if k != "dialect"})
    return f"Best {metric_words(plan, found.value)} at {', '.join(at[:2])}"


def _course(plan: Plan, table: Table, point: Point) -> Course:
    name = f"curve/{plan.metric}"
    values = np.stack([table.curves[trial][name] for trial in point.trials])
    pace = plan.ground.pace
    steps = np.minimum(plan.every * np.arange(1, values.shape[1] + 1), pace.total_steps)
    words = [metric_words(plan, point.value), *named(point.hyperparameters)]
    return Course(", ".join(words), steps / pace.steps_per_epoch, values)
