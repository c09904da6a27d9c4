import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from rmsprop_jax import rmsprop
from rmsprop_jax.train.models import MODELS, build
from rmsprop_jax.train.recurrent import RECURRENT

SLOW = partial(pytest.param, marks=pytest.mark.slow)
EPS = float(np.finfo(np.float32).eps)
OF_IMAGES = [name for name in MODELS if name not in RECURRENT]


def made(name, shape=(8, 8, 1), outputs=10, **options):
    return build(name, shape, outputs, rngs=nnx.Rngs(0), **options)


def images(count=6, side=8):
    values = np.random.default_rng(0).standard_normal((count, side, side, 1))
    return jnp.asarray(values, jnp.float32)


def shapes(model):
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    return [tuple(leaf.shape) for leaf in jax.tree.leaves(params)]


def size(model):
    return sum(int(np.prod(shape)) for shape in shapes(model))


def judged(model, x):
    """Outputs in evaluation."""
    return nnx.jit(lambda model, x: model(x))(mode(model, training=False), x)


def mode(model, training):
    (model.train if training else model.eval)()
    return model


@pytest.mark.parametrize("side", [8, 28])
@pytest.mark.parametrize("name", OF_IMAGES)
def test_every_model_answers_every_image_in_float32(name, side):
    outputs = judged(made(name, (side, side, 1), outputs=7), images(3, side))
    assert (outputs.shape, outputs.dtype) == ((3, 7), jnp.float32)
    assert jnp.isfinite(outputs).all()


@pytest.mark.parametrize("name", OF_IMAGES)
def test_bfloat16_is_what_is_computed_in_and_nothing_else(name):
    narrow, wide = (made(name, dtype=dtype) for dtype in ("bfloat16", "float32"))
    params = jax.tree.leaves(nnx.state((narrow,), nnx.Param))
    assert {leaf.dtype for leaf in params} == {jnp.dtype("float32")}
    one, other = (judged(model, images()) for model in (narrow, wide))
    assert one.dtype == jnp.float32
    assert (one != other).any()
    # Some ten roundings to eight bits.
    np.testing.assert_allclose(one, other, atol=10 * 2**-8 * float(abs(other).max()))


def test_the_mlp_is_784_100_10():
    assert size(made("mlp", (28, 28, 1))) == 784 * 100 + 100 + 100 * 10 + 10


def test_linear_and_mlp_take_features_of_any_shape():
    assert size(made("linear", (10,), 1)) == 11
    assert size(made("mlp", (5, 2, 3), 1, hidden=4)) == 30 * 4 + 4 + 4 + 1


def test_the_cnn_is_32_64_128():
    convolutions = 9 * 32 + 32 + 9 * 32 * 64 + 64
    dense = 7 * 7 * 64 * 128 + 128 + 128 * 10 + 10
    assert size(made("cnn", (28, 28, 1), hidden=128)) == convolutions + dense


def textbook_cnn(params, x):
    """Convolution, bias, rectification, pooling, in that order, by JAX and Flax."""
    for layer in (params["first"], params["second"]):
        x = jax.lax.conv_general_dilated(
            x,
            layer["conv"]["kernel"],
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        x = jax.nn.relu(x + layer["bias"].reshape(1, 1, 1, -1))
        x = nnx.max_pool(x, (2, 2), (2, 2))
    x = x.reshape(x.shape[0], -1) @ params["hidden"]["kernel"]
    x = jax.nn.relu(x + params["hidden"]["bias"].reshape(1, -1))
    return x @ params["out"]["kernel"] + params["out"]["bias"].reshape(1, -1)


def test_the_cnn_is_that_of_the_textbook_and_so_are_its_gradients():
    graph, state = nnx.split(made("cnn", (12, 12, 1), hidden=16))
    rng = np.random.default_rng(1)
    params = jax.tree.map(
        lambda p: p + jnp.asarray(rng.standard_normal(p.shape) / 10, p.dtype),
        nnx.to_pure_dict(state),
    )
    x = images(side=12)

    def loss(outputs):
        return jnp.sin(outputs).sum()

    ours = jax.jit(jax.value_and_grad(lambda p: loss(nnx.merge(graph, p)(x))))(params)
    theirs = jax.jit(jax.value_and_grad(lambda p: loss(textbook_cnn(p, x))))(params)
    for one, other in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        # The longest sum: 6 images of 12 x 12; errors of a sum grow with its root.
        atol = 4 * np.sqrt(6 * 144) * EPS * float(jnp.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


@pytest.mark.parametrize(
    "name",
    ["linear", "mlp", SLOW("cnn"), SLOW("strong")],
)
def test_every_model_learns_sixteen_images_by_heart(name):
    graph, *states = nnx.split(made(name), nnx.Param, nnx.BatchStat)
    params, stats = map(nnx.to_pure_dict, states)
    x, y = images(16), jnp.arange(16, dtype=jnp.int32) % 10
    tx = rmsprop(3e-3)

    def loss(params, stats, key):
        model = mode(nnx.merge(graph, params, stats), training=True)
        outputs = model(x, rngs=nnx.Rngs(dropout=key))
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, y)
        return losses.mean(), nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))

    def step(carry, key):
        params, stats, state = carry
        (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(
            params, stats, key
        )
        updates, state = tx.update(grads, state)
        return (optax.apply_updates(params, updates), stats, state), value

    keys = jax.random.split(jax.random.key(0), 80)
    carry = params, stats, tx.init(params)
    _, losses = jax.jit(lambda carry: jax.lax.scan(step, carry, keys))(carry)
    assert losses[0] > 1.5
    assert losses[-1] < 0.5


def test_in_training_strong_drops_by_its_key_and_remembers_its_batches():
    x = images()
    model = mode(made("strong"), training=True)
    before = nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
    trained = nnx.jit(lambda model, key: model(x, rngs=nnx.Rngs(dropout=key)))
    one, same, other = (trained(model, jax.random.key(n)) for n in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    after = nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
    assert all(
        (a != b).any()
        for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True)
    )


def test_in_evaluation_strong_needs_no_key_and_judges_each_image_alone():
    x = images()
    model = made("strong")
    before = nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
    alone = jnp.concatenate([judged(model, x[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(
        judged(model, x), alone, atol=64 * EPS * float(abs(alone).max())
    )
    after = nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_an_unknown_name_is_refused_with_those_known():
    with pytest.raises(
        ValueError, match="model='vgg': expected one of linear, mlp, cnn"
    ):
        made("vgg")


@pytest.mark.parametrize("shape", [(784,), (3, 8, 1), (8, 7), (8, 3, 1)])
@pytest.mark.parametrize("name", ["cnn", "strong"])
def test_what_is_no_image_or_too_small_is_refused_with_the_way_out(name, shape):
    said = f"model={name!r} on examples of shape {shape}: expected images"
    with pytest.raises(ValueError, match=re.escape(said)) as refusal:
        made(name, shape)
    assert "model='mlp'" in str(refusal.value)


def test_strong_wants_eight_pixels_where_the_cnn_does_with_four():
    assert shapes(made("cnn", (4, 5, 1)))
    with pytest.raises(ValueError, match="of 8 x 8 pixels or more, because it halves"):
        made("strong", (8, 7, 1))
