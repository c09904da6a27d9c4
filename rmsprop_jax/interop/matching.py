"""Which of TensorFlow's variables is which of our leaves, and how its arrays lie.

By name where there are names, else by shape where that leaves no choice. The kernels
of TensorFlow lie as Flax's do, those of depthwise convolutions excepted.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.interop import layout
from rmsprop_jax.interop.paths import leaves

Names = Sequence[str] | Mapping[str, str] | None
Layouts = Mapping[str, layout.Layout] | None

# What TensorFlow 1, Keras and Flax call the same thing.
_SYNONYMS = {
    "kernel": ("kernel", "w", "weights", "weight"),
    "bias": ("bias", "b", "biases", "beta"),
    "scale": ("scale", "gamma"),
    "embedding": ("embedding", "embeddings"),
}
_CANON = {word: canon for canon, words in _SYNONYMS.items() for word in words}


class Place(NamedTuple):
    """Where a variable of TensorFlow's goes."""

    path: str
    layout: layout.Layout


def match(
    theirs: Sequence[tuple[str | None, tuple[int, ...]]],
    params: Any,
    names: Names = None,
    layouts: Layouts = None,
) -> list[Place]:
    """Our leaf for each of their variables, one to one.

    Args:
        theirs: Name, if known, and shape of each variable.
        params: Our parameters, just those that the other side optimizes.
        names: One for each variable, in their order: our path ("conv/kernel") or
            a name of theirs that ends like it ("net/conv/kernel:0"). Or a mapping
            from their name to our path, for those that are called differently.
        layouts: Our path or their name → how that tensor lies there, where the
            shapes do not tell.

    Raises:
        ValueError: If they do not pair off, or a shape does not fit.
    """
    ours = {path: tuple(np.shape(x)) for path, x in leaves(params).items()}
    if len(theirs) != len(ours):
        raise ValueError(
            f"params: expected the {len(theirs)} parameters that the source optimizes, "
            f"got {len(ours)}.\n{_listing(theirs, ours)}"
        )
    paths = _by_name(_named(theirs, names), ours, names)
    if paths is None:
        paths = _by_shape(theirs, ours)
    given = dict(layouts or {})
    places = []
    for i, ((name, shape), path) in enumerate(zip(theirs, paths, strict=True)):
        chosen = given.get(path) or given.get(name or "") or _layout(shape, ours[path])
        if chosen is None or _reshaped(chosen, shape) != ours[path]:
            raise ValueError(
                f"{path}: {ours[path]} in params, and {shape} as {_called(i, name)} of "
                "the source"
                + (f", which {chosen.name} does not make so" if chosen else "")
                + ". Expected equal shapes; correct names=, or tell how the tensor "
                "lies with layouts=."
            )
        places.append(Place(path, chosen))
    unknown = set(given) - {*paths, *(name for name, _ in theirs if name)}
    if unknown:
        raise ValueError(f"layouts: no parameter is called {sorted(unknown)}.")
    return places


def _named(theirs: Sequence[tuple], names: Names) -> list[str | None]:
    """What to look for among our paths, for each of their variables."""
    own = [name for name, _ in theirs]
    if names is None:
        return own
    if isinstance(names, Mapping):
        missing = set(names) - set(own)
        if missing:
            raise ValueError(
                f"names: {sorted(missing)} are not among the source's variables {own}."
            )
        return [names.get(name, name) for name in own]
    if isinstance(names, str) or len(names) != len(own):
        raise ValueError(
            f"names: expected one for each of the source's {len(own)} parameters, in "
            f"its order, got {names if isinstance(names, str) else len(names)}."
        )
    return list(names)


def _by_name(
    wanted: list[str | None], ours: Mapping[str, Any], names: Names
) -> list[str] | None:
    """The path that each name means; `None` if there are no names."""
    if None in wanted:
        return None
    exact = isinstance(names, Mapping)
    paths = []
    for name in wanted:
        if name in ours:
            paths.append(name)
            continue
        lengths = {path: _common(str(name), path) for path in ours}
        best = max(lengths.values(), default=0)
        found = [path for path, length in lengths.items() if length == best > 0]
        if len(found) != 1 or (exact and name in names.values()):
            raise ValueError(
                f"{name}: expected one leaf of that name in params, got "
                f"{found or 'none'} of {list(ours)}. Pass names=, one of our paths "
                "for each of the source's parameters, in its order; or a mapping."
            )
        paths.append(found[0])
    for path in paths:
        same = [
            name for name, other in zip(wanted, paths, strict=True) if other == path
        ]
        if len(same) > 1:
            raise ValueError(
                f"{path}: {same} all mean this leaf, by their names. Pass names=, one "
                "of our paths for each of the source's parameters, in its order."
            )
    return paths


def _common(theirs: str, ours: str) -> int:
    """How many words the names end with alike; 0 unless layer and kind are among them.

    Keras joins a path by "_" in the names of slots, so words are what it can be
    split into. A "depthwise_kernel" is a kernel, or that of a layer called depthwise.
    """
    theirs = re.sub(r":\d+$", "", theirs)
    other = _words(ours)
    needed = len(_words("/".join(ours.split("/")[-2:])))
    lengths = []
    for name in {theirs, re.sub("depthwise_kernel$", "kernel", theirs)}:
        one = _words(name)
        pairs = zip(reversed(one), reversed(other), strict=False)
        alike = [a == b for a, b in pairs]
        length = (*alike, False).index(False)
        lengths.append(length if length >= min(needed, len(one), len(other)) else 0)
    return max(lengths)


def _words(name: str) -> list[str]:
    words = re.split("[/_]", name)
    return [*words[:-1], _CANON.get(words[-1], words[-1])]


def _by_shape(theirs: Sequence[tuple], ours: Mapping[str, tuple]) -> list[str]:
    """The only leaf that each shape fits, or the next of those parted by a number.

    Of Dense_0/bias and Dense_1/bias, the first is the first.
    """
    paths: list[str] = []
    for i, (name, shape) in enumerate(theirs):
        fitting = [path for path in ours if _layout(shape, ours[path]) is not None]
        fitting = sorted(fitting, key=_natural)
        left = [path for path in fitting if path not in paths]
        if not left or len({re.sub(r"\d+", "#", path) for path in fitting}) > 1:
            raise ValueError(
                f"{_called(i, name)} of shape {shape}: expected one leaf that it fits, "
                f"got {fitting or 'none'}. The file has no names; pass names=, one of "
                "our paths for each parameter in the source's order, or [v.path for v "
                f"in model.trainable_variables].\n{_listing(theirs, ours)}"
            )
        paths.append(left[0])
    return paths


def _natural(path: str) -> list[tuple[int, str]]:
    """A key that sorts Dense_2 before Dense_10."""
    words = re.split(r"(\d+)", path)
    return [(int(word), "") if word.isdigit() else (0, word) for word in words]


def _layout(theirs: tuple[int, ...], ours: tuple[int, ...]) -> layout.Layout | None:
    """How a tensor lies, by its shapes alone."""
    if theirs == ours:
        return layout.same
    if len(theirs) == len(ours) == 4:
        height, width, channels, multiplier = theirs
        if ours == (height, width, 1, channels * multiplier):
            return layout.depthwise(multiplier)
    return None


def _reshaped(chosen: layout.Layout, shape: tuple[int, ...]) -> tuple | None:
    try:
        return chosen.to_ours(np.broadcast_to(0.0, shape)).shape
    except ValueError:
        return None


def _called(i: int, name: str | None) -> str:
    return name or f"parameter {i}"


def _listing(theirs: Sequence[tuple], ours: Mapping[str, tuple]) -> str:
    left = [f"  {_called(i, name)} {shape}" for i, (name, shape) in enumerate(theirs)]
    right = [f"  {path} {shape}" for path, shape in ours.items()]
    return "\n".join(["The source's:", *left, "Ours:", *right])
