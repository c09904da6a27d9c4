"""Optimizer states of torch, in memory and in files, and what is refused as one."""

import pickle

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import tolerances_apart

from rmsprop_jax import param_groups
from rmsprop_jax.interop import torch as interop

torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
pytestmark = pytest.mark.parity

SHAPES = {
    "conv.weight": (4, 2, 3, 3),
    "conv.bias": (4,),
    "out.weight": (3, 4),
    "out.bias": (3,),
}
NAMES = list(SHAPES)
STEPS = 20
ALL = {"momentum": 0.9, "centered": True, "weight_decay": 0.01}


def tensors(seed):
    rng = np.random.default_rng(seed)
    drawn = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    return {name: torch.tensor(x, dtype=torch.float32) for name, x in drawn.items()}


def like():
    return {
        "conv": {"kernel": jnp.zeros((3, 3, 2, 4)), "bias": jnp.zeros(4)},
        "out": {"kernel": jnp.zeros((4, 3)), "bias": jnp.zeros(3)},
    }


def ours(found):
    return interop.params(found, like())


def vector(params):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)])


def step(params, optimizer, seed):
    for name, g in tensors(seed).items():
        if params[name].requires_grad:
            params[name].grad = g
    optimizer.step()


def trained(arguments, grouped=lambda params: params.values(), frozen=()):
    """Torch's parameters and its optimizer, after some steps."""
    params = {name: torch.nn.Parameter(x) for name, x in tensors(0).items()}
    for name in frozen:
        params[name].requires_grad_(False)
    optimizer = torch.optim.RMSprop(grouped(params), **arguments)
    for seed in range(STEPS):
        step(params, optimizer, seed)
    return params, optimizer


def beside(params, optimizer, tx, state):
    """Both paths over the next gradients, where they began, and our state."""
    here = ours(params)
    start, path, theirs, update = vector(here), [], [], jax.jit(tx.update)
    for seed in range(STEPS, 2 * STEPS):
        step(params, optimizer, seed)
        updates, state = update(ours(tensors(seed)), state, here)
        here = optax.apply_updates(here, updates)
        path.append(vector(here))
        theirs.append(vector(ours(params)))
    return np.stack(path), np.stack(theirs), start, state


VARIANTS = {
    "plain": {},
    "all": ALL,
    "a tensor of a rate": {"lr": torch.tensor(3e-3), "momentum": 0.5},
}


@pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)
def test_we_go_on_as_torch_does(arguments):
    params, optimizer = trained(arguments)
    tx, state = interop.load(optimizer, ours(params), names=NAMES)
    path, theirs, start, state = beside(params, optimizer, tx, state)
    assert tolerances_apart(path, theirs, start, np.float32) < 1
    assert int(state.count) == 2 * STEPS
    dumped, expected = (
        interop.dump(tx, state, like(), names=NAMES),
        optimizer.state_dict(),
    )
    rates = [x["param_groups"][0].pop("lr") for x in (dumped, expected)]
    assert np.float32(rates[0]) == np.float32(rates[1])
    assert dumped["param_groups"] == expected["param_groups"]
    for i, entry in expected["state"].items():
        assert {k: (x.shape, x.dtype) for k, x in entry.items()} == {
            k: (x.shape, x.dtype) for k, x in dumped["state"][i].items()
        }
        assert dumped["state"][i]["step"] == entry["step"]


def two_groups(params):
    conv, out = list(params.values())[:2], list(params.values())[2:]
    return [{"params": conv, "lr": 3e-2, "weight_decay": 0.1}, {"params": out}]


STILL = {"conv": False, "out": {"kernel": True, "bias": False}}


def test_two_groups_with_a_frozen_parameter_go_on_from_a_file(tmp_path):
    params, optimizer = trained(ALL, two_groups, frozen=["out.weight"])
    file = tmp_path / "checkpoint.pt"
    torch.save({"epoch": 3, "optimizer": optimizer.state_dict()}, file)
    tx, state = interop.load(file, ours(params), names=NAMES, key="optimizer")
    (kernel,) = [
        one.inner_state.nu["out"]["kernel"]
        for group, one in state.inner_states.items()
        if "out" in group
    ]
    np.testing.assert_array_equal(kernel, np.zeros((4, 3)))

    chain = optax.chain(tx, optax.masked(optax.set_to_zero(), STILL))
    both = (state, chain.init(like())[1])
    path, theirs, start, both = beside(params, optimizer, chain, both)
    assert tolerances_apart(path, theirs, start, np.float32) < 1
    dumped = interop.dump(tx, both[0], like(), names=NAMES, like=optimizer)
    assert dumped["param_groups"] == optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict(dumped)


def test_groups_are_neighbours_with_equal_settings():
    default = {"learning_rate": 0.01, "dialect": "torch"}
    frozen = {"conv/bias": optax.set_to_zero()}
    tx = param_groups({"out/bias": {"learning_rate": 0.02}, **frozen}, default=default)
    dumped = interop.dump(tx, tx.init(like()), like(), names=NAMES)
    groups = [(g["lr"], g["params"]) for g in dumped["param_groups"]]
    assert groups == [(0.01, [0, 1, 2]), (0.02, [3])]
    assert list(dumped["state"]) == [0, 2, 3]


def test_names_inside_the_file_are_enough():
    params, optimizer = trained(ALL, lambda params: list(params.items()))
    tx, state = interop.load(optimizer.state_dict(), ours(params))
    named = interop.load(optimizer.state_dict(), ours(params), names=NAMES)
    chex.assert_trees_all_equal(state, named[1])
    dumped = interop.dump(tx, state, like(), like=optimizer)
    assert dumped["param_groups"][0]["param_names"] == NAMES


def test_ids_that_are_names_are_names():
    params, optimizer = trained(ALL)
    saved = optimizer.state_dict()
    sharded = {
        "state": dict(zip(NAMES, saved["state"].values(), strict=True)),
        "param_groups": [{**saved["param_groups"][0], "params": NAMES}],
    }
    tx, state = interop.load(sharded, ours(params))
    named = interop.load(saved, ours(params), names=NAMES)
    chex.assert_trees_all_equal(state, named[1])
    assert list(interop.dump(tx, state, like(), like=sharded)["state"]) == NAMES


def test_the_largest_count_of_steps_is_the_count():
    params, optimizer = trained({})
    saved = optimizer.state_dict()
    saved["state"][1]["step"] = 25  # a number, as in old files
    _, state = interop.load(saved, ours(params), names=NAMES)
    assert int(state.count) == 25


def test_an_optimizer_that_made_no_step_starts_as_torchs():
    optimizer = torch.optim.RMSprop(tensors(0).values(), **ALL)
    tx, state = interop.load(optimizer, like(), names=NAMES)
    chex.assert_trees_all_equal(state, tx.init(like()))


def test_bfloat16_becomes_float32():
    params, optimizer = trained(ALL)
    saved = optimizer.state_dict()
    for entry in saved["state"].values():
        entry["square_avg"] = entry["square_avg"].bfloat16()
    _, state = interop.load(saved, ours(params), names=NAMES)
    found = ours(
        {
            n: e["square_avg"].float()
            for n, e in zip(NAMES, saved["state"].values(), strict=True)
        }
    )
    mean = state.mu["out"]["bias"]
    expected = np.maximum(found["out"]["bias"] - mean**2, 0)
    np.testing.assert_allclose(state.nu["out"]["bias"], expected, rtol=1e-5)


def damaged(file):
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def bare_pickle(file):
    file.write_bytes(pickle.dumps({"state": {}, "param_groups": [np.array]}))


def arbitrary(file):
    torch.save({"state": {}, "param_groups": np.array([1])}, file)


def text(file):
    file.write_text("lr: 0.01")


@pytest.mark.parametrize("spoil", [damaged, bare_pickle, arbitrary, text])
def test_a_file_is_refused_that_is(spoil, tmp_path):
    file = tmp_path / "optimizer.pt"
    torch.save(trained(ALL)[1].state_dict(), file)
    spoil(file)
    with pytest.raises(ValueError, match=r"optimizer.pt: (holds more|cannot be read)"):
        interop.load(file, like(), names=NAMES)


def test_no_code_in_a_pickle_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "sprung").touch, ()

    file = tmp_path / "optimizer.pt"
    torch.save({"state": {}, "param_groups": [{"params": Trap()}]}, file)
    with pytest.raises(ValueError, match="A pickle can run any code"):
        interop.load(file, like(), names=NAMES)
    assert not (tmp_path / "sprung").exists()
