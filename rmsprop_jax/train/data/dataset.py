"""What every source of data returns."""

from typing import NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Dataset(NamedTuple):
    """Named arrays of equal leading dimension; images may be read-only.

    Either `image`, uint8 of (n, height, width, 1), and `label`, int32 of (n,); or `x`
    and `y`, float32 of (n, features) and (n, outputs).
    """

    train: Arrays
    test: Arrays
