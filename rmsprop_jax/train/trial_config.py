"""What `compare`, `sweep` and `range-test` can be told alike: the runs that they make.

As in `config.py`, one sentence for each option is its `--help`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rmsprop_jax.train.config import Models, Shapes, Tasks


@dataclass(frozen=True)
class Learning:
    """What every run learns, from what."""

    task: Tasks = "auto"
    """The data; auto: MNIST where it is or can be downloaded, otherwise digits."""
    data_dir: Path | None = None
    """The folder that holds the data; otherwise $RMSPROP_JAX_DATA, then the cache."""
    model: Models | None = None
    """The model; by default a small one: mlp for images, lstm for speech."""
    hidden: int | None = None
    """Width of the hidden layer of mlp and cnn, of both layers of lstm and gru."""
    batch_size: int | None = None
    """Examples a step."""
    label_smoothing: float | None = None
    """Share of each label that is spread over all classes."""
    shift: float | None = None
    """Augmentation: up to so many pixels each way, or hundredths of a second."""
    rotate: float | None = None
    """Augmentation: images turn by up to so many degrees each way."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What the model computes in; parameters and losses stay float32."""


@dataclass(frozen=True)
class Tuning:
    """For how long, how the learning rate falls, and what decides in the end."""

    epochs: int | None = None
    """Passes over the training data in a whole run; 20, on MNIST 5 by default."""
    choose_by: Literal["loss", "accuracy"] = "loss"
    """What decides on the held-out examples; a few hardly tell accuracies apart."""
    validation: int | None = None
    """Training examples held out, to choose by; a sixth by default."""
    schedule: Shapes | None = None
    """How the learning rate falls, in all runs alike."""
    warmup: float | None = None
    """Epochs in which the learning rate rises from zero to its peak."""
    final_fraction: float = 0.0
    """Cosine: what is left of the learning rate at the end."""
    drop_factor: float = 0.1
    """Step, exponential: what the learning rate is multiplied by."""
    drop_every: float | None = None
    """Step, exponential: in so many epochs; a third of the run by default."""
