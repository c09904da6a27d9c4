"""The optimizer in a file of Keras, as it lies there: settings and numbered arrays.

Read with h5py alone. What the arrays mean is for `interop.keras`.
"""

import importlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

_ZIP, _HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
_DAMAGED = (
    OSError,
    KeyError,
    EOFError,
    RuntimeError,
    UnicodeDecodeError,
    json.JSONDecodeError,
    zipfile.BadZipFile,
    zlib.error,
)


class Saved(NamedTuple):
    """An optimizer in a file."""

    variables: list[np.ndarray]  # in the order of `optimizer.variables`
    names: list[str] | None  # theirs, if the file has them
    class_name: str | None  # with the module, as in "keras.optimizers.RMSprop"
    config: dict[str, Any] | None  # as of `optimizer.get_config()`


def read(path: str | Path) -> Saved:
    """The optimizer in a `.keras`, `.weights.h5` or legacy `.h5` file.

    Which of them it is, its content says, not its name.

    Raises:
        ValueError: If there is no optimizer in it, or it cannot be read.
        ImportError: If h5py is missing.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{path}: expected a file, or the prefix of a checkpoint of TensorFlow."
        )
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if start.startswith(_ZIP):
            return _archive(path)
        if start == _HDF5:
            return _hdf5(path, path)
    except _DAMAGED as error:
        raise ValueError(f"{path}: cannot be read, is it whole? {error}") from error
    raise ValueError(
        f"{path}: expected a .keras archive or an HDF5 file, and it begins like "
        f"neither: {start!r}."
    )


def _archive(path: Path) -> Saved:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if "model.weights.h5" not in members or "config.json" not in members:
            raise ValueError(
                f"{path}: expected config.json and model.weights.h5 in the archive, "
                f"got {members}."
            )
        weights = io.BytesIO(archive.read("model.weights.h5"))
        saved = json.loads(archive.read("config.json"))
    optimizer = (saved.get("compile_config") or {}).get("optimizer")
    if not isinstance(optimizer, dict):
        raise ValueError(
            f"{path}: no optimizer in its compile_config; expected a model that was "
            "compiled with one before it was saved."
        )
    return _hdf5(weights, path)._replace(**_settings(optimizer))


def _hdf5(file: Any, path: Path) -> Saved:
    with _h5py().File(file, "r") as root:
        if "optimizer/vars" in root:
            group = root["optimizer/vars"]
            numbers = sorted(
                group, key=lambda i: (len(i), i)
            )  # "10" after "9", not after "1"
            if numbers != [str(i) for i in range(len(numbers))]:
                raise ValueError(
                    f"{path}: expected the variables 0, 1, 2, ... in optimizer/vars, "
                    f"got {numbers}."
                )
            return Saved([_array(group[i]) for i in numbers], None, None, None)
        if "optimizer_weights" in root:
            return _legacy(root, path)
        raise ValueError(
            f"{path}: no optimizer in it, only {sorted(root)}. Expected the file of a "
            "compiled model that made a step; save(..., include_optimizer=True). A "
            "legacy tf.keras optimizer is saved with the model to .h5, not to .keras."
        )


def _legacy(root: Any, path: Path) -> Saved:
    group = root["optimizer_weights"]
    names = _strings(group.attrs, "weight_names")
    variables = [_array(group[name]) for name in names]
    if "training_config" not in root.attrs:
        raise ValueError(f"{path}: expected the attribute training_config, found none.")
    config = json.loads(root.attrs["training_config"])["optimizer_config"]
    return Saved(variables, names, **_settings(config))


def _settings(optimizer: dict[str, Any]) -> dict[str, Any]:
    module = optimizer.get("module")
    class_name = ".".join(filter(None, [module, optimizer.get("class_name")]))
    return {"class_name": class_name, "config": optimizer.get("config", {})}


def _array(dataset: Any) -> np.ndarray:
    array = np.asarray(dataset[()])
    # HDF5 has no bfloat16: Keras writes two bytes without a meaning.
    return array.view(jnp.bfloat16) if array.dtype == np.dtype("V2") else array


def _strings(attributes: Any, name: str) -> list[str]:
    """A list of strings, which Keras cuts into name0, name1, ... if it is long."""
    parts = [name] if name in attributes else []
    while f"{name}{len(parts)}" in attributes:
        parts.append(f"{name}{len(parts)}")
    return [
        x.decode() if isinstance(x, bytes) else str(x)
        for part in parts
        for x in attributes[part]
    ]


def _h5py() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise ImportError(
            "h5py is needed to read the files of Keras: pip install h5py."
        ) from error
