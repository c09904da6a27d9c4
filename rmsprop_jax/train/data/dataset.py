"""What every source of data returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
# By this name, in what data are about, is known what was learned from.
LEARNED = "sha256 of train"


@dataclass(frozen=True)
class Dataset:
    """Named arrays of equal leading dimension, as their task reads them.

    Such as `image`, uint8 of (n, height, width, 1), and `label`, int32 of (n,). They
    may be read-only.

    Attributes:
        train: What is learned from.
        test: What is not.
        about: What the data turned out to be, for `Task.told`; it can be written as
            JSON.
        said: What a user should know of that, a line each.
    """

    train: Arrays
    test: Arrays
    about: Mapping[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Arrays, Arrays]:
        """What is learned from, and what is not."""
        return self.train, self.test
