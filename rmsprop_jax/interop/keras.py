"""RMSprop of Keras 3, of tf_keras, and of tf.keras before 2.11 (legacy).

A live optimizer, or a file of one: `.keras`, `.weights.h5`, legacy `.h5`, a checkpoint
of TensorFlow. Keras itself is never imported here.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax.interop.agreement import check_agreement
from rmsprop_jax.interop.keras_settings import check_outside, groups, steps_made
from rmsprop_jax.interop.keras_state import (
    KerasState,
    array_of,
    name_of,
    taken_apart,
)
from rmsprop_jax.interop.matching import Layouts, Names, Place, match
from rmsprop_jax.interop.paths import Rules, leaf_path, leaves
from rmsprop_jax.interop.snapshot import Snapshot, extract, install

__all__ = ["assign", "dump", "load", "params"]

Pair = tuple[optax.GradientTransformation, Any]


def load(
    source: Any,
    params: Any,
    *,
    config: Mapping[str, Any] | None = None,
    names: Names = None,
    layouts: Layouts = None,
    into: Pair | None = None,
    learning_rate: Any = None,
    rule: Rules = None,
    ignore: Collection[str] = (),
) -> Pair:
    """The transformation that continues Keras' RMSprop, and its state.

    Weight decay leaves out what Keras' `exclude_from_weight_decay` did, for a live
    optimizer of Keras 3; of a file it takes all, for the file does not say.

    Args:
        source: An optimizer, built, of any backend; or the path of a `.keras` file, of
            the `.weights.h5` of a compiled model, or of a legacy `.h5`, all read with
            h5py alone; or the prefix of a checkpoint of TensorFlow (of legacy tf.keras,
            that is for `interop.tf1`).
        params: Our parameters: those that Keras' optimizer trains, and no others.
        config: What `optimizer.get_config()` gave, or the arguments it was made with;
            for a `.weights.h5` and a checkpoint, which do not hold them. What is absent
            takes Keras' default; the learning rate is the file's.
        names: One per trainable variable, in Keras' order: our path ("conv/kernel"),
            or Keras' (`[v.path for v in model.trainable_variables]`). Or a mapping
            from Keras' name to our path. Only a legacy `.h5` has names inside; without
            any, shapes must tell the parameters apart, or numbers in our paths.
        layouts: Our path → how that tensor lies in Keras, where shapes do not tell: a
            Conv2DTranspose beside a `flax.linen.ConvTranspose` that flips.
        into: `(tx, state)` to put the memory into, instead of a transformation with
            Keras' hyperparameters.
        learning_rate: A number or a schedule, in place of Keras'. Needed where Keras
            has a schedule, which is not translated. With `into`, the current number,
            to convert a trace.
        rule: The rule of `into`'s RMSProp, if that is a chain.
        ignore: Settings of Keras' that are no part of RMSProp, such as "clipnorm", and
            that you take care of. With `into`, all of them.

    Raises:
        ValueError: If the source is no RMSprop, was never built, cannot be read, has
            settings that an RMSProp cannot hold, or does not fit `params`.
        TypeError: If it is no source at all, or `config` is given beside its own.

    Example:
        >>> load("model.keras", {"bias": jnp.zeros(2)})     # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: model.keras: expected a file, or the prefix of a checkpoint ...
    """
    theirs = taken_apart(source, len(jax.tree.leaves(params)), config)
    places = _places(theirs, params, names, layouts)
    count = steps_made(theirs, ignore)
    if into is None:
        rate = theirs.rate if learning_rate is None else learning_rate
        if rate is None:
            raise ValueError(
                "learning_rate: Keras has a schedule, "
                f"{theirs.config.get('learning_rate')}, or the file says nothing. "
                "Expected a number or an Optax schedule as learning_rate=."
            )
        check_outside(theirs, {*ignore, *(() if learning_rate is None else ["decay"])})
    else:
        rate = 0.0  # not ours to use
    snapshot = Snapshot(
        groups=groups(theirs, places, rate),
        count=count,
        **{
            slot: {
                place.path: np.asarray(place.layout.to_ours(array_of(variable)))
                for place, variable in zip(places, variables, strict=True)
            }
            for slot, variables in theirs.slots.items()
        },
    )
    if into is None:
        return install(snapshot, params, rule=rule)
    return install(snapshot, params, into=into, learning_rate=learning_rate, rule=rule)


def dump(
    tx: optax.GradientTransformation,
    state: Any,
    params: Any,
    optimizer: Any,
    *,
    names: Names = None,
    layouts: Layouts = None,
    rule: Rules = None,
) -> None:
    """Our state into a live optimizer of Keras'; the inverse of `load`.

    Slots, iterations and, if Keras has no schedule for it, the learning rate are
    assigned; sums of accumulated gradients are emptied; averages of parameters stay.
    The other settings are Python numbers in Keras, part of a compiled step: they must
    be ours already. For the parameters see `assign`; for a file, save the model.

    Args:
        tx: Our transformation.
        state: Its state.
        params: Our parameters.
        optimizer: An RMSprop, built: `optimizer.build(model.trainable_variables)`.
        names: As in `load`.
        layouts: As in `load`.
        rule: The rule of `tx`, if that is a chain.

    Raises:
        ValueError: If anything does not fit. Nothing is assigned then.
        TypeError: If `optimizer` is none.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx, params = rmsprop(0.1, dialect="keras"), {"bias": jnp.zeros(2)}
        >>> dump(tx, tx.init(params), params, None)         # doctest: +ELLIPSIS
        Traceback (most recent call last):
        TypeError: None: expected an optimizer of Keras', ...
    """
    theirs = taken_apart(optimizer, len(jax.tree.leaves(params)))
    places = _places(theirs, params, names, layouts)
    snapshot = extract(tx, state, params, rule=rule)
    check_agreement(snapshot.groups, groups(theirs, places, 0.0))
    rates = {group.options["learning_rate"] for group in snapshot.groups}
    if theirs.rate is not None and len(rates) != 1:
        raise ValueError(
            f"learning_rate: expected one, as Keras has, got those of groups: {rates}."
        )
    calls = snapshot.count * (theirs.config.get("gradient_accumulation_steps") or 1)
    writes = [(theirs.iterations, np.asarray(calls))]
    writes += [(v, np.zeros(tuple(v.shape), np.float32)) for v in theirs.sums]
    for slot, variables in theirs.slots.items():
        for place, variable in zip(places, variables, strict=True):
            new = place.layout.to_theirs(getattr(snapshot, slot)[place.path])
            writes.append((variable, _fitting(new, variable)))
    for variable, value in writes:
        variable.assign(value)
    if theirs.rate is not None:
        optimizer.learning_rate = float(rates.pop())


def params(
    variables: Sequence[Any], like: Any, *, names: Names = None, layouts: Layouts = None
) -> Any:
    """Keras' variables as a tree like `like`, matched as `load` matches the slots.

        params = keras.params(model.trainable_variables, params)

    Args:
        variables: Variables of Keras', or arrays.
        like: Parameters of ours, for paths, shapes and dtypes.
        names: As in `load`.
        layouts: As in `load`.

    Raises:
        ValueError: If names and shapes do not tell which is which.

    Example:
        >>> import numpy as np
        >>> like = {"fc": {"bias": np.zeros(2), "kernel": np.zeros((3, 2))}}
        >>> params([np.ones((3, 2)), np.arange(2.0)], like)["fc"]["bias"]
        Array([0., 1.], dtype=float32)
    """
    arrays = {
        place.path: place.layout.to_ours(array_of(variable))
        for place, variable in zip(
            _matched(variables, like, names, layouts), variables, strict=True
        )
    }
    return jax.tree.map_with_path(
        lambda path, x: jnp.asarray(arrays[leaf_path(path)], jnp.result_type(x)), like
    )


def assign(
    params: Any,
    variables: Sequence[Any],
    *,
    names: Names = None,
    layouts: Layouts = None,
) -> None:
    """Our parameters into Keras' variables; the inverse of `params`.

        keras.assign(params, model.trainable_variables)

    Args:
        params: Our parameters.
        variables: Variables of Keras'.
        names: As in `load`.
        layouts: As in `load`.

    Raises:
        ValueError: If anything does not fit. Nothing is assigned then.

    Example:
        >>> class Variable:                      # what is needed of a Keras variable
        ...     path, shape, dtype = "fc/kernel", (3, 2), "float32"
        ...     def assign(self, value):
        ...         self.value = value
        >>> variable = Variable()
        >>> assign({"fc": {"kernel": jnp.ones((3, 2))}}, [variable])
        >>> variable.value.sum()
        np.float32(6.0)
    """
    arrays = leaves(params)
    writes = [
        (v, _fitting(place.layout.to_theirs(np.asarray(arrays[place.path])), v))
        for place, v in zip(
            _matched(variables, params, names, layouts), variables, strict=True
        )
    ]
    for variable, value in writes:
        variable.assign(value)


def _places(
    theirs: KerasState, params: Any, names: Names, layouts: Layouts
) -> list[Place]:
    shapes = [tuple(variable.shape) for variable in theirs.slots["nu"]]
    return match(list(zip(theirs.names, shapes, strict=True)), params, names, layouts)


def _matched(
    variables: Sequence[Any], params: Any, names: Names, layouts: Layouts
) -> list[Place]:
    named = [(name_of(v), tuple(v.shape)) for v in variables]
    return match(named, params, names, layouts)


def _fitting(value: Any, variable: Any) -> np.ndarray:
    """`value` as the variable holds it."""
    if tuple(variable.shape) != value.shape:
        raise ValueError(
            f"{name_of(variable)}: expected shape {tuple(variable.shape)}, got "
            f"{value.shape}."
        )
    dtype = getattr(variable.dtype, "name", variable.dtype)  # TensorFlow has its own
    return np.asarray(value).astype(jnp.dtype(dtype))
