"""Which parameters a recipe decays, and recipes inside other things."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from helpers import tolerance

import rmsprop_jax as rj

EFFICIENTNET = {"batch_size": 256, "steps_per_epoch": 10}


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3))(x)
        x = nn.BatchNorm(use_running_average=True)(x)
        x = nn.Conv(4, (3, 3), feature_group_count=4, use_bias=False)(x)
        x = nn.BatchNorm(use_running_average=True, use_scale=False, name="stem_bn")(x)
        return nn.Dense(3)(x.mean((1, 2)))


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(2, 4, (3, 3), rngs=rngs)
        self.bn1 = nnx.BatchNorm(4, rngs=rngs)
        self.dw = nnx.Conv(4, 4, (3, 3), feature_group_count=4, rngs=rngs)
        self.head = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return self.head(self.dw(self.bn1(self.conv(x))).mean((1, 2)))


def linen_params():
    """Shapes are enough."""
    image = jnp.ones((1, 4, 4, 2))
    return jax.eval_shape(LinenNet().init, jax.random.key(0), image)["params"]


def nnx_state():
    return nnx.state(nnx.eval_shape(lambda: NnxNet(nnx.Rngs(0))), nnx.Param)


def decaying(name, params):
    """Paths of the leaves that the recipe decays."""
    mask = rj.recipes()[name].spared.mask(params)
    assert jax.tree.structure(mask) == jax.tree.structure(params)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value")
        for path, leaf in jax.tree.leaves_with_path(mask)
        if leaf
    }


LINEN = {
    "torchvision-mobilenetv3": {
        "Conv_0/kernel",
        "Conv_0/bias",
        "BatchNorm_0/scale",
        "BatchNorm_0/bias",
        "Conv_1/kernel",
        "stem_bn/bias",
        "Dense_0/kernel",
        "Dense_0/bias",
    },
    "efficientnet": {
        "Conv_0/kernel",
        "Conv_0/bias",
        "Conv_1/kernel",
        "Dense_0/kernel",
        "Dense_0/bias",
    },
    "efficientnetv2": {"Conv_0/kernel", "Conv_1/kernel", "Dense_0/kernel"},
    "timm-efficientnet-b0": {"Conv_0/kernel", "Conv_1/kernel", "Dense_0/kernel"},
    "mobilenetv2-slim": {"Conv_0/kernel", "Dense_0/kernel"},
}
NNX = {
    "efficientnet": {
        "conv/kernel",
        "conv/bias",
        "dw/kernel",
        "dw/bias",
        "head/kernel",
        "head/bias",
    },
    "efficientnetv2": {"conv/kernel", "dw/kernel", "head/kernel"},
    "mobilenetv2-slim": {"conv/kernel", "head/kernel"},
}


@pytest.mark.parametrize(("name", "paths"), LINEN.items())
def test_a_linen_tree_decays_where_the_published_code_did(name, paths):
    assert decaying(name, linen_params()) == paths


@pytest.mark.parametrize(("name", "paths"), NNX.items())
@pytest.mark.parametrize("pure", [False, True])
def test_an_nnx_state_decays_where_the_published_code_did(name, paths, pure):
    state = nnx_state()
    assert decaying(name, nnx.to_pure_dict(state) if pure else state) == paths


@pytest.mark.parametrize(
    ("path", "spared"),
    [
        ("BatchNorm_0/bias", True),
        ("SyncBatchNorm_3/bias", True),
        ("tpu_batch_normalization_2/beta", True),
        ("bn1/bias", True),
        ("_bn0/bias", True),
        ("head_bn/bias", True),
        ("BN_1/bias", True),
        ("norm/bias", True),
        ("norm_2/bias", True),
        ("normal_cell/bias", False),
        ("abnormal/bias", False),
        ("dobn_to/bias", False),
        ("conv/bias", False),
    ],
)
def test_a_module_is_a_normalization_by_its_name(path, spared):
    module, leaf = path.split("/")
    params = {module: {leaf: jnp.ones(3)}}
    assert decaying("efficientnet", params) == (set() if spared else {path})


@pytest.mark.parametrize(
    ("module", "shape", "spared"),
    [
        ("conv", (3, 3, 1, 8), True),  # one input channel for each group
        ("conv", (3, 3, 8, 8), False),
        ("conv", (3, 1, 8), True),
        ("conv", (1, 1, 8, 1), False),
        ("dense", (1, 8), False),
        ("depthwise_conv", (3, 3, 8, 1), True),  # Keras' order
        ("conv_dw", (3, 3, 8, 1), True),
        ("dw", (3, 3, 8, 2), True),
        ("down", (3, 3, 8, 2), False),
    ],
)
def test_a_kernel_is_depthwise_by_its_shape_or_path(module, shape, spared):
    params = {module: {"kernel": jnp.ones(shape)}}
    left = set() if spared else {f"{module}/kernel"}
    assert decaying("mobilenetv2-slim", params) == left


class Layer(nnx.Module):
    def __init__(self, **shapes):
        for name, shape in shapes.items():
            setattr(self, name, nnx.Param(jnp.ones(shape)))


class Blocks(nnx.Module):
    def __init__(self):
        self.blocks = Layer(kernel=(6, 4, 4), bias=(6, 4))
        self.after = Layer(scale=(6, 4), bias=(6, 4))


@pytest.mark.parametrize("pure", [False, True])
def test_an_axis_of_layers_in_front_changes_nothing(pure):
    state = nnx.state(Blocks(), nnx.Param)
    params = nnx.to_pure_dict(state) if pure else state
    assert decaying("timm-efficientnet-b0", params) == {"blocks/kernel"}


@pytest.mark.parametrize("pure", [False, True])
def test_a_normalization_of_any_name_is_known_by_its_scale(pure):
    state = nnx.state(Blocks(), nnx.Param)
    params = nnx.to_pure_dict(state) if pure else state
    assert decaying("efficientnet", params) == {"blocks/kernel", "blocks/bias"}


def test_a_mask_of_ones_own_takes_the_place_of_the_rule():
    params = {"stem": {"kernel": jnp.ones((3, 3, 1, 8))}}  # a grey image, not depthwise
    given = {"batch_size": 96, "steps_per_epoch": 10}
    zeros = jax.tree.map(jnp.zeros_like, params)
    moved = []
    for mask in (None, {"stem": True}):
        tx = rj.recipe("mobilenetv2-slim", weight_decay_mask=mask, **given)
        updates, _ = tx.update(zeros, tx.init(params), params)
        moved.append(bool((updates["stem"]["kernel"] != 0).any()))
    assert moved == [False, True]


def test_weight_decay_acts_behind_the_clipping_as_pytorch_s_does():
    """Clipped to norm 1, then λ θ: the other order would clip that too."""
    tx = rj.recipe("unet-milesial")
    params, grads = {"w": jnp.full((2, 2), 1e9)}, {"w": jnp.full((2, 2), 50.0)}
    _, state = tx.update(grads, tx.init(params), params)
    nu = optax.tree.get(state, "nu")["w"]
    rtol = tolerance(np.float32, 1)
    np.testing.assert_allclose(nu, 0.01 * (0.5 + 10.0) ** 2, rtol=rtol)


def test_an_nnx_optimizer_trains_with_a_recipe_in_one_trace():
    model = NnxNet(nnx.Rngs(0))
    tx = rj.recipe("efficientnet", **EFFICIENTNET)
    optimizer = nnx.Optimizer(model, tx, wrt=nnx.Param)

    @nnx.jit
    @chex.assert_max_traces(n=1)
    def step(model, optimizer, x):
        loss, grads = nnx.value_and_grad(lambda m: (m(x) ** 2).mean())(model)
        optimizer.update(model, grads)
        return loss

    losses = [step(model, optimizer, jnp.ones((2, 4, 4, 2))) for _ in range(6)]
    assert losses[-1] < losses[0]


def test_a_chain_of_a_recipe_is_read_and_set_like_any_other():
    params = {"w": jnp.ones((2, 2))}
    tx = rj.recipe("a2c-sb3")
    state = tx.init(params)
    state = rj.set_hyperparams(state, learning_rate=1e-4)
    updates, state = tx.update(params, state, params)
    read = rj.metrics(state, tx.rule, grads=params, updates=updates)
    assert float(next(v for k, v in read.items() if "learning_rate" in k)) == (
        pytest.approx(1e-4)
    )
    rate = rj.effective_learning_rate(state, tx.rule)
    assert jax.tree.structure(rate) == jax.tree.structure(params)


def test_a_scheduled_rate_belongs_to_the_recipe():
    tx = rj.recipe("impala-paper", total_steps=10)
    state = tx.init({"w": jnp.ones(2)})
    with pytest.raises(ValueError, match="learning_rate"):
        rj.set_hyperparams(state, learning_rate=1e-4)
    assert rj.set_hyperparams(state, eps=1e-3)


@pytest.mark.parametrize("name", ["impala-torchbeast", "a3c-miyosuda", "pymarl", "ntm"])
def test_a_clipping_recipe_leaves_out_what_is_masked_or_none(name):
    given = {need: 10 for need in rj.recipes()[name].needs if need == "total_steps"}
    given |= {"learning_rate": 1e-3} if name == "ntm" else {}
    tx = rj.recipe(name, **given)
    params = {"a": jnp.ones(2), "none": None, "masked": optax.MaskedNode()}
    updates, state = tx.update(params, tx.init(params), params)
    assert jax.tree.structure(updates) == jax.tree.structure(params)
    assert int(optax.tree.get(state, "count")) == 1


def test_a_recipe_runs_under_jit_scan_and_multisteps():
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    tx = optax.MultiSteps(rj.recipe("impala-cleanba", total_steps=8), 2)

    @jax.jit
    def run(params):
        def step(carry, _):
            params, state = carry
            updates, state = tx.update(params, state, params)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, tx.init(params)), length=4)[0]

    with jax.numpy_dtype_promotion("standard"):  # MultiSteps divides by an integer
        moved, state = run(params)
    assert (moved["kernel"] < params["kernel"]).all()
    assert int(optax.tree.get(state.inner_opt_state, "count")) == 2
