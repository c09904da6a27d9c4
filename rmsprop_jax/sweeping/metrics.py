"""What a run may return, and the check that it does."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp

from rmsprop_jax.sweeping.table import Mode
from rmsprop_jax.sweeping.trials import RESERVED

DEFAULT = "loss"


def named(metrics: Any) -> dict[str, Any]:
    """The metrics by name; a run's only number is its `loss`."""
    return dict(metrics) if isinstance(metrics, Mapping) else {DEFAULT: metrics}


def check_metrics(shape: Any, names: Sequence[str]) -> None:
    """Refuse a result that is neither a number nor a dict of numbers and curves.

    Args:
        shape: The result, as shapes and dtypes.
        names: The hyperparameters, beside which the metrics will stand.
    """
    expected = "expected a real scalar, or a dict of such and of 1-d arrays"
    if not isinstance(shape, Mapping) and not hasattr(shape, "shape"):
        raise TypeError(f"run returned a {type(shape).__name__}: {expected}.")
    for name, value in named(shape).items():
        said = f"run returned {name}={value}"
        if not isinstance(name, str):
            raise TypeError(f"run returned the name {name!r}: expected a str.")
        if not hasattr(value, "shape") or jnp.issubdtype(
            value.dtype, jax.dtypes.extended
        ):
            raise TypeError(f"{said}: {expected}.")
        if value.ndim > 1 or jnp.issubdtype(value.dtype, jnp.complexfloating):
            raise TypeError(f"{said}: {expected}. Reduce it in the run.")
        if name in names or name in RESERVED:
            raise ValueError(
                f"{said}: expected another name; the table has a column {name!r}."
            )


def signature(shape: Any) -> list[str]:
    """What tells one run from another on disk: the shapes of what it returns."""
    return [
        f"{jax.tree_util.keystr(path)} {x.dtype.name}{list(x.shape)}"
        for path, x in jax.tree.leaves_with_path(shape)
    ]


def agreed_metric(metric: str | None, shapes: Sequence[Any]) -> str:
    """The metric to compare by, if the runs of all groups return the same ones.

    Args:
        metric: Its name; `None` is the only number there is, or `"loss"`.
        shapes: What each group's run returns, as shapes and dtypes.

    Raises:
        ValueError: If they do not, or if there is no such number.
    """
    first, *others = (sorted(named(shape)) for shape in shapes)
    for other in others:
        if other != first:
            raise ValueError(
                f"run returned {first} for one static choice and {other} for another: "
                "expected the same metrics for all."
            )
    numbers = [name for name, value in named(shapes[0]).items() if not value.ndim]
    if metric is None and len(numbers) == 1:
        return numbers[0]
    chosen = DEFAULT if metric is None else metric
    if chosen not in numbers:
        raise ValueError(
            f"metric={metric!r}: expected a number that the run returns, one of "
            f"{numbers}."
        )
    return chosen


def check_mode(mode: Any) -> None:
    """Refuse what is neither `"min"` nor `"max"`."""
    if mode not in get_args(Mode):
        raise ValueError(f"mode={mode!r}: expected 'min' or 'max'.")


def check_read(numbers: Mapping[str, Any], *programs: tuple[Any, int]) -> None:
    """Refuse hyperparameters that no program reads.

    Args:
        numbers: The traced hyperparameters.
        *programs: Jaxprs that take them, and how many arguments come before them.
    """
    read = set()
    for jaxpr, before in programs:
        used = {id(x) for equation in jaxpr.eqns for x in equation.invars}
        used |= {id(x) for x in jaxpr.outvars}
        ours = jaxpr.invars[before : before + len(numbers)]
        # A dict is flattened in the order of its names.
        pairs = zip(sorted(numbers), ours, strict=True)
        read |= {name for name, argument in pairs if id(argument) in used}
    for name in numbers:
        if name not in read:
            raise ValueError(
                f"{name}: the run does not read hyperparameters[{name!r}]; expected a "
                "name that it does."
            )


def traced(function: Any, names: Sequence[str]) -> Any:
    """`function()`, where a missing hyperparameter is an error that says so."""
    try:
        return function()
    except KeyError as error:
        if error.args and error.args[0] not in names:
            raise ValueError(
                f"{error.args[0]}: the run reads hyperparameters[{error.args[0]!r}], "
                f"and is given {', '.join(names)}. Give it that too."
            ) from error
        raise
