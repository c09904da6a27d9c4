"""Hyperparameters of another framework's run, as arguments of `rmsprop`, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.dialects import DIALECTS, Dialect
from rmsprop_jax.interop.memory import Memory
from rmsprop_jax.rule import Rule
from rmsprop_jax.state import RMSPropState
from rmsprop_jax.transform import rmsprop


@dataclass(frozen=True)
class Group:
    """Parameters that share their hyperparameters.

    Attributes:
        options: Arguments of `rmsprop`, "dialect" and "learning_rate" among them.
        paths: Our leaves, such as "conv/kernel".

    Example:
        >>> Group({"learning_rate": 0.1, "dialect": "torch"}, ("w",)).decay
        0.99
    """

    options: dict[str, Any]
    paths: tuple[str, ...]

    @property
    def rule(self) -> Rule:
        """The rule that they follow."""
        return rmsprop(**self.options).rule

    @property
    def slots(self) -> dict[str, bool]:
        """Which slots each of them has, once it had a gradient."""
        state = rmsprop(**self.options).init(jnp.zeros([]))
        return {name: getattr(state, name) is not None for name in Memory._fields}

    @property
    def told(self) -> str:
        """The options, for an error."""
        numbers = {k: v for k, v in self.options.items() if isinstance(v, (int, float))}
        return ", ".join(f"{k}={v!r}" for k, v in numbers.items())

    @property
    def decay(self) -> float:
        """Their ρ."""
        if self.options.get("decay") is not None:
            return self.options["decay"]
        dialect = self.options.get("dialect", "optax")
        return (dialect if isinstance(dialect, Dialect) else DIALECTS[dialect]).decay


def options_of(state: RMSPropState, rule: Rule) -> dict[str, Any]:
    """The arguments of `rmsprop` that a state would start from."""
    h: dict[str, Any] = {
        name: None if x is None else number(x)
        for name, x in state.hyperparams._asdict().items()
    }
    if h["learning_rate"] is None:
        raise ValueError(
            "learning_rate: expected an rmsprop, got the state of scale_by_rms; what "
            "stands behind it in the chain is not known here."
        )
    options = {
        "learning_rate": h["learning_rate"],
        "decay": 1 - h["one_minus_decay"],
        "eps": h["eps"],
        "momentum": False if h["momentum"] is None else h["momentum"],
        "weight_decay": False if h["weight_decay"] is None else h["weight_decay"],
        "variance_floor": h["variance_floor"],
    }
    own = Dialect(rule, None, options["decay"], options["eps"], names={}, source="")
    return {"dialect": own, **options}


def number(x: Any) -> float:
    """The shortest decimal that means the same: 0.1, not 0.10000000149."""
    (x,) = jax.tree.leaves(x)
    if jnp.shape(x):
        raise ValueError(f"state: expected one, got a batch of shape {jnp.shape(x)}.")
    return float(str(np.asarray(x)[()]))


def check_slots(slots: Mapping[str, Any], group: Group, path: str) -> None:
    """Refuse a state that keeps a slot more, or less, than the source."""
    for name, there in group.slots.items():
        if there != (name in slots):
            momentum = group.options.get("momentum") if there else False
            option = f"momentum={momentum}" if name == "trace" else f"centered={there}"
            raise ValueError(
                f"{path}: the source keeps {'a' if there else 'no'} {name}, and `into` "
                f"{'none' if there else 'does'}. Build its tx with {option}, or load "
                "without into= and take the state over with convert_state."
            )


def current_rate(learning_rate: Any, index: int, groups: Sequence[Group]) -> float:
    """The learning rate that converts the trace of one group."""
    rates = list(learning_rate) if np.ndim(learning_rate) else [learning_rate]
    rates = rates * len(groups) if len(rates) == 1 else rates
    if len(rates) != len(groups) or not all(x is not None and x > 0 for x in rates):
        raise ValueError(
            f"learning_rate={learning_rate!r}: expected the source's current one, a "
            f"number > 0, or {len(groups)} of them, one per group: one side's trace is "
            "of α u and the other's of u. The conversion is exact as long as the rate "
            "has been constant for some 1 / (1 − β) steps. Or build into's tx with "
            f"lr_placement={groups[index].rule.lr_placement!r}."
        )
    return float(rates[index])
