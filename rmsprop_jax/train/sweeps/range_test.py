"""`rmsprop-jax range-test`: its options, and what it prints."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from rmsprop_jax.train import config as options
from rmsprop_jax.train.config import Config, Hidden, Shift, SmallModel, Tasks
from rmsprop_jax.train.holding import check_writable, refuse_others


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
    task: Tasks = "auto"
    """The data; auto: MNIST where it is or can be downloaded, otherwise digits."""
    data_dir: Path | None = None
    """The folder that holds the data; otherwise $RMSPROP_JAX_DATA, then the cache."""
    model: SmallModel = None
    hidden: Hidden = None
    batch_size: int | None = None
    """Examples a step."""
    seed: int = 0
    """Seeds the initial weights, the order of the data and all that is random."""
    label_smoothing: float | None = None
    """Share of each label that is spread over all classes."""
    shift: Shift = None
    rotate: float | None = None
    """Augmentation: images turn by up to so many degrees each way."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What the model computes in; parameters and losses stay float32."""
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
    asked = tyro.cli(RangeTest, prog="rmsprop-jax range-test", args=arguments)
    if asked.run is not None:
        check_folder(asked.run)
    if not 0 < asked.low < asked.high < float("inf"):
        raise ValueError(
            f"--low {asked.low:g} --high {asked.high:g}: expected 0 < low < high."
        )
    if asked.steps < 2:
        raise ValueError(f"--steps {asked.steps}: expected 2 or more.")
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
    shared = {
        field.name: getattr(asked, field.name)
        for field in dataclasses.fields(RangeTest)
        if field.name in options.PART_OF
    }
    return options.replace(
        Config(), **shared, schedule="constant", warmup=0.0, ema=0.0, epochs=1
    )
