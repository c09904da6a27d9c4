"""`rmsprop-jax sweep`: its options, and what it prints."""

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

# What may differ when a sweep goes on: where it lies and what it shows.
_MAY_DIFFER = {"data_dir", "run", "resume", "quiet", "pictures", "devices"}
_PATHS = {"data_dir", "run"}
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
    choose_by: Literal["loss", "accuracy"] = "loss"
    """What decides on the held-out examples; a few hardly tell accuracies apart."""
    validation: int | None = None
    """Training examples held out, to choose by; a sixth by default."""
    at_once: int | None = None
    """Trials computed side by side; by default what was faster when measured."""
    devices: int | None = None
    """How many of the local devices share the trials; all by default."""
    task: Tasks = "auto"
    """The data; auto: MNIST where it is or can be downloaded, otherwise digits."""
    data_dir: Path | None = None
    """The folder that holds the data; otherwise $RMSPROP_JAX_DATA, then the cache."""
    model: SmallModel = None
    hidden: Hidden = None
    epochs: int | None = None
    """Passes over the training data in a whole run; 20, on MNIST 5 by default."""
    batch_size: int | None = None
    """Examples a step."""
    seed: int = 0
    """Seeds what is drawn; the runs have the seeds from it on."""
    label_smoothing: float | None = None
    """Share of each label that is spread over all classes."""
    shift: Shift = None
    rotate: float | None = None
    """Augmentation: images turn by up to so many degrees each way."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What the model computes in; parameters and losses stay float32."""
    weight_decay_form: Literal["coupled", "decoupled"] | None = None
    """Coupled: through the gradient; decoupled: beside it, as in AdamW."""
    clip_norm: float | None = None
    """Shrink gradients to this norm, over all parameters."""
    schedule: Shapes | None = None
    """How the learning rate falls."""
    warmup: float | None = None
    """Epochs in which the learning rate rises from zero to its peak."""
    final_fraction: float = 0.0
    """Cosine: what is left of the learning rate at the end."""
    drop_factor: float = 0.1
    """Step, exponential: what the learning rate is multiplied by."""
    drop_every: float | None = None
    """Step, exponential: in so many epochs; a third of the run by default."""
    run: Path | None = None
    """Folder of the sweep; a new one under runs/ by default."""
    resume: bool = False
    """Go on with the sweep in that folder, and repeat nothing that is kept in it."""
    pictures: bool = True
    """Draw heat_map.png, parallel.png and best.png at the end."""
    quiet: bool = False
    """Print the result and nothing else."""


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
    asked = _parsed(arguments, Sweep())
    if asked.resume and asked.run is None:
        raise ValueError("--resume: expected --run FOLDER too, what to go on with.")
    if asked.run is None:
        return asked
    check_writable(asked.run)
    refuse_others(asked.run, "sweep.json")
    if not (asked.run / "sweep.json").exists():
        return asked
    if not asked.resume:
        raise ValueError(
            f"--run {asked.run}: it holds a sweep already; --resume goes on with it, "
            "or choose another folder."
        )
    saved = load(asked.run)
    # On which devices is asked anew: these may be of another machine.
    start = dataclasses.replace(saved, resume=True, devices=None)
    return gone_on(_parsed(arguments, start), saved, _MAY_DIFFER, "sweep")


def base(asked: Sweep) -> Config:
    """What all trials have in common."""
    shared = {
        field.name: getattr(asked, field.name)
        for field in dataclasses.fields(Sweep)
        if field.name in options.PART_OF and field.name not in HYPERPARAMETERS
    }
    shared["validation"] = asked.validation or 0
    return options.replace(Config(), **shared)


def save(asked: Sweep, folder: Path) -> None:
    """Write every option as JSON, for `load`."""
    plain = {
        name: str(value) if name in _PATHS and value else value
        for name, value in dataclasses.asdict(asked).items()
    }
    write_text(folder / "sweep.json", json.dumps(plain, indent=2) + "\n")


def load(folder: Path) -> Sweep:
    """Read what `save` wrote.

    Raises:
        ValueError: If it is something else.
    """
    path = folder / "sweep.json"
    try:
        plain: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        plain |= {name: Path(plain[name]) for name in _PATHS if plain.get(name)}
        return Sweep(**plain)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path}: expected the options of a sweep, got: {error}."
        ) from None


def _parsed(arguments: Sequence[str], start: Sweep) -> Sweep:
    return tyro.cli(Sweep, prog="rmsprop-jax sweep", args=arguments, default=start)
