"""What every source of data returns."""

from typing import NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Dataset(NamedTuple):
    """Named arrays of equal leading dimension, as their task reads them.

    Such as `image`, uint8 of (n, height, width, 1), and `label`, int32 of (n,). They
    may be read-only.
    """

    train: Arrays
    test: Arrays
