"""The RMSprop of torch, and those of timm, stable-baselines3 and bitsandbytes.

A state_dict in memory or a `.pt` file becomes a transformation and its state, and
the way back; a model's state_dict becomes a tree of parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optax

from rmsprop_jax.interop import torch_state
from rmsprop_jax.interop.group import Group
from rmsprop_jax.interop.pairing import Layouts, Names, Pair, pair
from rmsprop_jax.interop.paths import Rules, leaves
from rmsprop_jax.interop.snapshot import Snapshot, extract, install
from rmsprop_jax.interop.torch_params import params as params
from rmsprop_jax.interop.torch_params import state_dict as state_dict
from rmsprop_jax.interop.torch_state import DIALECT_NAMES, SLOTS

__all__ = ["dump", "load", "params", "state_dict"]

_CODED = {"state_dtype": "int8"}


def load(
    source: Any,
    params: Any,
    *,
    names: Names = None,
    layouts: Layouts = None,
    key: str | None = None,
    dialect: str | None = None,
    into: tuple[optax.GradientTransformation, Any] | None = None,
    learning_rate: float | Sequence[float] | None = None,
    rule: Rules = None,
) -> tuple[optax.GradientTransformation, Any]:
    """The RMSProp that continues a torch optimizer's, and its state.

        names = [name for name, _ in model.named_parameters()]
        params = interop.torch.params(model.state_dict(), params)
        tx, state = interop.torch.load("optimizer.pt", params, names=names)

    Several parameter groups become `param_groups`. A parameter that torch gave no
    gradient yet has no memory, and starts as in torch; whether it is frozen, torch
    does not say, and with us it moves: leave it out of `params` and `names`, or put
    `optax.masked(optax.set_to_zero(), ...)` behind. The count of steps is the largest
    of any parameter's. What bitsandbytes keeps in 8 bits rests in int8 here too.

    The two biases of an LSTM are one here, their sum, and move twice as far: without
    `into`, it becomes a group of its own, with twice the learning rate.

    Args:
        source: An optimizer, its state_dict, or a file of it, which is read with
            `weights_only=True`.
        params: Our parameters, those that the optimizer has.
        names: The names of torch's parameters, in the optimizer's order; or a mapping
            from each to our path (None: as its name says). Not needed if the file has
            `param_names`, or if the order of the layers is certain.
        layouts: torch's name, or our path → how the tensor lies (`interop.layout`),
            where our leaf's name does not tell: transposed convolutions, a linear
            layer behind a flatten.
        key: Where in `source` the optimizer's state_dict is, as in "optimizer".
        dialect: Whose it is: "torch", "timm", "sb3" or "bitsandbytes"; by default as
            its groups say.
        into: `(tx, state)` to put the memory into, hyperparameters staying as they
            are there; see `interop.snapshot.install`.
        learning_rate: The current one, or one per group; needed where the trace of
            `into` has the learning rate in it, and torch's has not.
        rule: The rule of `into`'s RMSProp, if its `tx` is a chain.

    Raises:
        ValueError: If `source` is damaged or another optimizer's, or if something
            does not fit. Nothing is half filled.

    Example:
        >>> group = {"lr": 0.1, "alpha": 0.75, "eps": 1e-8, "weight_decay": 0}
        >>> group |= {"momentum": 0, "centered": False, "foreach": None, "params": [0]}
        >>> memory = {0: {"step": 7, "square_avg": np.arange(6.0).reshape(2, 3)}}
        >>> saved = {"state": memory, "param_groups": [group]}
        >>> params = {"fc": {"kernel": np.zeros((3, 2), np.float32)}}
        >>> tx, state = load(saved, params, names=["fc.weight"])
        >>> int(state.count), state.nu["fc"]["kernel"][0]       # transposed
        (7, Array([0., 3.], dtype=float32))
    """
    saved = torch_state.read(source, key)
    groups, entries = saved["param_groups"], saved["state"]
    if dialect is None:
        dialect = torch_state.dialect_of(saved)
    if dialect not in DIALECT_NAMES:
        raise ValueError(f"dialect={dialect!r}: expected one of {DIALECT_NAMES}.")
    ids = [i for group in groups for i in group["params"]]
    stray = sorted(set(entries) - set(ids), key=str)
    if stray:
        raise ValueError(f"state: {stray} are in no group, expected some of {ids}.")
    if names is None:
        names = _names_inside(groups)
    pairs = pair(names, params, layouts, count=len(ids))
    by_id, double = dict(zip(ids, pairs, strict=True)), _doubled(pairs)
    slots: dict[str, dict[str, np.ndarray]] = {name: {} for name in SLOTS}
    found: list[Group] = []
    for group in groups:
        coded = any(torch_state.is_coded(entries.get(i, {})) for i in group["params"])
        options = torch_state.options(group, dialect) | (_CODED if coded else {})
        found += _groups(options, group["params"], by_id, double)
        in_trace = found and found[-1].rule.lr_placement == "in_trace"
        for one, entry in ((by_id[i], entries.get(i)) for i in group["params"]):
            held = torch_state.entry(entry, dialect, one.theirs) if entry else {}
            for slot, value in held.items():
                twice = slot == "trace" and in_trace and double.issuperset(one.ours)
                _add(slots[slot], one, 2 * value if twice else value)
    count = max(map(torch_state.steps, entries.values()), default=0)
    return install(
        Snapshot(tuple(found), count, **slots),
        params,
        into=into,
        learning_rate=learning_rate,
        rule=rule,
    )


def dump(
    tx: optax.GradientTransformation,
    state: Any,
    params: Any,
    *,
    names: Names = None,
    layouts: Layouts = None,
    like: Any = None,
    dialect: str = "torch",
    rule: Rules = None,
) -> dict[str, Any]:
    """The state_dict with which a torch optimizer continues ours.

        optimizer.load_state_dict(interop.torch.dump(tx, state, params, names=names))

    Hyperparameters are those of the latest step: a schedule stops there. What a
    `weight_decay_mask` spares becomes a group without; in a chain, which does not tell
    its mask, use `param_groups` instead.

    Args:
        tx: Our transformation, with the rule of `dialect`.
        state: Its state, or what holds it.
        params: The parameters, or their shapes.
        names: As for `load`: torch's names, in its optimizer's order.
        layouts: As for `load`.
        like: The optimizer that shall continue, or its state_dict, for its groups; by
            default, neighbours with equal settings make a group.
        dialect: Whose optimizer it is: "torch", "timm" or "sb3".
        rule: The rule of the RMSProp, if `tx` is a chain.

    Raises:
        ValueError: If torch would go on otherwise: another rule, other groups.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx, params = rmsprop(0.1), {"b": np.zeros(2, np.float32)}   # not torch's
        >>> dump(tx, tx.init(params), params, names=["b"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: b: eps_placement is 'inside' in our state and 'outside' in ...
    """
    if dialect not in DIALECT_NAMES[:3]:
        raise ValueError(f"dialect={dialect!r}: expected one of {DIALECT_NAMES[:3]}.")
    snapshot = extract(tx, state, params, rule=rule)
    template = [] if like is None else torch_state.read(like, None)["param_groups"]
    ids = [i for group in template for i in group["params"]]
    names = _names_inside(template) if names is None else names
    if names is None:
        raise ValueError(
            "names=None: expected torch's names in its optimizer's order, "
            "[name for name, _ in model.named_parameters()]."
        )
    pairs = pair(names, params, layouts, count=len(ids) if template else None)
    unnamed = set(leaves(params)) - {path for one in pairs for path in one.ours}
    if unnamed:
        raise ValueError(f"names: none of {list(names)} means {sorted(unnamed)}.")
    double = _doubled(pairs)
    settings = {
        path: torch_state.settings(group, dialect, rate=0.5 if path in double else 1)
        for group in snapshot.groups
        for path in group.paths
    }
    ids = ids or list(range(len(pairs)))
    chosen, entries = {}, {}
    for i, one in zip(ids, pairs, strict=True):
        chosen[i] = _agreed([settings.get(path) for path in one.ours], one.theirs)
        if chosen[i] is not None:
            entries[i] = _entry(one, snapshot, chosen[i], dialect, double)
    groups = _like(template, chosen) if template else _neighbours(chosen)
    return {"state": entries, "param_groups": groups}


def _names_inside(groups: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """The names in the file: torch's `param_names`, or the ids of sharded ones."""
    ids = [i for group in groups for i in group["params"]]
    if ids and all(isinstance(i, str) for i in ids):
        return ids
    if not groups or not all("param_names" in group for group in groups):
        return None
    return [name for group in groups for name in group["param_names"]]


def _doubled(pairs: Sequence[Pair]) -> set[str]:
    """Leaves that are the sum of two of torch's parameters."""
    paths = [path for one in pairs for path in one.ours]
    return {path for path in paths if paths.count(path) > 1}


def _add(slot: dict[str, np.ndarray], one: Pair, value: np.ndarray) -> None:
    for path, found in one.to_ours(value).items():
        if path in slot and not np.array_equal(slot[path], found):
            raise ValueError(
                f"{one.theirs}: expected the memory that the cell's other bias has, "
                f"for {path} is the sum of both. Weight decay makes them differ, and "
                "no single bias continues that."
            )
        slot[path] = found


def _groups(
    options: dict[str, Any],
    ids: Sequence[Any],
    by_id: Mapping[Any, Pair],
    double: set[str],
) -> Iterator[Group]:
    """A group of torch's, as one of ours; or two, the second with summed biases."""
    paths = dict.fromkeys(path for i in ids for path in by_id[i].ours)
    twice = {**options, "learning_rate": 2 * options["learning_rate"]}
    for part, those in (
        (options, [path for path in paths if path not in double]),
        (twice, [path for path in paths if path in double]),
    ):
        if those:
            yield Group(part, tuple(those))


def _entry(
    one: Pair,
    snapshot: Snapshot,
    settings: Mapping[str, Any],
    dialect: str,
    double: set[str],
) -> dict[str, Any]:
    """What torch remembers of one parameter."""
    slots = {"nu": one.to_theirs(snapshot.nu)}
    if settings["centered"]:
        slots["mu"] = one.to_theirs(snapshot.mu)
    if settings["momentum"]:
        share = 0.5 if settings.get("lr_in_momentum") and set(one.ours) <= double else 1
        slots["trace"] = share * one.to_theirs(snapshot.trace)
    return torch_state.tensors(slots, snapshot.count, dialect)


def _agreed(settings: Sequence[Any], theirs: str) -> Any:
    """The settings of one of torch's parameters; `None` if we do not optimize it."""
    first, *others = settings
    if any(other != first for other in others):
        raise ValueError(
            f"{theirs}: expected one group for all its gates, got several."
        )
    return first


def _neighbours(chosen: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Groups of neighbours with equal settings; who has none joins one."""
    known = next((x for x in chosen.values() if x is not None), {})
    groups: list[dict[str, Any]] = []
    for i, settings in chosen.items():
        known = known if settings is None else settings
        if not groups or {**groups[-1], "params": 0} != {**known, "params": 0}:
            groups.append({**known, "params": []})
        groups[-1]["params"].append(i)
    return groups


def _like(
    template: Sequence[Mapping[str, Any]], chosen: Mapping[Any, Any]
) -> list[dict[str, Any]]:
    """The groups of `template`, with our settings."""
    groups = []
    for number, group in enumerate(template):
        settings = [chosen[i] for i in group["params"] if chosen[i] is not None]
        if any(other != settings[0] for other in settings):
            raise ValueError(
                f"like: its group {number} has parameters of ours with several "
                "settings, expected one. Make groups there as tx has them."
            )
        groups.append({**group, **(settings[0] if settings else {})})
        groups[-1]["params"] = list(group["params"])
    return groups
