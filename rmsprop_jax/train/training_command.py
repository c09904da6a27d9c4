"""`rmsprop-jax train`: its options, and its exit status."""

import sys
from functools import partial
from pathlib import Path

import tyro

from rmsprop_jax.train import cli, config_file
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.folder import RUN
from rmsprop_jax.train.resuming import resumed


def main(arguments: list[str]) -> int:
    """Train; the status is 3 below the target, 1 if the loss was not finite."""
    config = parse(arguments)
    from rmsprop_jax.train.devices import is_writer
    from rmsprop_jax.train.job import summary, train
    from rmsprop_jax.train.run import Interrupted, NonFiniteLoss

    try:
        result = train(config, cli.BEGAN)
    except NonFiniteLoss as error:
        print(f"rmsprop-jax train: {error}", file=sys.stderr)
        return 1
    except Interrupted as stop:
        if is_writer():
            print(f"{stop}; --resume goes on")
        return 128 + stop.signal
    if is_writer():
        print(summary(result))
    target = config.learning.target_accuracy
    return 3 if target is not None and 100 * result["test/accuracy"] < target else 0


def parse(arguments: list[str]) -> Config:
    """Options, on top of those of `--config FILE`, or of the run to be resumed."""
    arguments, file = _taken(arguments, "--config")
    if file is not None:
        arguments = [*config_file.arguments(Path(file)), *arguments]
    return resumed(partial(_parsed, arguments), RUN)


def _parsed(arguments: list[str], start: Config) -> Config:
    return tyro.cli(
        tyro.conf.OmitArgPrefixes[Config],
        prog="rmsprop-jax train",
        description="Train a model, MNIST's by default, and save the run. "
        "--config FILE takes the options of a run's config.json first. Where the "
        "default below is None, task and model have their own.",
        args=arguments,
        default=start,
    )


def _taken(arguments: list[str], name: str) -> tuple[list[str], str | None]:
    for i, argument in enumerate(arguments):
        if argument == name and i + 1 < len(arguments):
            return arguments[:i] + arguments[i + 2 :], arguments[i + 1]
        if argument.startswith(f"{name}="):
            return arguments[:i] + arguments[i + 1 :], argument.partition("=")[2]
    return arguments, None
