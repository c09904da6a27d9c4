"""What of an optax state says something about an `optax.rmsprop`, and where it is."""

from typing import Any, NamedTuple

import jax

# By name: optax does not export the two that count, and Adam's has their fields.
_MOMENTS = (
    "ScaleByRmsState",
    "ScaleByRmsWithCountState",
    "ScaleByRStdDevState",
    "ScaleByRStdDevWithCountState",
)
_KINDS = {
    "moments": _MOMENTS,
    "trace": ("TraceState",),
    "schedule": ("ScaleByScheduleState",),
}


class Found(NamedTuple):
    """The parts of an optax state that say something; `None` is what it is without."""

    moments: Any
    trace: Any
    schedule: Any
    injected: dict[str, Any]  # numbers, and the count

    @property
    def corrected(self) -> bool:
        """Whether the moments are to be bias-corrected."""
        return "count" in self.moments._fields

    @property
    def counts(self) -> list[Any]:
        """Every count of steps in the state."""
        held = [part for part in self[:3] if "count" in getattr(part, "_fields", ())]
        injected = [self.injected["count"]] if self.injected else []
        return [part.count for part in held] + injected


def find(state: Any, *, alone: bool) -> Found:
    """The parts of an optax state, if there is one of each, and (alone) no other."""
    parts, others, injected = [], [], {}
    rest = list(jax.tree.leaves_with_path(state, is_leaf=is_part))
    while rest:
        path, part = rest.pop(0)
        if is_injected(part):
            injected |= {"count": part.count, **part.hyperparams}
            scheduled = dict.fromkeys(part.hyperparams_states)
            injected = {k: x for k, x in injected.items() if k not in scheduled}
            inner = jax.tree.leaves_with_path(part.inner_state, is_leaf=is_part)
            rest += [((*path, *more), x) for more, x in inner]
        elif is_part(part):
            parts.append(part)
        else:
            others.append(jax.tree_util.keystr(path))
    found = {
        kind: [part for part in parts if type(part).__name__ in names]
        for kind, names in _KINDS.items()
    }
    if len(found["moments"]) != 1 or any(len(x) > 1 for x in found.values()):
        got = [type(part).__name__ for part in parts]
        raise ValueError(
            f"state: expected the state of one optax.rmsprop, got {got or 'none'} in a "
            f"{type(state).__name__}. Restore a checkpoint into optax.rmsprop(...)."
            "init(params), so that its types come back; of several optimizers, load "
            "the state of each."
        )
    if others and alone:
        raise ValueError(
            f"state: {others} belong to other members of a chain, which stay behind. "
            "Build that chain around rmsprop_jax.rmsprop and pass into=(tx, state)."
        )
    one = {kind: next(iter(parts), None) for kind, parts in found.items()}
    return Found(**one, injected=injected)


def is_injected(x: Any) -> bool:
    """Whether this is the state of optax.inject_hyperparams."""
    return {"hyperparams", "inner_state"} <= set(getattr(x, "_fields", ()))


def is_part(x: Any) -> bool:
    """Whether this says something, as a whole."""
    return is_injected(x) or any(type(x).__name__ in k for k in _KINDS.values())
