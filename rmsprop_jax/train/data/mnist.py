"""MNIST and Fashion-MNIST: found on this machine or downloaded, and always checked."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.data import places
from rmsprop_jax.train.data.checking import read_checked
from rmsprop_jax.train.data.dataset import Arrays, Dataset
from rmsprop_jax.train.data.download import PATIENCE, Progress, fetch
from rmsprop_jax.train.data.idx import shape_of
from rmsprop_jax.train.data.rows import ROWS, IdxFile, ImageSet


class _Mirrors(NamedTuple):
    """Whom to ask, the one that answered last first, and how."""

    urls: list[str]
    patience: float
    progress: Progress | None


def load(
    which: str | ImageSet,
    data_dir: str | Path | None = None,
    download: bool = True,
    *,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
    patience: float = PATIENCE,
) -> Dataset:
    """The images and labels, every byte of them checked.

    Looked for in `data_dir` and nowhere else, if it is given; otherwise in
    $RMSPROP_JAX_DATA, in the cache, and at the mirrors. A damaged file in the cache is
    downloaded again; files of the user are never touched.

    Args:
        which: `mnist`, `fashion-mnist`, or a set of your own.
        data_dir: A folder with the four files, as .gz or decompressed, or with a
            subfolder named like the set that has them.
        download: Whether to ask the mirrors for what is missing in the cache.
        say: Told, in one line each, that a download begins and why.
        progress: Told how far it is: the file, bytes so far, of how many.
        patience: Seconds that the mirrors have to send their first byte.

    Raises:
        ValueError: If files are missing in `data_dir`, or one is not what it should
            be: damaged, renamed, or of another set.
        ConnectionError: If the files are nowhere and no mirror has them.
        OSError: If a file cannot be read, or the cache not written.
    """
    row = row_of(which)
    folder = find(row, data_dir)
    if folder is not None:
        return _dataset(row, lambda file: _from_user(row, file, folder))
    if data_dir is not None:
        raise ValueError(missing(row, Path(data_dir)))
    if not download:
        return _dataset(row, lambda file: _from_cache(row, file, None, say))
    cache = places.cache(row.name)
    if not all(places.found(cache, file.name) for file in row.files):
        say(f"{row.name}: {_nowhere(cache)}; downloading it there.")
    mirrors = _Mirrors(list(row.mirrors), patience, progress)
    return _dataset(row, lambda file: _from_cache(row, file, mirrors, say))


def find(which: str | ImageSet, data_dir: str | Path | None = None) -> Path | None:
    """The folder of the user's that has all four files, going by their names.

    In `data_dir`, or if that is None, in $RMSPROP_JAX_DATA.
    """
    row = row_of(which)
    folder = places.from_environment() if data_dir is None else Path(data_dir)
    if folder is None:
        return None
    for place in _below(row, folder):
        if all(places.found(place, file.name) for file in row.files):
            return place
    return None


def available(which: str | ImageSet, data_dir: str | Path | None = None) -> bool:
    """Whether `load` has the files without a download, going by their headers."""
    row = row_of(which)
    folder = find(row, data_dir)
    if folder is None and data_dir is None:
        folder = places.cache(row.name)
    return folder is not None and all(_looks_right(file, folder) for file in row.files)


def download(
    which: str | ImageSet,
    *,
    patience: float = PATIENCE,
    progress: Progress | None = None,
) -> None:
    """Fetch into the cache what it lacks, going by names and headers.

    Raises:
        ConnectionError: If no mirror has it.
        OSError: If the cache cannot be written.
    """
    row = row_of(which)
    mirrors = _Mirrors(list(row.mirrors), patience, progress)
    for file in row.files:
        if not _looks_right(file, places.cache(row.name)):
            _fetch(row, file, mirrors)


def some(which: str | ImageSet, folder: Path) -> bool:
    """Whether any of the files is in `folder`."""
    row = row_of(which)
    below = _below(row, folder)
    return any(places.found(at, file.name) for at in below for file in row.files)


def missing(which: str | ImageSet, folder: Path) -> str:
    """A sentence on what `folder` does not have."""
    row = row_of(which)
    if not folder.expanduser().is_dir():
        return f"{places.given(folder)}: expected a folder, there is none of that name."
    absent = min(
        (
            [file.name for file in row.files if not places.found(place, file.name)]
            for place in _below(row, folder)
        ),
        key=len,
    )
    return (
        f"{places.given(folder)}: expected the four files of {row.name}, there or in "
        f"its subfolder {row.name}, each plain or as .gz; missing: "
        f"{', '.join(absent)}. {row.mirrors[0]} has them; or name no folder, and they "
        "are downloaded."
    )


def row_of(which: str | ImageSet) -> ImageSet:
    """The row of that name.

    Raises:
        ValueError: If there is none.
    """
    if isinstance(which, ImageSet):
        return which
    if which not in ROWS:
        raise ValueError(f"which={which!r}: expected one of {', '.join(ROWS)}.")
    return ROWS[which]


def _below(row: ImageSet, folder: Path) -> list[Path]:
    """The folders to look in."""
    # Those that name the set come first: other sets' files have the same names.
    return [folder.expanduser() / name for name in (*row.folders, "")]


def _dataset(row: ImageSet, read: Callable[[IdxFile], np.ndarray]) -> Dataset:
    def half(images: IdxFile, labels: IdxFile) -> Arrays:
        return {
            "image": read(images)[..., np.newaxis],
            "label": read(labels).astype(np.int32),
        }

    return Dataset(
        train=half(row.train_images, row.train_labels),
        test=half(row.test_images, row.test_labels),
    )


def _read(row: ImageSet, file: IdxFile, path: Path) -> np.ndarray:
    return read_checked(file, path, known=(row, *ROWS.values()))


def _from_user(row: ImageSet, file: IdxFile, folder: Path) -> np.ndarray:
    path = places.found(folder, file.name)
    if path is None:  # since `find`
        raise ValueError(missing(row, folder))
    try:
        return _read(row, file, path)
    except ValueError as error:
        raise ValueError(
            f"{error} Replace it by {row.mirrors[0]}{file.name}.gz, or name another "
            f"folder by data_dir (--data-dir) or ${places.VARIABLE}."
        ) from error


def _from_cache(
    row: ImageSet,
    file: IdxFile,
    mirrors: _Mirrors | None,
    say: Callable[[str], None],
) -> np.ndarray:
    """Read from the cache; download what is missing there or damaged."""
    folder = places.cache(row.name)
    path = places.found(folder, file.name)
    if path is None:
        problem = f"{file.name} of {row.name}: {_nowhere(folder)}."
    else:
        try:
            return _read(row, file, path)
        except ValueError as error:
            problem = str(error)
    if mirrors is None:
        raise ValueError(
            f"{problem} Allow the download, or pass --data-dir with the four files."
        )
    if path is not None:
        say(f"{problem} Downloading it again.")
    try:
        _fetch(row, file, mirrors)
    except ConnectionError as error:
        raise ConnectionError(
            f"{problem} {error} Pass --data-dir with the four files, or name another "
            "task: digits needs no download."
        ) from error
    return _read(row, file, folder / f"{file.name}.gz")


def _nowhere(cache: Path) -> str:
    given = places.from_environment()
    return f"neither in ${places.VARIABLE} ({given or 'not set'}) nor in {cache}"


def _fetch(row: ImageSet, file: IdxFile, mirrors: _Mirrors) -> None:
    """Download one file into the cache."""
    folder = places.cache(row.name)
    mirror = fetch(
        f"{file.name}.gz",
        mirrors.urls,
        lambda path: _read(row, file, path),
        folder,
        patience=mirrors.patience,
        progress=mirrors.progress,
    )
    (folder / file.name).unlink(missing_ok=True)  # damaged, and found before the new
    mirrors.urls.remove(mirror)
    mirrors.urls.insert(0, mirror)


def _looks_right(file: IdxFile, folder: Path) -> bool:
    path = places.found(folder, file.name)
    try:
        return path is not None and shape_of(path) == file.shape
    except (OSError, ValueError):
        return False
