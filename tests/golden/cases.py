"""What is recorded of each framework: case → its class, its arguments by its names.

Data only. `hooks` are Chainer's, everything else is an argument of the class.
"""

RMSPROP = "optax.rmsprop"
L2 = "optax.chain(add_decayed_weights(0.01), rmsprop)"
DECOUPLED = (
    "optax.chain(scale_by_rms, add_decayed_weights(0.01), scale_by_learning_rate)"
)
TORCH = "torch.optim.RMSprop"
TIMM = "timm.optim.RMSpropTF"
SB3 = "stable_baselines3.common.sb2_compat.rmsprop_tf_like.RMSpropTFLike"
BITSANDBYTES = "bitsandbytes.optim.RMSprop32bit"
KERAS = "keras.optimizers.RMSprop"
TF_KERAS = "tf_keras.optimizers.RMSprop"
TF_KERAS_LEGACY = "tf_keras.optimizers.legacy.RMSprop"
TF1 = "tf.compat.v1.train.RMSPropOptimizer"
PADDLE = "paddle.optimizer.RMSProp"
CHAINER = "chainer.optimizers.RMSprop"
GRAVES = "chainer.optimizers.RMSpropGraves"
MXNET = "mxnet.optimizer.RMSProp"

_CENTERED_MOMENTUM = {"centered": True, "momentum": 0.9}
_PLAIN = {"plain": {}}
_SWITCHES = {
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "centered_momentum": _CENTERED_MOMENTUM,
}
_HOOK = {"hooks": ["chainer.optimizer_hooks.WeightDecay(0.01)"]}


def _cases(kind, defaults, changes, decay, eps):
    """The class with its defaults changed in each of these ways, and in two more."""
    changes |= {"big_eps": {eps: 1e-3}, "decay_999": {decay: 0.999}}
    return {case: (kind, defaults | change) for case, change in changes.items()}


_SCALE = {
    "decay": 0.9,
    "eps": 1e-8,
    "initial_scale": 0.0,
    "eps_in_sqrt": True,
    "bias_correction": False,
}
_OPTAX = _SCALE | {"centered": False, "momentum": None, "nesterov": False}
_TORCH = {
    "alpha": 0.99,
    "eps": 1e-8,
    "momentum": 0,
    "centered": False,
    "weight_decay": 0,
}
_TIMM = _TORCH | {
    "alpha": 0.9,
    "eps": 1e-10,
    "lr_in_momentum": True,
    "decoupled_decay": False,
    "corrected_weight_decay": False,
}
_CAUTIOUS = _TIMM | {"momentum": 0.9, "caution": True}
_BITSANDBYTES = {"alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0}
_LEGACY = {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False}
_KERAS = _LEGACY | {"weight_decay": None}
_TF1 = {"decay": 0.9, "momentum": 0.0, "epsilon": 1e-10, "centered": False}
_PADDLE = _KERAS | {"rho": 0.95, "epsilon": 1e-6}
_CHAINER = {"alpha": 0.99, "eps": 1e-8, "eps_inside_sqrt": False}
_GRAVES = {"alpha": 0.95, "momentum": 0.9, "eps": 1e-4}
_MXNET = {"gamma1": 0.9, "gamma2": 0.9, "epsilon": 1e-8, "centered": False, "wd": 0.0}

_L2 = {"weight_decay_l2": {"weight_decay": 0.01}}
_TORCH_CHANGES = _PLAIN | _SWITCHES | _L2
_TF_CHANGES = (
    _PLAIN | _SWITCHES | {"big_eps_momentum": {"epsilon": 1e-3, "momentum": 0.9}}
)
_KERAS_CHANGES = (
    _PLAIN
    | _SWITCHES
    | {
        "weight_decay_decoupled": {"weight_decay": 0.01},
        "all": _CENTERED_MOMENTUM | {"epsilon": 1e-3, "weight_decay": 0.01},
    }
)

# What is in one file: framework → case → class, arguments.
CASES = {
    "optax": _cases(
        RMSPROP,
        _OPTAX,
        _PLAIN
        | _SWITCHES
        | {
            "momentum_nesterov": {"momentum": 0.9, "nesterov": True},
            "bias_correction": {"bias_correction": True},
            "big_eps_outside": {"eps": 1e-3, "eps_in_sqrt": False},
        },
        "decay",
        "eps",
    )
    | {
        "weight_decay_l2": (L2, _OPTAX),
        "weight_decay_decoupled": (DECOUPLED, _SCALE),
    },
    "torch": _cases(
        TORCH,
        _TORCH,
        _TORCH_CHANGES
        | {"all": _CENTERED_MOMENTUM | {"eps": 1e-3, "weight_decay": 0.01}},
        "alpha",
        "eps",
    ),
    "timm": _cases(
        TIMM,
        _TIMM,
        _TORCH_CHANGES
        | {
            "momentum_lr_outside": {"momentum": 0.9, "lr_in_momentum": False},
            "weight_decay_decoupled": {"weight_decay": 0.01, "decoupled_decay": True},
            "weight_decay_corrected": {
                "weight_decay": 0.01,
                "decoupled_decay": True,
                "corrected_weight_decay": True,
            },
        },
        "alpha",
        "eps",
    ),
    # Recorded apart, later.
    "timm_caution": {
        "caution": (TIMM, _CAUTIOUS),
        "caution_lr_outside": (TIMM, _CAUTIOUS | {"lr_in_momentum": False}),
        "caution_all": (
            TIMM,
            _CAUTIOUS | {"centered": True, "eps": 1e-3, "weight_decay": 0.01},
        ),
    },
    "sb3": _cases(
        SB3,
        _TORCH,
        _TORCH_CHANGES
        | {
            "a2c": {"eps": 1e-5},
            "all": _CENTERED_MOMENTUM | {"eps": 1e-3, "weight_decay": 0.01},
        },
        "alpha",
        "eps",
    ),
    "bitsandbytes": _cases(
        BITSANDBYTES,
        _BITSANDBYTES,
        _PLAIN | _L2 | {"momentum": {"momentum": 0.9}, "decay_9": {"alpha": 0.9}},
        "alpha",
        "eps",
    ),
    # Before those that load TensorFlow: after it, Paddle ends in a segmentation fault.
    "paddle": _cases(
        PADDLE,
        _PADDLE,
        _PLAIN
        | _SWITCHES
        | _L2
        | {"all": _CENTERED_MOMENTUM | {"epsilon": 1e-3, "weight_decay": 0.01}},
        "rho",
        "epsilon",
    ),
    "keras": _cases(KERAS, _KERAS, _KERAS_CHANGES, "rho", "epsilon"),
    "tf_keras": _cases(
        TF_KERAS, _KERAS | {"jit_compile": False}, _KERAS_CHANGES, "rho", "epsilon"
    ),
    "tf_keras_legacy": _cases(TF_KERAS_LEGACY, _LEGACY, _TF_CHANGES, "rho", "epsilon"),
    "tf1": _cases(TF1, _TF1, _TF_CHANGES, "decay", "epsilon"),
    "chainer": _cases(
        CHAINER,
        _CHAINER,
        _PLAIN
        | {
            "eps_inside": {"eps_inside_sqrt": True},
            "big_eps_inside": {"eps": 1e-3, "eps_inside_sqrt": True},
            "weight_decay_l2": _HOOK,
        },
        "alpha",
        "eps",
    ),
    "graves": _cases(
        GRAVES,
        _GRAVES,
        {
            "centered_momentum": {},
            "centered": {"momentum": 0.0},
            "weight_decay_l2": _HOOK,
        },
        "alpha",
        "eps",
    ),
    "mxnet": _cases(
        MXNET,
        _MXNET,
        _PLAIN
        | {
            "centered": {"centered": True, "gamma2": 0.0},
            "centered_momentum": {"centered": True},
            "weight_decay_l2": {"wd": 0.01},
            "weight_decay_l2_centered_momentum": {"centered": True, "wd": 0.01},
        },
        "gamma1",
        "epsilon",
    ),
    # Recorded apart, later: only so near 1 does float32 show how ρ was rounded.
    "mxnet_rounding": {"decay_99999": (MXNET, _MXNET | {"gamma1": 0.99999})},
}

# The two that compute in float32 only.
DTYPES = {framework: ["float32", "float64"] for framework in CASES} | {
    "bitsandbytes": ["float32"],
    "mxnet": ["float32"],
    "mxnet_rounding": ["float32"],
}
