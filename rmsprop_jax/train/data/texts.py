"""Texts of the user's, as arrays of symbols: found, split in two, and told."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rmsprop_jax.train.data import labelled, places
from rmsprop_jax.train.data.dataset import LEARNED, Arrays, Dataset
from rmsprop_jax.train.data.labelled import Row
from rmsprop_jax.train.text import symbols as making
from rmsprop_jax.train.text.symbols import UNKNOWN, Symbols
from rmsprop_jax.wording import first_few

NAME = "text-sentiment"
_EVERY = 5  # One in so many is to test by, where no file is.


class _Files(NamedTuple):
    train: Path | None
    test: Path | None


def load(kind: str, data_dir: Path | None = None) -> Dataset:
    """Symbols, how many are true, labels, and the lines of the file.

    In `data_dir`, or else in $RMSPROP_JAX_DATA, there is `train.tsv`, `.csv` or
    `.jsonl` and maybe `test` likewise; or `data_dir` is one such file. Without a file
    to test by, every fifth text of each label is. What is learned from is shuffled, and
    so the last ones are of all labels.

    Args:
        kind: A key of `making.KINDS`.
        data_dir: The user's.

    Raises:
        ValueError: If there is no such file, or something is wrong with a line.
    """
    files = _found(data_dir)
    assert files.train is not None
    train = labelled.read(files.train)
    test = [] if files.test is None else labelled.read(files.test)
    labels = _labels(files.train, train)
    said = []
    if files.test is None:
        train, test = _split(files.train, train)
        said.append(
            f"{NAME}: every fifth text of each label in {files.train} is to test by, "
            f"{len(test):,} of {len(train) + len(test):,}."
        )
    else:
        _check_labels(files.test, test, labels)
    order = np.random.default_rng(0).permutation(len(train))
    train = [train[place] for place in order]
    texts = [[row.text for row in part] for part in (train, test)]
    symbols = making.KINDS[kind].among(texts[0])
    found = [symbols.symbols(part) for part in texts]
    said += [*_told(symbols, labels, *found), *_seen(*texts)]
    one, other = (
        _of_rows(symbols, part, rows, labels)
        for part, rows in zip(found, (train, test), strict=True)
    )
    about = {
        "symbols": kind,
        "vocabulary": list(symbols.vocabulary),
        "labels": labels,
        "longest": one["symbols"].shape[1],
        LEARNED: _digest(files.train),
        "sha256 of test": files.test and _digest(files.test),
    }
    return Dataset(one, other, about, tuple(said))


def to_test(
    symbols: Symbols, about: Mapping[str, Any], data_dir: Path | None = None
) -> Dataset:
    """What a run is judged by, in its own symbols and labels.

    A file to test by; without one, what was put aside of the file that the run learned
    from; and all of a file that is another one.

    Args:
        symbols: Of the run.
        about: As `load` told it of the data that the run learned from.
        data_dir: As for `load`; a file to test by is enough.

    Raises:
        ValueError: As `load`.
    """
    files = _found(data_dir, wanted="test")
    path = files.test or files.train
    assert path is not None
    rows, labels, told = labelled.read(path), about["labels"], {}
    _check_labels(path, rows, labels)
    if files.test is None:
        told[LEARNED] = _digest(path)
        if told[LEARNED] == about[LEARNED]:
            _, rows = _split(path, rows)
    found = symbols.symbols([row.text for row in rows])
    part = _of_rows(symbols, found, rows, labels)
    said = f"{NAME}: {len(rows):,} texts of {path}."
    return Dataset(part, part, {**about, **told}, (said,))


def unseen(learned: Arrays, held_out: Arrays) -> Arrays:
    """Held-out texts as those of a stranger are: what is in no other is unknown."""
    symbols = held_out["symbols"]
    known = np.isin(symbols, np.unique(learned["symbols"])) | (symbols == 0)
    unknown = np.asarray(UNKNOWN, symbols.dtype)
    return {**held_out, "symbols": np.where(known, symbols, unknown)}


def _of_rows(
    symbols: Symbols,
    found: Sequence[Sequence[int]],
    rows: Sequence[Row],
    labels: Sequence[str],
) -> Arrays:
    part = arrays(symbols, found, [labels.index(row.label) for row in rows])
    return part | {"line": np.array([row.line for row in rows], np.int32)}


def arrays(
    symbols: Symbols,
    found: Sequence[Sequence[int]],
    labels: Sequence[int],
    multiple: int = 1,
) -> Arrays:
    """As the task reads them, what is too long cut, what is short padded.

    Args:
        symbols: What `found` are.
        found: Of each text.
        labels: Of each text.
        multiple: What the width is to be a multiple of, if it is not the largest.
    """
    lengths = [min(len(one), symbols.most) for one in found]
    width = min(symbols.most, -(-max(lengths) // multiple) * multiple)
    out = np.zeros((len(found), width), np.uint16)
    for row, one, length in zip(out, found, lengths, strict=True):
        row[:length] = one[:length]
    return {
        "symbols": out,
        "length": np.array(lengths, np.int32),
        "label": np.array(labels, np.int32),
    }


def _found(data_dir: Path | None, wanted: str = "train") -> _Files:
    folder = places.from_environment() if data_dir is None else data_dir.expanduser()
    where = "expected --data-dir" if folder is None else f"{folder}: expected"
    if folder is not None:
        if folder.is_file():
            beside = folder.stem == "train"
            return _Files(folder, _one_of(folder.parent, "test") if beside else None)
        if not folder.is_dir():
            where = f"{folder}: there is no such folder; expected"
        for place in (folder, folder / NAME):
            files = _Files(_one_of(place, "train"), _one_of(place, "test"))
            if files.train or (files.test and wanted == "test"):
                return files
    raise ValueError(
        f"{where} a folder with train.tsv, train.csv or train.jsonl, and test likewise "
        f"if there is one, or else {labelled.EXPECTED}: a line for each text, with "
        "columns text and label."
    )


def _one_of(folder: Path, stem: str) -> Path | None:
    """The file of that name, whatever its ending."""
    paths = [folder / f"{stem}{ending}" for ending in labelled.ENDINGS]
    found = [path for path in paths if path.is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ValueError(f"{folder}: expected one of {names}; move the other away.")
    return found[0] if found else None


def _labels(path: Path, rows: Iterable[Row]) -> list[str]:
    """Those there are, as numbers if all are, otherwise by the alphabet."""
    labels = sorted({row.label for row in rows})
    if len(labels) < 2:
        raise ValueError(
            f"{path}: expected two labels or more, all texts have {labels[0]!r}."
        )
    if all(_is_integer(label) for label in labels):
        labels.sort(key=int)
    return labels


def _is_integer(label: str) -> bool:
    return label.isascii() and label.removeprefix("-").isdecimal()


def _check_labels(path: Path, rows: Iterable[Row], labels: Sequence[str]) -> None:
    known = ", ".join(first_few(labels))
    words = "expected a label that was learned ({}), got {!r}"
    labelled.refuse(
        path,
        [
            (row.line, words.format(known, row.label))
            for row in rows
            if row.label not in labels
        ],
    )


def _split(path: Path, rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    parts: tuple[list[Row], list[Row]] = [], []
    seen: dict[str, int] = defaultdict(int)
    for row in rows:
        seen[row.label] += 1
        parts[seen[row.label] % _EVERY == 0].append(row)
    if not parts[1]:
        raise ValueError(
            f"{path}: expected {_EVERY} texts of a label or more, of which every fifth "
            "is to test by; or a file to test by beside it."
        )
    return parts


def _told(
    symbols: Symbols,
    labels: Sequence[str],
    train: Sequence[Sequence[int]],
    test: Sequence[Sequence[int]],
) -> list[str]:
    """What is to be said of texts, a line each."""
    names = ", ".join(labels) if len(labels) <= 5 else f"{len(labels)} of them"
    lines = [f"{NAME}: labels {names}"]
    if symbols.kind == "words":
        counts = Counter(symbol == UNKNOWN for one in test for symbol in one)
        share = counts[True] / counts.total()
        lines[0] += (
            f"; {len(symbols.vocabulary):,} words are known, {100 * share:.1f} % of "
            "those in the test texts are not"
        )
    lines[0] += "."
    every = [len(one) for one in (*train, *test)]
    cut = sum(count > symbols.most for count in every)
    if cut:
        lines.append(
            f"{NAME}: {cut:,} of {len(every):,} texts have more than {symbols.most:,} "
            f"{symbols.kind}, and are cut there."
        )
    return lines


def _seen(train: Sequence[str], test: Sequence[str]) -> list[str]:
    """A line if texts to test by are among those that are learned from."""
    learned = set(train)
    both = sum(text in learned for text in test)
    if not both:
        return []
    return [f"{NAME}: {both:,} of the test texts are learned from too, word for word."]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
