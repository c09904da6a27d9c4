"""The table of dialects: what each framework means by RMSProp.

Data only. A row is a rule, its framework's defaults and argument names, and where
that was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rmsprop_jax.rule import Rule


@dataclass(frozen=True)
class Dialect:
    """One framework's RMSProp; build your own from a row with `dataclasses.replace`.

    Attributes:
        rule: The arithmetic.
        learning_rate: Default, or `None` where the framework demands one.
        decay: Default ρ.
        eps: Default ε.
        names: Our argument names → the framework's.
        source: Where the arithmetic was read: file, version, lines.
        momentum: Default β; 0 keeps no trace.
        weight_decay: Default λ; 0 is none.
        keeps_trace: Whether the trace exists even at momentum 0.
        momentum_needs_centered: Whether momentum is ignored there if not centered.
        refuses: Arguments that the framework refuses or ignores → what it does.

    Example:
        >>> own = replace(DIALECTS["torch"], rule=Rule("inside", "in_trace", "coupled"))
        >>> own.eps, own.rule == DIALECTS["torch"].rule
        (1e-08, False)
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
    momentum_needs_centered: bool = False
    refuses: Mapping[str, str] = field(default_factory=dict, hash=False)


# What most of them share, one family each.
_KERAS = Rule(
    eps_placement="inside", lr_placement="in_trace", weight_decay_form="decoupled"
)
_TORCH = Rule(
    eps_placement="outside", lr_placement="after_trace", weight_decay_form="coupled"
)
_KERAS_NAMES = {
    "learning_rate": "learning_rate",
    "decay": "rho",
    "eps": "epsilon",
    "momentum": "momentum",
    "centered": "centered",
}
_TORCH_NAMES = {
    "learning_rate": "lr",
    "decay": "alpha",
    "eps": "eps",
    "momentum": "momentum",
    "centered": "centered",
    "weight_decay": "weight_decay",
}

DIALECTS: dict[str, Dialect] = {
    "optax": Dialect(
        rule=replace(_KERAS, complex_form="modulus"),
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
        rule=replace(_TORCH, complex_form="split"),
        learning_rate=1e-2,
        decay=0.99,
        eps=1e-8,
        names=_TORCH_NAMES,
        source="torch 2.13.0: optim/rmsprop.py:265 _single_tensor_rmsprop",
    ),
    "keras": Dialect(
        rule=_KERAS,
        learning_rate=1e-3,
        decay=0.9,
        eps=1e-7,
        names=_KERAS_NAMES | {"weight_decay": "weight_decay"},
        source="keras 3.15.1: src/optimizers/rmsprop.py:109 update_step; "
        "src/optimizers/base_optimizer.py:952 _apply_weight_decay",
    ),
    "tf_keras_legacy": Dialect(
        rule=Rule(
            # Without momentum in Python, with it in a fused op of TensorFlow's.
            eps_placement="inside_with_trace",
            lr_placement="in_trace",
            weight_decay_form="decoupled",
            float32_hyperparams=("learning_rate", "decay", "momentum"),
        ),
        learning_rate=1e-3,
        decay=0.9,
        eps=1e-7,
        names=_KERAS_NAMES,
        source="tf_keras 2.21.0: optimizers/legacy/rmsprop.py:183-220; "
        "tensorflow 2.21.0: core/kernels/training_ops.cc ApplyRMSProp",
    ),
    "tf1": Dialect(
        rule=replace(
            _KERAS,
            nu_init=1.0,
            float32_hyperparams=("learning_rate", "decay", "eps", "momentum"),
        ),
        learning_rate=None,
        decay=0.9,
        eps=1e-10,
        keeps_trace=True,
        names=_KERAS_NAMES | {"decay": "decay"},
        source="tensorflow 2.21.0: python/training/rmsprop.py:138-196; "
        "core/kernels/training_ops.cc ApplyRMSProp, ApplyCenteredRMSProp",
    ),
    "timm": Dialect(
        rule=Rule(
            eps_placement="inside",
            lr_placement="in_trace",
            weight_decay_form="coupled",
            nu_init=1.0,
        ),
        learning_rate=1e-2,
        decay=0.9,
        eps=1e-10,
        names=_TORCH_NAMES | {"cautious": "caution"},
        source="timm 1.0.31: optim/rmsprop_tf.py:64-295",
    ),
    "sb3": Dialect(
        rule=Rule(
            eps_placement="inside",
            lr_placement="after_trace",
            weight_decay_form="coupled",
            nu_init=1.0,
        ),
        learning_rate=1e-2,
        decay=0.99,
        eps=1e-8,
        names=_TORCH_NAMES,
        source="stable_baselines3 2.9.0a4: common/sb2_compat/rmsprop_tf_like.py:52-133",
    ),
    "bitsandbytes": Dialect(
        rule=_TORCH,
        learning_rate=1e-2,
        decay=0.99,
        eps=1e-8,
        names={
            "learning_rate": "lr",
            "decay": "alpha",
            "eps": "eps",
            "weight_decay": "weight_decay",
        },
        refuses={
            "momentum": "bitsandbytes takes a momentum and never reads it.",
            "centered": "bitsandbytes has no centered form and raises.",
        },
        source="bitsandbytes 0.50.2.dev0: optim/rmsprop.py; backends/cpu/ops.py:427",
    ),
    "mxnet": Dialect(
        rule=Rule(
            eps_placement="inside",
            lr_placement="in_trace",
            weight_decay_form="coupled",
            float32_hyperparams=(
                "learning_rate",
                "decay",
                "eps",
                "momentum",
                "weight_decay",
            ),
        ),
        learning_rate=1e-3,
        decay=0.9,
        eps=1e-8,
        momentum=0.9,
        momentum_needs_centered=True,
        names={
            "learning_rate": "learning_rate",
            "decay": "gamma1",
            "eps": "epsilon",
            "momentum": "gamma2",
            "centered": "centered",
            "weight_decay": "wd",
        },
        source="mxnet 1.9.1: python/mxnet/optimizer/optimizer.py:1690; "
        "src/operator/optimizer_op-inl.h RMSPropUpdate, RMSPropAlexUpdate",
    ),
    "paddle": Dialect(
        rule=Rule(
            eps_placement="inside",
            lr_placement="in_trace",
            weight_decay_form="coupled",
            float32_hyperparams=("decay", "eps", "momentum"),
        ),
        learning_rate=None,
        decay=0.95,
        eps=1e-6,
        names=_KERAS_NAMES | {"weight_decay": "weight_decay"},
        source="paddlepaddle 3.3.1: python/paddle/optimizer/rmsprop.py; "
        "phi/kernels/impl/rmsprop_kernel_impl.h",
    ),
    "chainer": Dialect(
        rule=Rule(
            eps_placement="outside",
            lr_placement="after_trace",
            weight_decay_form="decoupled",
        ),
        learning_rate=1e-2,
        decay=0.99,
        eps=1e-8,
        names={"learning_rate": "lr", "decay": "alpha", "eps": "eps"},
        refuses={
            "momentum": "Chainer's RMSprop has no momentum.",
            "centered": "Chainer's RMSprop is not centered; its RMSpropGraves is, "
            "dialect='graves'.",
        },
        source="chainer 7.8.1: optimizers/rmsprop.py:23-90",
    ),
    "graves": Dialect(
        rule=replace(
            _KERAS,
            centered=True,
        ),
        learning_rate=1e-4,
        decay=0.95,
        eps=1e-4,
        momentum=0.9,
        names={
            "learning_rate": "lr",
            "decay": "alpha",
            "eps": "eps",
            "momentum": "momentum",
        },
        source="Graves (2013), arXiv:1308.0850, eq. 38-45; "
        "chainer 7.8.1: optimizers/rmsprop_graves.py:24-85",
    ),
    "caffe": Dialect(
        # `optional float` in its protocol, also where the net is double.
        rule=replace(_TORCH, float32_hyperparams=("decay", "eps", "weight_decay")),
        learning_rate=None,
        decay=0.99,
        eps=1e-8,
        names={
            "learning_rate": "base_lr",
            "decay": "rms_decay",
            "eps": "delta",
            "weight_decay": "weight_decay",
        },
        refuses={
            "momentum": "Caffe stops at a momentum other than 0.",
            "centered": "Caffe has no centered form.",
        },
        source="caffe: src/caffe/solvers/rmsprop_solver.cpp:14-50, "
        "src/caffe/proto/caffe.proto:219-225 (read, not run)",
    ),
    "dqn": Dialect(
        rule=replace(_KERAS, weight_decay_form="coupled", centered=True),
        learning_rate=2.5e-4,
        decay=0.95,
        eps=0.01,
        names={"learning_rate": "lr", "weight_decay": "wc"},
        refuses={
            "momentum": "Nature DQN moves without a trace; the 'gradient momentum .95' "
            "of its table is the decay of the running mean."
        },
        source="Mnih et al. (2015); google-deepmind/dqn 9d9b1d1: "
        "dqn/NeuralQLearner.lua:257-277 (read, not run)",
    ),
    "hinton": Dialect(
        rule=_KERAS,
        learning_rate=None,
        decay=0.9,
        eps=0.0,
        names={},
        refuses={"centered": "The lecture divides by the root mean square."},
        source="Tieleman & Hinton (2012), Lecture 6e, COURSERA (transcript)",
    ),
}
"""Name → `Dialect`: what `dialect=` of `rmsprop` may be."""
