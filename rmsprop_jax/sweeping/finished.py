"""The trials of a sweep that have ended, kept on disk too if there is a folder."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rmsprop_jax.sweeping.folder import Folder
from rmsprop_jax.sweeping.trials import Trial

# The whole file is written each time.
_SECONDS_BETWEEN_WRITES = 2.0


class Finished:
    """What trials returned."""

    def __init__(self, folder: Folder | None):
        """Those of the folder, if it has any."""
        self._folder = folder
        self._metrics: dict[int, dict[str, np.ndarray]] = {}
        self._written = -np.inf
        kept = None if folder is None else folder.progress()
        for key, value in (kept[1] if kept else {}).items():
            index, name = key.split(" ", 1)
            self._metrics.setdefault(int(index), {})[name] = value

    def __getitem__(self, trial: Trial) -> Mapping[str, np.ndarray]:
        """What the trial returned."""
        return self._metrics[trial.index]

    def without(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those of `trials` that have not ended."""
        return [trial for trial in trials if trial.index not in self._metrics]

    def add(
        self, trials: Sequence[Trial], results: Sequence[Mapping[str, Any]]
    ) -> None:
        """Take what some trials returned."""
        for trial, metrics in zip(trials, results, strict=True):
            self._metrics[trial.index] = {
                name: np.asarray(value) for name, value in metrics.items()
            }
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Keep on disk what there is."""
        if self._folder is not None:
            self._folder.keep_progress({}, dict(self._arrays()))
        self._written = time.monotonic()

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for index, metrics in self._metrics.items():
            for name, value in metrics.items():
                yield f"{index} {name}", value
