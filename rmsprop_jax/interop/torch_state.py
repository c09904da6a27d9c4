"""The state_dict of a torch optimizer, as torch, timm, SB3 and bitsandbytes write it.

Nothing of ours: its settings in our words, and its tensors as NumPy arrays.
"""

import importlib
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rmsprop_jax.dialects import DIALECTS
from rmsprop_jax.interop.agreement import check_agreement
from rmsprop_jax.interop.group import Group

SLOTS = {"nu": "square_avg", "mu": "grad_avg", "trace": "momentum_buffer"}
DIALECT_NAMES = ("torch", "timm", "sb3", "bitsandbytes")
_QUANTISED = "__bnb_optimizer_quant_state__"
_BLOCK = 256


def opened(source: Any, key: str | None) -> tuple[str, Any]:
    """What `source` holds, under `key`, and what to call that in an error.

    Args:
        source: Something with a state_dict, or a mapping, or a file of torch.save.
        key: Where in it to look.

    Raises:
        ValueError: If it cannot be read, without running code from the file.
        TypeError: If it is nothing of the kind.
    """
    where = "source"
    if hasattr(source, "state_dict"):
        source = source.state_dict()
    elif isinstance(source, (str, os.PathLike)):
        where, source = str(source), _read(Path(source))
    elif not isinstance(source, Mapping):
        raise TypeError(
            f"source: expected a state_dict, or a file of one, got {told(source)}."
        )
    if key is None:
        return where, source
    if not isinstance(source, Mapping) or key not in source:
        raise ValueError(f"{where}: expected the key {key!r}, got {told(source)}.")
    return f"{where}[{key!r}]", source[key]


def read(source: Any, key: str | None) -> dict[str, Any]:
    """The state_dict of an optimizer; see `opened`.

    Raises:
        ValueError: If there is none.
    """
    where, saved = opened(source, key)
    if not _is_state_dict(saved):
        inside = saved if isinstance(saved, Mapping) else {}
        hints = [k for k, v in inside.items() if _is_state_dict(v)]
        raise ValueError(
            f"{where}: expected an optimizer's state_dict, with 'state' and "
            f"'param_groups', got {told(saved)}."
            + (f" Pass key={hints[0]!r}." if hints else "")
        )
    return saved


def told(x: Any) -> str:
    """What `x` is, for an error."""
    return f"keys {list(x)[:9]}" if isinstance(x, Mapping) else type(x).__name__


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"{path}: expected a file.")
    try:
        with warnings.catch_warnings():
            # Of other pickles' protocols, before it refuses them.
            warnings.simplefilter("ignore")
            return _torch().load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path}: holds more than tensors and numbers, or is damaged. A pickle can "
            "run any code, so it is not opened; where you trust it, save "
            "optimizer.state_dict() alone with torch.save."
        ) from error
    except (RuntimeError, EOFError, ValueError, OSError, KeyError) as error:
        raise ValueError(f"{path}: cannot be read, is it whole? {error}") from error


def _is_state_dict(x: Any) -> bool:
    if not isinstance(x, Mapping) or not {"state", "param_groups"} <= set(x):
        return False
    groups, entries = x["param_groups"], x["state"]
    return (
        isinstance(entries, Mapping)
        and all(isinstance(entry, Mapping) for entry in entries.values())
        and isinstance(groups, list)
        and all(isinstance(group, Mapping) and "params" in group for group in groups)
        and bool(groups)
    )


def dialect_of(saved: Mapping[str, Any]) -> str:
    """Whose RMSprop wrote it, going by its groups.

    Raises:
        ValueError: If they do not say.
    """
    keys = set(saved["param_groups"][0])
    if {"lr_in_momentum", "decoupled_decay"} & keys:
        return "timm"
    if "betas" in keys and any(map(_is_bitsandbytes, saved["state"].values())):
        return "bitsandbytes"
    if {"foreach", "maximize", "capturable", "differentiable"} & keys:
        return "torch"
    raise ValueError(
        "dialect=None: nothing in these groups tells whose they are: torch's before "
        "1.12, or stable-baselines3's RMSpropTFLike. Pass dialect='torch' or 'sb3'."
    )


def options(group: Mapping[str, Any], dialect: str) -> dict[str, Any]:
    """The arguments of `rmsprop` that mean this group.

    Raises:
        ValueError: If a setting is missing, or is one that nothing here does.
    """
    if group.get("maximize"):
        raise ValueError(
            "maximize=True: expected a loss that falls; negate it, or put "
            "optax.scale(-1) in front, and dump with maximize=False."
        )
    given = dict(group)
    if dialect == "bitsandbytes":
        given["alpha"] = given["betas"][0]
    wanted = DIALECTS[dialect].names
    theirs = {ours: wanted[ours] for ours in _NUMBERS if ours in wanted}
    missing = [name for name in theirs.values() if name not in given]
    if missing:
        raise ValueError(
            f"param_groups: {missing} missing, expected the settings of an RMSprop, "
            f"got {[k for k in group if k != 'params']}."
        )
    found: dict[str, Any] = {k: float(given[v]) for k, v in theirs.items()}
    for name in ("momentum", "weight_decay"):
        found[name] = found.get(name) or False
    found["centered"] = bool(group.get("centered", False))
    return {"dialect": dialect, **found, **_of_timm(group, found, dialect)}


_NUMBERS = ("learning_rate", "decay", "eps", "momentum", "weight_decay")


def _of_timm(
    group: Mapping[str, Any], found: Mapping[str, Any], dialect: str
) -> dict[str, Any]:
    if dialect != "timm":
        return {}
    extra: dict[str, Any] = {"cautious": bool(group.get("caution")) or None}
    if not found["momentum"]:
        extra["cautious"] = None
    if not group.get("lr_in_momentum", True):
        extra["lr_placement"] = "after_trace"
    if group.get("decoupled_decay"):
        extra["weight_decay_form"] = "decoupled"
        if group.get("corrected_weight_decay"):
            peak = group.get("max_lr_snapshot") or found["learning_rate"]
            extra |= {"weight_decay_form": "corrected", "peak_learning_rate": peak}
    return {name: value for name, value in extra.items() if value is not None}


def settings(group: Group, dialect: str, *, rate: float) -> dict[str, Any]:
    """The inverse of `options`: what torch writes for a group, its parameters apart.

    Args:
        group: Ours.
        dialect: Whose optimizer it is for.
        rate: What to multiply the learning rate by.

    Raises:
        ValueError: If the group follows another rule.
    """
    names, rule = DIALECTS[dialect].names, group.rule
    found: dict[str, Any] = {names[k]: group.options[k] or 0 for k in _NUMBERS}
    found["lr"] *= rate
    found["centered"] = rule.centered
    if dialect == "torch":
        found |= {"capturable": False, "foreach": None}
        found |= {"maximize": False, "differentiable": False}
    if dialect == "timm":
        found |= {
            "lr_in_momentum": rule.lr_placement == "in_trace",
            "decoupled_decay": rule.weight_decay_form != "coupled",
            "corrected_weight_decay": rule.weight_decay_form == "corrected",
            "max_lr_snapshot": rule.peak_learning_rate or found["lr"],
            "caution": rule.cautious,
            "foreach": None,
        }
    check_agreement([group], [Group(options(found, dialect), group.paths)])
    return found


def tensors(
    slots: Mapping[str, np.ndarray], count: int, dialect: str
) -> dict[str, Any]:
    """The inverse of `entry`."""
    found = {SLOTS[slot]: tensor(value) for slot, value in slots.items()}
    step = count if dialect == "sb3" else _torch().tensor(float(count))
    return {"step": step, **found}


def entry(raw: Mapping[str, Any], dialect: str, what: str) -> dict[str, np.ndarray]:
    """What one parameter remembers, by our names of the slots.

    Raises:
        ValueError: If another optimizer wrote it.
    """
    if dialect == "bitsandbytes":
        return {"nu": _dequantised(_flat(raw), what)}
    if SLOTS["nu"] not in raw or not set(raw) <= {*SLOTS.values(), "step"}:
        whose = "Adam's" if "exp_avg" in raw else "another optimizer's"
        raise ValueError(
            f"{what}: expected square_avg, and momentum_buffer or grad_avg, got "
            f"{list(raw)}: {whose} state. Only that of an RMSprop means something here."
        )
    return {ours: array(raw[theirs]) for ours, theirs in SLOTS.items() if theirs in raw}


def steps(raw: Mapping[str, Any]) -> int:
    """How often a parameter was updated."""
    return int(raw.get("step", 0))


def array(x: Any) -> np.ndarray:
    """A tensor of torch's as a NumPy array of its own."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        # NumPy has no bfloat16.
        x = x.float() if "bfloat16" in str(x.dtype) else x
        x = x.numpy()
    return np.array(x)


def tensor(x: np.ndarray) -> Any:
    """A NumPy array as a tensor of torch's."""
    return _torch().from_numpy(np.array(x, order="C"))


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(
            "torch is needed to read or write its tensors: pip install torch."
        ) from error


def is_coded(raw: Mapping[str, Any]) -> bool:
    """Whether bitsandbytes keeps this parameter's memory in 8 bits."""
    return "qmap1" in _flat(raw)


def _flat(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**raw, **raw.get(_QUANTISED, {})}


def _is_bitsandbytes(raw: Mapping[str, Any]) -> bool:
    return "state1" in _flat(raw)


def _dequantised(raw: Mapping[str, Any], what: str) -> np.ndarray:
    """ν in float32: of 8 bits, each a number of the map, times its block's largest."""
    if "state1" not in raw or "state2" in raw:
        raise ValueError(
            f"{what}: expected state1, and no state2, got {list(raw)}: not the state "
            "of bitsandbytes' RMSprop."
        )
    codes = array(raw["state1"])
    if codes.dtype != np.uint8:
        return codes
    levels, largest = array(raw["qmap1"]), array(raw["absmax1"])
    blocks = -(-codes.size // _BLOCK)
    if levels.shape != (256,) or largest.shape != (blocks,):
        raise ValueError(
            f"{what}: expected qmap1 of 256 levels and absmax1 of {blocks} blocks, got "
            f"shapes {levels.shape} and {largest.shape}."
        )
    scale = np.repeat(largest, _BLOCK)[: codes.size].reshape(codes.shape)
    return levels[codes] * scale
