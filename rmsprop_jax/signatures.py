"""The table of calls: what each framework's own constructor takes.

Data only, beyond the argument names and the defaults that `DIALECTS` has already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """An argument that is no part of the step: what it may be, and what to do."""

    harmless: Any
    way_out: str


@dataclass(frozen=True)
class Signature:
    """What a framework's call takes beyond the names of its row in `DIALECTS`.

    Attributes:
        call: What is called there.
        also: Further arguments → ours.
        switches: Arguments that choose something, and their defaults.
        choices: Pairs: where arguments have these values, options of ours are those.
            A later pair wins over an earlier one.
        unread: Arguments that say how something is computed, and not what.
        refused: Arguments that are not refused only if `None` or harmless.
        zero_is_off: Our names of those for which 0 keeps no slot there.
    """

    call: str
    also: Mapping[str, str] = field(default_factory=dict)
    switches: Mapping[str, bool] = field(default_factory=dict)
    choices: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...] = ()
    unread: tuple[str, ...] = ()
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    zero_is_off: tuple[str, ...] = ("momentum", "weight_decay")


_BEFORE = "before it in optax.chain."
_EACH_NORM = "lambda g, _: g * jnp.minimum(1, c / jnp.linalg.norm(g))"
_TORCH = {
    "params": Refusal(
        None, "pass them to init and update; for several groups see param_groups."
    )
}
_KERAS = {
    "clipvalue": Refusal(None, f"put optax.clip(c) {_BEFORE}"),
    "clipnorm": Refusal(
        None, f"put optax.stateless_with_tree_map({_EACH_NORM}) {_BEFORE}"
    ),
    "global_clipnorm": Refusal(None, f"put optax.clip_by_global_norm(c) {_BEFORE}"),
}

SIGNATURES: dict[str, Signature] = {
    "optax": Signature(
        call="optax.rmsprop",
        switches={"eps_in_sqrt": True},
        choices=(({"eps_in_sqrt": False}, {"eps_placement": "outside"}),),
        zero_is_off=(),
    ),
    "torch": Signature(
        call="torch.optim.RMSprop",
        unread=("foreach", "capturable", "differentiable", "fused"),
        refused=_TORCH
        | {"maximize": Refusal(False, f"put optax.scale(-1.0) {_BEFORE}")},
    ),
    "keras": Signature(
        call="keras.optimizers.RMSprop",
        unread=("name", "jit_compile", "ema_momentum", "ema_overwrite_frequency"),
        refused=_KERAS
        | {
            "use_ema": Refusal(
                False, "average the parameters beside it, optax.incremental_update."
            ),
            "loss_scale_factor": Refusal(
                None, f"multiply the loss, and put optax.scale(1 / factor) {_BEFORE}"
            ),
            "gradient_accumulation_steps": Refusal(
                None, "wrap it: optax.MultiSteps(tx, every_k_schedule=k)."
            ),
            "decay": Refusal(
                0.0,
                "Keras ignores it; if the running average was meant, that is rho.",
            ),
        },
    ),
    "tf_keras_legacy": Signature(
        call="tf.keras.optimizers.legacy.RMSprop",
        also={"lr": "learning_rate"},
        # `self.epsilon = epsilon or backend_config.epsilon()`
        choices=(({"epsilon": 0.0}, {"eps": None}),),
        unread=("name",),
        refused=_KERAS
        | {
            "gradient_transformers": Refusal(None, f"put theirs {_BEFORE}"),
            "gradient_aggregator": Refusal(None, "average them first, jax.lax.pmean."),
            "decay": Refusal(
                0.0,
                "there it is an inverse-time decay of the learning rate, and not rho; "
                "pass learning_rate=lambda step: learning_rate / (1 + decay * step).",
            ),
        },
    ),
    "tf1": Signature(
        call="tf.compat.v1.train.RMSPropOptimizer",
        unread=("use_locking", "name"),
        zero_is_off=(),
    ),
    "timm": Signature(
        call="timm.optim.RMSpropTF",
        switches={
            "lr_in_momentum": True,
            "decoupled_decay": False,
            "corrected_weight_decay": False,
        },
        choices=(
            ({"lr_in_momentum": False}, {"lr_placement": "after_trace"}),
            ({"decoupled_decay": True}, {"weight_decay_form": "decoupled"}),
            (
                {"decoupled_decay": True, "corrected_weight_decay": True},
                {"weight_decay_form": "corrected"},
            ),
        ),
        unread=("foreach",),
        refused=_TORCH,
    ),
    "sb3": Signature(
        call="stable_baselines3.common.sb2_compat.rmsprop_tf_like.RMSpropTFLike",
        refused=_TORCH,
    ),
    "bitsandbytes": Signature(
        call="bitsandbytes.optim.RMSprop",
        also={"momentum": "momentum", "centered": "centered"},
        unread=("min_8bit_size", "block_wise", "is_paged"),
        refused=_TORCH
        | {
            "optim_bits": Refusal(
                32, "leave it out; the 8-bit form is rmsprop(state_dtype='int8')."
            ),
            "percentile_clipping": Refusal(
                100, f"put a clip such as optax.clip_by_global_norm(c) {_BEFORE}"
            ),
            "args": Refusal(None, "pass what it holds as arguments."),
        },
    ),
    "mxnet": Signature(
        call="mxnet.optimizer.RMSProp",
        unread=("param_idx2name", "sym", "multi_precision", "param_dict", "allow_np"),
        refused={
            "rescale_grad": Refusal(1.0, f"put optax.scale(rescale_grad) {_BEFORE}"),
            "clip_gradient": Refusal(
                None,
                f"put optax.clip(c) {_BEFORE} MXNet clips with the weight decay in: "
                "leave wd out, and put optax.add_decayed_weights(wd) before the clip.",
            ),
            "clip_weights": Refusal(
                None, "clip the parameters after each step, jnp.clip(theta, -c, c)."
            ),
            "lr_scheduler": Refusal(None, "pass a schedule as learning_rate."),
            "begin_num_update": Refusal(0, "begin the schedule there."),
        },
    ),
    "paddle": Signature(
        call="paddle.optimizer.RMSProp",
        unread=("name",),
        refused={
            "parameters": _TORCH["params"],
            "grad_clip": Refusal(
                None, f"put optax.clip_by_global_norm(c) or optax.clip(c) {_BEFORE}"
            ),
        },
    ),
    "chainer": Signature(
        call="chainer.optimizers.RMSprop",
        switches={"eps_inside_sqrt": False},
        choices=(({"eps_inside_sqrt": True}, {"eps_placement": "inside"}),),
    ),
    "graves": Signature(call="chainer.optimizers.RMSpropGraves"),
    "caffe": Signature(
        call="Caffe's SolverParameter",
        also={"momentum": "momentum"},
        unread=("max_iter", "gamma", "power", "stepsize", "stepvalue", "solver_mode"),
        refused={
            "type": Refusal("RMSProp", "this is RMSProp only."),
            "lr_policy": Refusal("fixed", "pass a schedule as base_lr."),
            "regularization_type": Refusal("L2", "add the other to the loss."),
            "clip_gradients": Refusal(
                -1, f"put optax.clip_by_global_norm(c) {_BEFORE}"
            ),
            "iter_size": Refusal(1, "wrap it: optax.MultiSteps(tx, iter_size)."),
        },
    ),
    "dqn": Signature(
        call="dqn.NeuralQLearner",
        refused={
            "lr_end": Refusal(None, "pass optax.linear_schedule as lr."),
            "lr_endt": Refusal(None, "pass optax.linear_schedule as lr."),
        },
    ),
    "hinton": Signature(call="the lecture", also={"learning_rate": "learning_rate"}),
}
