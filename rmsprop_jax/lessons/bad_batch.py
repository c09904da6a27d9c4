"""A recurrent network in training, and one gradient that is far too long."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import rmsprop_jax as rj
from rmsprop_jax.train import models
from rmsprop_jax.train.data.dataset import Arrays
from rmsprop_jax.train.recurrent import Sequence

BATCH, HIDDEN = 32, 64


class Course(NamedTuple):
    """What happened at each step.

    Attributes:
        losses: Loss of the batch.
        norms: Length of the gradient, after the accident and before it is clipped.
        rates: The median of α/√ν; NaN where nothing divides by √ν.
    """

    losses: np.ndarray
    norms: np.ndarray
    rates: np.ndarray


def training(
    data: Arrays, steps: int, at: int, factor: float = 1000.0
) -> Callable[..., Course]:
    """Transformation, and a longest gradient or none → its training of an LSTM.

    First parameters and batches are the same for every transformation, and so is the
    accident: the gradient of one step is multiplied.

    Args:
        data: `frames`, `length` and `label`, as the trainer's spoken digits.
        steps: How many batches of 32.
        at: The step of the accident.
        factor: By how much.

    Raises:
        ValueError: If the accident is not among the steps.
    """
    from flax import nnx

    if not 0 <= at < steps:
        raise ValueError(f"at={at}: expected one of the {steps} steps, from 0.")
    batches = _batches(data, steps)
    shape = batches[0]["frames"].shape[1:]
    model = models.build("lstm", shape, 10, hidden=HIDDEN, rngs=nnx.Rngs(0, dropout=0))
    model.eval()
    graph, params, rest = nnx.split(model, nnx.Param, ...)

    @jax.jit
    @jax.value_and_grad
    def slope(params, batch):
        merged: Any = nnx.merge(graph, params, rest)
        scores = merged(Sequence(batch["frames"], batch["length"]))
        losses = optax.softmax_cross_entropy_with_integer_labels
        return losses(scores, batch["label"]).mean()

    def trained(tx, clip=None):
        clipping = optax.identity() if clip is None else optax.clip_by_global_norm(clip)
        chain = optax.chain(clipping, tx)

        @jax.jit
        def step(params, state, grads, times):
            grads = jax.tree.map(lambda g: times * g, grads)
            updates, state = chain.update(grads, state, params)
            said = optax.tree.norm(grads), _rate(tx, state)
            return optax.apply_updates(params, updates), state, said

        now, state, rows = params, chain.init(params), []
        for number, batch in enumerate(batches):
            loss, grads = slope(now, batch)
            times = np.float32(factor if number == at else 1)
            now, state, said = step(now, state, grads, times)
            rows.append((loss, *said))
        return Course(*np.array(rows).T)

    return trained


def _batches(data, steps):
    # To where nine of ten have ended; the others lose their end.
    longest = int(np.percentile(data["length"], 90))
    whole = {
        "frames": data["frames"][:, :longest].astype(np.float32),
        "length": np.minimum(data["length"], longest),
        "label": data["label"],
    }
    order = np.random.default_rng(0).integers(len(data["label"]), size=(steps, BATCH))
    return [{name: x[chosen] for name, x in whole.items()} for chosen in order]


def recovery(factor: float, decay: float) -> float:
    """Steps until a gradient so many times too long is forgotten.

    It adds (1 − ρ) K² times the usual to ν, and each step leaves ρ of that.

    Example:
        >>> round(recovery(1000, 0.99))
        916
    """
    return np.log((1 - decay) * factor**2) / -np.log(decay)


def _rate(tx, state):
    if not hasattr(tx, "rule"):
        return jnp.float32(jnp.nan)
    return rj.metrics(state, tx.rule)["effective_learning_rate/q50"]
