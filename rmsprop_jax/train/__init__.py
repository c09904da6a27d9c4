"""The reference trainer: `rmsprop-jax train`, and `train` from Python.

A `Config` has four parts: what is learned (`Learning`), by which `Optimizer`, how its
learning rate changes (`Schedule`), and where and on what it runs (`Running`). Every
option is a field of one of these and, under the same name, a flag of the command. A
run ends with its result, with `NonFiniteLoss`, or `Interrupted`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "Config",
    "Interrupted",
    "Learning",
    "NonFiniteLoss",
    "Optimizer",
    "Running",
    "Schedule",
    "train",
]

if TYPE_CHECKING:
    from rmsprop_jax.train.config import Config as Config
    from rmsprop_jax.train.config import Learning as Learning
    from rmsprop_jax.train.config import Optimizer as Optimizer
    from rmsprop_jax.train.config import Running as Running
    from rmsprop_jax.train.config import Schedule as Schedule
    from rmsprop_jax.train.job import train as train
    from rmsprop_jax.train.run import Interrupted as Interrupted
    from rmsprop_jax.train.run import NonFiniteLoss as NonFiniteLoss
else:
    _MODULES = {
        "Interrupted": "run",
        "NonFiniteLoss": "run",
        "train": "job",
    }

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(f"{__name__}.{_MODULES.get(name, 'config')}")
        return getattr(module, name)
