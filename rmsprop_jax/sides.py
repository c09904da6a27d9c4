"""The two sides of a comparison: what was asked for, and a call that computes it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import jax.numpy as jnp

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.arguments import resolve
from rmsprop_jax.dialects import DIALECTS, Dialect
from rmsprop_jax.rule import Hyperparams, Rule, Slots, eps_is_inside
from rmsprop_jax.wording import CHOICES

NUMBERS = [
    "decay" if name == "one_minus_decay" else name for name in Hyperparams._fields
]
RULE = [field.name for field in fields(Rule)]
_ARGUMENTS = [
    name for name in CHOICES if name not in ("float32_hyperparams", "complex_form")
]
_LINE = 84

Values = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: What it is called.
        expression: Python for its dialect.
        row: Its dialect.
        values: What `CHOICES` names, as it is on this side, and `None` where it has
            no effect.
    """

    name: str
    expression: str
    row: Dialect
    values: Values


def sides(one: Any, other: Any, shared: Mapping[str, Any]) -> tuple[Side, Side]:
    """Both sides, as `explain` was asked for them.

    Raises:
        TypeError: If an argument is unknown, or no number where it should be one.
        ValueError: If a dialect is unknown, or refuses an argument.
    """
    asked = [_asked("one", one, shared), _asked("other", other, shared)]
    rates = [arguments["learning_rate"] for *_, arguments in asked]
    known = [rate for rate in rates if rate is not None]
    made = []
    for (name, expression, row, arguments), rate in zip(asked, rates, strict=True):
        if rate is None:
            arguments["learning_rate"] = known[0] if known else 1e-3
        try:
            values = _values(row, arguments)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}: {error}") from None
        made.append(Side(name, expression, row, values))
    return made[0], made[1]


def call(values: Values, other: Side, rounds: bool) -> str:
    """Python that makes of the other side's dialect what has these values.

    Args:
        values: Of the one side.
        other: The other side.
        rounds: Whether the rounding of numbers to float32 is worth a line.
    """
    has = _defaults(other.row, values)
    options = {
        name: False if values[name] is None else values[name]
        for name in _ARGUMENTS
        if values[name] != has[name]
    }
    row = other.row
    changes = []
    if row.momentum_needs_centered and values["momentum"] and not values["centered"]:
        changes.append("momentum_needs_centered=False")
    if any(options.get(name) for name in row.refuses):
        changes.append("refuses={}")
    if rounds:
        names = _python(values["float32_hyperparams"])
        changes.append(f"rule=replace(row.rule, float32_hyperparams={names})")
    dialect, lines = other.expression, []
    if changes:
        whole = f"DIALECTS[{dialect}]" if dialect.startswith('"') else dialect
        lines = ["from dataclasses import replace", f"row = {whole}"]
        lines += [f"row = replace(row, {change})" for change in changes]
        dialect = "row"
    arguments = [_python(values["learning_rate"]), f"dialect={dialect}"]
    arguments += [f"{name}={_python(value)}" for name, value in options.items()]
    line = f"rmsprop({', '.join(arguments)})"
    if len(line) > _LINE:
        line = "\n".join(["rmsprop(", *(f"    {x}," for x in arguments), ")"])
    return "\n".join([*lines, line])


def _asked(place: str, side: Any, shared: Mapping[str, Any]) -> tuple:
    own = dict(side) if isinstance(side, Mapping) else {"dialect": side}
    dialect = own.pop("dialect", "optax")
    if isinstance(dialect, str) and dialect in DIALECTS:
        name, expression, row = dialect, _python(dialect), DIALECTS[dialect]
    elif isinstance(dialect, Dialect):
        name, expression, row = place, place, dialect
    else:
        raise ValueError(
            f"{place}={dialect!r}: expected one of {', '.join(DIALECTS)}, a Dialect, "
            "or a mapping of arguments of rmsprop, dialect among them."
        )
    arguments = {**dict.fromkeys(_ARGUMENTS), **shared, **own}
    for argument, value in arguments.items():
        if argument not in _ARGUMENTS:
            raise TypeError(
                f"{argument}: expected one of {', '.join(_ARGUMENTS)}. What one side "
                'alone has goes there: {"dialect": "optax", "decay": 0.99}.'
            )
        if argument in NUMBERS:
            arguments[argument] = _number(argument, value)
    if arguments["learning_rate"] is None:
        arguments["learning_rate"] = row.learning_rate
    if own:
        told = ", ".join(f"{key}={_python(value)}" for key, value in own.items())
        name = f"{name} ({told})"
    return name, expression, row, arguments


def _number(name: str, value: Any) -> Any:
    if value is None or value is False:
        return value
    if not hp.is_concrete(value) or hp.source(value) == hp.SCHEDULE:
        raise TypeError(
            f"{name}: expected a number, no schedule and nothing traced; two rules run "
            "here at fixed values, but for the learning rate, which falls to a tenth."
        )
    hp.check(name, value)
    return float(value)


def _values(row: Dialect, arguments: Mapping[str, Any]) -> Values:
    numbers = {name: arguments[name] for name in NUMBERS}
    choices = {name: x for name, x in arguments.items() if name not in NUMBERS}
    rule, given = resolve(row, numbers, choices)
    values = {name: getattr(rule, name) for name in RULE} | given
    values["eps_placement"] = _placement(rule, given["momentum"] is not None)
    if values["momentum"] == 0 and not rule.cautious:
        values["momentum"] = None
    for name in ("weight_decay", "variance_floor"):
        values[name] = values[name] or None
    if not (values["weight_decay"] and rule.weight_decay_form == "corrected"):
        values["peak_learning_rate"] = None
    values["float32_hyperparams"] = tuple(
        name for name in rule.float32_hyperparams if values[name] is not None
    )
    return values


def _placement(rule: Rule, has_trace: bool) -> str:
    zero = jnp.zeros([])
    inside = eps_is_inside(rule, Slots(zero, trace=zero if has_trace else None))
    return "inside" if inside else "outside"


def _defaults(row: Dialect, values: Values) -> Values:
    """What the row has by default, beside a learning rate and choices like these."""
    has = dict.fromkeys(_ARGUMENTS) | {name: getattr(row.rule, name) for name in RULE}
    has |= {"decay": row.decay, "eps": row.eps}
    traced = values["momentum"] is not None or row.keeps_trace
    has["eps_placement"] = _placement(row.rule, traced)
    idle = row.momentum_needs_centered and not values["centered"]
    has["momentum"] = None if idle and not values["momentum"] else row.momentum or None
    has["weight_decay"] = row.weight_decay or None
    has["learning_rate"] = values["learning_rate"]
    peak = values["peak_learning_rate"]
    has["peak_learning_rate"] = None if peak is None else values["learning_rate"]
    return has


def _python(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"({', '.join(map(_python, value))}{',' * (len(value) == 1)})"
    return repr(value)
