"""A torch model's parameters in a tree of ours, found by name or by order."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from helpers import tolerance

from rmsprop_jax.interop import layout
from rmsprop_jax.interop import torch as interop

torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
pytestmark = pytest.mark.parity

RNG = np.random.default_rng(0)


def drawn(*shape):
    return torch.tensor(RNG.standard_normal(shape), dtype=torch.float32)


DENSE = {"a.weight": drawn(3, 2), "a.bias": drawn(3)}


def dense(inputs=2, outputs=3):
    return {"kernel": jnp.zeros((inputs, outputs)), "bias": jnp.zeros(outputs)}


SPELLINGS = {
    "a.weight": {"a": dense()},
    "block.0.a1.weight": {"block": {"0": {"a1": dense()}}},
    "block.0.a_1.weight": {"block_0": {"a1": dense()}},
    "module.a.weight": {"a": dense()},
    "_orig_mod.module.a.weight": {"params": {"a": dense()}},
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_name_finds_its_leaf_however_it_is_joined(name):
    weight, bias = DENSE.values()
    source = {name: weight, name.replace("weight", "bias"): bias}
    found = interop.params(source, SPELLINGS[name])
    chex.assert_trees_all_equal_shapes_and_dtypes(found, SPELLINGS[name])
    by_shape = {x.shape: x for x in jax.tree.leaves(found)}
    np.testing.assert_array_equal(by_shape[(2, 3)], weight.numpy().T)
    np.testing.assert_array_equal(by_shape[(3,)], bias.numpy())


def test_norms_and_embeddings_have_weights_too():
    source = {"norm.weight": drawn(4), "emb.weight": drawn(5, 4), "own": drawn(2, 3)}
    shapes = {"scale": (4,), "embedding": (5, 4), "own": (2, 3)}
    zeros = {name: jnp.zeros(shape) for name, shape in shapes.items()}
    own = zeros.pop("own")
    like = {"norm": {"scale": zeros["scale"]}, "emb": {"embedding": zeros["embedding"]}}
    found = interop.params(source, {**like, "own": own})
    for theirs, x in zip(
        ("emb.weight", "norm.weight", "own"), jax.tree.leaves(found), strict=True
    ):
        np.testing.assert_array_equal(x, source[theirs])


def test_a_mapping_names_what_is_called_differently():
    like = {"first": dense()}
    names = {"a.weight": "first/kernel", "a.bias": "first/bias"}
    found = interop.params(DENSE, like, names=names)
    back = interop.state_dict(found, names=names)
    for name, x in DENSE.items():
        assert torch.equal(back[name], x)


def test_a_model_an_nnx_state_and_linen_parameters_will_do(tmp_path):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(2, 3)

    net, x = Net(), drawn(4, 2)
    expected = net.a(x).detach().numpy()
    torch.save({"model": net.state_dict()}, tmp_path / "model.pt")

    class Module(nnx.Module):
        def __init__(self):
            self.a = nnx.Linear(2, 3, rngs=nnx.Rngs(0))

    ours = Module()
    nnx.update(ours, interop.params(net, nnx.state(ours, nnx.Param)))
    rtol = tolerance(np.float32, 3)
    np.testing.assert_allclose(ours.a(jnp.asarray(x.numpy())), expected, rtol)

    shapes = {"params": {"a": dense()}}
    found = interop.params(tmp_path / "model.pt", shapes, key="model")
    got = linen.Dense(3).apply({"params": found["params"]["a"]}, jnp.asarray(x.numpy()))
    np.testing.assert_allclose(got, expected, rtol)


def test_layers_that_are_numbered_need_no_names():
    theirs = {
        f"{i}.{k}": drawn(*s)
        for i in (0, 2, 9, 11)
        for k, s in (("weight", (3, 3)), ("bias", (3,)))
    }
    like = {f"Dense_{i}": dense(3, 3) for i in (0, 1, 2, 10)}
    found = interop.params(theirs, like)
    for ours, number in zip(like, (0, 2, 9, 11), strict=True):
        weight = theirs[f"{number}.weight"].numpy()
        np.testing.assert_array_equal(found[ours]["kernel"], weight.T)


def buffers():
    return {**DENSE, "a.running_mean": drawn(3), "a.num_batches_tracked": drawn()}


def test_buffers_are_left_out_on_request_only():
    like = {"a": dense()}
    found = interop.params(buffers(), like, ignore="running_|num_batches")
    chex.assert_trees_all_equal(found, interop.params(DENSE, like))
    chosen = interop.params(buffers(), like, names=list(DENSE))
    chex.assert_trees_all_equal(found, chosen)


TWO = {
    "conv": {"kernel": jnp.zeros((3, 3, 2, 4))},
    "fc": {"kernel": jnp.zeros((16, 3))},
}
CONV = {"conv.weight": drawn(4, 2, 3, 3), "fc.weight": drawn(3, 16)}
REFUSED = {
    "buffers": ((buffers(), {"a": dense()}), r"\['a.running_mean', 'a.num_batches_tr"),
    "a missing tensor": (
        ({"a.weight": drawn(3, 2)}, {"a": dense()}),
        r"\['a/bias'\]: in params only, .*\['a.weight'\]",
    ),
    "another shape": (
        ({**DENSE, "a.weight": drawn(2, 2)}, {"a": dense()}),
        r"a.weight of shape \(2, 2\): .*a/kernel of shape \(2, 3\).*linear makes",
    ),
    "another rank": (
        ({**DENSE, "a.weight": drawn(6)}, {"a": dense()}),
        r"a.weight of shape \(6,\): .*a/kernel.*layout linear: expected 2 axes",
    ),
    "a nan": (
        ({**DENSE, "a.bias": drawn(3) * torch.nan}, {"a": dense()}),
        "a.bias: expected finite numbers for a/bias",
    ),
    "tied weights": (
        ({**DENSE, "module.a.bias": drawn(3)}, {"a": dense()}),
        r"a/bias: expected one name, \['a.bias', 'module.a.bias'\]",
    ),
    "a flattened image": ((CONV, TWO), r"fc.weight: 16 inputs .*linear_after_flatten"),
    "an order to be guessed": (
        (
            {"0.weight": drawn(3, 3), "1.weight": drawn(3, 3)},
            {
                "enc": {"kernel": jnp.zeros((3, 3))},
                "dec": {"kernel": jnp.zeros((3, 3))},
            },
        ),
        "enc: another layer has the same shapes, .*Pass names=",
    ),
    "other numbers of layers": (
        ({"0.weight": drawn(3, 3)}, {"a": dense(3, 3)}),
        "params: expected 1 leaves, as torch has, got 2",
    ),
    "an optimizer": (
        ({"state": {}, "param_groups": []}, {"a": dense()}),
        r"source: expected a model's state_dict, .*\['state', 'param_groups'\]",
    ),
    "a number": ((3, {"a": dense()}), "source: expected a state_dict, .*got int"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED)
def test_params_are_refused_for(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        interop.params(*given)


ARGUMENTS = {
    "an unknown name": (
        {"names": ["a.weight", "b.bias"]},
        r"names: \['b.bias'\] are not",
    ),
    "an unknown path": ({"names": {"a.bias": "b/bias"}}, "a.bias → b/bias.* mean none"),
    "one name": ({"names": "a.bias"}, "names='a.bias': expected a sequence"),
    "a layout of nothing": (
        {"layouts": {"b": layout.same}},
        r"layouts: \['b'\] are names of no parameter",
    ),
    "a key of nothing": (
        {"key": "model"},
        "source: expected the key 'model', got keys",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_are_refused_for(arguments, message):
    with pytest.raises((ValueError, TypeError, KeyError), match=message):
        interop.params(DENSE, {"a": dense()}, **arguments)


def test_linear_says_that_nothing_was_flattened():
    found = interop.params(CONV, TWO, layouts={"fc/kernel": layout.linear})
    np.testing.assert_array_equal(found["fc"]["kernel"], CONV["fc.weight"].numpy().T)
