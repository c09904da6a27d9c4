"""RMSProp in the checkpoints of TensorFlow: `tf.compat.v1.train.RMSPropOptimizer`.

Those of a Saver, by name, and object-based ones, which legacy tf.keras writes too.
TensorFlow is imported to open a file, and for nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.interop.agreement import check_agreement
from rmsprop_jax.interop.group import Group
from rmsprop_jax.interop.matching import Layouts, Place, match
from rmsprop_jax.interop.paths import Rules, leaf_path, leaves
from rmsprop_jax.interop.snapshot import Snapshot, extract, install
from rmsprop_jax.interop.tf1_slots import VALUE, Checkpoint, Slots, find_slots, opened

__all__ = ["dump", "load", "params"]

Names = Mapping[str, str] | None


def load(
    checkpoint: Any,
    params: Any,
    *,
    learning_rate: Any = None,
    decay: float | None = None,
    momentum: float | None = None,
    eps: float | None = None,
    names: Names = None,
    layouts: Layouts = None,
    optimizer_name: str = "RMSProp",
    count: int | None = None,
    into: tuple[optax.GradientTransformation, Any] | None = None,
    rule: Rules = None,
) -> tuple[optax.GradientTransformation, Any]:
    """The transformation that continues TensorFlow 1's RMSProp, and its state.

    Hyperparameters are not in a checkpoint, but for `centered`, which shows in the
    slots; and but for legacy tf.keras, where those left at `None` are the file's.

    Args:
        checkpoint: Its prefix ("model.ckpt-1000") or folder, a reader
            (`tf.train.load_checkpoint`), or a mapping from names to arrays.
        params: Our parameters: those that the optimizer trains, and no others.
        learning_rate: A number or a schedule. With `into`, the current number, to
            convert a trace.
        decay: As in `tf.compat.v1.train.RMSPropOptimizer`, with its default.
        momentum: As there.
        eps: As there, where it is called epsilon.
        names: TensorFlow's name of a variable → our path, for those that are called
            differently: {"net/conv/w": "conv/kernel"}.
        layouts: Our path → how that tensor lies in TensorFlow, where shapes do not
            tell: the kernel of a conv2d_transpose beside a Flax module that flips.
        optimizer_name: The optimizer's `name`. In an object-based checkpoint, the path
            of the optimizer, if there are several.
        count: Steps made; by default what the file's `global_step` says, 0 without.
        into: `(tx, state)` to put the memory into, instead of a transformation with
            these hyperparameters.
        rule: The rule of `into`'s RMSProp, if that is a chain.

    Raises:
        ValueError: If there is no such optimizer in the checkpoint, its slots are not
            whole, a learning rate is missing, or anything does not fit `params`.
        TypeError: If hyperparameters are given beside `into`.

    Example:
        >>> file = {"w": np.ones(2), "w/RMSProp": np.full(2, 4.0)}
        >>> file["w/RMSProp_1"] = np.zeros(2)                   # the trace
        >>> tx, state = load(file, {"w": np.zeros(2, np.float32)}, learning_rate=0.1)
        >>> state.nu, float(state.hyperparams.momentum)
        ({'w': Array([4., 4.], dtype=float32)}, 0.0)
    """
    file = opened(checkpoint)
    slots = find_slots(file, optimizer_name)
    places = _places(file, slots, params, names, layouts)
    given = {"decay": decay, "momentum": momentum, "eps": eps}
    if into is not None and any(value is not None for value in given.values()):
        raise TypeError(f"{given}: expected none beside into=, whose own count.")
    rate = learning_rate if into is None else 0.0
    options = _options(file, slots, {"learning_rate": rate, **given})
    memory: dict[str, dict[str, np.ndarray]] = {"nu": {}, "mu": {}, "trace": {}}
    for place, keys in zip(places, slots.keys.values(), strict=True):
        for name, key in keys.items():
            value = place.layout.to_ours(np.asarray(file.read(key)))
            memory[name][place.path] = np.asarray(value)
    snapshot = Snapshot(
        groups=(Group(options, tuple(place.path for place in places)),),
        count=_count(file, slots) if count is None else count,
        **memory,
    )
    if into is None:
        return install(snapshot, params, rule=rule)
    return install(snapshot, params, into=into, learning_rate=learning_rate, rule=rule)


def dump(
    tx: optax.GradientTransformation,
    state: Any,
    params: Any,
    checkpoint: Any,
    *,
    names: Names = None,
    layouts: Layouts = None,
    optimizer_name: str = "RMSProp",
    rule: Rules = None,
) -> dict[str, np.ndarray]:
    """Our parameters and state under TensorFlow's names; the inverse of `load`.

        values = tf1.dump(tx, state, params, "model.ckpt-1000")
        for v in tf.compat.v1.global_variables():
            if v.op.name in values:
                v.load(values[v.op.name], session)

    Args:
        tx: Our transformation.
        state: Its state.
        params: Our parameters.
        checkpoint: A checkpoint of the same model and optimizer, as for `load`, for
            names and shapes; {v.op.name: v for v in global_variables()} will do.
        names: As in `load`.
        layouts: As in `load`.
        optimizer_name: As in `load`.
        rule: The rule of `tx`, if that is a chain.

    Returns:
        Variables, slots and, where `checkpoint` has one, the global step. The
        hyperparameters are arguments there: pass those of `state.hyperparams`.

    Raises:
        ValueError: If anything does not fit, or TensorFlow's RMSProp would not go on
            as ours does.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx, params = rmsprop(0.1, dialect="tf1"), {"w": np.zeros(2, np.float32)}
        >>> theirs = {name: np.zeros(2) for name in ("w", "w/RMSProp", "w/RMSProp_1")}
        >>> dump(tx, tx.init(params), params, theirs)["w/RMSProp"]      # ν₀ = 1
        array([1., 1.], dtype=float32)
    """
    file = opened(checkpoint)
    slots = find_slots(file, optimizer_name)
    places = _places(file, slots, params, names, layouts)
    snapshot = extract(tx, state, params, rule=rule)
    _check_goes_on(snapshot, slots, places)
    arrays, values = leaves(params), {}
    for place, name in zip(places, slots.variables, strict=True):
        tensors = {slots.variables[name]: np.asarray(arrays[place.path])}
        for slot, key in slots.keys[name].items():
            # At momentum 0 ours may do without; TensorFlow 1 always has one.
            zeros = np.zeros_like(snapshot.nu[place.path])
            tensors[key] = getattr(snapshot, slot).get(place.path, zeros)
        for key, value in tensors.items():
            values[key] = np.asarray(place.layout.to_theirs(value))
    for key in _counters(file, slots):
        values[key] = np.asarray(snapshot.count, np.int64)
    return values


def params(
    checkpoint: Any,
    like: Any,
    *,
    names: Names = None,
    layouts: Layouts = None,
    optimizer_name: str = "RMSProp",
) -> Any:
    """The variables that the optimizer trains, as a tree like `like`.

    Args:
        checkpoint: As in `load`.
        like: Parameters of ours, for paths, shapes and dtypes.
        names: As in `load`.
        layouts: As in `load`.
        optimizer_name: As in `load`.

    Raises:
        ValueError: If there is no such optimizer, or anything does not fit `like`.

    Example:
        >>> import numpy as np
        >>> file = {"fc/w": np.ones(2), "fc/w/RMSProp": np.ones(2)}
        >>> file["fc/w/RMSProp_1"] = np.zeros(2)
        >>> params(file, {"fc": {"kernel": np.zeros(2)}})
        {'fc': {'kernel': Array([1., 1.], dtype=float32)}}
    """
    file = opened(checkpoint)
    slots = find_slots(file, optimizer_name)
    arrays = {
        place.path: place.layout.to_ours(np.asarray(file.read(key)))
        for place, key in zip(
            _places(file, slots, like, names, layouts),
            slots.variables.values(),
            strict=True,
        )
    }
    return jax.tree.map_with_path(
        lambda path, x: jnp.asarray(arrays[leaf_path(path)], jnp.result_type(x)), like
    )


def _places(
    file: Checkpoint, slots: Slots, params: Any, names: Names, layouts: Layouts
) -> list[Place]:
    theirs = [(name, file.shapes[key]) for name, key in slots.variables.items()]
    return match(theirs, params, names, layouts)


def _options(
    file: Checkpoint, slots: Slots, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments of `rmsprop`: those given, or else what legacy tf.keras has saved."""
    options = {**given, "dialect": "tf1", "centered": "mu" in slots.kinds}
    if _is_legacy(file, slots):
        options["dialect"] = "tf_keras_legacy"
        saved = {"learning_rate": "learning_rate", "decay": "rho"}
        saved |= {"momentum": "momentum"} if "trace" in slots.kinds else {}
        if options["learning_rate"] is None and _number(file, slots, "decay"):
            raise ValueError(
                "learning_rate: Keras decays it by the inverse of time, "
                f"{_number(file, slots, 'learning_rate')} / (1 + "
                f"{_number(file, slots, 'decay')} * count). Expected such a schedule "
                "as learning_rate=."
            )
        for ours, theirs in saved.items():
            if options[ours] is None:
                options[ours] = _number(file, slots, theirs)
    if options["learning_rate"] is None:
        raise ValueError(
            "learning_rate: expected a number or a schedule, it is not in the "
            "checkpoint; nor are decay, momentum and eps, which have defaults."
        )
    return options


def _is_legacy(file: Checkpoint, slots: Slots) -> bool:
    return f"{slots.optimizer}/rho{VALUE}" in file.shapes


def _number(file: Checkpoint, slots: Slots, name: str) -> float | None:
    key = f"{slots.optimizer}/{name}{VALUE}"
    return float(file.read(key)) if key in file.shapes else None


def _counters(file: Checkpoint, slots: Slots) -> list[str]:
    """Where the steps are counted, whatever the scope."""
    own = f"{slots.optimizer}/iter"
    names = {key: key.removesuffix(VALUE) for key in file.shapes}
    return [
        key
        for key, name in names.items()
        if name == own or name.split("/")[-1] == "global_step"
    ]


def _count(file: Checkpoint, slots: Slots) -> int:
    found = {key: int(file.read(key)) for key in _counters(file, slots)}
    if len(set(found.values())) > 1:
        raise ValueError(f"count: expected it as an argument, the file has {found}.")
    return next(iter(found.values()), 0)


def _check_goes_on(snapshot: Snapshot, slots: Slots, places: Sequence[Place]) -> None:
    rates = {group.options["learning_rate"] for group in snapshot.groups}
    if len(rates) > 1:
        raise ValueError(
            f"learning_rate: expected one for all parameters, as TensorFlow has, got "
            f"{sorted(rates)}."
        )
    numbers = ("learning_rate", "decay", "eps", "momentum")
    legacy = slots.optimizer is not None and "trace" not in slots.kinds
    theirs = {
        **{name: snapshot.groups[0].options[name] for name in numbers},
        "dialect": "tf_keras_legacy" if legacy else "tf1",
        "centered": "mu" in slots.kinds,
    }
    paths = tuple(place.path for place in places)
    check_agreement(snapshot.groups, [Group(theirs, paths)])
