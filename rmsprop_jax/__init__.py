"""RMSProp for JAX and Optax, as each framework computes it.

    tx = rmsprop_jax.rmsprop(1e-3, dialect="torch", momentum=0.9)

- **The transformation**: `rmsprop` makes it, an `RMSProp`; `param_groups` several, with
  other options for other parameters; `scale_by_rms` is the step without learning rate.
- **Whose RMSProp**: `DIALECTS`, a row for each framework, each a `Dialect` with its
  `Rule`; `like` takes a framework's own call; `explain` says what differs.
- **Published settings**: `recipe` by name; `recipes` lists them.
- **From and to other frameworks**: `rmsprop_jax.interop`, a module each.
- **The state**: `RMSPropState`; its numbers are live `Hyperparams`: `set_hyperparams`
  changes them, `reset_hyperparams` takes an edited call's, and `convert_state` takes a
  state over when an option changed.
- **Few bits**: `state_dtype=` of `rmsprop`; `apply_updates_stochastic` for parameters.
- **Choosing**: `training_run` makes a run of a loss; `sweep` and `halving` try many, in
  a space of lists, `uniform` and `log_uniform`; `range_test` finds learning rates;
  `hypergradient` derives, and `tune` descends.
- **Watching**: `metrics` to log; `effective_learning_rate` of each coordinate.
- **Many devices**: `state_sharding`.
- **A trainer** to run and to copy from: `rmsprop_jax.train`, with an extra of its own.

A public name imports its module when it is first used, and JAX with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "DIALECTS",
    "Dialect",
    "Hyperparams",
    "RMSProp",
    "RMSPropState",
    "Rule",
    "apply_updates_stochastic",
    "convert_state",
    "effective_learning_rate",
    "explain",
    "halving",
    "hypergradient",
    "interop",
    "like",
    "log_uniform",
    "metrics",
    "param_groups",
    "range_test",
    "recipe",
    "recipes",
    "reset_hyperparams",
    "rmsprop",
    "scale_by_rms",
    "set_hyperparams",
    "state_sharding",
    "sweep",
    "training_run",
    "tune",
    "uniform",
]

_MODULES = {
    "DIALECTS": "dialects",
    "Dialect": "dialects",
    "Hyperparams": "rule",
    "RMSProp": "tree",
    "RMSPropState": "state",
    "Rule": "rule",
    "apply_updates_stochastic": "apply",
    "convert_state": "conversion",
    "effective_learning_rate": "diagnostics",
    "explain": "comparison",
    "halving": "sweeping.halving",
    "hypergradient": "sweeping.hypergradients",
    "like": "calls",
    "log_uniform": "sweeping.space",
    "metrics": "diagnostics",
    "param_groups": "groups",
    "range_test": "sweeping.rates",
    "recipe": "published",
    "recipes": "published",
    "reset_hyperparams": "conversion",
    "rmsprop": "transform",
    "scale_by_rms": "transform",
    "set_hyperparams": "state",
    "state_sharding": "sharding",
    "sweep": "sweeping.sweep",
    "training_run": "sweeping.training",
    "tune": "sweeping.tuning",
    "uniform": "sweeping.space",
}

if TYPE_CHECKING:
    from rmsprop_jax import interop as interop
    from rmsprop_jax.apply import apply_updates_stochastic as apply_updates_stochastic
    from rmsprop_jax.calls import like as like
    from rmsprop_jax.comparison import explain as explain
    from rmsprop_jax.conversion import convert_state as convert_state
    from rmsprop_jax.conversion import reset_hyperparams as reset_hyperparams
    from rmsprop_jax.diagnostics import (
        effective_learning_rate as effective_learning_rate,
    )
    from rmsprop_jax.diagnostics import metrics as metrics
    from rmsprop_jax.dialects import DIALECTS as DIALECTS
    from rmsprop_jax.dialects import Dialect as Dialect
    from rmsprop_jax.groups import param_groups as param_groups
    from rmsprop_jax.published import recipe as recipe
    from rmsprop_jax.published import recipes as recipes
    from rmsprop_jax.rule import Hyperparams as Hyperparams
    from rmsprop_jax.rule import Rule as Rule
    from rmsprop_jax.sharding import state_sharding as state_sharding
    from rmsprop_jax.state import RMSPropState as RMSPropState
    from rmsprop_jax.state import set_hyperparams as set_hyperparams
    from rmsprop_jax.sweeping.halving import halving as halving
    from rmsprop_jax.sweeping.hypergradients import hypergradient as hypergradient
    from rmsprop_jax.sweeping.rates import range_test as range_test
    from rmsprop_jax.sweeping.space import log_uniform as log_uniform
    from rmsprop_jax.sweeping.space import uniform as uniform
    from rmsprop_jax.sweeping.sweep import sweep as sweep
    from rmsprop_jax.sweeping.training import training_run as training_run
    from rmsprop_jax.sweeping.tuning import tune as tune
    from rmsprop_jax.transform import rmsprop as rmsprop
    from rmsprop_jax.transform import scale_by_rms as scale_by_rms
    from rmsprop_jax.tree import RMSProp as RMSProp
else:

    def __getattr__(name):
        if name == "interop":
            return import_module(f"{__name__}.interop")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

    def __dir__():
        return sorted({*globals(), *__all__})
