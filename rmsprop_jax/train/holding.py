"""A folder that one process at a time writes to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# By what one knows what a folder holds: a run, a comparison, a sweep.
_MARKS = ("config.json", "comparison.json", "sweep.json", "result.json")


def check_writable(folder: Path) -> None:
    """Refuse a folder that is none, or that cannot be written or made.

    Raises:
        ValueError: If it is so.
    """
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if folder.is_symlink() and not folder.exists():
        there = folder
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(
            f"--run {folder}: expected a folder that can be written, {there} is none. "
            "Choose another."
        )


def refuse_others(folder: Path, own: str) -> None:
    """Refuse a folder that holds something, unless it has the file `own`.

    Raises:
        ValueError: If it is another command's.
    """
    marks = [name for name in _MARKS if (folder / name).exists()]
    if marks and own not in marks:
        raise ValueError(
            f"--run {folder}: it holds {marks[0]}, of another command. Choose another "
            "folder, or nothing of that would be left."
        )


@contextmanager
def held(folder: Path, doing: str) -> Iterator[None]:
    """Make the folder and keep other processes out of it, to the end at the latest.

    Args:
        folder: Where `--run` points.
        doing: What the other process would be doing there, for the message.

    Raises:
        ValueError: If another process holds it, or it cannot be made.
    """
    check_writable(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--run {folder}: it cannot be made, {error.strerror}. Choose another."
        ) from None
    try:
        import fcntl
    except ImportError:  # Windows has none.
        yield
        return
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"--run {folder}: another process is {doing} there. Wait for it, "
                "stop it, or choose another folder."
            ) from None
        except OSError:  # A file system without locks.
            pass
        yield
