"""The table of dialects: what each framework means by RMSProp.

Data only. A row is a rule, its framework's defaults and argument names, and where
that was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rmsprop_jax.rule import Rule


@dataclass(frozen=True)
class Dialect:
    """One framework's RMSProp; build your own from a row with `dataclasses.replace`.

    Attributes:
        rule: The arithmetic.
        learning_rate: Default, or `None` where the framework demands one.
        decay: Default ρ.
        eps: Default ε.
        momentum: Default β; 0 keeps no trace.
        weight_decay: Default λ; 0 is none.
        keeps_trace: Whether the trace exists even at momentum 0.
        names: Our argument names → the framework's.
        source: Where the arithmetic was read: file, version, lines.
    """

    rule: Rule
    learning_rate: float | None
    decay: float
    eps: float
    names: Mapping[str, str] = field(hash=False)
    source: str
    momentum: float = 0.0
    weight_decay: float = 0.0
    keeps_trace: bool = False


DIALECTS: dict[str, Dialect] = {
    "optax": Dialect(
        rule=Rule(
            eps_placement="inside",
            lr_placement="in_trace",
            weight_decay_form="decoupled",
            complex_form="modulus",
        ),
        learning_rate=None,
        decay=0.9,
        eps=1e-8,
        names={
            "learning_rate": "learning_rate",
            "decay": "decay",
            "eps": "eps",
            "momentum": "momentum",
            "nesterov": "nesterov",
            "centered": "centered",
            "bias_correction": "bias_correction",
            "nu_init": "initial_scale",
        },
        source="optax 0.2.8: _src/alias.py:1935 rmsprop; _src/transform.py:95, 170",
    ),
    "torch": Dialect(
        rule=Rule(
            eps_placement="outside",
            lr_placement="after_trace",
            weight_decay_form="coupled",
            complex_form="split",
        ),
        learning_rate=1e-2,
        decay=0.99,
        eps=1e-8,
        names={
            "learning_rate": "lr",
            "decay": "alpha",
            "eps": "eps",
            "momentum": "momentum",
            "centered": "centered",
            "weight_decay": "weight_decay",
        },
        source="torch 2.13.0: optim/rmsprop.py:265 _single_tensor_rmsprop",
    ),
    "keras": Dialect(
        rule=Rule(
            eps_placement="inside",
            lr_placement="in_trace",
            weight_decay_form="decoupled",
        ),
        learning_rate=1e-3,
        decay=0.9,
        eps=1e-7,
        names={
            "learning_rate": "learning_rate",
            "decay": "rho",
            "eps": "epsilon",
            "momentum": "momentum",
            "centered": "centered",
            "weight_decay": "weight_decay",
        },
        source="keras 3.15.1: src/optimizers/rmsprop.py:109 update_step; "
        "src/optimizers/base_optimizer.py:952 _apply_weight_decay",
    ),
}
