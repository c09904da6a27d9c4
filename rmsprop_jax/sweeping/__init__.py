"""Choosing hyperparameters: many runs in one compilation, and gradients of a run.

A run is a function of the caller's, or what `training_run` makes of a loss. What is
tried is in `space`, how in `programs`, what came of it in `table`. The functions are
`rmsprop_jax.sweep` and so on; here is what they take and return:

- `Range`, what `uniform` and `log_uniform` make;
- `TrainingRun`, what `training_run` makes, and `Stretchable`, what would do instead;
- `Table` and its `Point`s, of `sweep` and `halving`;
- `RateRange`, of `range_test`; `Tuned`, of `tune`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "Point",
    "Range",
    "RateRange",
    "Stretchable",
    "Table",
    "TrainingRun",
    "Tuned",
]

if TYPE_CHECKING:
    from rmsprop_jax.sweeping.rates import RateRange as RateRange
    from rmsprop_jax.sweeping.space import Range as Range
    from rmsprop_jax.sweeping.table import Point as Point
    from rmsprop_jax.sweeping.table import Table as Table
    from rmsprop_jax.sweeping.training import Stretchable as Stretchable
    from rmsprop_jax.sweeping.training import TrainingRun as TrainingRun
    from rmsprop_jax.sweeping.tuning import Tuned as Tuned
else:
    _MODULES = {
        "Point": "table",
        "Range": "space",
        "RateRange": "rates",
        "Stretchable": "training",
        "Table": "table",
        "TrainingRun": "training",
        "Tuned": "tuning",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
