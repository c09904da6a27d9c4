"""A small training to choose hyperparameters for: digits, told apart by an mlp."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.sweeping import Table
from rmsprop_jax.train.data import digits

BATCH, HIDDEN, HELD_OUT = 32, 32, 240
_NEAR = 1.5


class Problem(NamedTuple):
    """What `training_run` and `range_test` take.

    Attributes:
        loss: (params, batch) → a scalar.
        params: Key → the parameters to start from.
        batches: (step, key) → a batch, drawn from all digits to learn from.
        validation: Params → `loss` on digits held out, and `test_error`, in per cent,
            on those that nothing may be chosen by.
    """

    loss: Callable[[Any, Any], Any]
    params: Callable[[jax.Array], Any]
    batches: Callable[[Any, jax.Array], Any]
    validation: Callable[[Any], dict[str, Any]]


def problem() -> Problem:
    """The 1,797 digits of scikit-learn: 1,197 to learn from, 240 to choose by.

    Example:
        >>> loss, params, batches, validation = problem()
        >>> start = params(jax.random.key(0))
        >>> sorted(validation(start)), batches(0, jax.random.key(0))[0].shape
        (['loss', 'test_error'], (32, 64))
    """
    data = digits.load()
    (x, y), test = _rows(data.train), _rows(data.test)
    learned, held_out = (x[:-HELD_OUT], y[:-HELD_OUT]), (x[-HELD_OUT:], y[-HELD_OUT:])
    count = len(learned[1])

    def params(key):
        first, second = jax.random.split(key)
        return {
            "first": jax.random.normal(first, (64, HIDDEN)) * np.float32(64**-0.5),
            "second": jax.random.normal(second, (HIDDEN, 10))
            * np.float32(HIDDEN**-0.5),
            "bias": jnp.zeros(HIDDEN),
        }

    def batches(step, key):
        chosen = jax.random.randint(jax.random.fold_in(key, step), [BATCH], 0, count)
        return tuple(jnp.asarray(part)[chosen] for part in learned)

    def validation(params):
        wrong = scores(params, test[0]).argmax(1) != test[1]
        return {"loss": loss(params, held_out), "test_error": 100 * wrong.mean()}

    return Problem(loss, params, batches, validation)


def judged(
    run: Callable[..., Any],
    chosen: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
) -> dict[str, np.ndarray]:
    """Name of a choice → its `test_error` by each of the seeds.

    Args:
        run: What was swept.
        chosen: Name → hyperparameters.
        seeds: Such as no search has used.
    """

    @jax.jit
    def errors(numbers):
        keys = jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))
        return jax.vmap(lambda key: run(numbers, key)["test_error"])(keys)

    return {
        name: np.asarray(errors({k: jnp.float32(x) for k, x in numbers.items()}))
        for name, numbers in chosen.items()
    }


def value_at(table: Table, hyperparameters: Mapping[str, Any]) -> float:
    """The metric at a point of a sweep, the mean over its seeds.

    Raises:
        ValueError: If it was not tried.
    """
    for point in table.points():
        if dict(point.hyperparameters) == dict(hyperparameters):
            return point.value
    raise ValueError(
        f"hyperparameters={dict(hyperparameters)}: expected a point of the sweep."
    )


def best_with(table: Table, decay: float) -> Mapping[str, Any]:
    """The best of the points with that decay."""
    points = [p for p in table.points() if p.hyperparameters["decay"] == decay]
    return min(points, key=lambda point: point.value).hyperparameters


def losses(table: Table) -> str:
    """The best of a sweep over learning rates, and how many came near, in words."""
    values = [point.value for point in table.points()]
    near = sum(value < _NEAR * min(values) for value in values)
    return (
        f"the best of {len(values)} {chosen(table)}; {near} within {_NEAR:g} times that"
    )


def chosen(table: Table) -> str:
    """What a search found best, in words."""
    best = table.best()
    return f"has loss {best.value:.3f} at {written(best.hyperparameters)}"


def written(hyperparameters: Mapping[str, Any]) -> str:
    """Learning rate and decay, in words.

    >>> written({"learning_rate": 0.1 / 3, "decay": 0.99})
    'α = 0.033, 1 − ρ = 0.01'
    """
    said = f"α = {hyperparameters['learning_rate']:.2g}"
    if "decay" in hyperparameters:
        said += f", 1 − ρ = {1 - hyperparameters['decay']:.2g}"
    return said


def steps_of(table: Table) -> int:
    """How many steps all trials of a search made together."""
    return sum(row["steps"] for row in table.rows)


def scores(params: Any, x: Any) -> jax.Array:
    """One layer of rectified units, and ten numbers."""
    hidden = jax.nn.relu(x @ params["first"] + params["bias"][None])
    return hidden @ params["second"]


def loss(params: Any, batch: Any) -> jax.Array:
    """Mean cross-entropy."""
    x, labels = batch
    return optax.softmax_cross_entropy_with_integer_labels(
        scores(params, x), labels
    ).mean()


def _rows(part):
    images = part["image"].reshape(len(part["label"]), -1)
    return images.astype(np.float32) / 255 - np.float32(0.3), part["label"]
