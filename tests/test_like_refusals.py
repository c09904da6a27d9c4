"""What `like` refuses, and the ways out that its messages name."""

import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from golden import cases
from golden.frameworks import run
from helpers import probe, tolerances_apart, trajectory
from test_like import RATE, assert_same, rate_name

from rmsprop_jax import DIALECTS, like, rmsprop
from rmsprop_jax.signatures import SIGNATURES


def refusal(framework, error, **theirs):
    with pytest.raises(error) as info:
        like(framework, **theirs)
    assert info.type is error
    return str(info.value)


# A value that is not harmless; 1.0 and True are not, for those that are not named.
HARMFUL = {"rescale_grad": 0.5, "iter_size": 2, "args": {"max_unorm": 1.0}}
HARMFUL |= {"type": "SGD", "lr_policy": "step", "regularization_type": "L1"}
HARMFUL |= {"percentile_clipping": 5, "optim_bits": 8}
REFUSED = [(f, name) for f, x in SIGNATURES.items() for name in x.refused]
each_refusal = pytest.mark.parametrize(("framework", "name"), REFUSED)


@each_refusal
def test_what_is_done_around_the_step_is_refused_with_the_way_out(framework, name):
    value = HARMFUL.get(name, 1.0)
    message = refusal(framework, ValueError, **{name: value})
    harmless, way_out = SIGNATURES[framework].refused[name]
    assert message.startswith(f"{name}={value!r}: expected {harmless!r}")
    assert message.endswith(way_out)
    assert all(hasattr(optax, x) for x in re.findall(r"optax\.(\w+)", way_out)[:1])


@each_refusal
@pytest.mark.parametrize("harmless", [True, False], ids=["default", "None"])
def test_what_does_nothing_around_the_step_is_taken(framework, name, harmless):
    value = SIGNATURES[framework].refused[name].harmless if harmless else None
    theirs = {rate_name(framework): RATE, name: value}
    assert_same(like(framework, **theirs), rmsprop(RATE, dialect=framework))


def way_out(framework, name):
    """The transformation that the message says to put before it."""
    text = SIGNATURES[framework].refused[name].way_out
    expression = re.match(r"put (optax\..+?) before it", text)[1]
    return eval(expression, {"optax": optax, "jnp": jnp, "c": 2.0, "rescale_grad": 0.5})


# ‖g‖ is 5 and 1; clipped at 2.
GRADS = {"a": jnp.array([[3.0], [-4.0]]), "b": jnp.array([1.0, 0.0])}
CLIPPED = {
    ("keras", "clipvalue"): {"a": [[2.0], [-2.0]], "b": [1.0, 0.0]},
    ("keras", "clipnorm"): {"a": [[1.2], [-1.6]], "b": [1.0, 0.0]},
    ("keras", "global_clipnorm"): {
        "a": np.array([[6.0], [-8.0]]) / np.sqrt(26),
        "b": np.array([2.0, 0.0]) / np.sqrt(26),
    },
    ("caffe", "clip_gradients"): {
        "a": np.array([[6.0], [-8.0]]) / np.sqrt(26),
        "b": np.array([2.0, 0.0]) / np.sqrt(26),
    },
    ("mxnet", "clip_gradient"): {"a": [[2.0], [-2.0]], "b": [1.0, 0.0]},
    ("mxnet", "rescale_grad"): {"a": [[1.5], [-2.0]], "b": [0.5, 0.0]},
}


@pytest.mark.parametrize(("framework", "name"), CLIPPED)
def test_the_way_out_does_what_was_refused(framework, name):
    tx = way_out(framework, name)
    got, _ = tx.update(GRADS, tx.init(GRADS))
    wanted = {x: jnp.float32(y) for x, y in CLIPPED[framework, name].items()}
    chex.assert_trees_all_close(got, wanted, rtol=4 * np.finfo(np.float32).eps)


def test_a_zero_gradient_passes_the_clip_by_norm():
    tx = way_out("keras", "clipnorm")
    zeros = jax.tree.map(jnp.zeros_like, GRADS)
    chex.assert_trees_all_equal(tx.update(zeros, tx.init(zeros))[0], zeros)


@pytest.mark.parity
def test_the_way_out_of_maximize_is_torchs_maximize():
    pytest.importorskip("torch", reason="compares with the installed torch")
    start, grads, rates = probe()
    theirs = {"momentum": 0.9, "weight_decay": 0.01}
    path, _ = run(cases.TORCH, {"maximize": True, **theirs}, start, grads, rates)

    def climb(rate):
        return optax.chain(
            way_out("torch", "maximize"), like("torch", lr=rate, **theirs)
        )

    assert (
        tolerances_apart(trajectory(climb, start, grads, rates), path, start, "f4") < 1
    )


# A framework, arguments, the error, how its message begins and what is in it.
WRONG = [
    (
        "torch",
        {"decay": 0.9},
        TypeError,
        "decay: ",
        "torch.optim.RMSprop calls it alpha",
    ),
    ("torch", {"rho": 0.9}, TypeError, "rho: ", "calls it alpha, and rmsprop decay"),
    ("keras", {"alpha": 0.9}, TypeError, "alpha: ", "calls it rho, and rmsprop decay"),
    ("keras", {"lr": 0.1}, TypeError, "lr: ", "calls it learning_rate."),
    ("torch", {"dampening": 0}, TypeError, "dampening: ", "lr, alpha, eps, momentum"),
    ("timm", {"dampening": 0}, TypeError, "dampening: ", "lr_in_momentum"),
    (
        "torch",
        {"nesterov": True},
        TypeError,
        "nesterov: ",
        "dialect='torch') has nesterov",
    ),
    (
        "torch",
        {"weight_decay_mask": None},
        TypeError,
        "weight_decay_mask: ",
        "dialect='",
    ),
    ("sb3", {"caution": True}, TypeError, "caution: ", "dialect='sb3') has cautious"),
    ("chainer", {"momentum": 0.9}, TypeError, "momentum: ", "RMSprop has no momentum"),
    ("optax", {}, TypeError, "learning_rate: ", "optax.rmsprop has no default"),
    ("caffe", {"delta": 0.1}, TypeError, "base_lr: ", "SolverParameter has no default"),
    ("hinton", {"learning_rate": None}, TypeError, "learning_rate: ", "no default"),
    ("torch", {"alpha": 1.5}, ValueError, "decay=1.5: ", "[0, 1). torch.optim.RMSprop"),
    ("torch", {"alpha": 1.5}, ValueError, "decay=1.5: ", "calls it alpha."),
    ("torch", {"eps": -1.0}, ValueError, "eps=-1.0: ", "a finite number >= 0."),
    ("torch", {"momentum": True}, TypeError, "momentum=True: ", "[0, 1)"),
    ("torch", {"centered": 1}, TypeError, "centered=1: ", "True or False"),
    ("timm", {"lr_in_momentum": 0}, TypeError, "lr_in_momentum=0: ", "True or False"),
    ("timm", {"caution": True}, ValueError, "cautious=True: ", "calls it caution."),
    ("bitsandbytes", {"momentum": 0.9}, ValueError, "momentum=0.9: ", "never reads it"),
    ("bitsandbytes", {"centered": True}, ValueError, "centered=True: ", "raises"),
    ("mxnet", {"gamma2": 0.9}, ValueError, "momentum=0.9: ", "calls it gamma2."),
    ("keras", {"decay": 0.9}, ValueError, "decay=0.9: ", "meant, that is rho"),
    ("tf_keras_legacy", {"decay": 0.1}, ValueError, "decay=0.1: ", "inverse-time"),
    (
        "pytorch",
        {},
        ValueError,
        "framework='pytorch': ",
        "expected one of optax, torch",
    ),
    (DIALECTS["torch"], {}, ValueError, "framework=", "expected one of optax, torch"),
]


@pytest.mark.parametrize(("framework", "theirs", "error", "start", "way_out"), WRONG)
def test_wrong_call_is_refused(framework, theirs, error, start, way_out):
    message = refusal(framework, error, **theirs)
    assert message.startswith(start)
    assert way_out in message


def test_corrected_weight_decay_beside_a_schedule_points_to_rmsprop():
    theirs = {"weight_decay": 0.1, "decoupled_decay": True}
    theirs |= {"corrected_weight_decay": True, "lr": optax.constant_schedule(0.1)}
    message = refusal("timm", ValueError, **theirs)
    assert "rmsprop(..., dialect='timm') has peak_learning_rate" in message


def test_long_values_are_not_printed_in_full():
    message = refusal("torch", ValueError, params=list(range(10_000)))
    assert len(message) < 200
