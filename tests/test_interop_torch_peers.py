"""States of timm, stable-baselines3 and bitsandbytes, by hand and from themselves."""

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import tolerances_apart

from rmsprop_jax import convert_state, rmsprop
from rmsprop_jax.interop import torch as interop

torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
pytestmark = pytest.mark.parity

COMMON = {
    "lr": 0.01,
    "momentum": 0.9,
    "alpha": 0.95,
    "eps": 1e-3,
    "centered": True,
    "weight_decay": 0.1,
}
TIMM = {
    **COMMON,
    "decoupled_decay": False,
    "corrected_weight_decay": False,
    "max_lr_snapshot": None,
    "lr_in_momentum": True,
    "caution": False,
    "foreach": None,
}
OURS = {
    "learning_rate": 0.01,
    "momentum": 0.9,
    "decay": 0.95,
    "eps": 1e-3,
    "centered": True,
    "weight_decay": 0.1,
}
PEERS = {
    "timm": (TIMM, None, {"dialect": "timm"}),
    "timm as torch": (
        {**TIMM, "lr_in_momentum": False},
        None,
        {"dialect": "timm", "lr_placement": "after_trace"},
    ),
    "timm decoupled": (
        {**TIMM, "decoupled_decay": True},
        None,
        {"dialect": "timm", "weight_decay_form": "decoupled"},
    ),
    "timm corrected": (
        {
            **TIMM,
            "decoupled_decay": True,
            "corrected_weight_decay": True,
            "max_lr_snapshot": 0.5,
        },
        None,
        {
            "dialect": "timm",
            "weight_decay_form": "corrected",
            "peak_learning_rate": 0.5,
        },
    ),
    "timm cautious": ({**TIMM, "caution": True}, None, {"cautious": True}),
    "sb3": (COMMON, "sb3", {"dialect": "sb3"}),
    "old torch": (COMMON, "torch", {"dialect": "torch"}),
}
PARAMS = {"w": jnp.zeros((2, 3))}


def saved(group, step=7.0):
    """A state_dict as the framework writes it."""
    rng = np.random.default_rng(0)
    mu, extra, trace = rng.standard_normal((3, 2, 3)).astype(np.float32)
    entry = {
        "step": torch.tensor(step),
        "square_avg": torch.tensor(mu**2 + extra**2),
        "momentum_buffer": torch.tensor(trace),
        "grad_avg": torch.tensor(mu),
    }
    return {"state": {0: entry}, "param_groups": [{**group, "params": [0]}]}


@pytest.mark.parametrize(("group", "dialect", "meaning"), PEERS.values(), ids=PEERS)
def test_a_group_means(group, dialect, meaning):
    source = saved(group)
    tx, state = interop.load(source, PARAMS, names=["w"], dialect=dialect)
    meant = rmsprop(**{"dialect": "timm", **OURS, **meaning})
    assert tx.rule == meant.rule
    assert jax.tree.map(float, state.hyperparams) == jax.tree.map(
        float, meant.init(PARAMS).hyperparams
    )
    np.testing.assert_array_equal(
        state.trace["w"], source["state"][0]["momentum_buffer"]
    )
    whose = dialect or "timm"
    back = interop.dump(tx, state, PARAMS, names=["w"], dialect=whose)
    group = group | ({} if group.get("max_lr_snapshot") else {"max_lr_snapshot": 0.01})
    if whose == "torch":
        group |= dict.fromkeys(("capturable", "maximize", "differentiable"), False)
        group |= {"foreach": None}
    if whose != "timm":
        group = {k: v for k, v in group.items() if k != "max_lr_snapshot"}
    assert back["param_groups"] == [{**group, "params": [0]}]
    assert isinstance(back["state"][0]["step"], int) == (whose == "sb3")


def test_settings_without_effect_are_left_out():
    group = {**TIMM, "momentum": 0, "caution": True, "weight_decay": 0}
    source = saved(group)
    del source["state"][0]["momentum_buffer"]
    tx, state = interop.load(source, PARAMS, names=["w"])
    assert state.trace is None
    assert not tx.rule.cautious
    assert state.hyperparams.weight_decay is None


def test_a_group_that_could_be_torchs_or_sb3s_is_refused():
    with pytest.raises(
        ValueError, match=r"before 1\.12, or .*dialect='torch' or 'sb3'"
    ):
        interop.load(saved(COMMON), PARAMS, names=["w"])


BNB = {"lr": 0.01, "betas": (0.95, 0.9), "eps": 1e-3, "weight_decay": 0.1}


@pytest.mark.parametrize("nested", [True, False])
def test_eight_bits_are_a_level_times_the_largest_of_their_block(nested):
    rng = np.random.default_rng(0)
    levels = np.sort(rng.uniform(-1, 1, 256)).astype(np.float32)
    levels[128:] = np.abs(levels[128:])
    codes = rng.integers(128, 256, (100, 5)).astype(np.uint8)
    largest = np.array([2.0, 3.0], np.float32)
    parts = {"state1": codes, "qmap1": levels, "absmax1": largest}
    parts = {name: torch.tensor(x) for name, x in parts.items()}
    entry = {"__bnb_optimizer_quant_state__": parts} if nested else parts
    source = {
        "state": {0: {"step": 3, **entry}},
        "param_groups": [{**BNB, "params": [0]}],
    }
    params = {"w": jnp.zeros((100, 5))}
    tx, state = interop.load(source, params, names=["w"])
    expected = [
        levels[code] * (2.0 if i < 256 else 3.0) for i, code in enumerate(codes.ravel())
    ]
    np.testing.assert_array_equal(state.nu["w"].ravel(), np.float32(expected))
    assert state.trace is None
    meant = rmsprop(
        0.01, dialect="bitsandbytes", decay=0.95, eps=1e-3, weight_decay=0.1
    )
    assert tx.rule == meant.rule
    assert state.hyperparams == meant.init(params).hyperparams

    held = source["state"][0]
    held = held.get("__bnb_optimizer_quant_state__", held)
    held["absmax1"] = held["absmax1"][:1]
    with pytest.raises(ValueError, match=r"w: .*absmax1 of 2 blocks, got .*\(1,\)"):
        interop.load(source, params, names=["w"])
    held["state2"] = held["state1"]
    with pytest.raises(ValueError, match="w: expected state1, and no state2"):
        interop.load(source, params, names=["w"])


@pytest.fixture
def foreign(monkeypatch):
    """A class of another package, of which nothing else is imported."""

    def find(module, name):
        root, *rest = module.split(".")
        spec = find_spec(root)
        if spec is None:
            pytest.skip(f"needs {root}, of the extra parity")
        folder = Path(spec.origin).parent
        for i in range(len(rest)):
            package = ModuleType(".".join([root, *rest[:i]]))
            package.__path__ = [str(folder.joinpath(*rest[:i]))]
            monkeypatch.setitem(sys.modules, package.__name__, package)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return getattr(importlib.import_module(module), name)

    return find


TIMM_CLASS = "timm.optim.rmsprop_tf", "RMSpropTF"
SB3_CLASS = "stable_baselines3.common.sb2_compat.rmsprop_tf_like", "RMSpropTFLike"
MORE = {"momentum": 0.9, "centered": True, "weight_decay": 0.01, "eps": 1e-3}
LIVE = {
    "timm": (TIMM_CLASS, MORE, None),
    "timm as torch": (TIMM_CLASS, {**MORE, "lr_in_momentum": False}, None),
    "timm decoupled": (TIMM_CLASS, {**MORE, "decoupled_decay": True}, None),
    "timm corrected": (
        TIMM_CLASS,
        {**MORE, "decoupled_decay": True, "corrected_weight_decay": True},
        None,
    ),
    "timm cautious": (TIMM_CLASS, {**MORE, "caution": True}, None),
    "sb3": (SB3_CLASS, MORE, "sb3"),
}


def gradient(seed, shape=(5, 7)):
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], shape) * rng.uniform(0.5, 1.5, shape).astype(np.float32)


def side_by_side(optimizer, p, tx, state, seeds):
    """Both paths, where they began, and our state."""
    params = {"w": jnp.asarray(p.detach().numpy().copy())}
    start, path, theirs = np.asarray(params["w"]), [], []
    for seed in seeds:
        g = gradient(seed).astype(np.float32)
        p.grad = torch.tensor(g)
        optimizer.step()
        updates, state = tx.update({"w": jnp.asarray(g)}, state, params)
        params = optax.apply_updates(params, updates)
        path.append(np.asarray(params["w"]))
        theirs.append(p.detach().numpy().copy())
    return np.stack(path), np.stack(theirs), start, state


@pytest.mark.parametrize(("where", "arguments", "dialect"), LIVE.values(), ids=LIVE)
def test_we_go_on_as_the_framework_does_and_it_as_we(
    foreign, where, arguments, dialect
):
    p = torch.nn.Parameter(torch.ones(5, 7))
    optimizer = foreign(*where)([p], lr=0.1, **arguments)
    for seed in range(20):
        p.grad = torch.tensor(gradient(seed).astype(np.float32))
        optimizer.step()
    optimizer.param_groups[0]["lr"] = 0.03
    params = {"w": jnp.asarray(p.detach().numpy())}
    tx, state = interop.load(optimizer, params, names=["w"], dialect=dialect)
    path, theirs, start, state = side_by_side(optimizer, p, tx, state, range(20, 40))
    assert tolerances_apart(path, theirs, start, np.float32) < 1
    whose = dialect or "timm"
    optimizer.load_state_dict(
        interop.dump(tx, state, params, names=["w"], dialect=whose, like=optimizer)
    )
    path, theirs, start, state = side_by_side(optimizer, p, tx, state, range(40, 60))
    assert tolerances_apart(path, theirs, start, np.float32) < 1


def test_bitsandbytes_reads_its_eight_bits_alike():
    if find_spec("bitsandbytes") is None:
        pytest.skip("needs bitsandbytes, of the extra parity")
    import bitsandbytes

    p = torch.nn.Parameter(torch.ones(70, 80))
    optimizer = bitsandbytes.optim.RMSprop8bit([p], lr=0.01)
    p.grad = torch.tensor(gradient(0, (70, 80)).astype(np.float32))
    optimizer.step()
    (entry,) = optimizer.state_dict()["state"].values()
    parts = {**entry, **entry.get("__bnb_optimizer_quant_state__", {})}
    assert parts["state1"].dtype == torch.uint8
    expected = bitsandbytes.functional.dequantize_blockwise(
        parts["state1"], absmax=parts["absmax1"], code=parts["qmap1"], blocksize=256
    )
    params = {"w": jnp.zeros((70, 80))}
    float32 = rmsprop(0.01, dialect="bitsandbytes")
    into = float32, float32.init(params)
    _, state = interop.load(optimizer, params, names=["w"], into=into)
    np.testing.assert_array_equal(state.nu["w"], expected.numpy())

    tx, state = interop.load(optimizer, params, names=["w"])
    assert state.nu["w"].dtype == jnp.uint8
    nu = convert_state(state, float32, params).nu["w"]
    # Three bits behind the leading one, rounded to nearest; a zero stays one.
    np.testing.assert_allclose(nu, expected.numpy(), rtol=2**-4)
    tx.update({"w": jnp.ones((70, 80))}, state)
