"""Where data may lie on this machine."""

import os
import sys
from pathlib import Path

VARIABLE = "RMSPROP_JAX_DATA"


def from_environment() -> Path | None:
    """The folder that the user's environment names, if it does."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else None


def given(folder: Path) -> str:
    """A folder that was named: to a function as `data_dir`, or to a command."""
    return f"data_dir (--data-dir) '{folder}'"


def cache(name: str) -> Path:
    """Where downloads of the data set `name` go.

    Raises:
        ValueError: If the user has no home and names no cache.
    """
    return _caches() / "rmsprop_jax" / name


def _caches() -> Path:
    # As the XDG specification has it, a relative path there is ignored.
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        return Path(named)
    try:
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA")
            return Path(local) if local else Path.home() / "AppData" / "Local"
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches"
        return Path.home() / ".cache"
    except RuntimeError as error:
        raise ValueError(
            f"XDG_CACHE_HOME={named!r}: expected the absolute path of a folder, since "
            "this user has no home folder to keep downloads in."
        ) from error


def found(folder: Path, name: str) -> Path | None:
    """The file `name` in `folder`, decompressed or else with .gz, if it is there."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None
