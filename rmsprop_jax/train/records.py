"""`metrics.jsonl`: one row of numbers per line, whole or absent, in the order of steps.

JSON has no NaN and no infinities. A row's "NaN", "Infinity" and "-Infinity" are
strings in the file, as in the JSON form of protocol buffers, and floats again in
what `read` returns.
"""

import errno
import json
import math
import os
from collections.abc import Iterator, Mapping
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

from rmsprop_jax.files import write_bytes

NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Records:
    r"""The file of rows, open for appending.

    A row is on disk, as far as a killed process is concerned, when `append` returns;
    as far as a power cut is concerned, when `sync` does. What a kill in the middle of
    a line left behind is dropped at the next opening.

    Args:
        path: The file; made, with its folders, if it is not there.
        after: The step a run resumes from. Rows of later steps are dropped, in one
            atomic step: they will come again.

    Raises:
        ValueError: If `after` is no step, or the file holds a line that is not a row.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "metrics.jsonl")
        >>> with Records(path) as records:
        ...     for step in (1, 2, 3):
        ...         records.append({"step": step, "loss": math.inf})
        >>> Records(path, after=1).close()
        >>> path.read_text(), read(path)
        ('{"step": 1, "loss": "Infinity"}\n', [{'step': 1, 'loss': inf}])
    """

    def __init__(self, path: str | os.PathLike[str], after: int | None = None):
        if after is not None and (not _is_int(after) or after < 0):
            raise ValueError(f"after={after!r}: expected a step, 0 or larger, or None.")
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _repair(self.path, math.inf if after is None else after)
        # Unbuffered: one row is one write, and another process sees it whole.
        self._file = FileIO(self.path, "a")

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row as one line.

        Args:
            row: A flat dict with an integer "step". Values are JSON's scalars: convert
                arrays first, at a moment when waiting for the device costs nothing.

        Raises:
            TypeError: If a value is not a scalar of JSON.
            ValueError: If there is no step, or a string would come back as a number.
            OSError: If the disk is full; the file then ends with the row before.
        """
        line = _encode(row)
        written = self._file.write(line)
        if written != len(line):
            self._file.truncate(self._file.tell() - (written or 0))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def sync(self) -> None:
        """Wait until every row is on the disk itself."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._file.close()

    def __enter__(self) -> "Records":
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


def read(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the rows of a file, also of one that is being written.

    A last line without its end is left out.

    Raises:
        ValueError: If any other line is not a row; names the file and the line.
    """
    return [row for _, row in _lines(Path(path))]


def _lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Lines as they are, and the rows in them."""
    for number, line in enumerate(BytesIO(path.read_bytes()), start=1):
        try:
            row = _decode(line)
        except ValueError as error:
            if not line.endswith(b"\n"):
                return
            raise ValueError(
                f"{path}, line {number}: expected a JSON object with an integer step, "
                f"got {line[:60]!r} ({error}). Delete the line to go on without it."
            ) from None
        yield line, row


def _decode(line: bytes) -> dict[str, Any]:
    row = json.loads(line, parse_constant=NONFINITE.__getitem__)
    if not isinstance(row, dict) or not _is_int(row.get("step")):
        raise ValueError("no step")
    return {k: NONFINITE.get(v, v) if _is_str(v) else v for k, v in row.items()}


def _encode(row: Mapping[str, Any]) -> bytes:
    if not _is_int(row.get("step")):
        raise ValueError(f"row={row!r:.120}: expected an integer under 'step'.")
    return json.dumps({k: _scalar(k, v) for k, v in row.items()}).encode() + b"\n"


def _scalar(key: str, value: Any) -> Any:
    if not _is_str(key):
        raise TypeError(f"row: expected strings as keys, got {key!r:.60}.")
    if value is not None and not isinstance(value, bool | int | float | str):
        raise TypeError(
            f"row[{key!r}]={value!r:.60}: expected a bool, int, float, str or None; "
            "float(...) makes one of an array's single entry."
        )
    if _is_str(value) and value in NONFINITE:
        raise ValueError(
            f"row[{key!r}]={value!r}: expected a float, as this string is how one is "
            f"written; pass float({value.lower()!r})."
        )
    if isinstance(value, float) and not math.isfinite(value):
        return next(k for k, v in NONFINITE.items() if repr(v) == repr(float(value)))
    return value


def _repair(path: Path, after: float) -> None:
    """Drop later rows and a torn end; the file is replaced whole, or left alone."""
    if not path.exists():
        return
    kept = b"".join(
        line if line.endswith(b"\n") else line + b"\n"
        for line, row in _lines(path)
        if row["step"] <= after
    )
    if kept != path.read_bytes():
        write_bytes(path, kept)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_str(value: Any) -> bool:
    return isinstance(value, str)
