"""What the sides of `benchmarks.lstm` share beside `protocol`: features and weights.

A model reads four frames as one, has two layers of an LSTM with dropout after each,
takes the mean of h over the true frames, and ten outputs of that.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

STACKED = 4
OUTPUTS = 10
DROPOUT = 0.2
CLIP_NORM = 1.0


class Spoken(NamedTuple):
    """Features of (n, frames, bands), float16; how many are true; the digits."""

    frames: np.ndarray
    length: np.ndarray
    label: np.ndarray


class Weights(NamedTuple):
    """V, W and b of both layers, gates i, f, g, o side by side; the outputs' matrix."""

    into: tuple[np.ndarray, np.ndarray]
    again: tuple[np.ndarray, np.ndarray]
    bias: tuple[np.ndarray, np.ndarray]
    out: np.ndarray


def write_data(path: Path, train: Spoken, test: Spoken) -> None:
    """What `data` reads."""
    parts = {"train": train, "test": test}
    arrays = {
        f"{part}_{name}": x
        for part, of in parts.items()
        for name, x in of._asdict().items()
    }
    np.savez(path, **arrays)


def data(path: str) -> tuple[Spoken, Spoken]:
    """The training and the test recordings."""
    with np.load(path) as arrays:
        train, test = (
            Spoken(*(arrays[f"{part}_{name}"] for name in Spoken._fields))
            for part in ("train", "test")
        )
    return train, test


def stacked(part: Spoken) -> tuple[np.ndarray, np.ndarray]:
    """Frames as the layers read them, float32, and which are true, 1 or 0."""
    n, count, bands = part.frames.shape
    frames = part.frames.astype(np.float32)
    frames = frames.reshape(n, count // STACKED, STACKED * bands)
    steps = np.arange(count // STACKED)[None, :] < -(-part.length[:, None] // STACKED)
    return frames, steps.astype(np.float32)


def drawn(rng: np.random.Generator, features: int, width: int) -> list[np.ndarray]:
    """Weights from N(0, 1 / inputs); the forget gates begin at 1."""

    def normal(inputs: int, outputs: int) -> np.ndarray:
        drawn = rng.standard_normal((inputs, outputs), np.float32)
        return drawn * np.float32(inputs**-0.5)

    bias = np.repeat(np.float32([0, 1, 0, 0]), width)
    layers = [
        [normal(inputs, 4 * width), normal(width, 4 * width), bias]
        for inputs in (features, width)
    ]
    return [*layers[0], *layers[1], normal(width, OUTPUTS)]


def weights(drawn: list[np.ndarray]) -> Weights:
    """The same by their names."""
    into, again, bias = zip(drawn[:3], drawn[3:6], strict=True)
    return Weights(into, again, bias, drawn[6])
