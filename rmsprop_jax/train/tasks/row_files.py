"""A text file of numbers, one example in each line, for tasks of rows."""

from pathlib import Path

import numpy as np


def read(path: Path, features: int) -> np.ndarray:
    """float32 of (rows, features).

    Args:
        path: Numbers, apart by commas or by blanks; lines that begin with # are none.
        features: How many a row has.

    Raises:
        ValueError: If it is something else; names the file and the line.
        FileNotFoundError: If there is no such file.
    """
    expected = f"expected {features} numbers a line, apart by commas or blanks"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{path}: {expected}; it is no text file.") from None
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.replace(",", " ").split()
        try:
            row = [float(word) for word in words]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {expected}; {error}.") from None
        if len(row) != features:
            raise ValueError(f"{path}, line {number}: {expected}, got {len(row)}.")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path}: {expected}; there are none.")
    return np.array(rows, np.float32)
