"""An RMSProp between two frameworks, as NumPy arrays; ours takes it over or gives it.

Paths, groups and slots are matched and checked here, before anything is built.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.groups import param_groups
from rmsprop_jax.interop import memory
from rmsprop_jax.interop.group import (
    Group,
    check_slots,
    current_rate,
    number,
    options_of,
)
from rmsprop_jax.interop.memory import Memory
from rmsprop_jax.interop.paths import (
    Rules,
    check_homes,
    decaying_of,
    leaf_path,
    leaves,
    rules_of,
    text,
)
from rmsprop_jax.resting import moments, put_moments_to_rest
from rmsprop_jax.rule import Rule
from rmsprop_jax.state import RMSPropState, find_states, map_states
from rmsprop_jax.transform import rmsprop

__all__ = ["Group", "Snapshot", "extract", "install"]


@dataclass(frozen=True)
class Snapshot:
    """What an RMSProp remembers: arrays by our path, in our layout.

    A path without entries had no gradient yet, or is frozen.

    Attributes:
        groups: Every leaf is in one of them.
        count: Steps made.
        nu: Raw second moment E[g²], not the variance, and not bias-corrected.
        mu: Raw mean gradient; empty if not centered.
        trace: m, growing along −Δ as in torch and Keras; empty without momentum.

    Example:
        >>> group = Group({"learning_rate": 0.1, "dialect": "torch"}, paths=("w",))
        >>> tx, state = install(
        ...     Snapshot((group,), count=7, nu={"w": np.full(2, 4.0, np.float32)}),
        ...     {"w": jnp.zeros(2)},
        ... )
        >>> tx.rule.eps_placement, int(state.count), state.nu
        ('outside', 7, {'w': Array([4., 4.], dtype=float32)})
    """

    groups: tuple[Group, ...]
    count: int
    nu: dict[str, np.ndarray]
    mu: dict[str, np.ndarray] = field(default_factory=dict)
    trace: dict[str, np.ndarray] = field(default_factory=dict)


def install(
    snapshot: Snapshot,
    params: Any,
    *,
    into: tuple[optax.GradientTransformation, Any] | None = None,
    learning_rate: float | Sequence[float] | None = None,
    rule: Rules = None,
) -> tuple[optax.GradientTransformation, Any]:
    """The transformation that continues `snapshot`, and its state.

    One group makes an `rmsprop`, several make `param_groups`. A leaf without entries
    starts as `init` would start it. As "no gradient" means nothing to us, it moves
    from now on: leave out of `params` what shall stay frozen.

    Args:
        snapshot: What to continue.
        params: The parameters it belongs to, in our layout.
        into: `(tx, state)` to put the memory into: slots and `count` come from the
            snapshot, hyperparameters are those of `state`, and the counters of other
            members of a chain stay what they are.
        learning_rate: The source's current learning rate, or one per group; needed
            where `into` traces α u and the source traces u, or the reverse.
        rule: The rule of `into`'s RMSProp (`rmsprop(...).rule`, or `.rules` of
            `param_groups`), if its `tx` is a chain and carries none.

    Raises:
        ValueError: If anything does not fit: paths, shapes, slots, values. Nothing is
            half filled.
        TypeError: If arguments do not belong together.

    Example:
        >>> ours, params = rmsprop(0.1, dialect="torch"), {"w": jnp.zeros(2)}
        >>> snapshot = extract(ours, ours.init(params), params)
        >>> edited = rmsprop(0.5, dialect="torch")
        >>> _, state = install(snapshot, params, into=(edited, edited.init(params)))
        >>> float(state.hyperparams.learning_rate)
        0.5
    """
    _check(snapshot, params)
    if into is None:
        if learning_rate is not None or rule is not None:
            raise TypeError(
                "learning_rate and rule: expected only beside into=, to convert the "
                "trace; set_hyperparams(state, learning_rate=...) changes the rate."
            )
        tx = _transformation(snapshot, params)
        into = tx, tx.init(params)
    tx, state = into
    found = find_states(state)
    rules = rules_of(tx, rule, list(found))
    check_homes(found, snapshot.nu, params)
    new = [
        _filled(one, rules[where], snapshot, learning_rate)
        for where, one in found.items()
    ]
    following = iter(new)
    return tx, map_states(lambda _: next(following), state)


def extract(
    tx: optax.GradientTransformation, state: Any, params: Any, *, rule: Rules = None
) -> Snapshot:
    """What our state remembers, a group for each RMSProp state inside.

    Hyperparameters are those of the latest step. Leaves that no RMSProp holds
    (masked, `set_to_zero`) are in no group.

    Args:
        tx: The transformation that `state` belongs to.
        state: Its state, or one that holds it.
        params: The parameters, or their shapes.
        rule: As for `install`.

    Raises:
        ValueError: If `state` holds no RMSProp, or one for other parameters, or
            several that hold the same leaf, or one without a learning rate.
        TypeError: If there is no rule.

    Example:
        >>> tx, g = rmsprop(0.1, decay=0.75), {"w": jnp.ones(2)}
        >>> extract(tx, tx.update(g, tx.init(g))[1], g).nu
        {'w': array([0.25, 0.25], dtype=float32)}
    """
    found = find_states(state)
    rules = rules_of(tx, rule, list(found))
    check_homes(found, (), params)
    groups, counts, slots = [], [0], {name: {} for name in Memory._fields}
    for where, one in ((where, moments(one)) for where, one in found.items()):
        trees = {
            name: leaves(getattr(one, name))
            for name in slots
            if getattr(one, name) is not None
        }
        options = options_of(one, rules[where])
        counts.append(int(number(one.count)))
        groups += _groups(
            options, decaying_of(tx, where, trees["nu"], params), trees["nu"]
        )
        for path in trees["nu"]:
            kept = Memory(**{name: tree[path] for name, tree in trees.items()})
            raw = memory.raw(
                kept, rule=rules[where], decay=options["decay"], count=counts[-1]
            )
            for name in trees:
                value = np.asarray(getattr(raw, name))
                slots[name][path] = value.astype(getattr(kept, name).dtype)
    return Snapshot(tuple(groups), max(counts), **slots)


def _groups(
    options: dict[str, Any], decaying: Sequence[bool], paths: Iterable[str]
) -> list[Group]:
    """One group, or two where a mask spares some from the weight decay."""
    spared = {**options, "weight_decay": False}
    parts: dict[bool, list[str]] = {True: [], False: []}
    for path, decays in zip(paths, decaying, strict=True):
        parts[bool(decays or not options["weight_decay"])].append(path)
    return [
        Group(options if decays else spared, tuple(those))
        for decays, those in parts.items()
        if those
    ]


def _transformation(
    snapshot: Snapshot, params: Any
) -> optax.GradientTransformationExtraArgs:
    if len(snapshot.groups) == 1:
        return rmsprop(**snapshot.groups[0].options)
    full = {
        leaf_path(path): text(path) for path, _ in jax.tree.leaves_with_path(params)
    }
    return param_groups(
        {
            "^(" + "|".join(re.escape(full[path]) for path in group.paths) + ")$": (
                group.options
            )
            for group in snapshot.groups
            if group.paths
        }
    )


def _check(snapshot: Snapshot, params: Any) -> None:
    """Groups and leaves cover each other, and every memory is whole and sound."""
    grouped = [path for group in snapshot.groups for path in group.paths]
    twice = sorted({path for path in grouped if grouped.count(path) > 1})
    if twice:
        raise ValueError(f"{twice}: expected one group each, got several.")
    ours, theirs = set(leaves(params)), set(grouped)
    for only, here, there in (
        (theirs - ours, "source", "params"),
        (ours - theirs, "params", "source"),
    ):
        if only:
            raise ValueError(
                f"{sorted(only)}: in the {here} only, expected in the {there} too. "
                "Pass as params just those that the source optimizes."
            )
    held = {name: getattr(snapshot, name) for name in Memory._fields}
    stray = set().union(*held.values()) - theirs
    if stray:
        raise ValueError(f"{sorted(stray)}: remembered, but in no group.")
    for group in snapshot.groups:
        slots = group.slots
        for path in group.paths:
            for name, want in slots.items():
                got = path in held[name]
                if got != (want and path in snapshot.nu):
                    raise ValueError(
                        f"{path}: expected {'a' if want else 'no'} {name} beside its "
                        f"nu, got {'one' if got else 'none'}; the source's options "
                        f"are {group.told}."
                    )
            if path in snapshot.nu:
                memory.check_raw(
                    Memory(**{name: held[name].get(path) for name in held}), path
                )


def _filled(
    state: RMSPropState, rule: Rule, snapshot: Snapshot, learning_rate: Any
) -> RMSPropState:
    """`state` with the memory of `snapshot`."""
    resting, state = state, moments(state)
    slots = {
        name: leaves(getattr(state, name))
        for name in Memory._fields
        if getattr(state, name) is not None
    }
    for index, group in enumerate(snapshot.groups):
        here = [path for path in group.paths if path in slots["nu"]]
        for path in (path for path in here if path not in snapshot.nu):
            for name, kept in slots.items():
                start = rule.nu_init if name == "nu" else 0
                kept[path] = memory.started(kept[path], start)
        paths = [path for path in here if path in snapshot.nu]
        if not paths:
            continue
        check_slots(slots, group, paths[0])
        source, factor = group.rule, 1.0
        if "trace" in slots and source.lr_placement != rule.lr_placement:
            rate = current_rate(learning_rate, index, snapshot.groups)
            factor = rate if rule.lr_placement == "in_trace" else 1 / rate
        for path in paths:
            new = memory.ours(
                Memory(*(getattr(snapshot, name).get(path) for name in Memory._fields)),
                source=source,
                rule=rule,
                decay=group.decay,
                count=snapshot.count,
                factor=factor,
            )
            for name, kept in slots.items():
                value = np.asarray(getattr(new, name))
                kept[path] = memory.fitted(value, kept[path], f"{path}: {name}")

    def filled(name):
        def put(path, leaf):
            new = slots[name][leaf_path(path)]
            return new if new is leaf else jax.device_put(new, leaf.sharding)

        return jax.tree.map_with_path(put, getattr(state, name))

    count = jax.tree.map(lambda x: jnp.full_like(x, snapshot.count), state.count)
    new = state._replace(count=count, **{name: filled(name) for name in slots})
    return put_moments_to_rest(new, like=resting)
