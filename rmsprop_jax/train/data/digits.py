"""The 1 797 handwritten digits of 8 x 8 pixels that scikit-learn carries.

Read from its file, since importing it takes a second. Origin: Alpaydin and Kaynak
(1998), "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository;
scikit-learn has the test set of it.
"""

import gzip
import importlib.util
import zlib
from pathlib import Path

import numpy as np

from rmsprop_jax.train.data.dataset import Arrays, Dataset

TEST = 360
_SHAPE = (1797, 65)  # 64 pixels of 0..16, then the label
_WAY_OUT = "Install it afresh: pip install --force-reinstall scikit-learn."


def load() -> Dataset:
    """1 437 digits to learn from, and the last 360, by other writers, to test.

        image = round(255/16 pixel),     pixel in 0 .. 16

    Raises:
        ModuleNotFoundError: If scikit-learn is not installed.
        ValueError: If its file is not the one expected.
    """
    table = _table(_file())
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = table[:, 64].astype(np.int32)
    return Dataset(
        train=_arrays(images[:-TEST], labels[:-TEST]),
        test=_arrays(images[-TEST:], labels[-TEST:]),
    )


def _arrays(images: np.ndarray, labels: np.ndarray) -> Arrays:
    return {"image": images, "label": labels}


def _file() -> Path:
    spec = importlib.util.find_spec("sklearn")  # finds it, does not import it
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "digits: expected scikit-learn, which carries them, and it is not "
            "installed; pip install 'rmsprop-jax[train]'."
        )
    return Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"


def _table(path: Path) -> np.ndarray:
    try:
        with gzip.open(path) as file:
            text = file.read()
        numbers = [line.split(b",") for line in text.splitlines()]
        table = np.array(numbers, np.int64)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(
            f"{path}: expected the digits of scikit-learn, found: {error}. {_WAY_OUT}"
        ) from error
    if table.shape != _SHAPE or table[:, :64].max() > 16 or table[:, 64].max() > 9:
        raise ValueError(
            f"{path}: expected {_SHAPE[0]} rows of 64 pixels in 0..16 and a label in "
            f"0..9, found an array of {table.shape}, up to {table.max()}. {_WAY_OUT}"
        )
    return table
