"""The optimizer that the options ask for."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import rmsprop_jax as rj
from rmsprop_jax.train import schedules
from rmsprop_jax.train.config import Config, Optimizer, Schedule, flag

# What RMSProp alone has: options that are arguments of `rmsprop` under the same name.
_RMSPROP = [
    "dialect",
    "centered",
    "bias_correction",
    "eps_placement",
    "lr_placement",
    "nu_init",
    "variance_floor",
    "moment",
    "cautious",
    "state_dtype",
]
_SHARED = ["decay", "eps", "momentum", "nesterov"]
_TAKES = {
    "adam": ["decay", "eps"],
    "sgd": [],
    "momentum": ["momentum", "nesterov"],
    "adagrad": ["eps"],
}
_CORE = {
    "adam": optax.scale_by_adam,
    "sgd": optax.identity,
    "momentum": optax.trace,
    "adagrad": optax.scale_by_rss,
}
_NAMES = {"momentum": "decay", "decay": "b2"}  # What these call them.
# Of the options of the optimizer, those that a recipe leaves open.
_BESIDE_A_RECIPE = ["optimizer", "recipe", "learning_rate", "accumulate", "ema"]


class Pace(NamedTuple):
    """How a run counts: what a schedule needs to know of it."""

    steps_per_epoch: int
    epochs: int
    batch_size: int

    @property
    def total_steps(self) -> int:
        """The updates of the whole run."""
        return self.steps_per_epoch * self.epochs

    def steps(self, epochs: float) -> int:
        """So many epochs, in whole steps, at least one."""
        return max(1, round(epochs * self.steps_per_epoch))


class Made(NamedTuple):
    """An optimizer, and what is to be said of it.

    Attributes:
        transformation: The optimizer.
        rule: Its RMSProp, `None` if it is another's.
        learning_rate: State, step → the learning rate that was used there.
    """

    transformation: optax.GradientTransformationExtraArgs
    rule: rj.Rule | None
    learning_rate: Callable[[Any, jax.Array], jax.Array]


def optimizer(config: Config, pace: Pace, learning_rate: Any) -> Made:
    """The transformation for `config`, with a learning rate that may be traced.

    Args:
        config: The run.
        pace: Its steps.
        learning_rate: The peak; an array stays live, so that one compiled program
            serves every value.

    Raises:
        ValueError: If options contradict one another or are out of range.
    """
    c = config.optimizer
    if c.recipe is not None:
        return _published(config, pace)
    _check_options(c)
    factor = _learning_rate_factor(config, pace)

    def rate(step):
        return learning_rate * factor(step)

    given = learning_rate if factor is schedules.constant else rate
    rule = None
    if c.optimizer == "rmsprop":
        tx = _rmsprop(config, pace, given)
        rule = tx.rule
    else:
        tx = _peer(c, given)
    clips = []
    if c.clip_value is not None:
        clips.append(optax.clip(c.clip_value))
    if c.clip_norm is not None:
        clips.append(optax.clip_by_global_norm(c.clip_norm))
    if clips:
        tx = optax.chain(*clips, tx)
    return Made(
        optax.with_extra_args_support(tx),
        rule,
        lambda _, step: jnp.float32(1) * rate(step),
    )


def diagnostics(rule: Any, state: Any) -> dict[str, jax.Array]:
    """What the optimizer says of itself; the rule is that of `Made`."""
    said = {} if rule is None else rj.metrics(state, rule)
    count = skipped(state)
    return said if count is None else said | {"skipped": count}


def skipped(state: Any) -> jax.Array | None:
    """How many steps the optimizer has skipped, if it counts them."""
    for name in ("skipped", "total_notfinite"):
        found = optax.tree.get_all_with_path(state, name)
        counts = [value for _, value in found if value is not None]
        if counts:
            return counts[0]
    return None


def _rmsprop(config: Config, pace: Pace, learning_rate: Any) -> rj.RMSProp:
    c = config.optimizer
    options = {
        name: getattr(c, name)
        for name in [*_RMSPROP, *_SHARED, "weight_decay", "weight_decay_form"]
        if getattr(c, name) is not None and getattr(c, name) is not False
    }
    if config.schedule.decay_schedule != "constant":
        rj.rmsprop(1e-3, **options)  # Or an unknown dialect would be a KeyError.
        options["decay"] = _decay(config, pace)
    if c.weight_decay_form == "corrected":
        options["peak_learning_rate"] = c.learning_rate
    return rj.rmsprop(
        learning_rate,
        **options,
        weight_decay_mask=_matrices if c.weight_decay_on == "matrices" else None,
        skip_nonfinite=c.skip_nonfinite,
    )


def _peer(c: Optimizer, learning_rate: Any) -> optax.GradientTransformation:
    given = {name: getattr(c, name) for name in _TAKES[c.optimizer]}
    own: dict[str, Any] = {
        (_NAMES.get(name) or name): value
        for name, value in given.items()
        if value is not None
    }
    if c.optimizer == "momentum":
        own.setdefault("decay", 0.9)
    parts = [_CORE[c.optimizer](**own)]
    if c.weight_decay:
        mask = _matrices if c.weight_decay_on == "matrices" else None
        coupled = c.weight_decay_form != "decoupled"
        decayed = optax.add_decayed_weights(c.weight_decay, mask)
        parts.insert(0 if coupled else 1, decayed)
    tx = optax.chain(*parts, optax.scale_by_learning_rate(learning_rate))
    if c.skip_nonfinite:
        tx = optax.apply_if_finite(tx, max_consecutive_errors=10**9)
    return tx


def _published(config: Config, pace: Pace) -> Made:
    c = config.optimizer
    row = rj.recipes().get(c.recipe or "")
    if row is None:
        rj.recipe(c.recipe or "")  # Its error names the nearest.
        raise AssertionError
    plain = Optimizer()
    for field in dataclasses.fields(Optimizer):
        if field.name in _BESIDE_A_RECIPE:
            continue
        if getattr(c, field.name) != getattr(plain, field.name):
            raise ValueError(
                f"{flag(field.name)}: the recipe {c.recipe!r} sets it; leave one out."
            )
    if c.optimizer != "rmsprop" or config.schedule != Schedule():
        raise ValueError(
            f"--recipe {c.recipe}: it brings its own optimizer and schedule; leave "
            "out --optimizer, --schedule and what belongs to them."
        )
    known = {
        "total_steps": pace.total_steps,
        "steps_per_epoch": pace.steps_per_epoch,
        "batch_size": pace.batch_size,
        "learning_rate": c.learning_rate,
    }
    if "learning_rate" in row.needs and c.learning_rate is None:
        raise ValueError(f"--recipe {c.recipe}: it leaves --learning-rate to you.")
    if "learning_rate" not in row.needs and c.learning_rate is not None:
        raise ValueError(
            f"--learning-rate {c.learning_rate:g}: the recipe {c.recipe!r} sets it."
        )
    tx = rj.recipe(c.recipe or "", **{name: known[name] for name in row.needs})
    return Made(tx, tx.rule, _recorded_rate)


def _recorded_rate(state: Any, step: jax.Array) -> jax.Array:
    del step
    return optax.tree.get(state, "hyperparams").learning_rate.astype(jnp.float32)


def _check_options(c: Optimizer) -> None:
    for name in ("clip_norm", "clip_value"):
        value = getattr(c, name)
        if value is not None and not value > 0:
            raise ValueError(f"{flag(name)} {value}: expected a number > 0.")
    if c.optimizer == "rmsprop":
        return
    plain = Optimizer()
    for name in [*_RMSPROP, *_SHARED]:
        if name in _TAKES[c.optimizer] or getattr(c, name) == getattr(plain, name):
            continue
        takers = [
            o for o, names in {"rmsprop": [name], **_TAKES}.items() if name in names
        ]
        raise ValueError(
            f"{flag(name)}: {c.optimizer} has none; it is for "
            f"--optimizer {' or '.join(takers)}."
        )
    if c.weight_decay_form == "corrected":
        raise ValueError("--weight-decay-form corrected: it is for rmsprop.")


def _matrices(params: Any) -> Any:
    return jax.tree.map(lambda p: jnp.ndim(p) >= 2, params)


def _learning_rate_factor(config: Config, pace: Pace) -> schedules.Factor:
    s = config.schedule
    warmup = pace.steps(s.warmup) if s.warmup else 0
    every = pace.steps(s.drop_every or pace.epochs / 3)
    factor = {
        "step": schedules.stairs(s.drop_factor, every),
        "exponential": schedules.exponential(s.drop_factor, every),
        "cosine": schedules.cosine(s.final_fraction, warmup, pace.total_steps),
    }.get(s.schedule or "constant", schedules.constant)
    return schedules.warmed_up(factor, warmup)


def _decay(config: Config, pace: Pace) -> Callable[[jax.Array], jax.Array]:
    """ρ by the step: 1 − ρ goes from that of `decay` to that of `final_decay`."""
    c, s = config.optimizer, config.schedule
    start = 1 - (
        rj.DIALECTS[c.dialect or "optax"].decay if c.decay is None else c.decay
    )
    share = (1 - (s.final_decay or 0)) / start
    end = pace.total_steps
    every = pace.steps(s.drop_every or pace.epochs / 3)
    drops = max(1, -(-end // every) - 1)
    factor = {
        "step": schedules.stairs(share ** (1 / drops), every),
        "exponential": schedules.exponential(share, end),
        "cosine": schedules.cosine(share, 0, end),
    }[s.decay_schedule]
    return lambda step: 1 - start * factor(step)
