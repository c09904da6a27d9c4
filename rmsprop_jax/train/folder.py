"""The folder of a run, or of many: what lies where, and who may write to it."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rmsprop_jax.files import write_text
from rmsprop_jax.train import config as options
from rmsprop_jax.train import config_file
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.holding import check_writable, held, refuse_others


class Kind(NamedTuple):
    """What a folder can hold.

    Attributes:
        name: What one calls it.
        doing: What a process does there, for the message to another one.
        file: Where its options are.
        start: Them by default.
        free: Options that may differ when it goes on.
    """

    name: str
    doing: str
    file: str
    start: Any
    free: Set[str]


# Where it runs and what it shows may differ, not the rows.
RUN = Kind(
    "run",
    "training",
    "config.json",
    Config(),
    options.values(Config().running).keys() - {"log_every"}
    | {"data_dir", "target_accuracy"},
)


class Folder:
    """The folder of a run, or of many."""

    def __init__(self, path: Path, kind: Kind = RUN):
        """Nothing is read or made yet."""
        self.path, self.kind = path, kind
        self.config = path / kind.file
        self.task = path / "task.json"
        self.metrics = path / "metrics.jsonl"
        self.trials = path / "trials.jsonl"
        self.checkpoints = path / "checkpoints"
        self.events = path / "tensorboard"
        self.result = path / "result.json"

    @property
    def begun_before(self) -> bool:
        """Whether there is something here to go on with."""
        return self.config.exists()

    def check(self, asked: Any) -> None:
        """See that nothing is here, or that `asked` is to go on with this very thing.

        Raises:
            ValueError: If something is, and `asked` is not to resume it, or differs.
        """
        check_writable(self.path)
        refuse_others(self.path, self.config.name)
        if not self.begun_before:
            return
        given, name = options.values(asked), self.kind.name
        if not given["resume"]:
            raise ValueError(
                f"--run {self.path}: it holds a {name} already; --resume goes on with "
                "it, or choose another folder."
            )
        for option, value in options.values(self.saved()).items():
            if option not in self.kind.free and given[option] != value:
                raise ValueError(
                    f"{options.flag(option)} {given[option]}: the {name} in "
                    f"{self.path} has {value}. Leave the option out to go on with it, "
                    "or choose another --run for a new one."
                )

    def check_data(self, about: Mapping[str, Any]) -> None:
        """See that what is here, if anything is, learned from data that are so too.

        Raises:
            ValueError: If it did not; names what differs.
        """
        differing = self.differing(about) if self.begun_before else {}
        if differing:
            said = [f"{name} ({words})" for name, words in differing.items()]
            raise ValueError(
                f"--run {self.path}: its data are not those that it began with. What "
                f"differs: {', '.join(said)}. Give it those by --data-dir, or choose "
                "another --run for a new one."
            )

    def differing(self, about: Mapping[str, Any]) -> dict[str, str]:
        """In what data are not those of here: by name, how they are there and now."""
        there = self.about()
        return {
            name: f"{_in_short(there.get(name))} there, {_in_short(about.get(name))}"
            for name in sorted(there.keys() | about.keys())
            if there.get(name) != about.get(name)
        }

    @contextmanager
    def begun(
        self, asked: Any, about: Mapping[str, Any] | None = None
    ) -> Iterator[None]:
        """Make the folder, keep others out of it, and write what was told.

        Args:
            asked: By the user.
            about: By the data.

        Raises:
            ValueError: As `check` and `check_data`, or if another process is here.
        """
        with held(self.path, self.kind.doing):
            # Somebody may have begun here since.
            self.check(asked)
            self.check_data(about or {})
            if not self.begun_before:
                self.task.unlink(missing_ok=True)
                if about:
                    write_text(self.task, json.dumps(about, indent=2) + "\n")
                self.save(asked)
            yield

    def save(self, asked: Any) -> None:
        """Write what was told, for `saved`."""
        config_file.save(asked, self.config)

    def saved(self) -> Any:
        """What was told, by the user.

        Raises:
            ValueError: If there is no run here, or what is written is damaged.
        """
        if not self.begun_before:
            raise ValueError(
                f"{self.path}: expected the folder of a run, with its config.json; "
                "`rmsprop-jax train` makes one under runs/."
            )
        return config_file.load(self.config, self.kind.start)

    def about(self) -> dict[str, Any]:
        """What was told by the data; nothing, for most tasks.

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


def new_path(config: Config, *more: str) -> Path:
    """A folder under runs/ that does not exist, named by the time and the run."""
    learning = config.learning
    words = [time.strftime("%Y%m%d-%H%M%S"), learning.task, learning.model or "", *more]
    stem, count = "-".join(words), 1
    path = Path("runs", stem)
    while path.exists():
        count += 1
        path = Path("runs", f"{stem}-{count}")
    return path
