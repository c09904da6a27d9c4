"""`rmsprop-jax compare`: its options, and what it prints."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from rmsprop_jax.files import write_text
from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config, Hidden, Shapes, Shift, SmallModel, Tasks
from rmsprop_jax.train.holding import check_writable, refuse_others
from rmsprop_jax.train.resuming import gone_on

# What may differ when a comparison goes on: every run in it says what it was itself.
_MAY_DIFFER = {
    "optimizers", "seeds", "trials", "choose_by",
    "data_dir", "run", "resume", "quiet", "pictures", "devices",
}  # fmt: skip
_PATHS = {"data_dir", "run"}


@dataclass(frozen=True)
class Compare:
    """Compare optimizers: the same model, data, order and budget for each.

    Each is trained at as many learning rates, a factor of √10 apart; the one that does
    best on training examples held out is trained again by several seeds, and tested
    once each. By default on digits it takes a minute or two on two cores, on MNIST five
    to ten. How much is left is said after each run.
    """

    optimizers: tuple[str, ...] = (
        "sgd", "momentum", "adagrad", "adam", "optax", "torch", "keras",
    )  # fmt: skip
    """sgd, momentum, adagrad, adam, rmsprop, or one of its dialects such as torch;
    with options: torch:momentum=0.9,centered=true; learning_rate=... moves the grid."""
    seeds: int = 3
    """Runs of each optimizer at its best learning rate, by seeds of their own."""
    trials: int = 7
    """Learning rates each optimizer is tried at."""
    choose_by: Literal["loss", "accuracy"] = "loss"
    """What decides on the held-out examples; a few hardly tell accuracies apart."""
    validation: int | None = None
    """Training examples held out, to choose by; a sixth by default."""
    task: Tasks = "auto"
    """The data; auto: MNIST where it is or can be downloaded, otherwise digits."""
    data_dir: Path | None = None
    """The folder that holds the data; otherwise $RMSPROP_JAX_DATA, then the cache."""
    model: SmallModel = None
    hidden: Hidden = None
    epochs: int | None = None
    """Passes over the training data in every run; 20, on MNIST 5 by default."""
    batch_size: int | None = None
    """Examples a step, over all devices."""
    seed: int = 0
    """Seeds the trials; the runs that are tested have the seeds after it."""
    label_smoothing: float | None = None
    """Share of each label that is spread over all classes."""
    shift: Shift = None
    rotate: float | None = None
    """Augmentation: images turn by up to so many degrees each way."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What the model computes in; parameters and losses stay float32."""
    schedule: Shapes | None = None
    """How the learning rate falls, for each optimizer alike."""
    warmup: float | None = None
    """Epochs in which the learning rate rises from zero to its peak."""
    final_fraction: float = 0.0
    """Cosine: what is left of the learning rate at the end."""
    drop_factor: float = 0.1
    """Step, exponential: what the learning rate is multiplied by."""
    drop_every: float | None = None
    """Step, exponential: in so many epochs; a third of the run by default."""
    run: Path | None = None
    """Folder of the comparison; a new one under runs/ by default."""
    resume: bool = False
    """Go on with the comparison in that folder, and repeat nothing that is done in it;
    more --optimizers, --seeds or --trials are added."""
    pictures: bool = True
    """Draw comparison.png at the end."""
    quiet: bool = False
    """Print the table and nothing else."""
    devices: int | None = None
    """How many of the local devices; all by default."""


def main(arguments: Sequence[str]) -> int:
    """Compare and print the table; 0 is the exit status.

    Raises:
        ValueError: If an option is wrong; before anything is compiled.
    """
    asked = parse(arguments)
    from rmsprop_jax.train import comparing

    try:
        comparison = comparing.compare(asked)
    except KeyboardInterrupt:
        print(
            "stopped; --resume with the same --run goes on and repeats nothing that is "
            "done",
            file=sys.stderr,
        )
        return 130
    print(comparison)
    return 0


def parse(arguments: Sequence[str]) -> Compare:
    """Options, on top of those of the comparison to be gone on with.

    Raises:
        ValueError: If it has others.
    """
    asked = _parsed(arguments, Compare())
    if asked.resume and asked.run is None:
        raise ValueError("--resume: expected --run FOLDER too, what to go on with.")
    if asked.run is not None:
        check_writable(asked.run)
        refuse_others(asked.run, "comparison.json")
    if asked.run is None or not (asked.run / "comparison.json").exists():
        return asked
    if not asked.resume:
        raise ValueError(
            f"--run {asked.run}: it holds a comparison already; --resume goes on with "
            "it, or choose another folder."
        )
    saved = load(asked.run)
    # On which devices is asked anew: these may be of another machine.
    start = dataclasses.replace(saved, resume=True, devices=None)
    return gone_on(_parsed(arguments, start), saved, _MAY_DIFFER, "comparison")


def base(asked: Compare) -> Config:
    """What all runs have in common."""
    shared = {
        field.name: getattr(asked, field.name)
        for field in dataclasses.fields(Compare)
        if field.name in options.PART_OF
    }
    shared["validation"] = asked.validation or 0
    return options.replace(Config(), **shared)


def save(asked: Compare, folder: Path) -> None:
    """Write every option as JSON, for `load`."""
    plain = {
        name: str(value) if name in _PATHS and value else value
        for name, value in dataclasses.asdict(asked).items()
    }
    write_text(folder / "comparison.json", json.dumps(plain, indent=2) + "\n")


def load(folder: Path) -> Compare:
    """Read what `save` wrote.

    Raises:
        ValueError: If it is something else.
    """
    path = folder / "comparison.json"
    try:
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        plain |= {name: Path(plain[name]) for name in _PATHS if plain.get(name)}
        plain["optimizers"] = tuple(plain["optimizers"])
        return Compare(**plain)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: expected the options of a comparison, got: {error}."
        ) from None


def _parsed(arguments: Sequence[str], start: Compare) -> Compare:
    return tyro.cli(Compare, prog="rmsprop-jax compare", args=arguments, default=start)
