"""Whether another framework's optimizer would go on as ours does."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from rmsprop_jax.interop.group import Group
from rmsprop_jax.rule import Slots, eps_is_inside

# Half of the frameworks keep hyperparameters in float32.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


def check_agreement(ours: Sequence[Group], theirs: Sequence[Group]) -> None:
    """Refuse a difference in anything but the learning rate.

    Args:
        ours: Groups of our state.
        theirs: Those of the optimizer that shall take it over.

    Raises:
        ValueError: If a leaf is in one of them only, or steps differently.
    """
    here = {path: group for group in ours for path in group.paths}
    there = {path: group for group in theirs for path in group.paths}
    if set(here) != set(there):
        raise ValueError(
            f"{sorted(set(here) ^ set(there))}: expected in both, our state and their "
            "optimizer; one of them does not train it."
        )
    seen = set()
    for path, group in here.items():
        pair = id(group), id(there[path])
        if pair in seen:
            continue
        seen.add(pair)
        got, wanted = _manner(group), _manner(there[path])
        for name, value in wanted.items():
            if got[name] != value and not (
                isinstance(value, float)
                and np.isclose(got[name], value, rtol=_ROUNDING, atol=0)
            ):
                raise ValueError(
                    f"{path}: {name} is {got[name]!r} in our state and {value!r} in "
                    "the optimizer that shall go on with it. Expected the same; make "
                    "that optimizer so."
                )


def _manner(group: Group) -> dict[str, Any]:
    """All that makes a step what it is, the learning rate excepted."""
    rule, kept, options = group.rule, group.slots, group.options
    nu = jnp.zeros([])
    slots = Slots(nu, nu if kept["mu"] else None, nu if kept["trace"] else None)
    decays = options.get("weight_decay") or False
    return {
        "centered": kept["mu"],
        "momentum": float(options["momentum"]) if kept["trace"] else False,
        "lr_placement": rule.lr_placement if kept["trace"] else "anywhere",
        "eps_placement": "inside" if eps_is_inside(rule, slots) else "outside",
        "eps": float(options["eps"]),
        "decay": float(options["decay"]),
        "weight_decay": decays,
        "weight_decay_form": rule.weight_decay_form if decays else "none",
        "bias_correction": rule.bias_correction,
        "nesterov": rule.nesterov,
        "cautious": rule.cautious,
        "moment": rule.moment,
        "variance_floor": options.get("variance_floor"),
    }
