"""What a run computes: the first state, a step, an evaluation.

All that is random is drawn from (seed, step), and the data's order is handed in: the
state after step t depends neither on the length of the chunks nor on interruptions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax.train.optimizers import Made, diagnostics
from rmsprop_jax.train.tasks.task import Answers, Augment, Batch, Measures, Task
from rmsprop_jax.train.totals import Totals, plus, zero

EVALUATION_BATCH = 500


class TrainState(NamedTuple):
    """All that a run goes on from.

    Attributes:
        step: Updates made.
        params: The parameters.
        stats: The running statistics of batch normalization.
        opt_state: The optimizer's state.
        average: A running average of `params` and `stats`, or `None`.
        peak: The learning rate at its peak, which a plateau lowers.
        learning_rate: That of the latest step.
        row: Totals since the last row of metrics.
        epoch: Totals since the epoch began.
        nonfinite: Steps since the last row whose loss was not finite.
    """

    step: jax.Array
    params: Any
    stats: Any
    opt_state: Any
    average: Any
    peak: jax.Array
    learning_rate: jax.Array
    row: Totals
    epoch: Totals
    nonfinite: jax.Array


class Evaluation(NamedTuple):
    """Totals over all examples, each one's answer, and what the optimizer says."""

    totals: Totals
    answers: Answers
    diagnostics: dict[str, jax.Array]


@dataclass(frozen=True)
class Loop:
    """A run's computation: pure functions of arrays, to be compiled.

    Attributes:
        task: The task.
        model: Makes the model out of its random streams.
        optimizer: Makes the optimizer out of a learning rate.
        batch_size: Examples a step.
        steps_per_epoch: Steps an epoch.
        log_every: Steps a row of metrics.
        accumulate: Parts in which a batch's gradient is computed.
        ema: Decay of the running average of the weights; 0 for none.
        label_smoothing: See `Task.losses`.
        augment: Key, what the model would see → what it sees in training; or `None`.
        skip_nonfinite: Whether totals leave out losses that are not finite.
    """

    task: Task
    model: Callable[..., nnx.Module]
    optimizer: Callable[[Any], Made]
    batch_size: int
    steps_per_epoch: int
    log_every: int = 100
    accumulate: int = 1
    ema: float = 0.0
    label_smoothing: float = 0.0
    augment: Augment | None = None
    skip_nonfinite: bool = False

    def init(self, seed: jax.Array, learning_rate: jax.Array) -> TrainState:
        """The state before the first step."""
        model = self.model(rngs=nnx.Rngs(_keys(seed)[0]))
        params, stats = _pure(model, nnx.Param), _pure(model, nnx.BatchStat)
        totals = {name: (jnp.float32(0), jnp.float32(0)) for name in self.task.reported}
        return TrainState(
            step=jnp.int32(0),
            params=params,
            stats=stats,
            opt_state=self.optimizer(learning_rate).transformation.init(params),
            average=(params, stats) if self.ema else None,
            peak=learning_rate,
            learning_rate=jnp.float32(0),
            row=totals,
            epoch=totals,
            nonfinite=jnp.int32(0),
        )

    def advance(
        self,
        state: TrainState,
        stop: jax.Array,
        order: jax.Array,
        data: Batch,
        seed: jax.Array,
        *,
        shardings: TrainState | None = None,
    ) -> TrainState:
        """Train until step `stop`, on the examples in this epoch's `order`.

        Without `shardings` it computes where its arguments are.
        """

        def step(state):
            first = state.step % self.steps_per_epoch * self.batch_size
            chosen = jax.lax.dynamic_slice(order, [first], [self.batch_size])
            chosen = _placed(chosen, _spread(shardings))
            batch = {name: x[chosen] for name, x in data.items()}
            return self.follow(state, batch, seed, shardings=shardings)

        return jax.lax.while_loop(lambda state: state.step < stop, step, state)

    def follow(
        self,
        state: TrainState,
        batch: Batch,
        seed: jax.Array,
        *,
        shardings: TrainState | None = None,
    ) -> TrainState:
        """Train on one batch."""
        key = jax.random.fold_in(_keys(seed)[1], state.step)
        # Left to itself, XLA would spread the parameters as the state is.
        return _placed(self._step(state, batch, key), shardings)

    def evaluate(
        self, state: TrainState, data: Batch, *, shardings: TrainState | None = None
    ) -> Evaluation:
        """Judge every example of `data`, by the averaged weights where there are."""
        count = next(iter(data.values())).shape[0]
        spread = _spread(shardings)
        devices = 1 if spread is None else spread.mesh.size
        size = -(-min(EVALUATION_BATCH, count) // devices) * devices

        def part(totals, first):
            at = _placed(first + jnp.arange(size), spread)
            batch = {name: x[jnp.minimum(at, count - 1)] for name, x in data.items()}
            counted = (at < count).astype(jnp.float32)
            added, answers = self.judge(state, batch, counted)
            return plus(totals, added), answers

        none = zero(state.epoch)
        totals, answers = jax.lax.scan(part, none, jnp.arange(0, count, size))
        answers = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:count], answers)
        return Evaluation(totals, answers, self.diagnostics(state))

    def judge(
        self, state: TrainState, batch: Batch, counted: jax.Array
    ) -> tuple[Measures, Answers]:
        """Judge one batch, of which only those examples count that are 1, not 0."""
        params, stats = state.average or (state.params, state.stats)
        outputs, _ = self._outputs(params, stats, self.task.inputs(batch), None)
        measures = self.task.measures(outputs, batch)
        measures = {k: (v * counted, w * counted) for k, (v, w) in measures.items()}
        return measures, self.task.answers(outputs)

    def diagnostics(self, state: TrainState) -> dict[str, jax.Array]:
        """What the optimizer says of itself."""
        return diagnostics(self.optimizer(state.peak).rule, state.opt_state)

    def _step(self, state: TrainState, batch: Batch, key: jax.Array) -> TrainState:
        loss, measures, grads, stats = self._gradient(state, batch, key)
        made = self.optimizer(state.peak)
        updates, opt_state = made.transformation.update(
            grads, state.opt_state, state.params
        )
        params = optax.apply_updates(state.params, updates)
        finite = jnp.isfinite(loss)
        if self.skip_nonfinite:
            stats = _where(finite, stats, state.stats)
            measures = {
                name: (jnp.where(finite, v, 0), jnp.where(finite, w, 0))
                for name, (v, w) in measures.items()
            }
        new_row = state.step % self.log_every == 0
        new_epoch = state.step % self.steps_per_epoch == 0
        return TrainState(
            step=state.step + 1,
            params=params,
            stats=stats,
            opt_state=opt_state,
            average=self._average(state, params, stats),
            peak=state.peak,
            learning_rate=made.learning_rate(opt_state, state.step),
            row=plus(_where(new_row | new_epoch, zero(state.row), state.row), measures),
            epoch=plus(_where(new_epoch, zero(state.epoch), state.epoch), measures),
            nonfinite=jnp.where(new_row | new_epoch, 0, state.nonfinite)
            + (~finite).astype(jnp.int32),
        )

    def _gradient(self, state: TrainState, batch: Batch, key: jax.Array):
        """Loss, measures and gradient of the mean over `batch`, part by part."""

        def loss_of(params, stats, part, key):
            augmentation, dropout = jax.random.split(key)
            x = self.task.inputs(part)
            if self.augment is not None:
                x = self.augment(augmentation, x)
            outputs, stats = self._outputs(params, stats, x, dropout)
            losses = self.task.losses(outputs, part, self.label_smoothing)
            return losses.mean(), (self.task.measures(outputs, part), stats)

        gradient = jax.value_and_grad(loss_of, has_aux=True)
        if self.accumulate == 1:
            (loss, (measures, stats)), grads = gradient(
                state.params, state.stats, batch, key
            )
            return loss, measures, grads, stats

        def add(carry, part):
            loss, measures, grads, stats = carry
            own, key = part
            (its_loss, (its_measures, stats)), its_grads = gradient(
                state.params, stats, own, key
            )
            share = 1 / self.accumulate
            grads = jax.tree.map(lambda a, b: a + share * b, grads, its_grads)
            measures = plus(measures, its_measures)
            return (loss + share * its_loss, measures, grads, stats), None

        # Each part takes every k-th example, so that it lies on all the devices.
        parts = {
            name: x.reshape(-1, self.accumulate, *x.shape[1:]).swapaxes(0, 1)
            for name, x in batch.items()
        }
        start = jnp.float32(0), zero(state.row), zero(state.params), state.stats
        keys = jax.random.split(key, self.accumulate)
        (loss, measures, grads, stats), _ = jax.lax.scan(add, start, (parts, keys))
        return loss, measures, grads, stats

    def _outputs(self, params, stats, x, key: jax.Array | None):
        """The model's outputs and new statistics; a key makes it training."""
        graphdef = nnx.split(nnx.eval_shape(lambda: self.model(rngs=nnx.Rngs(0))))[0]
        model = nnx.merge(graphdef, params, stats)
        if key is None:
            model.eval()
            return model(x), stats
        model.train()
        outputs = model(x, rngs=nnx.Rngs(dropout=key))
        return outputs, _pure(model, nnx.BatchStat)

    def _average(self, state: TrainState, params: Any, stats: Any) -> Any:
        """D a + (1 − d) θ, with d = min(ema, (1 + t) / (10 + t)) after t updates."""
        if not self.ema:
            return None
        t = (state.step + 1).astype(jnp.float32)
        new = 1 - jnp.minimum(self.ema, (1 + t) / (10 + t))
        return jax.tree.map(
            lambda a, p: a + new * (p - a), state.average, (params, stats)
        )


def _keys(seed: jax.Array) -> jax.Array:
    """One key for the initial weights, one for the steps."""
    return jax.random.split(jax.random.key(seed))


def _pure(model: nnx.Module, kind: type[nnx.Variable]) -> Any:
    return nnx.to_pure_dict(nnx.state(model, kind))


def _spread(shardings: TrainState | None) -> NamedSharding | None:
    """How examples lie on the devices of a state."""
    if shardings is None:
        return None
    mesh = cast(NamedSharding, shardings.step).mesh
    return NamedSharding(mesh, PartitionSpec("data"))


def _placed(tree: Any, shardings: Any) -> Any:
    if shardings is None:
        return tree
    return jax.lax.with_sharding_constraint(tree, shardings)


def _where(condition: jax.Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)
