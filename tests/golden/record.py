"""Records what the installed frameworks compute on the problem beside this file.

Run by hand, in `tests`: `python -m golden.record FOLDER [--compare]`.
"""

import argparse
import datetime
import json
import os
from functools import partial
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
import optax
from helpers import enable_x64

os.environ.setdefault("KERAS_BACKEND", "jax")  # read once, when keras is imported

HERE = Path(__file__).parent
DTYPES = ["float32", "float64"]
RMSPROP = "optax.rmsprop"
L2 = "optax.chain(add_decayed_weights(0.01), rmsprop)"
DECOUPLED = (
    "optax.chain(scale_by_rms, add_decayed_weights(0.01), scale_by_learning_rate)"
)
TORCH = "torch.optim.RMSprop"
KERAS = "keras.optimizers.RMSprop"


def run_optax(kind, args, start, grads, rates):
    """Parameters after every step, and the slots after the last."""
    with enable_x64(start.dtype == np.float64):
        alphas = jax.numpy.asarray(rates, start.dtype)
        tx = OPTAX[kind](lambda count: alphas[count], args)
        update, params, path = jax.jit(tx.update), jax.numpy.asarray(start), []
        state = tx.init(params)
        for g in grads:
            updates, state = update(g, state, params)
            params = optax.apply_updates(params, updates)
            path.append(np.asarray(params))
        slots = {name: optax.tree.get(state, name) for name in ("nu", "mu", "trace")}
    slots = {name: np.asarray(x) for name, x in slots.items() if x is not None}
    return np.stack(path), slots


def run_torch(args, start, grads, rates):
    """Parameters after every step, and the slots after the last."""
    import torch

    param, path = torch.nn.Parameter(torch.tensor(start)), []
    optimizer = torch.optim.RMSprop([param], **args)
    for g, rate in zip(grads, rates, strict=True):
        optimizer.param_groups[0]["lr"] = float(rate)
        param.grad = torch.tensor(g)
        optimizer.step()
        path.append(param.detach().numpy().copy())
    slots = {name: x.numpy() for name, x in optimizer.state[param].items()}
    del slots["step"]
    return np.stack(path), slots


def run_keras(args, start, grads, rates):
    """Parameters after every step, and the slots after the last."""
    import keras

    with enable_x64(start.dtype == np.float64):
        variable = keras.Variable(start, dtype=start.dtype.name, name="theta")
        optimizer, path = keras.optimizers.RMSprop(**args), []
        for g, rate in zip(grads, rates, strict=True):
            optimizer.learning_rate = float(rate)
            optimizer.apply([keras.ops.convert_to_tensor(g)], [variable])
            path.append(keras.ops.convert_to_numpy(variable.value))
        slots = {
            slot.name.removeprefix("theta_"): keras.ops.convert_to_numpy(slot.value)
            for slot in optimizer.variables
            if slot.name.startswith("theta_")
        }
    return np.stack(path), slots


OPTAX = {
    RMSPROP: lambda rate, args: optax.rmsprop(rate, **args),
    L2: lambda rate, args: optax.chain(
        optax.add_decayed_weights(0.01), optax.rmsprop(rate, **args)
    ),
    DECOUPLED: lambda rate, args: optax.chain(
        optax.scale_by_rms(**args),
        optax.add_decayed_weights(0.01),
        optax.scale_by_learning_rate(rate),
    ),
}
RUN = {kind: partial(run_optax, kind) for kind in OPTAX}
RUN |= {TORCH: run_torch, KERAS: run_keras}

_SCALE = {
    "decay": 0.9,
    "eps": 1e-8,
    "initial_scale": 0.0,
    "eps_in_sqrt": True,
    "bias_correction": False,
}
_OPTAX = {**_SCALE, "centered": False, "momentum": None, "nesterov": False}
_TORCH = {
    "alpha": 0.99,
    "eps": 1e-8,
    "momentum": 0,
    "centered": False,
    "weight_decay": 0,
}
_KERAS = {
    "rho": 0.9,
    "momentum": 0.0,
    "epsilon": 1e-7,
    "centered": False,
    "weight_decay": None,
}
_CENTERED_MOMENTUM = {"centered": True, "momentum": 0.9}
_COMMON = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "centered_momentum": _CENTERED_MOMENTUM,
}

# framework → case → class, arguments
CASES = {
    "optax": {
        **{case: (RMSPROP, {**_OPTAX, **change}) for case, change in _COMMON.items()},
        "momentum_nesterov": (RMSPROP, {**_OPTAX, "momentum": 0.9, "nesterov": True}),
        "bias_correction": (RMSPROP, {**_OPTAX, "bias_correction": True}),
        "big_eps": (RMSPROP, {**_OPTAX, "eps": 1e-3}),
        "big_eps_outside": (RMSPROP, {**_OPTAX, "eps": 1e-3, "eps_in_sqrt": False}),
        "decay_999": (RMSPROP, {**_OPTAX, "decay": 0.999}),
        "weight_decay_l2": (L2, _OPTAX),
        "weight_decay_decoupled": (DECOUPLED, _SCALE),
    },
    "torch": {
        case: (TORCH, {**_TORCH, **change})
        for case, change in {
            **_COMMON,
            "weight_decay_l2": {"weight_decay": 0.01},
            "big_eps": {"eps": 1e-3},
            "decay_999": {"alpha": 0.999},
            "all": {**_CENTERED_MOMENTUM, "eps": 1e-3, "weight_decay": 0.01},
        }.items()
    },
    "keras": {
        case: (KERAS, {**_KERAS, **change})
        for case, change in {
            **_COMMON,
            "weight_decay_decoupled": {"weight_decay": 0.01},
            "big_eps": {"epsilon": 1e-3},
            "decay_999": {"rho": 0.999},
            "all": {**_CENTERED_MOMENTUM, "epsilon": 1e-3, "weight_decay": 0.01},
        }.items()
    },
}


def versions(framework):
    """The framework's version, and that of what it computes with."""
    found = {"framework": framework, "version": version(framework)}
    if framework == "optax":
        found["jax_version"] = version("jax")
    if framework == "keras":
        backend = os.environ["KERAS_BACKEND"]
        found |= {"backend": backend, "backend_version": version(backend)}
    return found


def record(framework, folder):
    """Write every case of a framework to a file in `folder`."""
    problem = np.load(HERE / "problem.npz")
    arrays, described = {}, {}
    for case, (kind, args) in CASES[framework].items():
        for dtype in DTYPES:
            start, grads = problem["params0"], problem["grads"]
            path, slots = RUN[kind](
                args, start.astype(dtype), grads.astype(dtype), problem["lrs"]
            )
            for name, array in {"params": path, **slots}.items():
                arrays[f"{case}/{dtype}/{name}"] = array
        described[case] = {
            "class": kind,
            "args": args,
            "dtypes": DTYPES,
            "slots": sorted(slots),
        }
    meta = versions(framework)
    meta |= {"date": datetime.date.today().isoformat(), "cases": described}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{framework}.npz", meta=json.dumps(meta), **arrays)


def compare(framework, folder):
    """Print, per case and dtype, the largest difference to the committed file.

    Parameters are compared by the distance they travelled, slots by their size.
    """
    start = np.load(HERE / "problem.npz")["params0"]
    anew = np.load(folder / f"{framework}.npz")
    committed = np.load(HERE / f"{framework}.npz")
    before = json.loads(str(committed["meta"]))
    print(f"{framework} {version(framework)} against {before['version']}")
    for case, row in before["cases"].items():
        for dtype in row["dtypes"]:
            gaps = {}
            for name in ("params", *row["slots"]):
                old = committed[f"{case}/{dtype}/{name}"].astype(np.float64)
                size = np.abs(old - start if name == "params" else old).max()
                gaps[name] = np.abs(anew[f"{case}/{dtype}/{name}"] - old).max() / size
            worst = max(gaps, key=gaps.get)
            print(f"  {case:24}{dtype:9}{gaps[worst]:.1e}  {worst}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--frameworks", nargs="+", default=list(CASES), choices=CASES)
    args = parser.parse_args()
    for framework in args.frameworks:
        record(framework, args.folder)
        if args.compare:
            compare(framework, args.folder)


if __name__ == "__main__":
    main()
