"""`rmsprop-jax compare`: its options, and what it prints."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import tyro

from rmsprop_jax.train.folder import Folder, Kind
from rmsprop_jax.train.resuming import resumed
from rmsprop_jax.train.trial_config import Learning, Tuning


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
    seed: int = 0
    """Seeds the trials; the runs that are tested have the seeds after it."""
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
    learning: Learning = field(default_factory=Learning)
    tuning: Tuning = field(default_factory=Tuning)


COMPARISON = Kind(
    "comparison",
    "comparing",
    "comparison.json",
    Compare(),
    # Every run in it says what it was itself.
    {"optimizers", "seeds", "trials", "choose_by"}
    | {"data_dir", "run", "resume", "quiet", "pictures", "devices"},
)


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
    # On which devices is asked anew: these may be of another machine.
    asked = resumed(partial(_parsed, arguments), COMPARISON, devices=None)
    if asked.run is not None:
        Folder(asked.run, COMPARISON).check(asked)
    return asked


def _parsed(arguments: Sequence[str], start: Compare) -> Compare:
    command = tyro.conf.OmitArgPrefixes[Compare]
    return tyro.cli(command, prog="rmsprop-jax compare", args=arguments, default=start)
