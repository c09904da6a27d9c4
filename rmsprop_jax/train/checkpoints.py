"""Checkpoints of a run: the two latest and the best, whole or not there."""

import logging
import shutil
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy as keep

_DELETED = "deleted"


class Checkpoints:
    """The checkpoints in a folder, each a state and what a run remembers beside it.

    A save returns when the arrays are copied; it is committed, by a rename, in the
    background. So is a deletion: nothing half deleted is ever listed.
    """

    def __init__(self, folder: Path, headline: str):
        """Open or make `folder`; `headline` is the measure by which one is best."""
        self._folder = folder.absolute()
        best = "max" if headline == "accuracy" else "min"
        self._sign = 1 if best == "max" else -1
        logging.getLogger("absl").setLevel(logging.ERROR)
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=keep.AnyPreservationPolicy(
                    [
                        keep.LatestN(2),
                        keep.BestN(
                            get_metric_fn=lambda m: self._sign * m["headline"],
                            n=1,
                            keep_checkpoints_without_metrics=False,
                        ),
                    ]
                ),
                best_fn=lambda m: m["headline"],
                best_mode=best,
                todelete_subdir=_DELETED,
                cleanup_tmp_directories=True,
            ),
        )

    def save(self, step: int, state: Any, memory: dict, headline: float | None) -> None:
        """Begin to save; `headline` is known at the end of an epoch only."""
        if step in self._manager.all_steps():
            return
        said = {"memory": memory, "manifest": manifest(state)}
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), said=ocp.args.JsonSave(said)
            ),
            metrics=None if headline is None else {"headline": headline},
        )

    @property
    def latest(self) -> int | None:
        """The newest step that is committed."""
        return self._manager.latest_step()

    def restore(self, step: int, abstract: Any) -> tuple[Any, dict]:
        """The state at `step`, placed as `abstract` says, and the memory beside it.

        Raises:
            ValueError: As `restored`.
        """
        return restored(self._manager, self._folder, step, abstract)

    def close(self) -> None:
        """Wait for what is being saved; take away what was deleted."""
        self._manager.wait_until_finished()
        self._manager.close()
        if jax.process_index() == 0:
            shutil.rmtree(self._folder / _DELETED, ignore_errors=True)


def restored(
    manager: ocp.CheckpointManager, folder: Path, step: int, abstract: Any
) -> tuple[Any, dict]:
    """The state at `step`, placed as `abstract` says, and the memory beside it.

    Raises:
        ValueError: If it holds arrays of another shape or dtype, or cannot be read.
    """
    said = _read(manager, folder, step, said=ocp.args.JsonRestore())
    # Orbax casts to the dtypes of `abstract` without a word.
    expected, found = manifest(abstract), said["manifest"]
    for path in sorted(expected.keys() | found.keys()):
        if expected.get(path) != found.get(path):
            raise ValueError(
                f"{folder / str(step)}: {path} is {found.get(path)} there, expected "
                f"{expected.get(path)}; it belongs to another configuration or version."
            )
    state = _read(manager, folder, step, state=ocp.args.StandardRestore(abstract))
    return state, said["memory"]


def _read(manager: ocp.CheckpointManager, folder: Path, step: int, **item: Any) -> Any:
    ((name, how),) = item.items()
    try:
        return manager.restore(step, args=ocp.args.Composite(**{name: how}))[name]
    except Exception as error:  # Whatever tensorstore and Orbax make of damage.
        others = [s for s in manager.all_steps() if s != step]
        way_out = (
            f"Delete that folder to go on from step {max(others)}"
            if others
            else "There is no other; train anew in another --run"
        )
        raise ValueError(
            f"{folder / str(step)}: the checkpoint is damaged or incomplete "
            f"({type(error).__name__}: {str(error).splitlines()[0]:.120}). {way_out}."
        ) from error


def manifest(state: Any) -> dict[str, str]:
    """Path of every array → its dtype and shape."""
    return {
        jax.tree_util.keystr(
            path, simple=True, separator="/"
        ): f"{x.dtype}{list(x.shape)}"
        for path, x in jax.tree.leaves_with_path(state)
    }
