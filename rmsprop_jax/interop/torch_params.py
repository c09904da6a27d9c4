"""A torch model's parameters as a tree of ours, and back."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax.interop import torch_state
from rmsprop_jax.interop.pairing import Layouts, Names, pair
from rmsprop_jax.interop.paths import leaf_path, leaves


def params(
    source: Any,
    like: Any,
    *,
    names: Names = None,
    layouts: Layouts = None,
    key: str | None = None,
    ignore: str | None = None,
) -> Any:
    """The parameters of a torch model, as a tree like ours.

        params = interop.torch.params(model.state_dict(), nnx.to_pure_dict(state))

    Every leaf is found, and nothing is left over. The two biases of an LSTM are added.

    Args:
        source: A model, its state_dict, or a `.pt` file of that.
        like: Our parameters, or their shapes: the structure, shapes and dtypes.
        names: torch's name → our path, for those that are named differently; or a
            sequence of torch's names, to take those only.
        layouts: As for `load`.
        key: Where in `source` the model's state_dict is, as in "model".
        ignore: A regular expression for names of torch's to leave out, such as
            "running_|num_batches_tracked".

    Raises:
        ValueError: If a leaf has no tensor, or a tensor no leaf, or shapes differ, or
            numbers are not finite.
        TypeError: If `source` is nothing of the kind, or `names` a single word.

    Example:
        >>> ours = {"fc": {"kernel": np.zeros((3, 2), np.float32)}}
        >>> params({"fc.weight": np.arange(6.0).reshape(2, 3)}, ours)["fc"]["kernel"][0]
        Array([0., 3.], dtype=float32)
    """
    tensors = _tensors(source, key)
    if isinstance(names, str):
        raise TypeError(f"names={names!r}: expected a sequence of them, or a mapping.")
    chosen = {} if names is None else names
    wanted = tensors if names is None or isinstance(names, Mapping) else chosen
    missing = [name for name in chosen if name not in tensors]
    if missing:
        raise ValueError(f"names: {missing} are not among {list(tensors)}.")
    paths = chosen if isinstance(chosen, Mapping) else {}
    full = {
        name: paths.get(name)
        for name in wanted
        if ignore is None or not re.search(ignore, name)
    }
    ours = leaves(like)
    found: dict[str, np.ndarray] = {}
    for one in pair(full, like, layouts):
        for path, value in one.to_ours(torch_state.array(tensors[one.theirs])).items():
            if not np.isfinite(value).all():
                raise ValueError(f"{one.theirs}: expected finite numbers for {path}.")
            found[path] = found[path] + value if path in found else value
    if set(ours) - set(found):
        raise ValueError(
            f"{sorted(set(ours) - set(found))}: in params only, expected in torch's "
            f"{list(full)} too."
        )
    return jax.tree.map_with_path(
        lambda path, x: jnp.asarray(found[leaf_path(path)].astype(x.dtype)), like
    )


def state_dict(params: Any, *, names: Names, layouts: Layouts = None) -> dict[str, Any]:
    """The inverse of `params`: tensors by torch's names.

        model.load_state_dict(interop.torch.state_dict(params, names=names))

    An LSTM's bias becomes `bias_ih`, and its `bias_hh` 0.

    Args:
        params: Our parameters.
        names: torch's names, or a mapping from them to our paths.
        layouts: As for `load`.

    Raises:
        ValueError: If a leaf of ours has no name, or a name no leaf.

    Example:
        >>> state_dict({"b": np.zeros(2)}, names=[])        # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: params: expected 0 leaves, as torch has, got 1: ['b']. ...
    """
    ours, found, given = leaves(params), {}, set()
    for one in pair(names, params, layouts):
        value = one.to_theirs(ours)
        again = set(one.ours) <= given
        found[one.theirs] = torch_state.tensor(0 * value if again else value)
        given |= set(one.ours)
    if set(ours) - given:
        raise ValueError(
            f"names: none of {list(names or ())} means {sorted(set(ours) - given)}."
        )
    return found


def _tensors(source: Any, key: str | None) -> Mapping[str, Any]:
    where, found = torch_state.opened(source, key)
    if not isinstance(found, Mapping) or not all(
        hasattr(x, "shape") for x in found.values()
    ):
        raise ValueError(
            f"{where}: expected a model's state_dict, tensors by name, got "
            f"{torch_state.told(found)}. Pass key= if it is inside."
        )
    return found
