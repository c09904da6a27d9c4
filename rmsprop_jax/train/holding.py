"""A folder that one process at a time writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(folder: Path, doing: str) -> Iterator[None]:
    """Make the folder and keep other processes out of it, to the end at the latest.

    Args:
        folder: Where `--run` points.
        doing: What the other process would be doing there, for the message.

    Raises:
        ValueError: If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
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
