"""Reading IDX, the format of MNIST: a few bytes of header, then the array.

    00 00 08 rank | rank sizes, 4 bytes each, big-endian | the elements, row by row

08 stands for unsigned bytes, which is all that is read here.
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path
from typing import TypeVar

import numpy as np

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 8
_MOST_AXES = 8  # more than any file has; what says so is no IDX
_MOST_BYTES = 2**31
_Read = TypeVar("_Read")


def read_idx(path: Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """The array in an IDX file, plain or in gzip, whichever its content says it is.

    Args:
        path: The file.
        shape: The shape it must have; another one is refused before the rest is read.

    Returns:
        A read-only array of uint8.

    Raises:
        ValueError: If it is no IDX file of unsigned bytes, of another shape, broken
            off, or longer than its header says.
        OSError: If it cannot be opened.
    """
    return _reading(path, lambda file: _array(file, path, shape))


def shape_of(path: Path) -> tuple[int, ...]:
    """The shape that the header of an IDX file tells, without reading the rest.

    Raises:
        ValueError: If it does not begin like an IDX file of unsigned bytes.
        OSError: If it cannot be opened.
    """
    return _reading(path, lambda file: _shape(file, path))


def header(shape: tuple[int, ...]) -> bytes:
    """The bytes before the elements."""
    sizes = struct.pack(f">{len(shape)}I", *shape)
    return bytes([0, 0, _UNSIGNED_BYTE, len(shape)]) + sizes


def digest(array: np.ndarray, algorithm: str) -> str:
    """The hash of the decompressed file that holds `array`, in hexadecimal."""
    state = hashlib.new(algorithm, header(array.shape))
    state.update(np.ascontiguousarray(array).data)
    return state.hexdigest()


def _reading(path: Path, read: Callable[[BufferedIOBase], _Read]) -> _Read:
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        try:
            return read(gzip.GzipFile(fileobj=raw) if packed else raw)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(
                f"{path}: expected a whole gzip file, found a damaged one: {error}."
            ) from error


def _array(
    file: BufferedIOBase, path: Path, expected: tuple[int, ...] | None
) -> np.ndarray:
    shape = _shape(file, path)
    if expected is not None and shape != expected:
        raise ValueError(
            f"{path}: expected an array of {_by(expected)}, found one of {_by(shape)}."
        )
    size = math.prod(shape)
    if size > _MOST_BYTES:
        raise ValueError(
            f"{path}: expected at most {_MOST_BYTES} bytes, found a header for an "
            f"array of {_by(shape)}."
        )
    elements = file.read(size + 1)
    if len(elements) != size:
        found = "more" if len(elements) > size else f"only {len(elements)}"
        raise ValueError(
            f"{path}: expected {size} bytes after the header, for an array of "
            f"{_by(shape)}, found {found}."
        )
    return np.frombuffer(elements, np.uint8).reshape(shape)


def _shape(file: BufferedIOBase, path: Path) -> tuple[int, ...]:
    start = file.read(4)
    if (
        len(start) < 4
        or start[:3] != bytes([0, 0, _UNSIGNED_BYTE])
        or not (0 < start[3] <= _MOST_AXES)
    ):
        raise ValueError(
            f"{path}: expected an IDX file of unsigned bytes, which begins with "
            f"00 00 08, found {start.hex(' ') or 'an empty file'}"
            f"{', a page of HTML' if start.lstrip()[:1] == b'<' else ''}."
        )
    sizes = file.read(4 * start[3])
    if len(sizes) != 4 * start[3]:
        raise ValueError(
            f"{path}: expected {start[3]} sizes of 4 bytes, found {len(sizes)} bytes."
        )
    return struct.unpack(f">{start[3]}I", sizes)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)
