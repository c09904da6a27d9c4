"""`training_run`: a loss, parameters and batches made into a run."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax.sweeping.metrics import named
from rmsprop_jax.sweeping.numbers import whole
from rmsprop_jax.transform import rmsprop

# A single batch's loss is too noisy to compare by.
LATEST = 10

Loss = Callable[[Any, Any], Any]
Make = Callable[..., Any]


class Stretchable(Protocol):
    """A run that can be cut into stretches, and so stopped and continued.

    `training_run` makes one; anything with these three will do.
    """

    @property
    def steps(self) -> int:
        """How many steps it has in all."""
        ...

    @property
    def init(self) -> Callable[[dict[str, Any], jax.Array], Any]:
        """(hyperparameters, key) → what there is before the first step, arrays."""
        ...

    @property
    def advance(self) -> Callable[[dict[str, Any], Any, Any, int], tuple[Any, Any]]:
        """(hyperparameters, carry, start, steps) → the carry then, and the metrics.

        `start`, traced, is the number of steps made before; `steps` a Python number. A
        curve has an entry for each step.
        """
        ...


def check_stretchable(run: Any, otherwise: str) -> None:
    """Refuse a run that cannot be cut.

    Args:
        run: What was given.
        otherwise: What does without.

    Raises:
        TypeError: If it has not what `Stretchable` has.
    """
    if not all(hasattr(run, name) for name in ("init", "advance", "steps")):
        raise TypeError(
            f"run={run!r:.60}: expected one that can be continued, with init, advance "
            f"and steps, such as training_run makes; {otherwise}."
        )


@dataclass(frozen=True)
class TrainingRun:
    """A training that is a function of hyperparameters and key, and can be cut.

    Attributes:
        init: (hyperparameters, key) → what there is before the first step.
        advance: (hyperparameters, carry, start, steps) → the carry then, and the
            metrics.
        steps: How many steps it has in all.
        hyperparameters: The names that it takes, and whether it needs them; `None` is
            any.
    """

    init: Callable[[dict[str, Any], jax.Array], Any]
    advance: Callable[[dict[str, Any], Any, Any, int], tuple[Any, Any]]
    steps: int
    hyperparameters: Mapping[str, bool] | None = field(default=None, hash=False)

    def __call__(self, hyperparameters: dict[str, Any], key: jax.Array) -> Any:
        """The metrics after all steps."""
        carry = self.init(hyperparameters, key)
        return self.advance(hyperparameters, carry, 0, self.steps)[1]


class _Carry(NamedTuple):
    params: Any
    state: Any
    key: jax.Array
    latest: jax.Array  # losses of the last steps, the newest last


def training_run(
    loss: Loss,
    params: Any,
    batches: Any,
    *,
    make: Make = rmsprop,
    steps: int | None = None,
    validation: Callable[[Any], Any] | None = None,
) -> TrainingRun:
    """A training as a run: what `sweep`, `halving`, `hypergradient` and `tune` take.

    Its metrics are `curve`, the loss of every step, and `loss`: the mean of the last
    ten of these, or what `validation` finds at the end.

    Args:
        loss: (params, batch) → a scalar.
        params: The parameters to start from, or a function from the trial's key to
            them.
        batches: A tree of arrays whose first axis is the batches', taken in turn
            and from the start again; or a function (step, key) → batch that can be
            traced, `key` the trial's own.
        make: The hyperparameters, as keyword arguments → an Optax transformation.
        steps: How many; by default as many as there are batches.
        validation: Parameters → a scalar, which is then the `loss`, or a dict of
            scalars.

    Raises:
        TypeError: If something is no function that has to be one.
        ValueError: If `batches` or `steps` are none.

    Example:
        >>> import jax.numpy as jnp
        >>> run = training_run(
        ...     lambda w, x: jnp.sum((w - x) ** 2), jnp.zeros(2), jnp.ones((8, 2))
        ... )
        >>> metrics = run({"learning_rate": 0.1}, jax.random.key(0))
        >>> metrics["curve"].shape, float(metrics["curve"][0])
        ((8,), 2.0)
    """
    check_functions(loss=loss, make=make)
    if validation is not None:
        check_functions(validation=validation)
    batch_of, count = batches_of(batches)
    if steps is None and count is None:
        raise ValueError("steps=None: expected how many, for batches is a function.")
    steps = whole("steps", count if steps is None else steps, 1)

    def init(hyperparameters, key):
        start = params(key) if callable(params) else params
        start = jax.tree.map(strong, start)
        state = built(make, hyperparameters).init(start)
        return _Carry(start, state, key, jnp.zeros(LATEST, jnp.result_type(float)))

    def advance(hyperparameters, carry, start, steps):
        tx = built(make, hyperparameters)

        def step(carry, count):
            batch = batch_of(count, carry.key)
            value, grads = jax.value_and_grad(loss)(carry.params, batch)
            updates, state = tx.update(grads, carry.state, carry.params)
            value = value.astype(carry.latest.dtype)
            return _Carry(
                params=optax.apply_updates(carry.params, updates),
                state=state,
                key=carry.key,
                latest=jnp.append(carry.latest[1:], value),
            ), value

        start = jnp.asarray(start, jnp.int32)
        carry, curve = jax.lax.scan(
            step, carry, start + jnp.arange(steps, dtype=jnp.int32)
        )
        made = jnp.minimum(start + steps, LATEST).astype(carry.latest.dtype)
        ends = {"loss": jnp.sum(carry.latest) / made}
        if validation is not None:
            ends |= named(validation(carry.params))
        if "curve" in ends:
            raise ValueError(
                "validation returned curve: expected another name; it is the losses'."
            )
        return carry, {**ends, "curve": curve}

    return TrainingRun(init, advance, steps, _arguments(make))


def check_functions(**functions: Any) -> None:
    """Refuse what is no function, by its name."""
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"{name}={function!r:.60}: expected a function.")


def built(make: Make, hyperparameters: Mapping[str, Any]) -> Any:
    """What `make` makes of the hyperparameters.

    Raises:
        TypeError: If that is no transformation.
    """
    tx = make(**hyperparameters)
    if not (hasattr(tx, "init") and hasattr(tx, "update")):
        raise TypeError(
            f"make returned {tx!r:.60}: expected an Optax transformation, as rmsprop "
            "returns."
        )
    return optax.with_extra_args_support(tx)


def strong(x: Any) -> jax.Array:
    """`x` as an array whose dtype does not depend on what it meets."""
    return jnp.asarray(x, jnp.result_type(x))


def batches_of(
    batches: Any,
) -> tuple[Callable[[jax.Array, jax.Array], Any], int | None]:
    """The function (step, key) → batch, and how many batches there are, if limited.

    Raises:
        ValueError: If there are none.
    """
    if callable(batches):
        return batches, None
    lengths = {jnp.shape(x)[:1] for x in jax.tree.leaves(batches)}
    if len(lengths) != 1 or not (length := lengths.pop()) or not length[0]:
        raise ValueError(
            "batches: expected a tree of arrays with one first axis, that of the "
            f"batches, got shapes {[jnp.shape(x) for x in jax.tree.leaves(batches)]}."
        )
    batches = jax.tree.map(jnp.asarray, batches)

    def batch_of(step, key):
        del key
        return jax.tree.map(lambda x: x[step % length[0]], batches)

    return batch_of, length[0]


def _arguments(make: Make) -> Mapping[str, bool] | None:
    """The names that `make` takes, and whether it needs them; `None` is any."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name: p.default is p.empty for p in parameters if p.kind in _BY_NAME}


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
