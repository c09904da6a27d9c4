"""The range test itself: made, told in words, and kept in its folder."""

import json
import shlex
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from rmsprop_jax.files import write_text
from rmsprop_jax.sweeping.numbers import check_size
from rmsprop_jax.sweeping.rates import RateRange, range_test
from rmsprop_jax.train import config as options
from rmsprop_jax.train.folder import new_path
from rmsprop_jax.train.ground import Ground, ground
from rmsprop_jax.train.holding import held
from rmsprop_jax.train.optimizers import optimizer
from rmsprop_jax.train.status import loss_text
from rmsprop_jax.train.sweeps import range_test as asking
from rmsprop_jax.train.sweeps.range_test import RangeTest
from rmsprop_jax.train.sweeps.sweep import Sweep
from rmsprop_jax.train.training import model_of

_LINES = 12
_LEAST_RANGE = 1.5
_NOT_PASSED_ON = {"task", "model", "run", "pictures"}


def find(asked: RangeTest) -> tuple[bool, str]:
    """Whether a range is suggested, and what to say of it.

    Raises:
        ValueError: If an option is wrong, or options contradict one another.
    """
    check_size(f"--low {asked.low:g}", asked.low)
    check_size(f"--high {asked.high:g}", asked.high)
    base = ground(asking.base(asked))
    optimizer(base.config, base.pace, asked.low)  # Refuses what contradicts.
    folder = asked.run or new_path(base.config, "range-test")
    with held(folder, "testing"):
        asking.check_folder(folder)  # Somebody may have tested here since.
        return _told(asked, base, folder)


def _told(asked: RangeTest, base: Ground, folder: Path) -> tuple[bool, str]:
    found = _tested(asked, base)
    summary = _summary(found)
    result = {
        "task": base.task.name,
        "model": base.config.learning.model,
        "low": found.low,
        "high": found.high,
        "diverged": found.diverged,
        "rule": found.rule,
        "learning_rates": found.learning_rates.tolist(),
        "losses": _in_json(found.losses),
        "smoothed": _in_json(found.smoothed),
    }
    write_text(folder / "result.json", json.dumps(result) + "\n")
    if asked.pictures:
        from rmsprop_jax.train.sweeps.rate_picture import draw

        draw(found, summary, _caption(asked, base), folder / "range_test.png")
    lines = [*base.said, _caption(asked, base), *_course(found), f"{summary}."]
    lines += _next(base, asked, found)
    return found.low is not None, "\n".join([*lines, str(folder)])


def _tested(asked: RangeTest, base: Ground) -> RateRange:
    learning, task, size = base.config.learning, base.task, base.pace.batch_size
    model = model_of(base.config, task)
    graphdef = nnx.split(nnx.eval_shape(lambda: model(rngs=nnx.Rngs(0))))[0]
    stats = _pure(model(rngs=nnx.Rngs(0)), nnx.BatchStat)
    chosen, order = [], np.random.default_rng(learning.seed)
    count = len(next(iter(base.data["train"].values())))
    while len(chosen) < asked.steps * size:
        chosen.extend(order.permutation(count)[: count - count % size])
    # No more of the data than is used: it becomes part of the program.
    rows = np.array(chosen[: asked.steps * size])
    data = {name: jnp.asarray(x[rows]) for name, x in base.data["train"].items()}

    def batch_of(step, key):
        at = (x for x in data.values())
        parts = (jax.lax.dynamic_slice_in_dim(x, step * size, size) for x in at)
        return dict(zip(data, parts, strict=True)), jax.random.fold_in(key, step)

    augment = task.augmented(learning)

    def loss(params, batch):
        examples, key = batch
        augmentation, dropout = jax.random.split(key)
        x = task.inputs(examples)
        if augment is not None:
            x = augment(augmentation, x)
        one = nnx.merge(graphdef, params, stats)
        one.train()
        outputs = one(x, rngs=nnx.Rngs(dropout=dropout))
        return task.losses(outputs, examples, learning.label_smoothing or 0.0).mean()

    def make(learning_rate):
        return optimizer(base.config, base.pace, learning_rate).transformation

    return range_test(
        loss,
        lambda key: _pure(model(rngs=nnx.Rngs(key)), nnx.Param),
        batch_of,
        low=asked.low,
        high=asked.high,
        steps=asked.steps,
        make=make,
        smoothing=asked.smoothing,
        seed=learning.seed,
    )


def _pure(model: nnx.Module, kind: type[nnx.Variable]) -> Any:
    return nnx.to_pure_dict(nnx.state(model, kind))


def _course(found: RateRange) -> list[str]:
    """A dozen points of the smoothed curve, and a bar for each."""
    at = np.unique(np.linspace(0, len(found.losses) - 1, _LINES).astype(int))
    finite = found.smoothed[: found.diverged]
    top = float(finite.max()) if finite.size else 1.0
    lines = ["learning rate  smoothed loss"]
    for i in at:
        rate, loss = float(found.learning_rates[i]), float(found.smoothed[i])
        lost = found.diverged is not None and i >= found.diverged
        share = min(1.0, loss / top) if np.isfinite(loss) else 1.0
        said = loss_text(loss) if np.isfinite(loss) else "not finite"
        bar = "left the range" if lost else "#" * max(1, round(40 * share))
        inside = (
            found.low is not None
            and found.high is not None
            and found.low <= rate <= found.high
        )
        lines.append(f"{'>' if inside else ' '} {rate:11.3g}  {said:>13}  {bar}")
    return lines


def _summary(found: RateRange) -> str:
    if found.low is None or found.high is None:
        return "The loss fell at no learning rate; try others with --low and --high"
    edge = found.high >= found.learning_rates[-1] * (1 - 1e-6)
    more = ", the highest that was tried" if edge else ""
    return f"Suggested learning rates: {found.low:.2g} to {found.high:.2g}{more}"


def _caption(asked: RangeTest, base: Ground) -> str:
    learning = base.config.learning
    dialect = asked.dialect or "optax"
    return (
        f"{learning.task}, {learning.model}, rmsprop {dialect}; {asked.steps} steps of "
        f"{base.pace.batch_size}, from {asked.low:g} to {asked.high:g}."
    )


def _next(base: Ground, asked: RangeTest, found: RateRange) -> list[str]:
    """The sweep over a range that is one, with the options that it has too."""
    low, high = found.low or 0.0, found.high or 0.0
    if not high > _LEAST_RANGE * low:
        return []
    words = ["--task", base.task.name, "--model", base.config.learning.model]
    usual, theirs = options.values(RangeTest()), options.values(Sweep()).keys()
    for name, value in options.values(asked).items():
        if name in theirs - _NOT_PASSED_ON and value != usual[name]:
            words += [options.flag(name), options.typed(value)]
    words += ["--learning-rate", f"{low:.2g}:{high:.2g}:log"]
    return [
        "There the loss has made from a tenth to nine tenths of its fall.",
        f"to look closer: {shlex.join(['rmsprop-jax', 'sweep', *map(str, words)])}",
    ]


def _in_json(values: Any) -> list[float | None]:
    return [float(x) if np.isfinite(x) else None for x in values]
