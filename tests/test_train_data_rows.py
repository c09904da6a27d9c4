import os
import re
from pathlib import Path

import pytest

from rmsprop_jax.train.data import mnist
from rmsprop_jax.train.data.rows import ROWS

NEAR = Path(__file__).parents[2] / "shared/data/mnist"
NAMED = os.environ.get("RMSPROP_JAX_DATA")
REAL = NAMED if NAMED and mnist.available("mnist", NAMED) else NEAR
needs_mnist = pytest.mark.skipif(
    not mnist.available("mnist", REAL),
    reason="no MNIST in $RMSPROP_JAX_DATA nor beside the checkout",
)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_knows_its_four_files_and_where_to_get_them(name):
    row = ROWS[name]
    assert row.name == name
    assert [file.shape[0] for file in row.files] == [60000, 60000, 10000, 10000]
    assert [len(file.shape) for file in row.files] == [3, 1, 3, 1]
    for file in row.files:
        assert file.sha256 or (file.md5 and file.gz_sha256)
        for digits, length in ((file.sha256, 64), (file.gz_sha256, 64), (file.md5, 32)):
            assert digits is None or re.fullmatch(f"[0-9a-f]{{{length}}}", digits)
    assert len(row.mirrors) >= 2
    assert all(m.startswith("https://") and m.endswith("/") for m in row.mirrors)


def test_no_hash_stands_in_two_rows():
    kinds = ("sha256", "md5", "gz_sha256")
    files = [file for row in ROWS.values() for file in row.files]
    hashes = [getattr(file, kind) for file in files for kind in kinds]
    given = [value for value in hashes if value is not None]
    assert len(set(given)) == len(given) == 4 + 2 * 4


@needs_mnist
def test_real_mnist_is_what_it_is_known_to_be():
    train, test = mnist.load("mnist", REAL).parts
    assert train["image"].shape == (60000, 28, 28, 1)
    assert test["image"].shape == (10000, 28, 28, 1)
    assert train["label"][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test["label"][:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert round(float(train["image"].mean()) / 255, 4) == 0.1307


@needs_mnist
def test_mnist_is_not_taken_for_fashion_mnist():
    with pytest.raises(ValueError, match=r"images-idx3-ubyte of mnist\. Replace it by"):
        mnist.load("fashion-mnist", REAL)
