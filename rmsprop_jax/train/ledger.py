"""`trials.jsonl`: the runs of a comparison that are done, found by what they were."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rmsprop_jax.train.records import Records, read

Row = Mapping[str, Any]

# What tells one row from all others.
_KEY = ("kind", "optimizer", "learning_rate", "seed", "epoch")


class Ledger:
    """Rows on disk as soon as they are appended, and never the same one twice.

    Kinds are `trial`, a learning rate judged on held-out examples; `test`, a run by
    the best one; and `epoch`, the course of the latter.
    """

    def __init__(self, path: Path):
        """Open the file or make it; what it holds is known from now on."""
        self._records = Records(path)
        self._rows: dict[Any, Row] = {_key(row): row for row in read(path)}

    def find(self, **key: Any) -> Row | None:
        """The row of that kind, optimizer, learning rate, seed (and epoch), if any."""
        return self._rows.get(_key(key))

    def course(self, optimizer: str, learning_rate: float, seed: int) -> list[Row]:
        """The epochs of a run, in their order."""
        wanted = ("epoch", optimizer, learning_rate, seed)
        rows = [row for key, row in self._rows.items() if key[:-1] == wanted]
        return sorted(rows, key=lambda row: row["epoch"])

    def append(self, row: Row) -> None:
        """Write one row, unless it is there."""
        if _key(row) not in self._rows:
            self._records.append(row)
            self._rows[_key(row)] = row

    def __enter__(self) -> "Ledger":
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, all of it on the disk."""
        self._records.sync()
        self._records.close()


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _KEY)
