"""A weight-decay mask on the way to other frameworks: groups with and without decay."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from keras_by_hand import PARAMS as KERAS_PARAMS
from keras_by_hand import RMSprop
from test_interop_snapshot import PARAMS, PATHS, stepped

from rmsprop_jax import param_groups, recipe, rmsprop
from rmsprop_jax.interop import keras, torch
from rmsprop_jax.interop.snapshot import extract, install

TORCH = {"learning_rate": 0.1, "dialect": "torch", "momentum": 0.9}
KERNELS = ("conv/kernel", "out/kernel")


def matrices(params):
    return jax.tree.map(lambda x: x.ndim > 1, params)


def decays(tx, **more):
    """Each leaf's weight decay, as another framework is told it."""
    snapshot = extract(tx, tx.init(PARAMS), PARAMS, **more)
    return {
        path: group.options["weight_decay"]
        for group in snapshot.groups
        for path in group.paths
    }


@pytest.mark.parametrize(
    "mask", [matrices, {"conv": {"bias": False, "kernel": True}, "out": True}]
)
def test_what_a_mask_spares_is_a_group_without_weight_decay(mask):
    tx = rmsprop(**TORCH, weight_decay=0.5, weight_decay_mask=mask)
    assert decays(tx) == {"conv/bias": False, **dict.fromkeys(KERNELS, 0.5)}
    state = stepped(tx, tx.init(PARAMS))
    groups, filled = install(extract(tx, state, PARAMS), PARAMS)
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    one, other = (
        x.update(grads, its_state, grads)[0]
        for x, its_state in ((tx, state), (groups, filled))
    )
    for ours, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"weight_decay": 0.5},
        {"weight_decay": 0.5, "weight_decay_mask": lambda _: True},
        {"weight_decay": 0.0, "weight_decay_mask": matrices},
    ],
)
def test_one_group_stays_one(options):
    tx = rmsprop(**TORCH, **options)
    (group,) = extract(tx, tx.init(PARAMS), PARAMS).groups
    assert group.paths == PATHS


def test_a_mask_inside_a_group_is_asked_about_that_groups_leaves():
    masked = {"weight_decay": 0.5, "weight_decay_mask": matrices}
    tx = param_groups({"^conv": masked}, default=TORCH | {"weight_decay": 0.25})
    assert decays(tx) == {
        "conv/bias": False,
        "conv/kernel": 0.5,
        "out/kernel": 0.25,
    }


def test_a_recipe_tells_its_mask():
    tx = recipe(
        "mnasnet", steps_per_epoch=10, batch_size=256, weight_decay_mask=matrices
    )
    assert decays(tx) == {"conv/bias": False, **dict.fromkeys(KERNELS, 1e-5)}


def test_a_recipe_that_clips_tells_it_too():
    tx = recipe("unet-milesial", weight_decay_mask=matrices)
    assert decays(tx) == {"conv/bias": False, **dict.fromkeys(KERNELS, 1e-8)}


def kernels(params):
    return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)


def test_a_mask_is_asked_about_the_parameters_and_not_how_nnx_holds_their_state():
    model, decay = nnx.Linear(2, 3, rngs=nnx.Rngs(0)), {"weight_decay": 0.5}
    held = nnx.Optimizer(model, rmsprop(**TORCH, **decay), wrt=nnx.Param).opt_state
    tx = rmsprop(**TORCH, **decay, weight_decay_mask=kernels)
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    groups = extract(tx, held, params).groups
    told = {group.paths: group.options["weight_decay"] for group in groups}
    assert told == {("bias",): False, ("kernel",): 0.5}


def test_a_chain_does_not_tell():
    one = rmsprop(**TORCH, weight_decay=0.5, weight_decay_mask=matrices)
    tx = optax.chain(optax.clip(1.0), one)
    assert set(decays(tx, rule=one.rule).values()) == {0.5}


KERAS = {"dialect": "keras", "decay": 0.75, "eps": 1e-3, "momentum": 0.5}


def test_keras_takes_a_state_whose_mask_is_its_exclusion():
    mask = jax.tree.map_with_path(lambda path, _: path[-1].key != "bias", KERAS_PARAMS)
    arguments = KERAS | {"centered": True, "weight_decay": 0.5}
    target = RMSprop(weight_decay=0.5, excluded=["bias"])
    for given, fits in ((mask, True), (None, False)):
        tx = rmsprop(1.0, **arguments, weight_decay_mask=given)
        state = tx.init(KERAS_PARAMS)
        if fits:
            keras.dump(tx, state, KERAS_PARAMS, target)
            continue
        with pytest.raises(
            ValueError, match=r"bias: weight_decay is 0\.5 in our state"
        ):
            keras.dump(tx, state, KERAS_PARAMS, target)


@pytest.mark.parity
def test_torch_gets_a_group_without_weight_decay():
    pytest.importorskip("torch", reason="needs torch, of the extra parity")
    tx = rmsprop(**TORCH, weight_decay=0.5, weight_decay_mask=matrices)
    names = ["conv.weight", "conv.bias", "out.weight"]
    params = PARAMS | {"conv": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)}}
    dumped = torch.dump(tx, tx.init(params), params, names=names)
    groups = [(g["weight_decay"], g["params"]) for g in dumped["param_groups"]]
    assert groups == [(0.5, [0]), (0, [1]), (0.5, [2])]
