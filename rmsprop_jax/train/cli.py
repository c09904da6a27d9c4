"""`rmsprop-jax`: the command line. What is slow to import waits until it is needed."""

import io
import sys
import time
from collections.abc import Sequence
from importlib import import_module

from rmsprop_jax.train.unread import unread
from rmsprop_jax.wording import nearest

BEGAN = time.perf_counter()
# By name: what each does; its module has a `main` that takes the other arguments.
COMMANDS = {
    "train": "train a model, MNIST's by default, and save the run",
    "evaluate": "judge a saved run on every test example",
    "predict": "say what a saved run sees or hears in files",
    "compare": "compare optimizers: tune each alike, then train by several seeds",
    "sweep": "try many hyperparameters of RMSProp, compiled once",
    "range-test": "find the learning rates that a training can bear",
}
# What the shell would report of a program that the pipe ended.
_SIGPIPE = 13
_MODULES = {
    "train": "training_command",
    "sweep": "sweeps.sweep",
    "range-test": "sweeps.range_test",
}
# What only tasks need that read speech from disk.
_SPEECH = {"grain", "soundfile", "absl"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; what is returned is the exit status."""
    try:
        return _ran(arguments)
    finally:
        unread(sys.stdout)  # Otherwise Python would say so while it ends.


def _ran(arguments: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # Better a "?" than no run.
            stream.reconfigure(errors="replace")
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"rmsprop-jax {version('rmsprop-jax')}")
        return 0
    command, *rest = arguments
    if command not in COMMANDS:
        said = f"no such command.{nearest(command, COMMANDS)}"
        print(f"rmsprop-jax {command}: {said}\n\n{_usage()}", file=sys.stderr)
        return 2
    try:
        name = _MODULES.get(command, command)
        return import_module(f"rmsprop_jax.train.{name}").main(rest)
    except ModuleNotFoundError as error:
        extra = "speech" if error.name in _SPEECH else "train"
        print(
            f"rmsprop-jax {command}: {error}. The trainer has requirements of its own: "
            f"pip install 'rmsprop-jax[{extra}]', or '.[{extra}]' in a checkout.",
            file=sys.stderr,
        )
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, BrokenPipeError) and unread(sys.stdout):
            return 128 + _SIGPIPE
        print(f"rmsprop-jax {command}: {error}", file=sys.stderr)
    return 2


def _usage() -> str:
    lines = [f"  {name:11} {does}" for name, does in COMMANDS.items()]
    return "\n".join(
        [
            "usage: rmsprop-jax COMMAND [OPTIONS]\n",
            *lines,
            "\nrmsprop-jax COMMAND --help says more; --version says which this is.",
            "A first run: rmsprop-jax train --task digits",
        ]
    )
