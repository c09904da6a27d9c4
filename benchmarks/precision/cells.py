"""Which hyperparameters are trained with."""

from typing import NamedTuple

import numpy as np


class Cell(NamedTuple):
    """A choice of hyperparameters; `momentum=False` has no trace."""

    decay: float
    momentum: float | bool = False
    centered: bool = False

    @property
    def structure(self) -> tuple[bool, bool]:
        """What is compiled anew: which slots there are."""
        return self.momentum is not False, self.centered


CORE = (
    Cell(0.9), Cell(0.9, 0.9), Cell(0.999), Cell(0.999, 0.9),
    Cell(0.99, False, True), Cell(0.9999),
)  # fmt: skip
FULL = tuple(
    Cell(decay, momentum, centered)
    for decay in (0.9, 0.99, 0.999, 0.9999)
    for momentum in (False, 0.9)
    for centered in (False, True)
)
# The peaks by ρ; with momentum β times 1 − β.
RATES = {
    "mlp": {0.9: 5e-3, 0.99: 5e-3, 0.999: 2e-3, 0.9999: 6e-4},
    "cnn": {0.9: 3e-3, 0.99: 2e-3, 0.999: 6e-4, 0.9999: 2e-4},
    "characters": {0.9: 6e-3, 0.99: 6e-3, 0.999: 2.5e-3, 0.9999: 6e-4},
}


def peak(task: str, cell: Cell) -> float:
    """The highest learning rate of a training."""
    return RATES[task][cell.decay] * (1 - cell.momentum)


def rates(steps: int, highest: float) -> np.ndarray:
    """Up to `highest` in a tenth of the steps, and down to zero."""
    step, climb = np.arange(steps), max(1, steps // 10)
    share = np.minimum((step + 1) / climb, (steps - step) / (steps - climb))
    return (highest * share).astype(np.float32)
