"""What a framework's arguments mean here, and how far apart two paths are.

A case is a class of a framework, arguments by its names, and the dtypes it runs in. A
run is a framework, or a file of recordings; `ROWS` has its dialect.
"""

import dataclasses
import itertools
import json
import re
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax
from golden import cases
from golden.frameworks import optax_chain
from helpers import oracle, tolerances_apart, trajectories

from rmsprop_jax import DIALECTS, rmsprop

FILES = sorted(Path(__file__).parent.glob("*.npz"))
GOLDEN = {path.stem: np.load(path) for path in FILES}
PROBLEM = [GOLDEN["problem"][name] for name in ("params0", "grads", "lrs")]
del GOLDEN["problem"]
META = {name: json.loads(str(arrays["meta"])) for name, arrays in GOLDEN.items()}
SIGNATURES = json.loads(Path(__file__).with_name("signatures.json").read_text())
ROWS = {name: name for name in DIALECTS} | {
    "tf_keras": "keras",
    "timm_caution": "timm",
    "mxnet_rounding": "mxnet",
}
BOTH = ["float32", "float64"]
# At its ρ = 0.99999 forty steps hardly tell centered from not: it shows rounding alone.
WITHOUT_POWER = {"mxnet_rounding"}


def _case(recorded):
    hooks = {"hooks": recorded["hooks"]} if "hooks" in recorded else {}
    return recorded["class"], recorded["args"] | hooks, recorded["dtypes"]


RECORDED = {
    name: {case: _case(recorded) for case, recorded in meta["cases"].items()}
    for name, meta in META.items()
}


def switched(dialect, kind, dtypes=BOTH):
    """Momentum, centered, weight decay and a large ε, each on and off."""
    row = DIALECTS[dialect]
    switches = {
        "momentum": [0.0, 0.9],
        "centered": [False, True],
        "weight_decay": [0.0, 0.01],
        "eps": [row.eps, 1e-2],
    }
    switches = {row.names[x]: y for x, y in switches.items() if x in row.names}
    for values in itertools.product(*switches.values()):
        yield kind, dict(zip(switches, values, strict=True)), dtypes


def flagged():
    """Every well-posed combination of the flags of `optax.rmsprop`, with a large ε."""
    for inside, nu_init, centered, corrected, (momentum, nesterov) in itertools.product(
        [True, False],
        [0.0, 1.0],
        [False, True],
        [False, True],
        [(None, False), (0.9, False), (0.9, True)],
    ):
        # Optax divides the first gradient by its own variance, which is zero.
        if centered and corrected and nu_init == 0:
            continue
        args = {"eps": 1e-2, "eps_in_sqrt": inside, "initial_scale": nu_init}
        args |= {"centered": centered, "bias_correction": corrected}
        args |= {"momentum": momentum, "nesterov": nesterov}
        yield cases.RMSPROP, args, BOTH


def chained():
    """Optax with its own ε, and with weight decay before and after the rest."""
    for kind, centered, momentum in itertools.product(
        [cases.RMSPROP, cases.L2, AFTERWARDS], [False, True], [None, 0.9]
    ):
        yield kind, {"centered": centered, "momentum": momentum}, BOTH


def timms():
    """What timm has beyond torch's arguments."""
    for outside, cautious, centered, decay in itertools.product(
        [False, True],
        [False, True],
        [False, True],
        [
            {},
            {"decoupled_decay": True},
            {"decoupled_decay": True, "corrected_weight_decay": True},
        ],
    ):
        args = {"momentum": 0.9, "eps": 1e-2, "weight_decay": 0.01, **decay}
        args |= {"lr_in_momentum": not outside, "caution": cautious}
        yield cases.TIMM, args | {"centered": centered}, BOTH


AFTERWARDS = "optax.chain(rmsprop, add_decayed_weights(0.01))"
_LIVE = {
    "optax": [*flagged(), *chained()],
    "torch": switched("torch", cases.TORCH),
    "timm": [*switched("timm", cases.TIMM), *timms()],
    "sb3": switched("sb3", cases.SB3),
    "bitsandbytes": switched("bitsandbytes", cases.BITSANDBYTES, ["float32"]),
    "keras": switched("keras", cases.KERAS),
    "tf_keras": [
        (kind, args | {"jit_compile": False}, dtypes)
        for kind, args, dtypes in switched("keras", cases.TF_KERAS)
    ],
    "tf_keras_legacy": switched("tf_keras_legacy", cases.TF_KERAS_LEGACY),
    "tf1": switched("tf1", cases.TF1),
    "paddle": switched("paddle", cases.PADDLE),
}
LIVE = {name: {str(case[:2]): case for case in runs} for name, runs in _LIVE.items()}

# Their switches, where they are not at their default → what they mean here; a later one
# overrides. At the default, the row has to know.
_SWITCHES = {
    ("eps_in_sqrt", False): {"eps_placement": "outside"},
    ("eps_inside_sqrt", True): {"eps_placement": "inside"},
    ("lr_in_momentum", False): {"lr_placement": "after_trace"},
    ("decoupled_decay", True): {"weight_decay_form": "decoupled"},
    ("corrected_weight_decay", True): {"weight_decay_form": "corrected"},
    ("jit_compile", True): {},
}


def ours(name, kind, args, peak=None, backend=None):
    """The options of `rmsprop` that a case of a run means.

    Args:
        name: The run.
        kind: The framework's class.
        args: Arguments by its names.
        peak: The learning rate that timm was constructed with.
        backend: What computes for Keras.
    """
    args, row = dict(args), DIALECTS[ROWS[name]]
    options = {"dialect": ROWS[name]}
    for (switch, changed), meaning in _SWITCHES.items():
        if args.pop(switch, None) == changed:
            options |= meaning
    if options.get("weight_decay_form") == "corrected":
        options["peak_learning_rate"] = peak
    decay = re.search(r"(?:decayed_weights|WeightDecay)\((.+?)\)", f"{kind} {args}")
    if decay:
        before = kind != AFTERWARDS and kind != cases.DECOUPLED
        options["weight_decay"] = float(decay[1])
        options["weight_decay_form"] = "coupled" if before else "decoupled"
    args.pop("hooks", None)
    if row.momentum_needs_centered and not args.get(row.names["centered"]):
        del args[row.names["momentum"]]
    if kind == cases.BITSANDBYTES:
        args.pop("momentum", None)
    names = {theirs: ours for ours, theirs in row.names.items()}
    options |= {names[name]: value for name, value in args.items()}
    # Their 0 and None keep no slot; our 0.0 does.
    for option in ("momentum", "weight_decay"):
        options[option] = options.get(option) or False
    if row.keeps_trace:
        options["momentum"] = options["momentum"] or 0.0
    # On TensorFlow, Keras makes weight decay a float32 tensor before it casts it.
    if ROWS[name] == "keras" and backend == "tensorflow" and options["weight_decay"]:
        options["weight_decay"] = float(np.float32(options["weight_decay"]))
    return options


def textbook(dialect, **options):
    """The options of the oracle that those of `rmsprop` mean."""
    row = DIALECTS[dialect]
    full = dataclasses.asdict(row.rule) | {"decay": row.decay, "eps": row.eps} | options
    del full["complex_form"]
    trace = full["momentum"] or row.keeps_trace
    return full | {"momentum": full["momentum"] if trace else None}


def wrong_rules(right, peak):
    """The choices that make another rule of the right one, each alone."""
    placement = "inside_with_trace" if right["momentum"] else "inside"
    inside = right["eps_placement"] in {"inside", placement}
    if right["eps"]:
        yield {"eps_placement": "outside" if inside else "inside"}
    yield {"nu_init": 1.0 - right["nu_init"]}
    yield {"moment": "tensor"}
    yield {"centered": not right["centered"]}
    yield {"bias_correction": not right["bias_correction"]}
    if right["momentum"]:
        within = right["lr_placement"] == "in_trace"
        yield {"lr_placement": "after_trace" if within else "in_trace"}
        yield {"nesterov": not right["nesterov"]}
        yield {"cautious": not right["cautious"]}
    if right["weight_decay"]:
        for form in ("coupled", "decoupled", "corrected"):
            if form != right["weight_decay_form"]:
                yield {"weight_decay_form": form, "peak_learning_rate": peak}


def drowned(right, wrong):
    """Whether ν₀ = 1 drowns what is wrong in float32, so that only float64 shows it.

    An ε of 1e-10 beside it is below its rounding: where ε stands is seen in float32 in
    the cases of a large ε. At ρ = 0.999 it outlasts the probe, and the mean with it.
    """
    name, lasting = next(iter(wrong)), right["decay"] >= 0.999
    small = {"eps_placement": right["eps"] < 1e-3, "centered": lasting}
    return bool(right["nu_init"]) and small.get(name, False)


def nearest_wrong(right, dtype, problem):
    """Tolerances to the path of the nearest wrong rule, and which choice is wrong."""
    start, grads, rates = problem
    path, peak = oracle(start, grads, rates, **right), float(rates[0])
    others = {
        # The first says what is wrong, whatever else that takes.
        "{}={}".format(*next(iter(wrong.items()))): right | wrong
        for wrong in wrong_rules(right, peak)
        if dtype == "float64" or not drowned(right, wrong)
    }
    return min(
        (tolerances_apart(oracle(*problem, **other), path, start, dtype), wrong)
        for wrong, other in others.items()
    )


def gaps(name, cases, paths, problem, dtype, **known):
    """Case → tolerances between the framework's path and that of `rmsprop`."""
    start, grads, rates = problem
    known |= {"peak": float(np.asarray(rates, dtype)[0])}
    options = [ours(name, *case[:2], **known) for case in cases.values()]
    factories = [partial(rmsprop, **x) for x in options]
    follow = trajectories(factories, start, grads, rates, dtype)
    return {
        case: tolerances_apart(path, theirs, start, dtype)
        for case, path, theirs in zip(cases, follow, paths, strict=True)
    }


def optax_paths(cases, problem, dtype):
    """What Optax itself computes, case by case."""

    def factory(rate, kind, args):
        if kind == AFTERWARDS:
            decay = optax.add_decayed_weights(lambda count: -0.01 * rate(count))
            return optax.chain(optax.rmsprop(rate, **args), decay)
        return optax_chain(kind, rate, args)

    factories = [
        partial(factory, kind=kind, args=args) for kind, args, _ in cases.values()
    ]
    # Optax raises ρ to an int32 count, which strict promotion refuses.
    with jax.numpy_dtype_promotion("standard"):
        return trajectories(factories, *problem, dtype)
