"""What the task `auto` means on this machine."""

from pathlib import Path
from typing import Literal, NamedTuple

from rmsprop_jax.train.data import mnist, places
from rmsprop_jax.train.data.download import PATIENCE, Progress
from rmsprop_jax.train.data.rows import ROWS, ImageSet


class Choice(NamedTuple):
    """A task, the `data_dir` to load it with, and one line that says why."""

    task: Literal["mnist", "digits"]
    data_dir: Path | None
    line: str


def auto(
    data_dir: str | Path | None = None,
    *,
    row: ImageSet = ROWS["mnist"],
    patience: float = PATIENCE,
    progress: Progress | None = None,
) -> Choice:
    """MNIST, where it is or can be downloaded, and otherwise the digits.

    Looked for in `data_dir`, $RMSPROP_JAX_DATA and the cache, in this order. After a
    download the files lie in the cache. That files are there, not that they are whole,
    decides: damaged ones are an error of `mnist.load`, and no silent change of task.

    Args:
        data_dir: The folder that the user names, if any.
        row: What counts as MNIST.
        patience: Seconds that the mirrors have to send their first byte.
        progress: Told how far a download is.

    Raises:
        ValueError: If `data_dir` is no folder, or has some of the files only.
    """
    if data_dir is not None:
        data_dir = Path(data_dir)
        folder = mnist.find(row, data_dir)
        if folder is not None:
            return Choice("mnist", data_dir, f"task auto: mnist, from {folder}.")
        if not data_dir.expanduser().is_dir() or mnist.some(row, data_dir):
            raise ValueError(mnist.missing(row, data_dir))
    nowhere = "" if data_dir is None else f", not in {data_dir}"
    folder = mnist.find(row)
    if folder is not None:
        return Choice("mnist", None, f"task auto: mnist, from {folder}{nowhere}.")
    try:
        folder = places.cache(row.name)
        mnist.download(row, patience=patience, progress=progress)
        return Choice("mnist", None, f"task auto: mnist, from {folder}{nowhere}.")
    except (OSError, ValueError) as error:
        return Choice(
            "digits",
            None,
            "task auto: digits, the 1 797 of scikit-learn, since MNIST is not on this "
            f"machine{nowhere}: {error}",
        )
