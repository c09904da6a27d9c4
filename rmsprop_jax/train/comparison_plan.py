"""A comparison, told completely: what can be known or refused before it begins."""

from pathlib import Path
from typing import Literal, NamedTuple

from rmsprop_jax.sweeping.numbers import check_size
from rmsprop_jax.train import checks, devices
from rmsprop_jax.train import config as options
from rmsprop_jax.train.compare import Compare
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.contenders import Contender, contenders, rates
from rmsprop_jax.train.folder import new_path
from rmsprop_jax.train.ground import Ground, filled, ground
from rmsprop_jax.train.optimizers import Pace, optimizer

_MOST_TRIALS = 99


class Plan(NamedTuple):
    """A comparison, told completely.

    Attributes:
        asked: Its options, defaults filled in.
        ground: What is trained, on what.
        contenders: The optimizers.
        configs: For each label, a run of it.
    """

    asked: Compare
    ground: Ground
    contenders: list[Contender]
    configs: dict[str, Config]

    @property
    def seeds(self) -> range:
        """Of the runs that are tested: none that a learning rate was chosen by."""
        first = self.asked.seed + 1
        return range(first, first + self.asked.seeds)

    @property
    def choose_by(self) -> Literal["loss", "accuracy"]:
        """What decides on the held-out examples."""
        return self.asked.tuning.choose_by

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.asked.run or Path()

    def rates(self, contender: Contender) -> list[float]:
        """The learning rates to try, the lowest first."""
        return rates(contender.centre, self.asked.trials)


def planned(asked: Compare) -> Plan:
    """The plan for the options.

    Raises:
        ValueError: If one is wrong, or options contradict one another.
    """
    _check(asked)
    checks.check_seeds(asked.seed, 1 + asked.seeds)
    rivals = contenders(asked.optimizers)
    for one in rivals:
        _check_rates(one, asked.trials)
    base = ground(options.run_of(asked), asked.tuning.choose_by)
    # Rows of metrics are not written here.
    config = options.replace(base.config, log_every=10**9)
    devices.mesh(config.running, base.pace.batch_size)
    configs = {one.label: _config(one, config, base.pace) for one in rivals}
    run = asked.run or new_path(config, "compare")
    asked = options.replace(filled(asked, config), run=run)
    return Plan(asked, base, rivals, configs)


def _check(asked: Compare) -> None:
    for name in ("seeds", "trials", "validation"):
        value = options.values(asked)[name]
        if value is not None and value < 1:
            why = ", to choose learning rates by" if name == "validation" else ""
            raise ValueError(f"--{name} {value}: expected 1 or more{why}.")
    if asked.trials > _MOST_TRIALS:
        raise ValueError(
            f"--trials {asked.trials}: expected at most {_MOST_TRIALS}; each is by √10 "
            "from the next."
        )


def _check_rates(contender: Contender, trials: int) -> None:
    """Refuse learning rates that are 0 or infinite once they are computed with."""
    if not contender.centre > 0:
        raise ValueError(
            f"--optimizers {contender.label}: its learning rates are all "
            f"{contender.centre:g}; expected one above 0 to try others around it."
        )
    for rate in rates(contender.centre, trials):
        said = f"--optimizers {contender.label}: of --trials {trials}, learning rate"
        check_size(f"{said} {rate:g}", rate)


def _config(contender: Contender, config: Config, pace: Pace) -> Config:
    """A run of it, checked as far as it can be without compiling."""
    own = {"learning_rate": contender.centre} | contender.options
    config = options.replace(config, **own)
    try:
        checks.check(config)
        optimizer(config, pace, contender.centre)
        devices.mesh(config.running, pace.batch_size, config.optimizer.accumulate)
    except ValueError as error:
        raise ValueError(f"--optimizers {contender.label}: {error}") from None
    return config
