"""An RMSprop of Keras' taken apart: its settings, and which variable is which slot.

    iteration [learning_rate] [averages] [accumulators] velocities [momentums] [means]

Keras numbers its variables so, each bracket one per parameter or absent; legacy
tf.keras has the same order and other names.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.interop import hdf5
from rmsprop_jax.interop.tf1_slots import VALUE, opened

# Keras' slots → our names; `None` for what is no part of RMSProp.
_SLOTS = {
    "average": None,
    "gradient_accumulator": None,
    "velocity": "nu",
    "momentum": "trace",
    "average_gradient": "mu",
}
_LEGACY_SLOTS = {"rms": "nu", "momentum": "trace", "mg": "mu"}
_EXCLUDED = "", "_names"
_DEFAULTS = {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False}


class KerasState(NamedTuple):
    """An optimizer of Keras', live or from a file. Arrays, or its live variables."""

    legacy: bool
    config: dict[str, Any]
    iterations: Any
    rate: float | None  # None: a schedule
    slots: dict[str, list[Any]]  # by our names, each one per parameter
    sums: list[Any]  # of the gradients, amid a step of several calls
    names: Sequence[str | None]  # of the parameters
    decays: list[bool]  # which of them weight decay takes


def taken_apart(
    source: Any, size: int, config: Mapping[str, Any] | None = None
) -> KerasState:
    """The optimizer at `source`, if it is an RMSprop.

    Args:
        source: A live optimizer, or a path.
        size: How many parameters it should have.
        config: Its settings, for a file that does not hold them.

    Raises:
        ValueError: If it is no RMSprop, was never built, or cannot be read.
        TypeError: If it is no optimizer, or has a config of its own.
    """
    if not isinstance(source, (str, Path)):
        return _live(source, size, config)
    prefix = Path(f"{source}.index").is_file()
    saved = _checkpoint(str(source)) if prefix else hdf5.read(source)
    if saved.config is None:
        settings = {**_DEFAULTS, **(config or {})}
        return _parted(str(source), saved.variables, None, settings, False, size)
    _refuse(config, source)
    class_name = str(saved.class_name)
    if not re.search(r"(^|[.>])RMSprop$", class_name):
        raise ValueError(_no_rmsprop(source, class_name))
    return _parted(
        str(source),
        saved.variables,
        saved.names,
        saved.config,
        "use_ema" not in saved.config,
        size,
    )


def name_of(variable: Any) -> str | None:
    """What Keras calls it; `None` for an array."""
    return getattr(variable, "path", None) or getattr(variable, "name", None)


def array_of(variable: Any) -> np.ndarray:
    """What it holds."""
    return np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable)


def _checkpoint(prefix: str) -> hdf5.Saved:
    """What TensorFlow saved of an optimizer of Keras 3, or of tf_keras."""
    file = opened(prefix)
    keys = [key for key in file.shapes if key.endswith(f"/_iterations{VALUE}")]
    if len(keys) != 1:
        raise ValueError(
            f"{prefix}: expected one optimizer of Keras', with its _iterations, got "
            f"{keys or 'none'}. Legacy tf.keras and TensorFlow 1 have slots instead, "
            "for rmsprop_jax.interop.tf1.load."
        )
    path = keys[0].removesuffix(f"/_iterations{VALUE}")
    pattern = re.compile(rf"{re.escape(path)}/_variables/(\d+){VALUE}")
    numbered = {int(m[1]): m[0] for m in map(pattern.fullmatch, file.shapes) if m}
    rate = f"{path}/_learning_rate{VALUE}"
    keys += [rate] if rate in file.shapes else []
    keys += [numbered[i] for i in sorted(numbered)]
    return hdf5.Saved([np.asarray(file.read(key)) for key in keys], None, None, None)


def _live(source: Any, size: int, config: Any) -> KerasState:
    kinds = [kind.__name__ for kind in type(source).__mro__]
    if not hasattr(source, "get_config") or not hasattr(source, "variables"):
        raise TypeError(
            f"{source!r}: expected an optimizer of Keras', or the path of a file."
        )
    if "RMSprop" not in kinds:
        raise ValueError(_no_rmsprop("the optimizer", kinds[0]))
    _refuse(config, "the optimizer")
    legacy = hasattr(source, "get_slot")
    variables: list[Any] = list(source.variables() if legacy else source.variables)
    named = [name_of(variable) for variable in variables]
    names = [name for name in named if name] if all(named) else None
    settings = source.get_config()
    parts = _parted("the optimizer", variables, names, settings, legacy, size)
    trained = getattr(source, "_trainable_variables", None)
    if trained:  # Keras 3. Whole paths: in the names of slots "/" has become "_".
        parts = parts._replace(names=[name_of(variable) for variable in trained])
    if trained and settings.get("weight_decay") is not None:
        decays = [bool(source._use_weight_decay(variable)) for variable in trained]
        parts = parts._replace(decays=decays)
    elif settings.get("weight_decay") is not None:  # tf_keras forgets its variables
        name = "exclude_from_weight_decay"
        parts.config[name] = any(getattr(source, f"_{name}{s}", 0) for s in _EXCLUDED)
    return parts


def _refuse(config: Any, source: Any) -> None:
    if config is not None:
        raise TypeError(
            f"config: {source} has its own; expected none. Change hyperparameters "
            "afterwards, with set_hyperparams."
        )


def _no_rmsprop(source: Any, class_name: str) -> str:
    way = {
        "LossScaleOptimizer": " Pass its inner_optimizer.",
        "RMSPropOptimizer": " TensorFlow 1's is for rmsprop_jax.interop.tf1.",
    }.get(re.split("[.>]", class_name)[-1], "")
    return f"{source}: expected an RMSprop, got the state of {class_name}.{way}"


def _parted(
    what: str,
    variables: list[Any],
    names: list[str] | None,
    config: Mapping[str, Any],
    legacy: bool,
    size: int,
) -> KerasState:
    """Variables into slots, by number; names, where there are any, must agree."""
    config = {**_DEFAULTS, **config}
    blocks = _blocks(config, legacy)
    head = len(variables) - size * len(blocks)
    if len(variables) <= 2:
        raise ValueError(
            f"{what}: no slots in it; expected an optimizer that was built: one that "
            "made a step, or whose build(model.trainable_variables) was called."
        )
    if head not in (1, 2):
        raise ValueError(
            f"{what}: expected 1 or 2 variables and {len(blocks)} ({', '.join(blocks)})"
            f" for each of the {size} leaves of params, got {len(variables)}: "
            f"{_shapes(variables)}. Pass as params just those that Keras trains; for a "
            ".weights.h5, pass config=optimizer.get_config()."
        )
    scalars = [array_of(v) for v in variables[:head]]
    if any(x.shape for x in scalars) or not np.issubdtype(scalars[0].dtype, np.integer):
        raise ValueError(
            f"{what}: expected the iteration and perhaps the learning rate as the "
            f"first {head} variables, got {_shapes(variables[:head])}."
        )
    parts = [variables[head + i * size :][:size] for i in range(len(blocks))]
    first = [tuple(v.shape) for v in parts[0]]
    for block, part in zip(blocks, parts, strict=True):
        if [tuple(v.shape) for v in part] != first:
            raise ValueError(
                f"{what}: expected the shapes {first} of {blocks[0]} in {block} too, "
                f"got {_shapes(part)}. For a .weights.h5, pass "
                "config=optimizer.get_config()."
            )
    rate: Any = scalars[1] if head == 2 else config.get("learning_rate")
    ours = _LEGACY_SLOTS if legacy else _SLOTS
    named = dict(zip(blocks, parts, strict=True))
    return KerasState(
        legacy=legacy,
        config=config,
        iterations=variables[0],
        rate=float(rate) if hasattr(rate, "__float__") else None,
        slots={ours[block]: part for block, part in named.items() if ours[block]},
        sums=named.get("gradient_accumulator", []),
        names=[None] * size if names is None else _named(what, names, blocks, head),
        decays=[True] * size,
    )


def _blocks(config: Mapping[str, Any], legacy: bool) -> list[str]:
    """Which slots an optimizer with these settings has, in Keras' order."""
    if legacy:
        made = {"rms": True, "momentum": config["momentum"] > 0, "mg": None}
        made["mg"] = config["centered"]
    else:
        made = {
            "average": config.get("use_ema"),
            "gradient_accumulator": config.get("gradient_accumulation_steps"),
            "velocity": True,
            "momentum": config["momentum"] > 0,
            "average_gradient": config["centered"],
        }
    return [name for name, there in made.items() if there]


def _named(what: str, names: list[str], blocks: list[str], head: int) -> list[str]:
    """The parameters' names, out of those of their slots.

    Keras 3 has "rm_sprop/net_conv_kernel_velocity", tf_keras
    "RMSprop/velocity/conv/kernel:0" and legacy tf.keras "RMSprop/conv/kernel/rms:0".
    """
    size = (len(names) - head) // len(blocks)
    found = []
    for i, block in enumerate(blocks):
        part = names[head + i * size :][:size]
        pattern = rf"^(?:.*?/)?(?:{block}/(.+?)|(.+?)[/_]{block})(?::\d+)?$"
        matches = [re.match(pattern, name) for name in part]
        if None in matches:
            raise ValueError(
                f"{what}: expected the names of {block} for variables {head + i * size}"
                f" to {head + (i + 1) * size - 1}, got {part}."
            )
        found.append([m.group(1) or m.group(2) for m in matches if m])
    if any(part != found[0] for part in found):
        raise ValueError(f"{what}: the slots are of different parameters: {found}.")
    return found[0]


def _shapes(variables: list[Any]) -> list[tuple[int, ...]]:
    return [tuple(v.shape) for v in variables]
