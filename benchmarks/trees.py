"""The trees of parameters that an update is timed on: names and shapes, no arrays."""

import math
from collections.abc import Mapping

Shapes = Mapping[str, tuple[int, ...]]


def matrix() -> Shapes:
    """64 Mi numbers in one array."""
    return {"w": (8192, 8192)}


def resnet50() -> Shapes:
    """ResNet-50 for 1 000 classes: 161 arrays, 25.6 M numbers."""
    shapes = _convolution("stem", 7, 3, 64)
    width_in = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for block in range(blocks):
            name = f"{stage}/{block}"
            shapes |= _convolution(f"{name}/1", 1, width_in, width)
            shapes |= _convolution(f"{name}/2", 3, width, width)
            shapes |= _convolution(f"{name}/3", 1, width, 4 * width)
            if block == 0:
                shapes |= _convolution(f"{name}/shortcut", 1, width_in, 4 * width)
            width_in = 4 * width
    return shapes | _dense("head", width_in, 1000)


def gpt2() -> Shapes:
    """GPT-2, the smallest: 148 arrays, 124.4 M numbers."""
    width, layers = 768, 12
    shapes = {"tokens": (50257, width), "positions": (1024, width)}
    for layer in range(layers):
        name = f"{layer:02}"
        shapes |= _scale_and_bias(f"{name}/norm1", width)
        shapes |= _dense(f"{name}/attention", width, 3 * width)
        shapes |= _dense(f"{name}/projection", width, width)
        shapes |= _scale_and_bias(f"{name}/norm2", width)
        shapes |= _dense(f"{name}/widen", width, 4 * width)
        shapes |= _dense(f"{name}/narrow", 4 * width, width)
    return shapes | _scale_and_bias("norm", width)


def thousand() -> Shapes:
    """1 000 arrays of 32 numbers."""
    return {f"{index:03}": (32,) for index in range(1000)}


TREES = {"matrix": matrix, "resnet50": resnet50, "gpt2": gpt2, "thousand": thousand}


def count(shapes: Shapes) -> int:
    """How many numbers that is."""
    return sum(map(math.prod, shapes.values()))


def cut(shapes: Shapes) -> Shapes:
    """The first two arrays, no axis longer than 64: the same work, in an instant."""
    first = list(shapes.items())[:2]
    return {name: tuple(min(n, 64) for n in shape) for name, shape in first}


def _convolution(name: str, window: int, wide_in: int, wide_out: int) -> Shapes:
    kernel = {f"{name}/kernel": (window, window, wide_in, wide_out)}
    return kernel | _scale_and_bias(f"{name}/norm", wide_out)


def _dense(name: str, wide_in: int, wide_out: int) -> Shapes:
    return {f"{name}/kernel": (wide_in, wide_out), f"{name}/bias": (wide_out,)}


def _scale_and_bias(name: str, width: int) -> Shapes:
    return {f"{name}/scale": (width,), f"{name}/bias": (width,)}
