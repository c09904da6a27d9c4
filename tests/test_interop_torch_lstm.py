"""LSTMs: gates that are cut or joined, and two biases that are one here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from helpers import tolerance, tolerances_apart

from rmsprop_jax.interop import layout
from rmsprop_jax.interop import torch as interop

torch = pytest.importorskip("torch", reason="needs torch, of the extra parity")
pytestmark = pytest.mark.parity

RNG = np.random.default_rng(0)


def drawn(*shape):
    return torch.tensor(RNG.standard_normal(shape), dtype=torch.float32)


CELLS = {
    "nnx.LSTMCell": lambda: nnx.LSTMCell(3, 2, rngs=nnx.Rngs(0)),
    "nnx.OptimizedLSTMCell": lambda: nnx.OptimizedLSTMCell(3, 2, rngs=nnx.Rngs(0)),
    "linen": lambda: linen.OptimizedLSTMCell(2),
}


def lstm_like(cell):
    made = CELLS[cell]()
    if cell != "linen":
        return {"cell": nnx.to_pure_dict(nnx.state(made, nnx.Param))}
    carry, x = made.initialize_carry(jax.random.key(0), (4, 3)), jnp.zeros((4, 3))
    return {"cell": made.init(jax.random.key(0), carry, x)["params"]}


@pytest.mark.parametrize("cell", CELLS)
def test_an_lstm_computes_what_torchs_does(cell):
    theirs, names = torch.nn.LSTM(3, 2), layout.lstm("rnn", "cell", cell=cell)
    source = {f"rnn.{name}": x for name, x in theirs.state_dict().items()}
    x = drawn(6, 4, 3)
    expected = theirs(x)[0].detach().numpy()
    params = interop.params(source, lstm_like(cell), names=names)
    made = CELLS[cell]()
    if cell != "linen":
        nnx.update(made, params["cell"])
    carry, outputs = (jnp.zeros((4, 2)),) * 2, []
    for row in jnp.asarray(x.numpy()):
        if cell == "linen":
            carry, y = made.apply({"params": params["cell"]}, carry, row)
        else:
            carry, y = made(carry, row)
        outputs.append(y)
    rtol = tolerance(np.float32, 6 * 6)
    np.testing.assert_allclose(np.stack(outputs), expected, rtol=rtol, atol=rtol)

    back = interop.state_dict(params, names=names)
    theirs.load_state_dict({k.removeprefix("rnn."): v for k, v in back.items()})
    again = theirs(x)[0].detach().numpy()
    np.testing.assert_allclose(again, expected, rtol=rtol, atol=rtol)


def lstm_step(theirs, optimizer, seed):
    """The same gradient for both biases, as an LSTM has."""
    rng = np.random.default_rng(seed)
    for p in theirs.parameters():
        p.grad = torch.tensor(rng.standard_normal(p.shape), dtype=torch.float32)
    theirs.bias_hh_l0.grad = theirs.bias_ih_l0.grad.clone()
    optimizer.step()
    return {f"rnn.{name}": p.grad for name, p in theirs.named_parameters()}


@pytest.mark.parametrize("cell", ["nnx.LSTMCell", "nnx.OptimizedLSTMCell"])
def test_the_sum_of_two_biases_moves_twice_as_far(cell):
    theirs, like = torch.nn.LSTM(3, 2), lstm_like(cell)
    names = layout.lstm("rnn", "cell", cell=cell)
    optimizer = torch.optim.RMSprop(theirs.parameters(), momentum=0.9, centered=True)
    for seed in range(20):
        lstm_step(theirs, optimizer, seed)

    def ours(found):
        return interop.params(found, like, names=names)

    def named():
        return {f"rnn.{name}": x for name, x in theirs.state_dict().items()}

    params = ours(named())
    tx, state = interop.load(optimizer, params, names=names)
    start, path, there = vector(params), [], []
    for seed in range(20, 40):
        grads = lstm_step(theirs, optimizer, seed)
        grads["rnn.bias_hh_l0"] = 0 * grads["rnn.bias_hh_l0"]
        updates, state = tx.update(ours(grads), state, params)
        params = jax.tree.map(jnp.add, params, updates)
        path.append(vector(params))
        there.append(vector(ours(named())))
    assert tolerances_apart(np.stack(path), np.stack(there), start, np.float32) < 1

    dumped = interop.dump(tx, state, params, names=names)
    expected = optimizer.state_dict()
    assert dumped["param_groups"] == expected["param_groups"]
    for i, entry in expected["state"].items():
        for slot, x in entry.items():
            atol = tolerance(np.float32, 20) * float(x.abs().max())
            assert torch.allclose(dumped["state"][i][slot], x, rtol=0, atol=atol)


def vector(params):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)])


def test_biases_that_remember_different_gradients_are_refused():
    theirs, like = torch.nn.LSTM(3, 2), lstm_like("nnx.OptimizedLSTMCell")
    optimizer = torch.optim.RMSprop(theirs.parameters(), weight_decay=0.1)
    lstm_step(theirs, optimizer, 0)
    names = layout.lstm("rnn", "cell", cell="nnx.OptimizedLSTMCell")
    with pytest.raises(
        ValueError, match=r"rnn.bias_hh_l0: .*Weight decay makes them d"
    ):
        interop.load(optimizer, like, names=names)


def test_a_trace_with_the_rate_inside_is_a_sum_too():
    """As timm's: the trace of one bias in the file, of the sum of two here."""
    like = {"cell": {"bias": jnp.zeros(4)}}
    names = {"rnn.bias_ih": "cell/bias", "rnn.bias_hh": "cell/bias"}
    group = {"lr": 0.1, "alpha": 0.9, "eps": 1e-8, "momentum": 0.9, "weight_decay": 0}
    group |= {"lr_in_momentum": True, "decoupled_decay": False, "params": [0, 1]}
    entry = {"step": 3, "square_avg": torch.ones(4), "momentum_buffer": torch.ones(4)}
    source = {"state": {0: entry, 1: entry}, "param_groups": [group]}
    tx, state = interop.load(source, like, names=names)
    np.testing.assert_array_equal(state.trace["cell"]["bias"], np.full(4, 2.0))
    np.testing.assert_array_equal(state.nu["cell"]["bias"], np.ones(4))
    assert float(state.hyperparams.learning_rate) == np.float32(0.2)
    back = interop.dump(tx, state, like, names=names, dialect="timm")
    assert back["param_groups"][0]["lr"] == 0.1
    for i in range(2):
        assert torch.equal(back["state"][i]["momentum_buffer"], torch.ones(4))
