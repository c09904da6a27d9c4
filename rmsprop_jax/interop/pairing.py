"""Which of torch's parameters is which of our leaves, and how its tensors lie."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.interop import layout
from rmsprop_jax.interop.layout import Layout
from rmsprop_jax.interop.paths import leaves

Path = str | tuple[str, ...]
Names = Sequence[str] | Mapping[str, Path | None] | None
Layouts = Mapping[str, Layout] | None

_WEIGHTS = ("kernel", "scale", "embedding", "weight")


class Pair(NamedTuple):
    """A parameter of torch's, and our leaf; the leaves of its gates, for an LSTM's."""

    theirs: str
    ours: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]  # of ours
    layout: Layout

    def to_ours(self, array: np.ndarray) -> dict[str, np.ndarray]:
        """Our arrays by path, from theirs.

        Raises:
            ValueError: If the shapes differ.
        """
        try:
            pieces = np.split(array, len(self.ours)) if array.ndim else [array]
            found = [self.layout.to_ours(piece) for piece in pieces]
        except ValueError as error:
            raise ValueError(f"{self.told(array)} {error}") from None
        if tuple(x.shape for x in found) != self.shapes:
            raise ValueError(
                f"{self.told(array)} The layout {self.layout.name} makes "
                f"{found[0].shape} of it. Correct names=, or pass layouts=."
            )
        return dict(zip(self.ours, found, strict=True))

    def to_theirs(self, arrays: Mapping[str, Any]) -> np.ndarray:
        """Their array, from ours by path."""
        pieces = [self.layout.to_theirs(np.asarray(arrays[path])) for path in self.ours]
        return np.concatenate(pieces) if len(pieces) > 1 else pieces[0]

    def told(self, array: np.ndarray) -> str:
        """Both sides' names and shapes, for an error."""
        return (
            f"{self.theirs} of shape {tuple(array.shape)}: expected what fits "
            f"{', '.join(self.ours)} of shape {self.shapes[0]}."
        )


def pair(
    names: Names, params: Any, layouts: Layouts = None, *, count: int | None = None
) -> list[Pair]:
    """Every parameter of torch's with our leaf, by name, else by order.

    Args:
        names: torch's names in its order; or a mapping from them to our paths, where
            the names differ (`None`: as the name says). No names: by order.
        params: Our parameters.
        layouts: torch's name, or our path → how the tensor lies there.
        count: How many parameters torch has, if its names are not known.

    Raises:
        ValueError: If they do not pair off, or if only a guess would pair them.
    """
    shapes = {path: tuple(np.shape(x)) for path, x in leaves(params).items()}
    if isinstance(names, str):
        raise TypeError(f"names={names!r}: expected a sequence of them, or a mapping.")
    if names is None:
        names = {f"parameter {i}": None for i in range(count or 0)}
        chosen = _by_order(names, shapes)
    else:
        if not isinstance(names, Mapping):
            if len(set(names)) != len(names):
                raise ValueError(f"names: expected each once, got {list(names)}.")
            names = dict.fromkeys(names)
        if count is not None and len(names) != count:
            raise ValueError(
                f"names: expected {count}, one for each parameter of the optimizer in "
                f"its order, got {len(names)}: {list(names)}."
            )
        chosen = _by_name(names, shapes)
    pairs = [
        Pair(name, paths, tuple(shapes[path] for path in paths), layout.same)
        for name, paths in chosen.items()
    ]
    return _with_layouts(pairs, dict(layouts or {}))


def _by_name(
    names: Mapping[str, Path | None], shapes: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    known: dict[tuple, list[str]] = {}
    for path in shapes:
        known.setdefault(_key(path), []).append(path)
    chosen, unknown = {}, []
    for name, given in names.items():
        paths = (given,) if isinstance(given, str) else given
        paths = paths or tuple(known.get(_key(name), ()))
        if (given is None and len(paths) != 1) or not set(paths) <= set(shapes):
            unknown.append(f"{name} → {given}" if given else name)
        chosen[name] = tuple(paths)
    if len(unknown) == len(names) and not any(names.values()):
        return _by_order(names, shapes)
    if unknown:
        raise ValueError(
            f"names: {unknown} mean none of our leaves {list(shapes)}. Pass a mapping, "
            "names={'fc1.weight': 'dense/kernel', ...}, with None for those that are "
            "named alike."
        )
    _check_shared(chosen)
    return chosen


def _check_shared(chosen: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse two names for one leaf, unless they are the two biases of an LSTM."""
    sharing: dict[str, list[str]] = {}
    for name, paths in chosen.items():
        for path in paths:
            sharing.setdefault(path, []).append(name)
    for path, names in sharing.items():
        biases = len({re.sub("bias_[ih]h", "bias", name) for name in names}) == 1
        if len(names) > 1 and not biases:
            raise ValueError(f"{path}: expected one name, {names} all mean it.")


def _by_order(
    names: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[str, ...]]:
    """As torch orders them: layer by layer, the weight before the bias."""
    if len(names) != len(shapes):
        raise ValueError(
            f"params: expected {len(names)} leaves, as torch has, got {len(shapes)}: "
            f"{list(shapes)}. Pass just those that torch optimizes, and names=."
        )
    layers: dict[str, list[str]] = {}
    for path in sorted(shapes, key=lambda path: (_natural(path), path)):
        layers.setdefault(path.rpartition("/")[0], []).append(path)
    like: dict[tuple, str] = {}
    for layer, paths in layers.items():
        bare = re.sub(r"\d+", "#", layer)
        first = like.setdefault(tuple(shapes[path] for path in paths), bare)
        if first != bare:
            raise ValueError(
                f"{layer}: another layer has the same shapes, and no number tells "
                "which comes first. Pass names=[n for n, _ in "
                "model.named_parameters()], or a mapping from those to our paths."
            )
    ordered = [(path,) for paths in layers.values() for path in paths]
    return dict(zip(names, ordered, strict=True))


def _natural(path: str) -> list:
    """A key that sorts layer2/kernel, layer2/bias, layer10/kernel in this order."""
    parent, _, last = path.rpartition("/")
    words = re.split(r"(\d+)", parent)
    return [[int(w) if w.isdigit() else w for w in words], last not in _WEIGHTS]


def _key(name: str) -> tuple[str, ...]:
    """What "block_1.conv.weight" and "block/1/conv/kernel" have in common."""
    name = re.sub(r"^((module|_orig_mod)\.)+|^params/", "", name)
    *layer, last = re.split(r"[./]", name)
    words = re.findall(r"[A-Za-z]+|\d+", "/".join(layer))
    return *words, "weight" if last in _WEIGHTS else last


def _with_layouts(pairs: list[Pair], layouts: dict[str, Layout]) -> list[Pair]:
    known = {name for one in pairs for name in (one.theirs, *one.ours)}
    if not set(layouts) <= known:
        raise ValueError(
            f"layouts: {sorted(set(layouts) - known)} are names of no parameter, "
            f"expected some of {sorted(known)}."
        )
    channels, found = None, []
    for one in pairs:
        shape = one.shapes[0]
        inferred = layout.infer(one.ours[0], len(shape))
        given = [layouts[name] for name in (one.theirs, *one.ours) if name in layouts]
        if inferred is layout.linear and not given and channels:
            _refuse_guess(one, shape[0], channels)
        if inferred in layout.CONVOLUTIONS:
            channels = shape[-1]
        elif inferred is layout.linear:
            channels = None
        found.append(one._replace(layout=(*given, inferred)[0]))
    return found


def _refuse_guess(one: Pair, inputs: int, channels: int) -> None:
    # torch flattens (C, H, W) and Flax (H, W, C): both have the same shape.
    if inputs > channels and inputs % channels == 0:
        raise ValueError(
            f"{one.theirs}: {inputs} inputs behind a convolution with {channels} "
            "channels look like a flattened image, whose order differs. Pass layouts="
            f"{{{one.theirs!r}: layout.linear_after_flatten(({channels}, H, W))}}, or "
            "layout.linear if nothing was flattened."
        )
