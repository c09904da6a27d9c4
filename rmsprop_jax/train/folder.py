"""The folder of a run: what lies where, and whether it may be written to."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rmsprop_jax.files import write_text
from rmsprop_jax.train import config as options
from rmsprop_jax.train import config_file
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.holding import check_writable, held, refuse_others

# What may differ when a run goes on: where it runs and what it shows, not the rows.
_MAY_DIFFER = {f.name for f in dataclasses.fields(options.Running)} - {"log_every"} | {
    "data_dir",
    "target_accuracy",
}


class Folder:
    """The folder of a run."""

    def __init__(self, path: Path):
        """Nothing is read or made yet."""
        self.path = path
        self.config = path / "config.json"
        self.task = path / "task.json"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.events = path / "tensorboard"
        self.result = path / "result.json"

    @property
    def holds_a_run(self) -> bool:
        """Whether a run has begun here."""
        return self.config.exists()

    def check(self, config: Config) -> None:
        """See that no run is here, or that `config` is to go on with this very one.

        Raises:
            ValueError: If it holds a run and `config` is not to resume it, or differs.
        """
        check_writable(self.path)
        refuse_others(self.path, self.config.name)
        if not self.holds_a_run:
            return
        if not config.running.resume:
            raise ValueError(
                f"--run {self.path}: it holds a run already; --resume goes on with "
                "it, or choose another folder."
            )
        given, saved = options.values(config), options.values(self.saved_config())
        for name, value in saved.items():
            if name not in _MAY_DIFFER and given[name] != value:
                raise ValueError(
                    f"{options.flag(name)} {given[name]}: the run in {self.path} has "
                    f"{value}. Leave the option out to go on with it, or choose "
                    "another --run for a new one."
                )

    def check_data(self, about: Mapping[str, Any]) -> None:
        """See that the run here, if there is one, learned from data that are so too.

        Raises:
            ValueError: If it did not; names what differs.
        """
        if not self.holds_a_run:
            return
        saved = self.about()
        differing = [
            f"{name} ({_in_short(saved.get(name))} there, {_in_short(about.get(name))})"
            for name in sorted(saved.keys() | about.keys())
            if saved.get(name) != about.get(name)
        ]
        if differing:
            raise ValueError(
                f"--run {self.path}: its data are not those that it began with. What "
                f"differs: {', '.join(differing)}. Give it those by --data-dir, or "
                "choose another --run for a new one."
            )

    @contextmanager
    def begun(
        self, config: Config, about: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """Make the folder, keep others out of it, and write what the run was told.

        Args:
            config: By the user.
            about: By its data.

        Raises:
            ValueError: As `check` and `check_data`, or if another process trains here.
        """
        with held(self.path, "training"):
            # Somebody may have begun here since.
            self.check(config)
            self.check_data(about or {})
            if not self.holds_a_run:
                self.task.unlink(missing_ok=True)
                if about:
                    write_text(self.task, json.dumps(about, indent=2) + "\n")
                config_file.save(config, self.config)
            yield

    def saved_config(self) -> Config:
        """What the run was told.

        Raises:
            ValueError: If there is no run here.
        """
        if not self.holds_a_run:
            raise ValueError(
                f"{self.path}: expected the folder of a run, with its config.json; "
                "`rmsprop-jax train` makes one under runs/."
            )
        return config_file.load(self.config)

    def about(self) -> dict[str, Any]:
        """What the data told of the run's task; nothing, for most tasks.

        Raises:
            ValueError: If that is damaged.
        """
        try:
            about = json.loads(self.task.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            about = error
        if not isinstance(about, dict):
            raise ValueError(
                f"{self.task}: expected a JSON object, what the data of the run are "
                f"about, got {about!s:.60}."
            )
        return about

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result."""
        write_text(self.result, json.dumps(result, indent=2) + "\n")


def _in_short(value: Any) -> str:
    """A list by its length and its own digest, and the beginning of anything else."""
    if not isinstance(value, list):
        return f"{value!s:.8}"
    digest = hashlib.sha256(json.dumps(value).encode()).hexdigest()
    return f"{len(value):,}: {digest:.8}"


def new_path(config: Config) -> Path:
    """A folder under runs/ that does not exist, named by the time and the run."""
    learning = config.learning
    stem = time.strftime("%Y%m%d-%H%M%S") + f"-{learning.task}-{learning.model}"
    path, count = Path("runs", stem), 1
    while path.exists():
        count += 1
        path = Path("runs", f"{stem}-{count}")
    return path
