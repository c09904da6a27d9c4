"""The options of a command in a file: in its folder, and for `train --config`."""

import json
from pathlib import Path
from typing import Any

from rmsprop_jax.files import write_text
from rmsprop_jax.train.config import Asked, Config, flag, replace, values
from rmsprop_jax.wording import nearest

_PATHS = {"data_dir", "run", "compilation_cache"}


def save(asked: Any, path: Path) -> None:
    """Write every option as JSON, for `load` and `--config`."""
    plain = {k: str(v) if k in _PATHS and v else v for k, v in values(asked).items()}
    write_text(path, json.dumps(plain, indent=2) + "\n")


def load(path: Path, start: Asked) -> Asked:
    """Read what `save` wrote.

    Args:
        path: The file.
        start: Options that the file does not have.

    Raises:
        ValueError: As `arguments`.
    """
    read = {name: _value(name, value) for name, value in _read(path, start).items()}
    return replace(start, **read)


def arguments(path: Path) -> list[str]:
    """What `save` wrote of a run, as one would type it, so that it is checked as that.

    Not its folder: a run by the options of another one is a new run.

    Raises:
        ValueError: If it is no JSON object, or has something that is no option.
    """
    typed, usual = [], values(Config())
    for name, value in _read(path, Config()).items():
        if name in ("run", "resume"):
            continue
        if isinstance(value, bool) and isinstance(usual[name], bool):
            typed.append(flag(name) if value else flag("no_" + name))
        elif value is not None:
            typed += [flag(name), str(value)]
    return typed


def _value(name: str, value: Any) -> Any:
    """What JSON has no word for."""
    if isinstance(value, list):
        return tuple(value)
    return Path(value) if name in _PATHS and value else value


def _read(path: Path, start: Any) -> dict[str, Any]:
    known = values(start)
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected options as JSON, got {error}.") from None
    if not isinstance(read, dict):
        raise ValueError(f"{path}: expected an object of options, got {read!r:.60}.")
    for name in read.keys() - known.keys():
        raise ValueError(f"{path}: {name!r} is no option.{nearest(name, known)}")
    return read
