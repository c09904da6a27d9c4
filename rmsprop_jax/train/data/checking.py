"""Whether an IDX file is the one that a row describes, and which one it is instead."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from rmsprop_jax.train.data.idx import digest, read_idx
from rmsprop_jax.train.data.rows import IdxFile, ImageSet


def read_checked(
    file: IdxFile, path: Path, known: Iterable[ImageSet] = ()
) -> np.ndarray:
    """The array in `path`, if it is `file` to the last byte.

    Args:
        file: What it should be.
        path: Plain or in gzip, under any name.
        known: The sets to look through for what it is, if it is something else.

    Raises:
        ValueError: If it is not; names the file, what was expected and found, and
            which known file it is, if it is one.
    """
    try:
        array = read_idx(path, file.shape)
        _check(file, path, array)
    except ValueError as error:
        raise ValueError(f"{error}{_instead(path, known)}") from error
    return array


def _check(file: IdxFile, path: Path, array: np.ndarray) -> None:
    mismatch = ""
    for kind in ("gz_sha256", "sha256", "md5"):
        expected = getattr(file, kind)
        if expected is None:
            continue
        if kind == "gz_sha256":
            what = f"{file.name}.gz with sha256"
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            what = f"{file.name}, decompressed, with {kind}"
            found = digest(array, kind)
        if found == expected:
            return
        mismatch = f"{path}: expected {what} {expected}, found {found}."
    if mismatch:
        raise ValueError(mismatch)


def _instead(path: Path, known: Iterable[ImageSet]) -> str:
    try:
        array = read_idx(path)
    except ValueError:
        return ""
    for row in known:
        for file in row.files:
            if array.shape == file.shape and (
                (file.sha256 is not None and file.sha256 == digest(array, "sha256"))
                or (file.md5 is not None and file.md5 == digest(array, "md5"))
            ):
                return f" It is {file.name} of {row.name}."
    return ""
