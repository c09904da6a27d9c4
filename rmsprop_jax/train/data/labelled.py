"""Texts with a label each, in a TSV, CSV or JSONL file; refused by line number."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rmsprop_jax.wording import first_few

ENDINGS = (".tsv", ".csv", ".jsonl")
EXPECTED = "a .tsv, .csv or .jsonl file"

Fault = tuple[int, str]
# A line's number and its fields by name, or what is wrong with it.
Record = tuple[int, dict[str, Any] | str]


class Row(NamedTuple):
    """A text, its label, and the line of the file where it begins."""

    line: int
    text: str
    label: str


def read(path: Path, *, labels: bool = True) -> list[Row]:
    """The rows in their order; what is in other columns is ignored.

    Args:
        path: A first line of column names, `text` and `label` among them, and fields
            apart by tabs or commas, of which the latter may be in double quotes; or
            JSON objects, a line each. UTF-8.
        labels: Whether rows have a label; otherwise it is empty.

    Raises:
        ValueError: If it is something else; names the lines and what was expected.
        FileNotFoundError: If there is no such file.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"{path}: expected {EXPECTED}.")
    columns = ("text", "label") if labels else ("text",)
    rows, faults = [], []
    for line, record in _RECORDS[path.suffix.lower()](path, lines_of(path), columns):
        row = record if isinstance(record, str) else _row(line, record, columns)
        if isinstance(row, str):
            faults.append((line, row))
        else:
            rows.append(row)
    refuse(path, faults)
    if not rows:
        raise ValueError(f"{path}: expected a row for each text, there is none.")
    return rows


def refuse(path: Path, faults: Sequence[Fault]) -> None:
    """Raise if there are any, and say what they are, the first few of them.

    Raises:
        ValueError: Naming file and lines.
    """
    if not faults:
        return
    line, words = faults[0]
    if len(faults) == 1:
        raise ValueError(f"{path}, line {line}: {words}. Correct or delete the line.")
    shown = first_few([f"line {line}: {words}" for line, words in faults])
    raise ValueError(
        "\n".join(
            [
                f"{path}: {len(faults):,} lines are not as expected.",
                *(f"  {line}" for line in shown),
                "Correct or delete them.",
            ]
        )
    )


def lines_of(path: Path) -> list[str]:
    """The lines of a text file, without the empty ones at the end.

    Raises:
        ValueError: If it is no UTF-8, or has a byte 0; names the lines.
        FileNotFoundError: If there is no such file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(f"{path}: expected UTF-8, it is UTF-16; save it as UTF-8.")
    mark = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    lines, faults, offset = [], [], mark
    for number, line in enumerate(content[mark:].split(b"\n"), start=1):
        try:
            if b"\0" in line:
                at = offset + line.index(b"\0")
                faults.append((number, f"expected text, byte {at:,} of the file is 0"))
            lines.append(line.decode().removesuffix("\r"))
        except UnicodeDecodeError as error:
            at = offset + error.start
            words = f"expected UTF-8, byte {at:,} of the file is {line[error.start]:#x}"
            faults.append((number, words))
        offset += len(line) + 1
    refuse(path, faults)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _of_tsv(path: Path, lines: list[str], columns: Sequence[str]) -> Iterator[Record]:
    names = _names(path, lines[0].split("\t") if lines else [], columns)
    for number, line in enumerate(lines[1:], start=2):
        yield number, _named(names, line.split("\t"))


def _of_csv(path: Path, lines: list[str], columns: Sequence[str]) -> Iterator[Record]:
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    number = 1
    try:
        names = _names(path, next(reader, []), columns)
        number = reader.line_num + 1
        for fields in reader:
            yield number, _named(names, fields)
            # A field in quotes may be of several lines.
            number = reader.line_num + 1
    except csv.Error as error:
        words = f"expected CSV; {error}, if quotes are closed where they should be"
        yield number, words


def _of_jsonl(path: Path, lines: list[str], columns: Sequence[str]) -> Iterator[Record]:
    del path
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"expected a JSON object; {getattr(error, 'msg', error)}"
            continue
        if not isinstance(found, dict):
            yield number, f"expected a JSON object, got {line.strip():.40}"
            continue
        missing = [name for name in columns if name not in found]
        said = f"expected {' and '.join(map(repr, missing))} too, got {[*found]}"
        yield number, said if missing else found


_RECORDS = {".tsv": _of_tsv, ".csv": _of_csv, ".jsonl": _of_jsonl}


def _names(path: Path, found: list[str], columns: Sequence[str]) -> list[str]:
    names = [name.strip() for name in found]
    for name in columns:
        if names.count(name) != 1:
            raise ValueError(
                f"{path}, line 1: expected the names of the columns, "
                f"{' and '.join(columns)} once each among them; found {names}. Put "
                "them there, or rename those."
            )
    return names


def _named(names: list[str], fields: list[str]) -> dict[str, Any] | str:
    if fields in ([], [""]):
        return "expected a row, the line is empty"
    if len(fields) != len(names):
        return f"expected {len(names)} fields as in line 1, got {len(fields)}"
    return dict(zip(names, fields, strict=True))


def _row(line: int, record: dict[str, Any], columns: Sequence[str]) -> Row | str:
    values = {"label": ""}
    for name in columns:
        value = record[name]
        # To Python, true is 1.
        if name == "label" and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            kinds = "a string or an integer" if name == "label" else "a string"
            return f"expected {kinds} as {name}, got {json.dumps(value):.40}"
        value = value.strip()
        if not value:
            return f"expected a {name}, it is empty"
        if not value.isprintable() and _surrogates(value):
            return f"expected a {name} in Unicode, got half of a surrogate pair"
        values[name] = value
    return Row(line, values["text"], values["label"])


def _surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
