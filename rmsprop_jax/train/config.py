"""What a run can be told: one sentence for each option, which is its `--help`.

`None` stands for the default of the task and model (`settings.py`). No JAX here: this
is all that `--help` imports.
"""

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

Tasks = Literal[
    "auto",
    "mnist",
    "fashion-mnist",
    "digits",
    "linear",
    "spoken-digits",
    "digit-strings",
    "text-sentiment",
    "text-sentiment-bytes",
    "librispeech",
]
Models = Literal["linear", "mlp", "cnn", "strong", "lstm", "gru"]
Optimizers = Literal["rmsprop", "adam", "sgd", "momentum", "adagrad"]
Shapes = Literal["constant", "step", "exponential", "cosine"]
Schedules = Literal["constant", "step", "exponential", "cosine", "plateau"]
# The options of a command.
Asked = TypeVar("Asked", bound=Any)


def _as_paths(part: Any, *names: str) -> None:
    """In Python, the name of a file or folder may be a string."""
    for name in names:
        if isinstance(given := getattr(part, name), str):
            object.__setattr__(part, name, Path(given))


@dataclass(frozen=True)
class Learning:
    """What is learned, from what, for how long."""

    task: Tasks = "auto"
    """The data; auto: MNIST where it is or can be downloaded, otherwise digits."""
    data_dir: Path | None = None
    """The folder that holds the data; otherwise $RMSPROP_JAX_DATA, then the cache."""
    model: Models | None = None
    """The model; each task has its own default."""
    hidden: int | None = None
    """Width of the hidden layer of mlp and cnn, of both layers of lstm and gru."""
    epochs: int | None = None
    """Passes over the training data."""
    batch_size: int | None = None
    """Examples a step, over all devices."""
    validation: int = 0
    """Training examples held out, to choose by; the last ones of the file."""
    seed: int = 0
    """Seeds the initial weights, the order of the data and all that is random."""
    label_smoothing: float | None = None
    """Share of each label that is spread over all classes."""
    shift: float | None = None
    """Augmentation: up to so many pixels each way, or hundredths of a second."""
    rotate: float | None = None
    """Augmentation: images turn by up to so many degrees each way."""
    masks: int | None = None
    """Augmentation: so many stretches of time and bands of pitch are silenced."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """What the model computes in; parameters and losses stay float32."""
    target_accuracy: float | None = None
    """Percent on the test data; below it the exit status is 3."""

    def __post_init__(self) -> None:
        """Strings become paths."""
        _as_paths(self, "data_dir")


@dataclass(frozen=True)
class Optimizer:
    """The optimizer: RMSProp in a dialect, a published recipe, or one to compare."""

    optimizer: Optimizers = "rmsprop"
    """RMSProp, or one of Optax's for comparison."""
    dialect: str | None = None
    """Whose RMSProp: a key of rmsprop_jax.DIALECTS such as torch, keras, tf1."""
    recipe: str | None = None
    """A published setting: a key of rmsprop_jax.recipes(); brings its own schedule."""
    learning_rate: float | None = None
    """The learning rate, at its peak if there is a schedule."""
    decay: float | None = None
    """How much of the average of squares is kept at each step."""
    eps: float | None = None
    """What keeps the denominator from zero."""
    momentum: float | None = None
    """Momentum; for `--optimizer momentum` 0.9 by default."""
    nesterov: bool = False
    """Look one step ahead along the momentum."""
    centered: bool | None = None
    """Divide by the standard deviation in place of the root mean square."""
    bias_correction: bool | None = None
    """Average over the steps made so far only."""
    weight_decay: float | None = None
    """How much the weights are pulled towards zero."""
    weight_decay_form: Literal["coupled", "decoupled", "corrected"] | None = None
    """Coupled: through the gradient; decoupled: beside it, as in AdamW."""
    weight_decay_on: Literal["all", "matrices"] = "all"
    """What decays: all parameters, or those of two axes and more."""
    eps_placement: Literal["inside", "outside", "inside_with_trace"] | None = None
    """Epsilon inside the square root, or outside."""
    lr_placement: Literal["in_trace", "after_trace"] | None = None
    """Whether the momentum accumulates steps or gradients."""
    nu_init: float | None = None
    """The average of squares before the first step."""
    variance_floor: float | None = None
    """With centered: the variance is at least this share of the mean square."""
    moment: Literal["elementwise", "tensor"] | None = None
    """One average of squares for each element, or one for each array."""
    cautious: bool | None = None
    """Move only where momentum and gradient agree."""
    state_dtype: Literal["float32", "bfloat16", "int8"] | None = None
    """What RMSProp's memory rests in: half or a quarter of the bytes."""
    skip_nonfinite: bool = False
    """Skip and count steps whose gradients are not finite, in place of stopping."""
    clip_norm: float | None = None
    """Shrink gradients to this norm, over all parameters."""
    clip_value: float | None = None
    """Clip each element of the gradients to this size."""
    accumulate: int = 1
    """Compute each batch's gradient in so many parts, for less memory."""
    ema: float | None = None
    """Decay of a running average of the weights, which is then evaluated; 0: none."""


@dataclass(frozen=True)
class Schedule:
    """How learning rate and decay change over the run."""

    schedule: Schedules | None = None
    """How the learning rate falls; plateau: when the loss stops falling."""
    warmup: float | None = None
    """Epochs in which the learning rate rises from zero to its peak."""
    final_fraction: float = 0.0
    """Cosine: what is left of the learning rate at the end."""
    drop_factor: float = 0.1
    """Step, exponential, plateau: what the learning rate is multiplied by."""
    drop_every: float | None = None
    """Step, exponential: in so many epochs; a third of the run by default."""
    patience: int = 3
    """Plateau: epochs without a lower loss (validation's, or training's)."""
    decay_schedule: Shapes = "constant"
    """How 1 - decay goes from its start to that of final_decay."""
    final_decay: float | None = None
    """The decay at the end of the run."""


@dataclass(frozen=True)
class Running:
    """Where the run is kept, and what it runs on; none of it changes the numbers."""

    run: Path | None = None
    """Folder of the run; a new one under runs/ by default."""
    resume: bool = False
    """Go on where the run in that folder stopped; start it if it did not begin."""
    checkpoint_every: int | None = None
    """Steps between checkpoints, beside the one at the end of each epoch."""
    log_every: int = 100
    """Steps between the rows of metrics.jsonl, beside the one of each epoch."""
    tensorboard: bool = False
    """Write TensorBoard event files too."""
    pictures: bool = True
    """Draw curves.png at the end, and what the task has, such as confusion.png."""
    quiet: bool = False
    """Print the result and nothing else."""
    devices: int | None = None
    """How many of the local devices; all by default."""
    zero: bool = False
    """Spread the optimizer's state over the devices (ZeRO stage 1)."""
    distributed: bool = False
    """Join the other processes of the cluster that JAX detects (Slurm, TPUs, ...)."""
    coordinator: str | None = None
    """Or say it: host:port of process 0, the same for all processes."""
    processes: int | None = None
    """How many processes there are."""
    process_id: int | None = None
    """Which of them this is, from 0."""
    heartbeat: int = 20
    """Seconds without a sign of life after which a process counts as lost."""
    workers: int | None = None
    """Processes that read the data, where a run reads as it goes; 0: only threads."""
    compilation_cache: Path | None = None
    """Keep compiled programs in this folder, for the next run."""

    def __post_init__(self) -> None:
        """Strings become paths."""
        _as_paths(self, "run", "compilation_cache")


@dataclass(frozen=True)
class Config:
    """A run, told completely; where an option is `None`, task and model decide.

    Example:
        >>> config = Config(Learning(task="digits"), Optimizer(dialect="torch"))
        >>> config.learning.epochs, config.running.log_every
        (None, 100)
    """

    learning: Learning = Learning()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    running: Running = Running()


PARTS: dict[str, Any] = {
    "learning": Learning,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "running": Running,
}
PART_OF = {
    option.name: part
    for part, make in PARTS.items()
    for option in dataclasses.fields(make)
}


def flag(name: str) -> str:
    """The option as one types it."""
    return "--" + name.replace("_", "-")


def typed(value: Any) -> Any:
    """A value as one types it, where that is not how Python prints it."""
    return str(value).lower() if isinstance(value, bool) else value


def values(asked: Any) -> dict[str, Any]:
    """Every option of a command by its name, without the parts."""
    found = {}
    for field in dataclasses.fields(asked):
        value = getattr(asked, field.name)
        own = {field.name: value}
        found |= values(value) if dataclasses.is_dataclass(value) else own
    return found


def replace(asked: Asked, **changes: Any) -> Asked:
    """`asked` with some options changed, in whichever of its parts they are."""
    parts = {}
    for field in dataclasses.fields(asked):
        part = getattr(asked, field.name)
        if dataclasses.is_dataclass(part):
            own = {name: changes.pop(name) for name in {*values(part)} & {*changes}}
            parts[field.name] = replace(part, **own)
    return dataclasses.replace(asked, **parts, **changes)


def run_of(asked: Any, but: Collection[str] = ()) -> Config:
    """A run with the options of another command that it has too, without some."""
    shared = {name: value for name, value in values(asked).items() if name in PART_OF}
    shared["validation"] = shared.get("validation") or 0
    return replace(Config(), **{k: v for k, v in shared.items() if k not in but})
