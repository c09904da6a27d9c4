"""Every layout against the layers themselves, in torch and in Flax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from helpers import tolerance

from rmsprop_jax.interop import layout

RNG = np.random.default_rng(0)
LAYOUTS = {
    "same": (layout.same, (3, 4)),
    "linear": (layout.linear, (3, 4)),
    "conv1d": (layout.conv1d, (3, 4, 5)),
    "conv2d": (layout.conv2d, (3, 4, 5, 6)),
    "conv3d": (layout.conv3d, (3, 4, 5, 6, 7)),
    "conv_transpose2d": (layout.conv_transpose2d(), (3, 4, 5, 6)),
    "transpose_kernel": (layout.conv_transpose2d(transpose_kernel=True), (3, 4, 5, 6)),
    "linear_after_flatten": (layout.linear_after_flatten((3, 4, 5)), (7, 60)),
    "after 1d": (layout.linear_after_flatten((3, 4)), (7, 12)),
    "depthwise": (layout.depthwise(3), (5, 6, 4, 3)),
}


@pytest.mark.parametrize(("way", "shape"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_way_back_leads_back(way, shape):
    x = RNG.standard_normal(shape)
    np.testing.assert_array_equal(way.to_theirs(way.to_ours(x)), x)


@pytest.mark.parametrize(("way", "shape"), LAYOUTS.values(), ids=LAYOUTS)
def test_squares_lie_as_their_numbers_do(way, shape):
    x = RNG.standard_normal(shape)
    np.testing.assert_array_equal(way.to_ours(x**2), way.to_ours(x) ** 2)


def torch_and_flax():
    """Layer of torch, layer of Flax, layout of the weight, shape of torch's input."""
    torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
    rngs, nn = nnx.Rngs(0), torch.nn
    return torch, {
        "linear": (nn.Linear(5, 3), nnx.Linear(5, 3, rngs=rngs), None, (2, 5)),
        "conv1d": (
            nn.Conv1d(2, 3, 3),
            nnx.Conv(2, 3, (3,), padding="VALID", rngs=rngs),
            None,
            (2, 2, 7),
        ),
        "conv2d": (
            nn.Conv2d(2, 3, (3, 2)),
            nnx.Conv(2, 3, (3, 2), padding="VALID", rngs=rngs),
            None,
            (2, 2, 7, 6),
        ),
        "conv3d": (
            nn.Conv3d(2, 3, (3, 2, 1)),
            nnx.Conv(2, 3, (3, 2, 1), padding="VALID", rngs=rngs),
            None,
            (2, 2, 5, 4, 3),
        ),
        "depthwise": (
            nn.Conv2d(4, 8, 3, groups=4),
            nnx.Conv(4, 8, (3, 3), padding="VALID", feature_group_count=4, rngs=rngs),
            None,
            (2, 4, 5, 5),
        ),
        "transposed": (
            nn.ConvTranspose2d(2, 3, (3, 2), stride=2),
            nnx.ConvTranspose(2, 3, (3, 2), 2, padding="VALID", rngs=rngs),
            layout.conv_transpose2d(),
            (2, 2, 4, 3),
        ),
        "transpose_kernel": (
            nn.ConvTranspose2d(2, 3, (3, 2), stride=2),
            nnx.ConvTranspose(
                2, 3, (3, 2), 2, padding="VALID", transpose_kernel=True, rngs=rngs
            ),
            layout.conv_transpose2d(transpose_kernel=True),
            (2, 2, 4, 3),
        ),
        "norm": (
            nn.LayerNorm(5),
            nnx.LayerNorm(5, epsilon=1e-5, rngs=rngs),
            None,
            (2, 5),
        ),
    }


LAYERS = [
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "depthwise",
    "transposed",
    "transpose_kernel",
    "norm",
]


@pytest.mark.parity
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_flax_computes_what_torchs_does(name):
    torch, layers = torch_and_flax()
    assert set(layers) == set(LAYERS)
    theirs, ours, way, shape = layers[name]
    torch.manual_seed(0)
    for p in theirs.parameters():
        torch.nn.init.normal_(p)
    last = "scale" if name == "norm" else "kernel"
    weight = getattr(ours, last)
    way = way or layout.infer(last, weight.ndim)
    weight[...] = jnp.asarray(way.to_ours(theirs.weight.detach().numpy()))
    ours.bias[...] = jnp.asarray(theirs.bias.detach().numpy())
    x = RNG.standard_normal(shape).astype(np.float32)
    expected = np.moveaxis(theirs(torch.tensor(x)).detach().numpy(), 1, -1)
    got = ours(jnp.asarray(np.moveaxis(x, 1, -1)))
    # A sum of as many products as a kernel has numbers per output.
    terms = theirs.weight.numel() // weight.shape[-1] + 1
    atol = tolerance(np.float32, terms) * np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=atol)


@pytest.mark.parity
def test_a_linear_layer_finds_its_inputs_behind_a_flatten():
    torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
    images = RNG.standard_normal((2, 3, 4, 5))
    linear = torch.nn.Linear(60, 7, dtype=torch.float64)
    expected = linear(torch.tensor(images).flatten(1)).detach().numpy()
    weight, bias = (p.detach().numpy() for p in linear.parameters())
    flattened = np.moveaxis(images, 1, -1).reshape(2, -1)
    got = flattened @ layout.linear_after_flatten((3, 4, 5)).to_ours(weight) + bias
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    wrong = flattened @ layout.linear.to_ours(weight) + bias
    assert np.abs(wrong - expected).max() > 0.1


def test_keras_depthwise_kernel_is_a_grouped_convolution():
    keras_kernel = RNG.standard_normal((2, 2, 3, 2))
    image = RNG.standard_normal((2, 2, 3))
    each = np.einsum("hwc,hwcm->cm", image, keras_kernel).reshape(-1)
    kernel = layout.depthwise(2).to_ours(keras_kernel).astype(np.float32)
    conv = linen.Conv(6, (2, 2), padding="VALID", feature_group_count=3, use_bias=False)
    ours = conv.apply(
        {"params": {"kernel": jnp.asarray(kernel)}},
        jnp.asarray(image[None], jnp.float32),
    )
    atol = tolerance(np.float32, 4) * np.abs(each).max()
    np.testing.assert_allclose(ours[0, 0, 0], each, rtol=0, atol=atol)


def test_a_name_and_a_rank_tell_the_layout():
    inferred = {
        (path, rank): layout.infer(path, rank).name
        for path in ("a/kernel", "kernel", "a/bias", "a/scale", "a/embedding", "w")
        for rank in (1, 2, 4)
    }
    kernels = {1: "same", 2: "linear", 4: "conv2d"}
    for (path, rank), name in inferred.items():
        assert name == (kernels[rank] if path.endswith("kernel") else "same")
    assert layout.infer("kernel", 3) is layout.conv1d
    assert layout.infer("kernel", 5) is layout.conv3d


@pytest.mark.parametrize(
    ("way", "shape", "message"),
    [
        (layout.linear, (2, 3, 4), r"layout linear: expected 2 axes, got shape \(2, 3"),
        (layout.linear_after_flatten((2, 3)), (4, 5), r"expected shape \(out, 6\)"),
    ],
)
def test_a_layout_refuses_another_shape(way, shape, message):
    with pytest.raises(ValueError, match=message):
        way.to_ours(np.zeros(shape))


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="cell='LSTM': expected nnx"):
        layout.lstm("rnn", "rnn", cell="LSTM")


def test_every_gate_has_a_path():
    rngs = nnx.Rngs(0)
    for cell, made in {
        "nnx.LSTMCell": nnx.LSTMCell(3, 2, rngs=rngs),
        "nnx.OptimizedLSTMCell": nnx.OptimizedLSTMCell(3, 2, rngs=rngs),
    }.items():
        params = nnx.to_pure_dict(nnx.state(made, nnx.Param))
        paths = {
            "cell/" + jax.tree_util.keystr(path, simple=True, separator="/")
            for path, _ in jax.tree.leaves_with_path(params)
        }
        named = layout.lstm("rnn", "cell", cell=cell).values()
        flat = {p for x in named for p in ((x,) if isinstance(x, str) else x)}
        assert flat == paths
