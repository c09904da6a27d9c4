"""What one published setting consists of: a row, its clipping, what does not decay.

No numbers of anyone's here, and no RMSProp.
"""

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from rmsprop_jax.moments import squared
from rmsprop_jax.published.schedules import Rate
from rmsprop_jax.storage import working_dtype

# What two modules in three call them: Flax, Haiku and Keras, PyTorch.
_NAMES_OF_VECTORS = {"bias", "scale", "gamma", "beta", "offset"}
_NORMALIZATION = re.compile(r"(?i)batch_?norm|(^|_)(bn|norm)(_?\d+)?$")
_DEPTHWISE = re.compile(r"(?i)depthwise|(^|_)dw(_|\d|$)|dwconv")


@dataclass(frozen=True)
class Clip:
    """Clipping of gradients, before they reach the RMSProp.

        g · limit / max(‖g‖ + added, limit)

    Attributes:
        what: Each of the `"elements"` to [−limit, limit]; all of them by their
            `"global norm"`; or `"each array"` by its own norm.
        limit: The bound.
        added: What is added to the norm (PyTorch: 1e-6).
    """

    what: Literal["elements", "global norm", "each array"]
    limit: float
    added: float = 0.0

    def transformation(self, loss_scale: float = 1.0) -> optax.GradientTransformation:
        """The clipping, of gradients that are `loss_scale` times the published ones."""
        limit, added = self.limit * loss_scale, self.added * loss_scale
        if self.what == "elements":
            return optax.clip(limit)

        def shrunk(tree):
            norm = _norm(jax.tree.leaves(tree))
            share = limit / jnp.maximum(norm + added, limit)
            return jax.tree.map(lambda g: g * share.astype(g.dtype), tree)

        if self.what == "each array":
            return optax.stateless(lambda grads, _: jax.tree.map(shrunk, grads))
        return optax.stateless(lambda grads, _: shrunk(grads))

    def __str__(self):
        """The clipping in words."""
        added = f", {self.added:g} added to the norm" if self.added else ""
        return f"{self.what} at {self.limit:g}{added}"


def _norm(leaves: list[jax.Array]) -> jax.Array:
    dtype = working_dtype(*(jnp.finfo(g.dtype).dtype for g in leaves))
    wide = (g.astype(working_dtype(g.dtype, dtype)) for g in leaves)
    return jnp.sqrt(sum((squared(g).sum() for g in wide), jnp.zeros([], dtype)))


@dataclass(frozen=True)
class Spared:
    """Which parameters weight decay leaves alone.

    Attributes:
        text: In words, which decay.
        spares: Path, shape and the names of the leaves beside it → whether it is
            left alone; `None` leaves none alone.
    """

    text: str
    spares: Callable[[list[str], tuple[int, ...], set[str]], bool] | None

    def mask(self, params: Any) -> Any:
        """Which leaves of `params` decay: a tree of booleans like it."""
        paths = [_names(path) for path, _ in jax.tree.leaves_with_path(params)]
        beside: dict[tuple[str, ...], set[str]] = {}
        for *module, name in paths:
            beside.setdefault(tuple(module), set()).add(name)

        def decays(path, leaf):
            names = _names(path)
            siblings = beside[tuple(names[:-1])]
            return not (self.spares and self.spares(names, jnp.shape(leaf), siblings))

        return jax.tree.map_with_path(decays, params)


def _names(path: tuple) -> list[str]:
    """The path's names; an `nnx.Variable`'s own `.value` is none."""
    if len(path) > 1 and getattr(path[-1], "name", None) == "value":
        path = path[:-1]
    return [jax.tree_util.keystr((key,), simple=True) for key in path] or [""]


def _is_vector(names, shape, beside):
    del beside
    return len(shape) < 2 or names[-1] in _NAMES_OF_VECTORS


def _is_normalization(names, shape, beside):
    del shape
    return bool(beside & {"scale", "gamma"}) or any(
        _NORMALIZATION.search(name) for name in names[:-1]
    )


def _is_depthwise(names, shape):
    alone = len(shape) >= 3 and shape[-2] == 1 and shape[-1] > 1
    return alone or any(_DEPTHWISE.search(name) for name in names)


NOTHING = Spared("every parameter", None)
NORMALIZATION = Spared(
    "all, biases too, but normalizations (leaves beside a scale or gamma, or in a "
    "module named batch norm, bn or norm)",
    _is_normalization,
)
VECTORS = Spared(
    "all but biases and normalizations (leaves of fewer than 2 axes, or named bias, "
    "scale, gamma, beta or offset)",
    _is_vector,
)
VECTORS_AND_DEPTHWISE = Spared(
    f"{VECTORS.text} and depthwise kernels (3 axes or more, the last two 1 and n > 1; "
    "or depthwise or dw in the path)",
    lambda names, shape, beside: (
        _is_vector(names, shape, beside) or _is_depthwise(names, shape)
    ),
)


@dataclass(frozen=True)
class Recipe:
    """A published setting.

    Attributes:
        dialect: Whose RMSProp it used: a key of `DIALECTS`.
        values: What it set: arguments of `rmsprop`.
        rate: The learning rate; calling it with what `needs` names makes it.
        source: Where that was read.
        outside: What no transformation can hold, and the user must add.
        confidence: `"A"`: read in the authors' code; `"A-"`: in their paper's text;
            `"B"`: in a faithful reproduction.
        clip: Clipping before the RMSProp.
        weight_decay: λ, coupled: the gradient of λ/2 ‖θ‖².
        spared: What does not decay.
    """

    dialect: str
    values: Mapping[str, Any] = field(hash=False)
    rate: Rate
    source: str
    outside: tuple[str, ...]
    confidence: Literal["A", "A-", "B"] = "A"
    clip: Clip | None = None
    weight_decay: float | None = None
    spared: Spared = NOTHING

    @property
    def needs(self) -> tuple[str, ...]:
        """What it leaves open: required arguments of `recipe`."""
        return self.rate.needs

    def __str__(self):
        """All of it in words, a line for each part."""
        values = ", ".join(f"{name} {value}" for name, value in self.values.items())
        decay = (
            "none"
            if self.weight_decay is None
            else f"{self.weight_decay:g}, coupled, of {self.spared.text}"
        )
        parts = {
            "takes": ", ".join(self.needs) or "nothing",
            "RMSProp": f"{self.dialect}: {values}" if values else self.dialect,
            "rate": str(self.rate),
            "clips": "nothing" if self.clip is None else str(self.clip),
            "decay": decay,
            "outside": "; ".join(self.outside),
            "source": f"{self.source} ({self.confidence})",
        }
        return "\n".join(
            textwrap.fill(
                f"{name:9}{text}",
                width=80,
                subsequent_indent=" " * 9,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for name, text in parts.items()
        )
