"""`rmsprop-jax range-test`: its options, and what it prints."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.holding import check_writable, refuse_others
from rmsprop_jax.train.trial_config import Learning


@dataclass(frozen=True)
class RangeTest:
    """Raise the learning rate at every step, and see where the loss falls and rises.

    One short run, compiled once. It suggests where to look and no single value; a sweep
    over the suggested range decides. Only training examples are used.
    """

    low: float = 1e-6
    """The learning rate of the first step."""
    high: float = 1.0
    """The learning rate of the last step."""
    steps: int = 200
    """Steps; with more of them the suggested range lies lower."""
    smoothing: float = 0.9
    """The share of the old in the running mean of the losses."""
    seed: int = 0
    """Seeds the initial weights, the order of the data and all that is random."""
    dialect: str | None = None
    """Whose RMSProp: a key of rmsprop_jax.DIALECTS such as torch, keras, tf1."""
    decay: float | None = None
    """How much of the average of squares is kept at each step."""
    eps: float | None = None
    """What keeps the denominator from zero."""
    momentum: float | None = None
    """Momentum."""
    nesterov: bool = False
    """Look one step ahead along the momentum."""
    centered: bool | None = None
    """Divide by the standard deviation in place of the root mean square."""
    weight_decay: float | None = None
    """How much the weights are pulled towards zero."""
    weight_decay_form: Literal["coupled", "decoupled"] | None = None
    """Coupled: through the gradient; decoupled: beside it, as in AdamW."""
    clip_norm: float | None = None
    """Shrink gradients to this norm, over all parameters."""
    run: Path | None = None
    """Folder of the result; a new one under runs/ by default."""
    pictures: bool = True
    """Draw range_test.png."""
    learning: Learning = field(default_factory=Learning)


def main(arguments: Sequence[str]) -> int:
    """Test and print; 1 is the exit status if the loss fell nowhere.

    Raises:
        ValueError: If an option is wrong; before anything is compiled.
    """
    asked = parse(arguments)
    from rmsprop_jax.train.sweeps import rate_range

    try:
        found, text = rate_range.find(asked)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    print(text)
    return 0 if found else 1


def parse(arguments: Sequence[str]) -> RangeTest:
    """The options.

    Raises:
        ValueError: If the folder holds something already, or a number is impossible.
    """
    command = tyro.conf.OmitArgPrefixes[RangeTest]
    asked = tyro.cli(command, prog="rmsprop-jax range-test", args=arguments)
    if asked.run is not None:
        check_folder(asked.run)
    if not 0 < asked.low < asked.high < float("inf"):
        raise ValueError(
            f"--low {asked.low:g} --high {asked.high:g}: expected 0 < low < high."
        )
    # The examples of all steps become part of the program.
    if not 2 <= asked.steps <= 10_000:
        raise ValueError(f"--steps {asked.steps}: expected 2 or more, at most 10000.")
    if not 0 <= asked.smoothing < 1:
        raise ValueError(
            f"--smoothing {asked.smoothing:g}: expected 0 or more, below 1."
        )
    return asked


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, or that holds something already.

    Raises:
        ValueError: If it does.
    """
    check_writable(folder)
    if (folder / "result.json").exists():
        raise ValueError(
            f"--run {folder}: it holds a result already; choose another folder."
        )
    refuse_others(folder, "result.json")


def base(asked: RangeTest) -> Config:
    """The run whose learning rate is raised."""
    run = options.run_of(asked)
    return options.replace(run, schedule="constant", warmup=0.0, ema=0.0, epochs=1)
