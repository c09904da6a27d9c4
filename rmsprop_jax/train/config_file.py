"""The options of a run in a file: `config.json` of its folder, and `--config`."""

import difflib
import json
from pathlib import Path
from typing import Any

from rmsprop_jax.files import write_text
from rmsprop_jax.train.config import PART_OF, PARTS, Config, flag, replace, values

_PATHS = {"data_dir", "run", "compilation_cache"}


def save(config: Config, path: Path) -> None:
    """Write every option as JSON, for `load` and `--config`."""
    plain = {k: str(v) if k in _PATHS and v else v for k, v in values(config).items()}
    write_text(path, json.dumps(plain, indent=2) + "\n")


def load(path: Path) -> Config:
    """Read what `save` wrote.

    Raises:
        ValueError: As `arguments`.
    """
    options = {k: v for k, v in _read(path).items() if v is not None}
    return replace(
        Config(), **{k: Path(v) if k in _PATHS else v for k, v in options.items()}
    )


def arguments(path: Path) -> list[str]:
    """What `save` wrote, as one would type it, so that it is checked as that is.

    Not its folder: a run by the options of another one is a new run.

    Raises:
        ValueError: If it is no JSON object, or has something that is no option.
    """
    typed = []
    for name, value in _read(path).items():
        if name in ("run", "resume"):
            continue
        if isinstance(value, bool) and isinstance(getattr(_part(name), name), bool):
            typed.append(flag(name) if value else flag("no_" + name))
        elif value is not None:
            typed += [flag(name), str(value)]
    return typed


def _part(name: str) -> Any:
    return PARTS[PART_OF[name]]()


def _read(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected the JSON of a run, got {error}.") from None
    if not isinstance(read, dict):
        raise ValueError(f"{path}: expected an object of options, got {read!r:.60}.")
    for name in read.keys() - PART_OF.keys():
        near = difflib.get_close_matches(name, PART_OF, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{path}: {name!r} is no option.{hint}")
    return read
