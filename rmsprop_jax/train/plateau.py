"""A learning rate that falls when the loss has stopped falling."""

import math
from dataclasses import dataclass


@dataclass
class Plateau:
    """After `patience` epochs without a loss below the best, × `factor`, and again.

    Attributes:
        factor: What the learning rate is multiplied by.
        patience: Epochs to wait.
        best: The lowest loss so far.
        waited: Epochs since.
    """

    factor: float
    patience: int
    best: float = math.inf
    waited: int = 0

    def factor_after(self, loss: float) -> float:
        """What to multiply the learning rate by after an epoch with this loss."""
        if loss < self.best:
            self.best, self.waited = loss, 0
            return 1.0
        self.waited += 1
        if self.waited <= self.patience:
            return 1.0
        self.waited = 0
        return self.factor
