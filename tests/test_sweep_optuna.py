"""Optuna drives `set_hyperparams` without a second compilation.

Optuna itself where it is installed, or what the recipe uses of it, drawn at random.
"""

import importlib.util
import random
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from sweep_runs import compiling

README = Path(__file__).parents[1] / "README.md"


class Trial:
    def __init__(self, rng):
        self.rng, self.params = rng, {}

    def suggest_float(self, name, low, high, *, log=False):
        share = self.rng.random()
        value = low * (high / low) ** share if log else low + share * (high - low)
        self.params[name] = value
        return value


class Study:
    def __init__(self):
        self.trials = []

    def optimize(self, objective, n_trials):
        rng = random.Random(0)
        for _ in range(n_trials):
            trial = Trial(rng)
            trial.value = objective(trial)
            self.trials.append(trial)

    best_value = property(lambda self: min(trial.value for trial in self.trials))


def stand_in():
    module = ModuleType("optuna")
    module.create_study = lambda sampler: Study()  # noqa: ARG005
    module.samplers = SimpleNamespace(TPESampler=lambda seed: seed)
    return module


def test_the_recipe_compiles_its_training_once(monkeypatch):
    if importlib.util.find_spec("optuna") is None:
        monkeypatch.setitem(sys.modules, "optuna", stand_in())
    with warnings.catch_warnings(), compiling() as compiled:
        warnings.simplefilter("default")  # Optuna's own are not ours.
        (recipe,) = re.findall(
            r"<!-- needs optuna -->\n```python\n(.*?)^```",
            README.read_text(),
            re.DOTALL | re.MULTILINE,
        )
        names = {}
        exec(compile(recipe, "README.md", "exec"), names)
    study = names["study"]
    assert len([name for name in compiled if "train" in name]) == 1
    values = [trial.value for trial in study.trials]
    assert len(values) == 20
    # Each was trained with its own numbers.
    assert len(np.unique(values)) > 15
    assert study.best_value == pytest.approx(min(values))
    assert study.best_value < 0.7 * max(values)
