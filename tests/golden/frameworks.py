"""Each framework's own RMSProp on a given problem: arguments → path, slots.

Frameworks are imported when one of theirs is run, and not before: no environment
holds all of them.
"""

import importlib
import inspect
import json
import os
import sys
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
from golden import cases

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is imported

# What is recorded → what has to be installed, what it is named after first.
MODULES = {
    "optax": ["optax", "jax"],
    "torch": ["torch"],
    "timm": ["timm", "torch"],
    "timm_caution": ["timm", "torch"],
    "sb3": ["stable_baselines3", "torch"],
    "bitsandbytes": ["bitsandbytes", "torch"],
    "keras": ["keras"],
    "tf_keras": ["tf_keras", "tensorflow"],
    "tf_keras_legacy": ["tf_keras", "tensorflow"],
    "tf1": ["tensorflow"],
    "paddle": ["paddle"],
    "chainer": ["chainer", "numpy"],
    "graves": ["chainer", "numpy"],
    "mxnet": ["mxnet", "numpy"],
    "mxnet_rounding": ["mxnet", "numpy"],
}


def modules(framework, backend=None):
    """What has to be installed; Keras' backend is the one in use, if not named."""
    if framework == "keras":
        return ["keras", backend or os.environ["KERAS_BACKEND"]]
    return MODULES[framework]


def missing(framework, backend=None):
    """Those of its modules that are not installed."""
    return [name for name in modules(framework, backend) if find_spec(name) is None]


def versions(framework):
    """Module → version of the distribution that it came with."""
    found = packages_distributions()
    return {name: version(found[name][0]) for name in modules(framework)}


def optax_chain(kind, rate, args):
    """The transformation that `kind` names, for a schedule."""
    import optax

    decay = optax.add_decayed_weights(0.01)
    if kind == cases.RMSPROP:
        return optax.rmsprop(rate, **args)
    if kind == cases.L2:
        return optax.chain(decay, optax.rmsprop(rate, **args))
    scale = optax.scale_by_rms(**args)
    return optax.chain(scale, decay, optax.scale_by_learning_rate(rate))


def run_optax(kind, args, start, grads, rates):
    import jax
    import optax

    jax.config.update("jax_enable_x64", start.dtype == np.float64)
    alphas = jax.numpy.asarray(rates, start.dtype)
    tx = optax_chain(kind, lambda count: alphas[count], args)
    update, params, path = jax.jit(tx.update), jax.numpy.asarray(start), []
    state = tx.init(params)
    for g in grads:
        updates, state = update(g, state, params)
        params = optax.apply_updates(params, updates)
        path.append(np.asarray(params))
    slots = {name: optax.tree.get(state, name) for name in ("nu", "mu", "trace")}
    return path, {name: np.asarray(x) for name, x in slots.items() if x is not None}


def _torch_class(kind):
    module, _, name = kind.rpartition(".")
    if kind == cases.TIMM and "timm.optim" not in sys.modules:
        # All of timm needs torchvision, of which there is no build for every torch.
        package = ModuleType("timm.optim")
        package.__path__ = [str(Path(find_spec("timm").origin).parent / "optim")]
        sys.modules |= {"timm": ModuleType("timm"), "timm.optim": package}
    if kind == cases.TIMM:
        module = "timm.optim.rmsprop_tf"
    return getattr(importlib.import_module(module), name)


def run_torch(kind, args, start, grads, rates):
    import torch

    param, path = torch.nn.Parameter(torch.tensor(start)), []
    # timm takes the learning rate at this moment for the largest.
    optimizer = _class(kind)([param], lr=float(rates[0]), **args)
    for g, rate in zip(grads, rates, strict=True):
        optimizer.param_groups[0]["lr"] = float(rate)
        param.grad = torch.tensor(g)
        optimizer.step()
        path.append(param.detach().numpy().copy())
    slots = optimizer.state[param]
    slots = slots.get("__bnb_optimizer_quant_state__", slots)
    others = "step", "__bnb_optimizer_quant_state__"
    return path, {name: x.numpy() for name, x in slots.items() if name not in others}


def run_keras(kind, args, start, grads, rates):
    import keras

    # To compute in float64 is to say so: else the learning rate stays float32.
    keras.config.set_floatx(start.dtype.name)
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", start.dtype == np.float64)
    variable = keras.Variable(start, dtype=start.dtype.name, name="theta")
    optimizer, path = _class(kind)(**args), []
    for g, rate in zip(grads, rates, strict=True):
        optimizer.learning_rate = float(rate)
        optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
        path.append(np.array(keras.ops.convert_to_numpy(variable.value)))
    slots = {
        slot.name.removeprefix("theta_"): keras.ops.convert_to_numpy(slot.value)
        for slot in optimizer.variables
        if slot.name.startswith("theta_")
    }
    return path, slots


def run_tensorflow(kind, args, start, grads, rates):
    import tensorflow as tf
    import tf_keras

    tf_keras.backend.set_floatx(start.dtype.name)
    variable, path, rate = tf.Variable(start), [], 0.0
    if kind == cases.TF1:
        optimizer = tf.compat.v1.train.RMSPropOptimizer(lambda: rate, **args)
    else:
        optimizer = _class(kind)(**args)
    for g, x in zip(grads, rates, strict=True):
        rate = optimizer.learning_rate = float(x)
        optimizer.apply_gradients([(tf.constant(g), variable)])
        path.append(variable.numpy())
    if kind == cases.TF_KERAS:
        of_its = {
            "velocity": optimizer._velocities,
            "momentum": getattr(optimizer, "_momentums", None),
            "average_gradient": getattr(optimizer, "_average_gradients", None),
        }
        slots = {name: slot[0] for name, slot in of_its.items() if slot}
    else:
        names = optimizer.get_slot_names()
        slots = {name: optimizer.get_slot(variable, name) for name in names}
    return path, {name: slot.numpy() for name, slot in slots.items()}


def run_paddle(kind, args, start, grads, rates):
    import paddle

    paddle.set_device("cpu")
    param = paddle.create_parameter(
        start.shape,
        start.dtype.name,
        default_initializer=paddle.nn.initializer.Assign(start),
    )
    optimizer = _class(kind)(0.0, parameters=[param], **args)
    path = []
    for g, rate in zip(grads, rates, strict=True):
        optimizer.set_lr(float(rate))
        param.grad = paddle.to_tensor(g)
        optimizer.step()
        path.append(param.numpy().copy())
    # All three exist whatever the options.
    unused = set() if args["momentum"] else {"momentum"}
    unused |= set() if args["centered"] else {"mean_grad"}
    accumulators = optimizer._accumulators
    return path, {
        name: next(iter(accumulators[name].values())).numpy()
        for name in accumulators
        if name not in unused
    }


def run_chainer(kind, args, start, grads, rates):
    import chainer

    optimizer, link = _class(kind)(**_without_hooks(args)), chainer.Link()
    with link.init_scope():
        link.theta = chainer.Parameter(start.copy())
    optimizer.setup(link)
    for _ in args.get("hooks", []):
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(0.01))
    path = []
    for g, rate in zip(grads, rates, strict=True):
        optimizer.lr = float(rate)
        link.theta.grad = g.copy()
        optimizer.update()
        path.append(link.theta.array.copy())
    return path, dict(link.theta.update_rule.state)


def run_mxnet(kind, args, start, grads, rates):
    import mxnet

    optimizer = _class(kind)(**args)
    theta = mxnet.nd.array(start)
    state, path = optimizer.create_state(0, theta), []
    for g, rate in zip(grads, rates, strict=True):
        optimizer.set_learning_rate(float(rate))
        optimizer.update(0, theta, mxnet.nd.array(g), state)
        path.append(theta.asnumpy())
    names = "n", "g", "delta"
    return path, {name: x.asnumpy() for name, x in zip(names, state, strict=False)}


RUN = dict.fromkeys([cases.RMSPROP, cases.L2, cases.DECOUPLED], run_optax)
RUN |= dict.fromkeys(
    [cases.TORCH, cases.TIMM, cases.SB3, cases.BITSANDBYTES], run_torch
)
RUN |= dict.fromkeys([cases.TF_KERAS, cases.TF_KERAS_LEGACY, cases.TF1], run_tensorflow)
RUN |= dict.fromkeys([cases.CHAINER, cases.GRAVES], run_chainer)
RUN |= {cases.KERAS: run_keras, cases.PADDLE: run_paddle, cases.MXNET: run_mxnet}


def run(kind, args, start, grads, rates):
    """Parameters after every step, and the slots after the last."""
    path, slots = RUN[kind](kind, args, start, grads, rates)
    return np.stack(path), slots


def signature(kind):
    """Argument → default, as far as JSON can say it; `required` lists the others."""
    found, parameters = _class(kind), {}
    for one in getattr(found, "__mro__", [found]):
        given = inspect.signature(one).parameters
        parameters = dict(given) | parameters
        # A class that takes more than it names has its base's arguments too.
        if all(x.kind != x.VAR_KEYWORD for x in given.values()):
            break
    defaults = {
        name: x.default
        for name, x in parameters.items()
        if x.kind not in {x.VAR_KEYWORD, x.VAR_POSITIONAL}
    }
    required = [name for name, x in defaults.items() if x is inspect.Parameter.empty]
    plain = {name: x for name, x in defaults.items() if _is_plain(x)}
    return {"defaults": plain, "required": required}


def _class(kind):
    if kind in (cases.TORCH, cases.TIMM, cases.SB3, cases.BITSANDBYTES):
        return _torch_class(kind)
    first, *rest = kind.split(".")
    found = importlib.import_module("tensorflow" if first == "tf" else first)
    for name in rest:
        found = getattr(found, name)
    return found


def _without_hooks(args):
    return {name: x for name, x in args.items() if name != "hooks"}


def _is_plain(x):
    try:
        return json.loads(json.dumps(x)) == x
    except TypeError:
        return False
