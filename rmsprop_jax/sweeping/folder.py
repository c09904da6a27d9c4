"""What is kept on disk of a search, so that it can be continued after any end."""

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import jax.numpy as jnp
import numpy as np

from rmsprop_jax.files import write_bytes


class Folder:
    """A folder with the settings of a search, and where it stands.

    Every file is whole or not there, whatever ends the process.
    """

    def __init__(self, path: str | Path):
        """Makes the folder, if it is not there.

        Raises:
            TypeError: If `path` is none.
            ValueError: If there is something else of that name.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"folder={path!r}: expected a path, or None.")
        self._path = Path(path)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise ValueError(
                f"folder={str(path)!r}: expected a folder, or a new name; there is a "
                "file in its place."
            ) from None

    def settings(self) -> dict[str, Any] | None:
        """The settings of the search that is kept here, if there is one.

        Raises:
            ValueError: If the file holds something else.
        """
        file = self._path / "settings.json"
        if not file.exists():
            return None
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            kept = None
        if not isinstance(kept, dict) or not {"search", "batch_size"} <= kept.keys():
            raise ValueError(
                f"folder={str(self._path)!r}: its settings.json is not that of a "
                "search. Name another folder."
            )
        return kept

    def keep_settings(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of a new search, or refuse others than those here.

        Raises:
            ValueError: If the folder has a search with other settings.
        """
        kept = self.settings()
        if kept is None:
            if (self._path / "progress.npz").exists():
                raise ValueError(
                    f"folder={str(self._path)!r}: it has the progress of a search, "
                    "and not what was searched, its settings.json; name another folder."
                )
            write_bytes(self._path / "settings.json", json.dumps(settings).encode())
            return
        new = json.loads(json.dumps(settings))
        for name, value in new.items():
            if kept.get(name) != value:
                raise ValueError(
                    f"folder={str(self._path)!r}: the search in it has {name}="
                    f"{kept.get(name)!r}, this one {value!r}. Expected the same; name "
                    "another folder."
                )

    def progress(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """What was kept last: facts, and arrays by name; nothing at first.

        Raises:
            ValueError: If the file is damaged, or holds something else.
        """
        file = self._path / "progress.npz"
        if not file.exists():
            return None
        try:
            with np.load(io.BytesIO(file.read_bytes())) as content:
                known = json.loads(content["facts"].tobytes())
                arrays = {
                    name: np.frombuffer(content[name].tobytes(), jnp.dtype(dtype))
                    .reshape(shape)
                    .copy()
                    for name, (dtype, shape) in known["arrays"].items()
                }
            return known["facts"], arrays
        except (ValueError, TypeError, LookupError, EOFError, BadZipFile) as error:
            raise ValueError(
                f"folder={str(self._path)!r}: its progress.npz is damaged, or not of "
                f"a search ({error}). Delete that file and the search begins anew, or "
                "name another folder."
            ) from None

    def keep_progress(
        self, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Replace what was kept."""
        # As bytes: a file of NumPy's forgets what a bfloat16 is.
        kinds = {n: (x.dtype.name, x.shape) for n, x in arrays.items()}
        known = json.dumps({"facts": facts, "arrays": kinds}).encode()
        raw: dict[str, Any] = {
            name: np.frombuffer(content, np.uint8)
            for name, content in [
                ("facts", known),
                *((name, x.tobytes()) for name, x in arrays.items()),
            ]
        }
        content = io.BytesIO()
        np.savez(content, **raw)
        write_bytes(self._path / "progress.npz", content.getvalue())
