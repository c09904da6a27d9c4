import gzip
import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from rmsprop_jax.train.data import digits, linear

needs_digits = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed"
)


@needs_digits
def test_the_digits_are_those_of_scikit_learn_the_last_360_for_the_test():
    from sklearn.datasets import load_digits

    theirs, ours = load_digits(), digits.load()
    images = np.concatenate([ours.train["image"], ours.test["image"]])
    labels = np.concatenate([ours.train["label"], ours.test["label"]])
    assert ours.test["image"].shape == (360, 8, 8, 1)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    pixels = (theirs.images * 255 / 16).round().astype(np.uint8)
    np.testing.assert_array_equal(images[..., 0], pixels, strict=True)
    np.testing.assert_array_equal(labels, theirs.target)
    assert set(np.unique(images)) == {round(255 * k / 16) for k in range(17)}


@needs_digits
def test_loading_data_imports_neither_scikit_learn_nor_jax():
    code = (
        "import sys\n"
        "from rmsprop_jax.train.data import choice, digits, linear, mnist\n"
        "digits.load(), linear.load()\n"
        "print({'sklearn', 'scipy', 'jax', 'urllib.request'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_without_scikit_learn_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"rmsprop-jax\[train\]"):
        digits.load()


ROW = b",".join([b"3"] * 65)


@pytest.mark.parametrize(
    ("table", "found"),
    [
        (None, "No such file"),
        (b"\n".join([ROW] * 1796), r"\(1796, 65\), up to 3"),
        (b"\n".join([ROW] * 1796 + [ROW.replace(b"3", b"17", 1)]), "up to 17"),
        (b"\n".join([ROW] * 1796 + [b"3,3"]), "inhomogeneous"),
    ],
)
def test_a_changed_file_of_scikit_learn_is_refused(monkeypatch, tmp_path, table, found):
    (tmp_path / "datasets" / "data").mkdir(parents=True)
    if table is not None:
        path = tmp_path / "datasets" / "data" / "digits.csv.gz"
        path.write_bytes(gzip.compress(table))
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ValueError, match=rf"digits\.csv\.gz: expected.*{found}"):
        digits.load()


def test_the_regression_is_a_line_with_noise_of_a_tenth():
    x, y, weight, bias = linear.generate()
    noise = y - (x @ weight + bias)
    assert (x.shape, y.shape, y.dtype) == ((1200, 10), (1200, 1), np.float32)
    # The standard deviation of 1 200 normal numbers is within 4 of its own,
    # 1/√2400, of the truth, but once in 16 000; and the seed is fixed.
    assert abs(noise.std() / linear.NOISE - 1) < 4 / np.sqrt(2400)
    assert abs(noise.mean()) < 4 * linear.NOISE / np.sqrt(1200)


def test_the_regression_is_the_same_at_every_call():
    one, two = linear.load(), linear.load()
    assert [len(half["x"]) for half in one.parts] == [
        len(half["y"]) for half in one.parts
    ]
    assert [len(half["x"]) for half in one.parts] == [1000, 200]
    for ours, again in zip(one.parts, two.parts, strict=True):
        for name in ("x", "y"):
            np.testing.assert_array_equal(ours[name], again[name], strict=True)
    assert not np.isin(one.test["x"], one.train["x"]).all(axis=1).any()
