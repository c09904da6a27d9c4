"""The reference trainer: `rmsprop-jax train`, and `train` from Python."""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["Config", "train"]

if TYPE_CHECKING:
    from rmsprop_jax.train.config import Config as Config
    from rmsprop_jax.train.job import train as train
else:
    _MODULES = {"Config": "config", "train": "job"}

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
