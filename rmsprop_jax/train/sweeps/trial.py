"""A training of a task as a run that can be swept, stopped and continued."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import rmsprop_jax as rj
from rmsprop_jax.hyperparams import RANGES
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.loop import Loop, TrainState
from rmsprop_jax.train.optimizers import Pace
from rmsprop_jax.train.tasks.task import Task
from rmsprop_jax.train.training import Arrays, loop_of

# Live numbers replace these; they are here so that there is a place for each.
_PLACES = {"decay": 0.9, "eps": 1e-8, "momentum": 0.9, "weight_decay": 1e-4}


class _Carry(NamedTuple):
    """Between two stretches."""

    state: TrainState
    seed: jax.Array


@dataclass(frozen=True, eq=False)
class TaskRun:
    """The training that `rmsprop-jax train` would make, as `halving` takes it.

    Same initial weights, order of the data and random draws for the same seed. After
    every `every` steps it is judged on the held-out examples: the metrics are those
    of the last time, the curves those of all.

    Attributes:
        config: What all trials have in common.
        task: The task.
        pace: The steps of a whole run.
        data: What `placed` returns.
        seeds: Which there are.
        orders: What `orders` returns for them.
        every: Steps between two judgements.
        count: How many judgements; steps past the whole run change nothing.
        tick: Called after each.
    """

    config: Config
    task: Task
    pace: Pace
    data: Mapping[str, Mapping[str, jax.Array]]
    seeds: tuple[int, ...]
    orders: jax.Array
    every: int
    count: int
    tick: Any

    @property
    def steps(self) -> int:
        """How many steps it has in all, in whole judgements."""
        return self.every * self.count

    def init(self, hyperparameters: dict[str, Any], key: jax.Array) -> _Carry:
        """What there is before the first step."""
        seed = jax.random.key_data(key)[-1]  # Of `jax.random.key(seed)`.
        numbers = {k: v for k, v in hyperparameters.items() if k in _PLACES}
        loop = self._loop(hyperparameters)
        state = loop.init(seed, hyperparameters["learning_rate"])
        if numbers:
            opt_state = rj.set_hyperparams(state.opt_state, **numbers)
            state = state._replace(opt_state=opt_state)
        return _Carry(state, seed)

    def advance(
        self, hyperparameters: dict[str, Any], carry: _Carry, start: Any, steps: int
    ) -> tuple[_Carry, dict[str, jax.Array]]:
        """Train so many steps, whole multiples of `every`."""
        data, (state, seed) = self.data, carry
        loop = self._loop(hyperparameters)
        order = self.orders[jnp.argmax(jnp.asarray(self.seeds, jnp.uint32) == seed)]

        def judged(state, i):
            stop = jnp.minimum(start + self.every * (i + 1), self.pace.total_steps)
            state = loop.advance(state, stop, order, data["train"], seed)
            held_out = loop.evaluate(state, data["validation"])
            learned = {f"train/{k}": v / w for k, (v, w) in state.row.items()}
            totals = held_out.totals.items()
            learned |= {f"validation/{k}": v / w for k, (v, w) in totals}
            jax.debug.callback(self.tick, state.step)
            return state, learned

        count = jnp.arange(steps // self.every, dtype=jnp.int32)
        state, curves = jax.lax.scan(judged, state, count)
        last = {name: curve[-1] for name, curve in curves.items()}
        curves = {f"curve/{name}": curve for name, curve in curves.items()}
        return _Carry(state, seed), last | curves

    def __call__(
        self, hyperparameters: dict[str, Any], key: jax.Array
    ) -> dict[str, jax.Array]:
        """The metrics of a whole run."""
        carry = self.init(hyperparameters, key)
        return self.advance(hyperparameters, carry, jnp.int32(0), self.steps)[1]

    def _loop(self, hyperparameters: Mapping[str, Any]) -> Loop:
        """The trainer's, for which the whole run is one epoch, in one order."""
        config = configured(self.config, hyperparameters)
        return dataclasses.replace(
            loop_of(config, self.task, self.pace),
            steps_per_epoch=self.pace.total_steps,
            log_every=self.every,
        )


def placed(data: Mapping[str, Arrays]) -> dict[str, Any]:
    """What a run takes of the data, where it computes."""
    parts = {name: dict(data[name]) for name in ("train", "validation")}
    return jax.tree.map(jnp.asarray, parts)


def orders(data: Mapping[str, Arrays], pace: Pace, seeds: Sequence[int]) -> jax.Array:
    """For each seed, the order of the training data over the whole run."""
    total = len(next(iter(data["train"].values())))
    used = pace.steps_per_epoch * pace.batch_size
    rows = [
        np.random.default_rng([seed, epoch]).permutation(total)[:used]
        for seed in seeds
        for epoch in range(pace.epochs)
    ]
    return jnp.asarray(np.stack(rows).astype(np.int32).reshape(len(seeds), -1))


def configured(config: Config, hyperparameters: Mapping[str, Any]) -> Config:
    """A run whose optimizer has a place for each of the numbers."""
    words = {k: v for k, v in hyperparameters.items() if k not in RANGES}
    places = {k: _PLACES[k] for k in hyperparameters if k in _PLACES}
    return options.replace(config, **words, **places)
