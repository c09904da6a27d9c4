"""`rmsprop-jax sweep`: its options, and what it prints."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import tyro

from rmsprop_jax.train.folder import Folder, Kind
from rmsprop_jax.train.resuming import resumed
from rmsprop_jax.train.trial_config import Learning, Tuning

# Of these there are texts here, and numbers in a run.
HYPERPARAMETERS = (
    "learning_rate", "decay", "eps", "momentum", "weight_decay",
    "dialect", "centered", "nesterov",
)  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """Try many hyperparameters of RMSProp, compiled once, and say which were best.

    Values are a number, a list 0.9,0.99,0.999, a range 0.1:0.5, or a range in which all
    decades are as likely, 1e-4:1e-1:log. With one, --budget points are spread evenly
    over all of it; without, all combinations are tried. What is best is best on
    training examples held out: the test examples are not looked at.
    """

    learning_rate: str = "1e-4:1e-1:log"
    """Learning rates to try."""
    decay: str | None = "0.9,0.99,0.999"
    """Decays; the decades of a range with :log are those of 1 - decay."""
    eps: str | None = None
    """Epsilons."""
    momentum: str | None = None
    """Momenta; the decades of a range with :log are those of 1 - momentum."""
    weight_decay: str | None = None
    """Weight decays."""
    dialect: str | None = None
    """Whose RMSProp: a list of keys of rmsprop_jax.DIALECTS; each is compiled."""
    centered: str | None = None
    """true, false, or true,false; each is compiled."""
    nesterov: str | None = None
    """true, false, or true,false; each is compiled."""
    budget: int | None = None
    """Points to try; 32 by default if there is a range, otherwise all combinations."""
    seeds: int = 1
    """Runs of each point, by seeds of their own."""
    halving: bool = False
    """Train all points a little, the best third three times as long, and so on."""
    at_once: int | None = None
    """Trials computed side by side; by default what was faster when measured."""
    devices: int | None = None
    """How many of the local devices share the trials; all by default."""
    seed: int = 0
    """Seeds what is drawn; the runs have the seeds from it on."""
    weight_decay_form: Literal["coupled", "decoupled"] | None = None
    """Coupled: through the gradient; decoupled: beside it, as in AdamW."""
    clip_norm: float | None = None
    """Shrink gradients to this norm, over all parameters."""
    run: Path | None = None
    """Folder of the sweep; a new one under runs/ by default."""
    resume: bool = False
    """Go on with the sweep in that folder, and repeat nothing that is kept in it."""
    pictures: bool = True
    """Draw heat_map.png, parallel.png and best.png at the end."""
    quiet: bool = False
    """Print the result and nothing else."""
    learning: Learning = field(default_factory=Learning)
    tuning: Tuning = field(default_factory=Tuning)


SWEEP = Kind(
    "sweep",
    "sweeping",
    "sweep.json",
    Sweep(),
    {"data_dir", "run", "resume", "quiet", "pictures", "devices"},
)


def main(arguments: Sequence[str]) -> int:
    """Sweep and print the best; 1 is the exit status if every point diverged.

    Raises:
        ValueError: If an option is wrong; before anything is compiled.
    """
    asked = parse(arguments)
    from rmsprop_jax.train.sweeps import searching

    try:
        found, text = searching.search(asked)
    except KeyboardInterrupt:
        print("stopped; --resume with the same --run goes on", file=sys.stderr)
        return 130
    print(text)
    return 0 if found else 1


def parse(arguments: Sequence[str]) -> Sweep:
    """Options, on top of those of the sweep to be gone on with.

    Raises:
        ValueError: If it has others.
    """
    # On which devices is asked anew: these may be of another machine.
    asked = resumed(partial(_parsed, arguments), SWEEP, devices=None)
    if asked.run is not None:
        Folder(asked.run, SWEEP).check(asked)
    return asked


def _parsed(arguments: Sequence[str], start: Sweep) -> Sweep:
    command = tyro.conf.OmitArgPrefixes[Sweep]
    return tyro.cli(command, prog="rmsprop-jax sweep", args=arguments, default=start)
