"""A row for every option of `rmsprop`: what must export, and what must compile well."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import optax
from helpers import accepting

from rmsprop_jax import DIALECTS, param_groups, rmsprop, scale_by_rms


def falling(count):
    """A learning rate that does."""
    return 0.1 / (1 + count.astype(jnp.float32))


ONLY_BIAS = {"kernel": False, "bias": True}
GROUPS = {"kernel": {"learning_rate": 0.1, "momentum": 0.9}, "bias": {"eps": 1e-3}}

# Arguments beside the learning rate.
OPTIONS = {
    **{name: {"dialect": name} for name in DIALECTS},
    **{
        f"{name}, {words}": {"dialect": name, words: value}
        for words, value in {"momentum": 0.9, "centered": True}.items()
        for name in accepting(words)
    },
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "cautious": {"momentum": 0.9, "cautious": True},
    "trace of bare steps": {"momentum": 0.9, "lr_placement": "after_trace"},
    "epsilon outside": {"eps_placement": "outside", "eps": 0.0},
    "no memory": {"decay": 0.0},
    "bias correction": {"bias_correction": True},
    "bias correction, nu from one": {"bias_correction": True, "nu_init": 1.0},
    "one nu a tensor": {"moment": "tensor"},
    "decay of weights": {"weight_decay": 0.1, "weight_decay_mask": ONLY_BIAS},
    "coupled": {"weight_decay": 0.1, "weight_decay_form": "coupled"},
    "corrected": {
        "weight_decay": 0.1,
        "weight_decay_form": "corrected",
        "learning_rate": falling,
        "peak_learning_rate": 0.1,
    },
    "floor": {"centered": True, "variance_floor": 0.1},
    "centered, bias correction": {"centered": True, "bias_correction": True},
    "centered, momentum": {"centered": True, "momentum": 0.9},
    "skip_nonfinite": {"skip_nonfinite": True},
    "an array's rate": {"learning_rate": np.float32(0.1) * jnp.ones(())},
}
# What the moments rest in, with every slot that there is.
RESTING = {
    "bfloat16": "bfloat16",
    "int8": "int8",
    "int8, the rest bfloat16": {"nu": "int8", "mu": "bfloat16", "trace": "bfloat16"},
}
for words, precisions in RESTING.items():
    OPTIONS[words] = {
        "momentum": 0.9,
        "centered": True,
        "state_dtype": precisions,
        "state_dtype_min_size": 0,
    }
    OPTIONS[f"{words}, skip_nonfinite"] = {**OPTIONS[words], "skip_nonfinite": True}

TRANSFORMATIONS = {
    **{
        name: partial(rmsprop, **{"learning_rate": 0.1, **options})
        for name, options in OPTIONS.items()
    },
    "clipping": lambda: optax.chain(optax.clip_by_global_norm(1.0), rmsprop(0.1)),
    "scale_by_rms": lambda: optax.chain(scale_by_rms(), optax.scale(-0.1)),
    "groups": lambda: param_groups(GROUPS, default={"learning_rate": 0.1}),
}


def step(tx):
    """One whole step of training, the gradients given."""

    def rmsprop_step(params, state, grads):
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return rmsprop_step
