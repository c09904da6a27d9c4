"""`hypergradient`: how the result of a training changes with its hyperparameters."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.sweeping.metrics import (
    agreed_metric,
    check_metrics,
    check_read,
    named,
    traced,
)
from rmsprop_jax.sweeping.numbers import whole_seed
from rmsprop_jax.sweeping.space import LIVE, Range, is_traced
from rmsprop_jax.sweeping.training import check_stretchable
from rmsprop_jax.sweeping.trials import SEED, check_names

Direction = Literal["reverse", "forward"]
Numbers = dict[str, jax.Array]


def hypergradient(
    run: Any,
    hyperparameters: Mapping[str, Any],
    *,
    seed: int = 0,
    metric: str | None = None,
    direction: Direction = "reverse",
) -> tuple[jax.Array, Numbers]:
    """A metric of a run, and its derivative by every hyperparameter that is a number.

        ∂ metric / ∂x                          for every number x

    The run is unrolled: exact, initialisation and trace included. `"reverse"` costs
    about three runs, however many hyperparameters, and the memory of 2 √steps states:
    every √steps-th is kept, and what is between is computed again. `"forward"`
    carries a derivative for each hyperparameter along: for a handful, no memory
    beyond that.

    Long trainings at learning rates that make them chaotic have derivatives that are
    right and of no use.

    Args:
        run: What `training_run` makes, with `validation` if the derivative shall be of
            a validation loss. `"forward"` takes any function that `sweep` takes, but
            none with a gradient of its own (`jax.custom_vjp`).
        hyperparameters: Name → a value; those that are no numbers are left as they are.
        seed: Of the run's key.
        metric: Which number, by default the only one, or `"loss"`.
        direction: `"reverse"` or `"forward"`.

    Returns:
        The metric, and a dict of its derivatives.

    Raises:
        TypeError: If the run is no function, or cannot be cut.
        ValueError: If a name is no hyperparameter of the run, a value is out of range,
            or there is no such metric.

    Example:
        >>> import jax.numpy as jnp
        >>> from rmsprop_jax import training_run
        >>> run = training_run(
        ...     lambda w, x: 0.5 * (w - x) ** 2, 1.0, jnp.zeros(4),
        ...     validation=lambda w: w,
        ... )
        >>> value, slopes = hypergradient(run, {"learning_rate": 0.01})
        >>> bool(slopes["learning_rate"] < 0)  # Larger steps end nearer to 0.
        True
    """
    seed = whole_seed(seed)
    function, numbers = derivative(
        run, hyperparameters, metric=metric, direction=direction
    )
    return jax.jit(function)(numbers, jnp.uint32(seed))


def derivative(
    run: Any,
    hyperparameters: Mapping[str, Any],
    *,
    metric: str | None,
    direction: Direction,
) -> tuple[Callable[..., tuple[jax.Array, Numbers]], Numbers]:
    """The function (numbers, seed) → (value, derivatives), and its first argument."""
    if direction not in get_args(Direction):
        raise ValueError(f"direction={direction!r}: expected 'reverse' or 'forward'.")
    if direction == "reverse" or not callable(run):
        check_stretchable(run, "direction='forward' takes any function")
    check_names(run, tuple(hyperparameters))
    numbers = {
        name: jnp.asarray(value, jnp.result_type(float))
        for name, value in hyperparameters.items()
        if isinstance(value, jax.Array) or is_traced(name, value, ())
    }
    for name, value in hyperparameters.items():
        if isinstance(value, (Range, list)):
            raise TypeError(
                f"{name}={value!r:.60}: expected one value; sweep tries many."
            )
    if not numbers:
        raise ValueError(
            f"hyperparameters={dict(hyperparameters)!r}: expected at least one number."
        )
    for name, value in numbers.items():
        if name in LIVE:
            hp.check(name, value)
    fixed = {n: v for n, v in hyperparameters.items() if n not in numbers}

    def metrics(numbers, seed):
        key = jax.random.key(seed)
        if direction == "forward" and callable(run):
            return run({**fixed, **numbers}, key)
        return _in_segments(run, {**fixed, **numbers}, key)

    trace = jax.make_jaxpr(metrics, return_shape=True)
    names = tuple(hyperparameters)
    closed, shape = traced(lambda: trace(numbers, SEED), names)
    check_metrics(shape, names)
    check_read(numbers, (closed.jaxpr, 0))
    chosen = agreed_metric(metric, [shape])

    def value_twice(numbers, seed):
        value = named(metrics(numbers, seed))[chosen]
        return value, value

    differentiate = jax.jacrev if direction == "reverse" else jax.jacfwd

    def value_and_slopes(numbers, seed):
        slopes, value = differentiate(value_twice, has_aux=True)(numbers, seed)
        return value, slopes

    return value_and_slopes, numbers


def _in_segments(run: Any, hyperparameters: dict[str, Any], key: jax.Array) -> Any:
    """The metrics of a run whose backward pass keeps √steps states, and as many more.

    All segments have the same length but the last, which may be shorter.
    """
    length = math.isqrt(run.steps - 1) + 1
    whole, last = (run.steps - 1) // length, (run.steps - 1) % length + 1

    @jax.checkpoint
    def segment(carry, start):
        return run.advance(hyperparameters, carry, start, length)[0], None

    @jax.checkpoint
    def end(carry):
        return run.advance(hyperparameters, carry, whole * length, last)[1]

    carry = run.init(hyperparameters, key)
    carry, _ = jax.lax.scan(segment, carry, length * jnp.arange(whole, dtype=jnp.int32))
    return end(carry)
