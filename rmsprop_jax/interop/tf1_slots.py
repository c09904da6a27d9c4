"""A checkpoint of TensorFlow: its arrays, and which of them are slots of an RMSProp.

A Saver calls them w/RMSProp (rms), w/RMSProp_1 (momentum) or, if it was centered,
w/RMSProp_1 (mg) and w/RMSProp_2 (momentum). An object-based one says what they are.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_OBJECT = re.compile(rf"(.+)/\.OPTIMIZER_SLOT/(.+)/(\w+){VALUE}")
_OURS = {"rms": "nu", "mg": "mu", "momentum": "trace"}
_NUMBERED = {2: ("nu", "trace"), 3: ("nu", "mu", "trace")}


class Checkpoint(NamedTuple):
    """Names and shapes of what is in it, and how to read one."""

    shapes: dict[str, tuple[int, ...]]
    read: Callable[[str], np.ndarray]


class Slots(NamedTuple):
    """Where a checkpoint keeps what belongs to an RMSProp."""

    variables: dict[str, str]  # name → key of its value
    keys: dict[str, dict[str, str]]  # name → our slot → key
    optimizer: str | None  # its path, if the checkpoint is object-based

    @property
    def kinds(self) -> set[str]:
        """Our names of the slots that are kept, the same for every variable."""
        return set(next(iter(self.keys.values())))


def opened(source: Any) -> Checkpoint:
    """The checkpoint at a prefix or in a folder, of a reader, or in a mapping.

    Raises:
        ValueError: If it cannot be read.
        ImportError: If TensorFlow is missing.
    """
    if isinstance(source, Mapping):
        shapes = {key: tuple(source[key].shape) for key in sorted(source)}
        return Checkpoint(shapes, source.__getitem__)
    if isinstance(source, (str, Path)):
        try:
            import tensorflow as tf
        except ImportError as error:
            raise ImportError(
                "tensorflow is needed to open a checkpoint: pip install "
                "tensorflow-cpu. Or pass a mapping from names to arrays."
            ) from error
        source = _readable(source, lambda: tf.train.load_checkpoint(str(source)))
    if not hasattr(source, "get_variable_to_shape_map"):
        raise TypeError(
            f"{source!r}: expected a checkpoint's prefix, a reader or a mapping."
        )
    shapes = source.get_variable_to_shape_map()
    return Checkpoint(
        {key: tuple(shapes[key]) for key in sorted(shapes)},
        lambda key: _readable(key, lambda: source.get_tensor(key)),
    )


def find_slots(checkpoint: Checkpoint, optimizer_name: str) -> Slots:
    """The slots of the RMSProp in a checkpoint.

    Raises:
        ValueError: If there is none, or its slots are not whole.
    """
    by_object = [m for m in map(_OBJECT.fullmatch, checkpoint.shapes) if m]
    if by_object:
        slots = _by_object(by_object, optimizer_name)
    else:
        slots = _by_number(list(checkpoint.shapes), optimizer_name)
    kinds = slots.kinds
    for name, keys in slots.keys.items():
        if set(keys) != kinds:
            raise ValueError(
                f"{name}: its slots are {sorted(keys)}, others' {sorted(kinds)}; "
                "expected the same for all. The checkpoint is not whole."
            )
        key = slots.variables[name]
        for slot in (key, *keys.values()):
            if checkpoint.shapes.get(slot) != checkpoint.shapes.get(key, ()):
                raise ValueError(
                    f"{slot}: expected shape {checkpoint.shapes.get(key)}, as {key} "
                    f"has, got {checkpoint.shapes.get(slot)}."
                )
    return slots


def _by_object(matches: list[re.Match], optimizer_name: str) -> Slots:
    optimizers = sorted({m[2] for m in matches})
    chosen = optimizers[0] if len(optimizers) == 1 else optimizer_name
    if chosen not in optimizers:
        raise ValueError(
            f"optimizer_name={optimizer_name!r}: expected one of {optimizers}, which "
            "have slots in this checkpoint."
        )
    keys: dict[str, dict[str, str]] = {}
    for m in matches:
        if m[2] == chosen:
            if m[3] not in _OURS:
                raise ValueError(
                    f"{chosen}: expected the slots {', '.join(_OURS)} of an RMSProp, "
                    f"got {m[3]!r} of another optimizer."
                )
            keys.setdefault(m[1], {})[_OURS[m[3]]] = m[0]
    return Slots({name: f"{name}{VALUE}" for name in keys}, keys, chosen)


def _by_number(names: list[str], optimizer_name: str) -> Slots:
    pattern = re.compile(rf"(.+)/{re.escape(optimizer_name)}(?:_([1-9]\d*))?")
    numbered: dict[str, dict[int, str]] = {}
    for m in filter(None, map(pattern.fullmatch, names)):
        numbered.setdefault(m[1], {})[int(m[2] or 0)] = m[0]
    if not numbered:
        raise ValueError(
            f"no slot called .../{optimizer_name} in it: expected the checkpoint of "
            "an RMSPropOptimizer, with its own optimizer_name=. The names in it end "
            f"in {sorted({name.split('/')[-1] for name in names})}."
        )
    variables, keys = {}, {}
    for base, found in numbered.items():
        if sorted(found) not in ([0, 1], [0, 1, 2]):
            raise ValueError(
                f"{base}: expected 2 slots called {optimizer_name}, or 3 if centered, "
                f"got {sorted(found.values())}. Another optimizer's, or two that share "
                "a name: pass a mapping of just those of one."
            )
        name = _variable(base, names)
        variables[name] = name
        keys[name] = dict(
            zip(_NUMBERED[len(found)], (found[i] for i in sorted(found)), strict=True)
        )
    return Slots(variables, keys, None)


def _variable(base: str, names: list[str]) -> str:
    """The variable that a slot belongs to; the optimizer may have had a scope."""
    tails = [base.split("/", i)[-1] for i in range(base.count("/") + 1)]
    for tail in tails:
        if tail in names:
            return tail
    raise ValueError(f"{base}: has slots, but is itself not in the checkpoint.")


def _readable(what: Any, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # TensorFlow's errors have no base of their own here
        raise ValueError(f"{what}: cannot be read, is it whole? {error}") from error
