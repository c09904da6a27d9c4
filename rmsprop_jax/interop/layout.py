"""How another framework's tensors lie, beside ours (Flax).

A slot of the optimizer lies as its parameter does: squares permute and flip alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = [
    "Layout",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose2d",
    "depthwise",
    "infer",
    "linear",
    "linear_after_flatten",
    "lstm",
    "same",
]

Array = np.ndarray


@dataclass(frozen=True)
class Layout:
    """A way to lay out a tensor, and the way back.

    Attributes:
        name: What it is called in errors.
        to_ours: Their array → ours.
        to_theirs: Our array → theirs.

    Example:
        >>> linear.to_ours(np.zeros((2, 3))).shape
        (3, 2)
        >>> flipped = Layout("flipped", np.flipud, np.flipud)
        >>> flipped.to_ours(np.arange(3))
        array([2, 1, 0])
    """

    name: str
    to_ours: Callable[[Array], Array]
    to_theirs: Callable[[Array], Array]


def _permuted(name: str, *axes: int) -> Layout:
    back = tuple(int(i) for i in np.argsort(axes))

    def by(order):
        def permute(x):
            if x.ndim != len(axes):
                raise ValueError(
                    f"layout {name}: expected {len(axes)} axes, got shape {x.shape}."
                )
            return x.transpose(order)

        return permute

    return Layout(name, by(axes), by(back))


same = Layout("same", lambda x: x, lambda x: x)
"""As it is: biases, scales, embeddings."""
linear = _permuted("linear", 1, 0)
"""Torch's (out, in), as (in, out)."""
conv1d = _permuted("conv1d", 2, 1, 0)
"""Torch's (out, in, L), as (L, in, out)."""
conv2d = _permuted("conv2d", 2, 3, 1, 0)
"""Torch's (out, in, H, W), as (H, W, in, out)."""
conv3d = _permuted("conv3d", 2, 3, 4, 1, 0)
"""Torch's (out, in, D, H, W), as (D, H, W, in, out)."""
CONVOLUTIONS = (conv1d, conv2d, conv3d)


def conv_transpose2d(*, transpose_kernel: bool = False) -> Layout:
    """Torch's `ConvTranspose2d` (in, out, H, W), as Flax's `ConvTranspose`.

    Args:
        transpose_kernel: As given to Flax. Without it, the kernel (H, W, in, out) is
            applied the other way round, and flipped for that. With it, and in Keras,
            it is (H, W, out, in).

    Example:
        >>> import numpy as np
        >>> conv_transpose2d().to_ours(np.zeros((2, 3, 5, 7))).shape
        (5, 7, 2, 3)
    """
    if transpose_kernel:
        return _permuted("conv_transpose2d(transpose_kernel=True)", 2, 3, 1, 0)
    permuted = _permuted("conv_transpose2d", 2, 3, 0, 1)
    return Layout(
        "conv_transpose2d",
        lambda x: np.flip(permuted.to_ours(x), (0, 1)),
        lambda x: permuted.to_theirs(np.flip(x, (0, 1))),
    )


def linear_after_flatten(shape: tuple[int, ...]) -> Layout:
    """Torch's `Linear` behind a flatten of images, which Flax has channels last.

    Args:
        shape: What torch flattens, without the batch: (C, H, W), or (C, L).

    Raises:
        ValueError: From `to_ours`, if the layer takes another number of inputs.

    Example:
        >>> import numpy as np
        >>> first = linear_after_flatten((2, 1, 3)).to_ours(np.arange(6)[None])
        >>> first[:, 0].tolist()         # channels change fastest
        [0, 3, 1, 4, 2, 5]
    """
    name = f"linear_after_flatten({tuple(shape)})"
    spatial = tuple(shape[1:])
    last = (*range(2, len(shape) + 1), 1, 0)

    def to_ours(x):
        if x.ndim != 2 or x.shape[1] != np.prod(shape):
            raise ValueError(
                f"layout {name}: expected shape (out, {np.prod(shape)}), got {x.shape}."
            )
        return x.reshape(x.shape[0], *shape).transpose(last).reshape(-1, x.shape[0])

    def to_theirs(x):
        out = x.shape[-1]
        x = x.reshape(*spatial, shape[0], out)
        return x.transpose(np.argsort(last)).reshape(out, -1)

    return Layout(name, to_ours, to_theirs)


def depthwise(multiplier: int) -> Layout:
    """Keras' `DepthwiseConv2D` (H, W, C, multiplier), as Flax's (H, W, 1, C * ...).

    torch's, (C * multiplier, 1, H, W), is `conv2d`, like any grouped convolution.

    Args:
        multiplier: How many outputs each channel has.

    Example:
        >>> import numpy as np
        >>> depthwise(4).to_ours(np.zeros((3, 3, 8, 4))).shape
        (3, 3, 1, 32)
    """
    return Layout(
        f"depthwise({multiplier})",
        lambda x: x.reshape(*x.shape[:2], 1, -1),
        lambda x: x.reshape(*x.shape[:2], -1, multiplier),
    )


def infer(path: str, rank: int) -> Layout:
    """How torch lays out the leaf at `path`, going by its name.

    A "kernel" is a linear layer's or a convolution's, by its rank; everything else
    (bias, scale, embedding, parameters of one's own) lies alike.

    Args:
        path: As in "encoder/conv/kernel".
        rank: How many axes it has.

    Example:
        >>> infer("encoder/conv/kernel", 4).name, infer("encoder/conv/bias", 1).name
        ('conv2d', 'same')
    """
    if path.rpartition("/")[2] != "kernel":
        return same
    return {2: linear, 3: conv1d, 4: conv2d, 5: conv3d}.get(rank, same)


Cell = Literal["nnx.OptimizedLSTMCell", "nnx.LSTMCell", "linen"]


def lstm(
    theirs: str, ours: str, *, cell: Cell, layer: int | None = 0
) -> dict[str, str | tuple[str, ...]]:
    """The names of torch's LSTM → ours, a part of `names=`.

        names = {n: None for n, _ in model.named_parameters()}
        names |= layout.lstm("rnn", "rnn/cell", cell="nnx.LSTMCell")

    torch has one kernel for four gates, in the order i, f, g, o; where Flax has four,
    it is cut. torch has two biases and Flax one, their sum, which moves twice as far
    in each step: see `interop.torch.load`.

    Args:
        theirs: torch's module, as in "rnn.weight_ih_l0".
        ours: Our cell, as in "rnn/cell/ii/kernel".
        cell: Which of Flax's; "linen" for linen's `LSTMCell` and
            `OptimizedLSTMCell`, which name their parameters alike.
        layer: Which layer of an `nn.LSTM`; `None` for an `nn.LSTMCell`.

    Raises:
        ValueError: If `cell` is none of these.

    Example:
        >>> lstm("rnn", "cell", cell="nnx.OptimizedLSTMCell")["rnn.weight_ih_l0"]
        'cell/dense_i/kernel'
    """
    end = "" if layer is None else f"_l{layer}"
    if cell == "nnx.OptimizedLSTMCell":
        inputs, hidden = f"{ours}/dense_i", f"{ours}/dense_h"
        found = f"{inputs}/kernel", f"{hidden}/kernel", f"{hidden}/bias"
    elif cell in ("nnx.LSTMCell", "linen"):
        inputs, hidden = (
            [f"{ours}/{kind}{gate}" for gate in _gates(cell, kind)] for kind in "ih"
        )
        found = (
            tuple(f"{gate}/kernel" for gate in inputs),
            tuple(f"{gate}/kernel" for gate in hidden),
            tuple(f"{gate}/bias" for gate in hidden),
        )
    else:
        raise ValueError(
            f"cell={cell!r}: expected nnx.OptimizedLSTMCell, nnx.LSTMCell or linen."
        )
    kernel_i, kernel_h, bias = found
    return {
        f"{theirs}.weight_ih{end}": kernel_i,
        f"{theirs}.weight_hh{end}": kernel_h,
        f"{theirs}.bias_ih{end}": bias,
        f"{theirs}.bias_hh{end}": bias,
    }


def _gates(cell: str, kind: str) -> tuple[str, ...]:
    # `if` is a word of Python's, so nnx, and only it, writes if_.
    reserved = cell == "nnx.LSTMCell" and kind == "i"
    return ("i", "f_" if reserved else "f", "g", "o")
