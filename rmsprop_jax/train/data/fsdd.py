"""The Free Spoken Digit Dataset: six people, ten digits, 50 recordings of each.

Jackson et al., github.com/Jakobovski/free-spoken-digit-dataset, CC BY-SA 4.0. Found on
this machine or downloaded, and always checked: by the contents of the recordings, in
whatever they come.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.audio import waves
from rmsprop_jax.train.data import places
from rmsprop_jax.train.data.download import PATIENCE, Progress, fetch
from rmsprop_jax.train.data.fsdd_digests import DIGEST, MARKS

NAME = "fsdd"
# Official: 0 to 4 are for testing.
TESTED = 5


@dataclass(frozen=True)
class Corpus:
    """What the recordings are, and where they are had.

    Attributes:
        names: Of the files, sorted.
        digest: Sha256 over a line `name sha256` for each.
        marks: The first two bytes of each file's sha256, as hex, to find the culprit.
        archive: A tar.gz with them in its folder `recordings`.
        mirrors: Where the archive is, addresses that end in a slash.
    """

    names: tuple[str, ...]
    digest: str
    marks: str
    archive: str
    mirrors: tuple[str, ...]


class Recording(NamedTuple):
    """One digit, said once: float32 in [-1, 1], 8 kHz."""

    name: str
    digit: int
    speaker: str
    index: int
    wave: np.ndarray

    @property
    def tested(self) -> bool:
        """Whether it is of the test data."""
        return self.index < TESTED


SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
_GITHUB = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"
FSDD = Corpus(
    names=tuple(
        sorted(f"{d}_{who}_{i}.wav" for d in range(10) for who in SPEAKERS
               for i in range(50))
    ),
    digest=DIGEST,
    marks=MARKS,
    archive="v1.0.10.tar.gz",
    mirrors=(_GITHUB + "refs/tags/", _GITHUB),
)  # fmt: skip


def load(
    data_dir: str | Path | None = None,
    download: bool = True,
    *,
    corpus: Corpus = FSDD,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
    patience: float = PATIENCE,
) -> list[Recording]:
    """Every recording, by name, each byte of them checked.

    Looked for in `data_dir` and nowhere else, if it is given; otherwise in
    $RMSPROP_JAX_DATA, in the cache, and at the mirrors. A damaged archive in the cache
    is downloaded again; files of the user are never touched.

    Args:
        data_dir: A folder with the recordings, or with a folder that has them.
        download: Whether to ask the mirrors for what is missing in the cache.
        corpus: What is expected.
        say: Told, in one line each, that a download begins and why.
        progress: Told how far it is: the file, bytes so far, of how many.
        patience: Seconds that the mirrors have to send their first byte.

    Raises:
        ValueError: If recordings are missing, damaged or renamed; names them.
        ConnectionError: If they are nowhere and no mirror has them.
        OSError: If a file cannot be read, or the cache not written.
    """
    given = places.from_environment() if data_dir is None else Path(data_dir)
    folder = None if given is None else find(given.expanduser())
    if folder is not None:
        return _from_folder(corpus, folder)
    if data_dir is not None:
        raise ValueError(_missing(corpus, Path(data_dir)))
    archive = places.cache(NAME) / corpus.archive
    why = (
        f"{NAME}: neither in ${places.VARIABLE} ({given or 'not set'}) nor in "
        f"{archive.parent}"
    )
    if archive.is_file():
        try:
            return _from_archive(corpus, archive)
        except ValueError as error:
            why = f"{NAME}: {error}"
    if not download:
        raise ValueError(f"{why}. Allow the download, or pass --data-dir.")
    say(f"{why.removesuffix('.')}; downloading it there.")
    try:
        fetch(
            corpus.archive,
            corpus.mirrors,
            lambda path: _from_archive(corpus, path),
            archive.parent,
            patience=patience,
            progress=progress,
        )
    except ConnectionError as error:
        raise ConnectionError(
            f"{why}. {error} Pass --data-dir with the recordings, or name another "
            "task: digits needs no download."
        ) from error
    return _from_archive(corpus, archive)


def find(folder: Path) -> Path | None:
    """The folder with recordings, `folder` itself or one of the usual below it."""
    for name in _BELOW:
        if any((folder / name).glob("[0-9]_*_*.wav")):
            return folder / name
    return None


_BELOW = (
    "fsdd/recordings",
    "free-spoken-digit-dataset/recordings",
    "recordings",
    "fsdd",
    "",
)


def digest(files: Mapping[str, bytes]) -> tuple[str, str]:
    """The digest and the marks of files: see `Corpus`."""
    hashes = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    lines = "".join(f"{name} {value}\n" for name, value in hashes.items())
    marks = "".join(value[:4] for value in hashes.values())
    return hashlib.sha256(lines.encode()).hexdigest(), marks


def _from_folder(corpus: Corpus, folder: Path) -> list[Recording]:
    files = {path.name: path.read_bytes() for path in folder.glob("*.wav")}
    try:
        return _checked(corpus, files)
    except ValueError as error:
        raise ValueError(
            f"{folder}: {error} {_github(corpus)} has them all; or name no folder, nor "
            f"${places.VARIABLE}, and they are downloaded."
        ) from None


def _from_archive(corpus: Corpus, path: Path) -> list[Recording]:
    files = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if folder.endswith("recordings") and name.endswith(".wav"):
                    body = archive.extractfile(member)
                    files[name] = b"" if body is None else body.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: expected a tar.gz, found: {error}.") from None
    try:
        return _checked(corpus, files)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(corpus: Corpus, files: dict[str, bytes]) -> list[Recording]:
    expected = f"expected the {len(corpus.names):,} recordings of {NAME}"
    absent = sorted(set(corpus.names) - set(files))
    unknown = sorted(set(files) - set(corpus.names))
    if absent or unknown:
        said = [f"{_some(absent)} missing"] if absent else []
        said += [f"{_some(unknown)} unknown"] if unknown else []
        raise ValueError(f"{expected}; {' and '.join(said)}.")
    found, marks = digest(files)
    if found != corpus.digest:
        pairs = zip(*(_fours(text) for text in (marks, corpus.marks)), strict=True)
        changed = [
            name
            for name, (one, other) in zip(corpus.names, pairs, strict=True)
            if one != other
        ]
        raise ValueError(
            f"{expected}, with digest {corpus.digest}; {_some(changed)} changed, "
            f"found {found}."
        )
    return [_recording(name, files[name]) for name in corpus.names]


def _recording(name: str, data: bytes) -> Recording:
    digit, speaker, index = name.removesuffix(".wav").split("_")
    return Recording(name, int(digit), speaker, int(index), waves.decoded(data, name))


def _fours(text: str) -> list[str]:
    return [text[i : i + 4] for i in range(0, len(text), 4)]


def _some(names: Iterable[str]) -> str:
    """A few names, and how many there are beside them."""
    names = list(names)
    if not names:
        return "some file"
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    be = "is" if len(names) == 1 else "are"
    return f"{', '.join(names[:3])}{more} {be}"


def _missing(corpus: Corpus, folder: Path) -> str:
    if not folder.expanduser().is_dir():
        return f"{places.given(folder)}: expected a folder, there is none of that name."
    return (
        f"{places.given(folder)}: expected the recordings of {NAME}, such as "
        f"{corpus.names[0]}, there or in its subfolder fsdd/recordings; found none. "
        f"{_github(corpus)} has them; or name no folder, and they are downloaded."
    )


def _github(corpus: Corpus) -> str:
    return corpus.mirrors[0] + corpus.archive
