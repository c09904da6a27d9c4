"""Receipts: a line of JSON for each measurement, kept in `results/`, only added to."""

import argparse
import datetime
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks import measure

Row = dict[str, Any]

FOLDER = measure.ROOT / "benchmarks" / "results"
# Of a core: what the machine's own services take.
QUIET = 0.1


def file_of(benchmark: str) -> Path:
    """Where the receipts of a benchmark are kept."""
    return FOLDER / f"{benchmark}.jsonl"


def read(file: Path) -> list[Row]:
    """The rows of a file, none if there is no file.

    What a killed process left of a line is skipped.
    """
    if not file.exists():
        return []
    return [row for line in file.read_text().splitlines() if (row := _row(line))]


def append(file: Path | None, *rows: Row) -> None:
    """Add rows; the file has them when this returns. Without a file, nothing."""
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")
    with file.open("a") as opened:
        opened.write("\n" * torn)
        opened.writelines(json.dumps(row) + "\n" for row in rows)


class Receipts:
    """The rows of a file, and those that are added to it."""

    def __init__(self, file: Path | None):
        """What the file has, if there is one."""
        self.rows = read(file) if file else []
        self._file = file

    def add(self, row: Row) -> None:
        """Keep a row; the file has it when this returns."""
        self.rows.append(row)
        append(self._file, row)

    def having(self, **values: Any) -> list[Row]:
        """The rows with these values."""
        return [row for row in self.rows if values.items() <= row.items()]


def about(question: str, smoke: bool) -> Row:
    """What every row says besides: what was asked, when, where, of which commit."""
    return measure.circumstances() | {
        "question": question,
        "smoke": smoke,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def arguments(question: str, smoke: str) -> argparse.ArgumentParser:
    """A parser of what every benchmark can be asked.

    Args:
        question: What it answers.
        smoke: What its smallest size is.
    """
    parser = argparse.ArgumentParser(description=question)
    parser.add_argument("--smoke", action="store_true", help=f"{smoke}; no receipt")
    parser.add_argument("--table", action="store_true", help="of what was measured")
    parser.add_argument("--out", type=Path, help="receipts, a smoke run's too")
    return parser


def kept_in(args: argparse.Namespace, usual: Path) -> Path | None:
    """Where the rows of this call go; a smoke run's nowhere, unless it says where."""
    return args.out or (None if args.smoke else usual)


def full(rows: list[Row]) -> list[Row]:
    """Without those of smoke runs."""
    return [row for row in rows if not row.get("smoke")]


def latest(rows: list[Row]) -> list[Row]:
    """The rows of the latest run."""
    date = max((row["date"] for row in rows), default=None)
    return [row for row in rows if row["date"] == date]


def last_of_each(rows: list[Row], *names: str) -> list[Row]:
    """The last row for each combination of the values of these names."""
    return [*{tuple(row[name] for name in names): row for row in rows}.values()]


def is_quiet(rows: list[Row]) -> bool:
    """Whether other programs left the machine alone."""
    return max(row["others_cores"] for row in rows) <= QUIET


def newest(
    rows: list[Row], by: str = "question", sides: Collection[str] = ()
) -> dict[Any, list[Row]]:
    """The latest run that counts, for each value of `by`.

    Runs beside other programs do not count, nor those that lack one of `sides`.
    """
    runs: dict[tuple[str, Any], list[Row]] = {}
    for row in rows:
        runs.setdefault((row["date"], row[by]), []).append(row)
    return {
        value: run
        for (_, value), run in sorted(runs.items(), key=lambda x: x[0][0])
        if is_quiet(run) and set(sides) <= {row["side"] for row in run}
    }


def _row(line: str) -> Row | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None
