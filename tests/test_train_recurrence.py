"""The recurrences of an LSTM and a GRU: against Flax's, and every step of a scan."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rmsprop_jax.train.cells import GRU, LSTM
from rmsprop_jax.train.recurrence import PIECE, recur
from rmsprop_jax.train.recurrent import Layer

WIDTH, FEATURES, COUNT = 6, 5, 9
LENGTH = np.array([9, 4, 1], np.int32)
CELLS = {"lstm": (LSTM, nnx.OptimizedLSTMCell), "gru": (GRU, nnx.GRUCell)}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layer(name, backwards):
    made = Layer(
        CELLS[name][0], FEATURES, WIDTH, backwards=backwards,
        dtype=jnp.dtype("float32"), rngs=nnx.Rngs(0),
    )  # fmt: skip
    made.bias[...] = jnp.asarray(noise(*made.bias.shape, seed=3))
    return made


def flax_layer(name, ours, backwards):
    """Flax's, with the parameters of ours."""
    cell = CELLS[name][1](FEATURES, WIDTH, rngs=nnx.Rngs(0))
    cell.dense_i.kernel[...] = ours.into[...]
    cell.dense_h.kernel[...] = ours.again[...]
    (cell.dense_h if name == "lstm" else cell.dense_i).bias[...] = ours.bias[...]
    return nnx.RNN(cell, reverse=backwards, keep_order=backwards)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_a_layer_is_that_of_flax_and_so_are_its_gradients(name, backwards):
    x, weights = noise(3, COUNT, FEATURES), noise(3, COUNT, WIDTH, seed=1)
    true = np.arange(COUNT)[None, :] < LENGTH[:, None]
    mask = true[..., None].astype(np.float32)

    def ours(layer, x):
        h = layer(x.swapaxes(0, 1), jnp.asarray(mask.swapaxes(0, 1))).swapaxes(0, 1)
        return (h * mask * weights).sum(), h

    def theirs(layer, x):
        h = layer(x, seq_lengths=jnp.asarray(LENGTH))
        return (h * mask * weights).sum(), h

    own = layer(name, backwards)
    other = flax_layer(name, own, backwards)
    (grads, slope), h = nnx.grad(ours, argnums=(0, 1), has_aux=True)(own, x)
    (expected, expected_slope), flax_h = nnx.grad(theirs, argnums=(0, 1), has_aux=True)(
        other, x
    )
    close = partial(np.testing.assert_allclose, atol=1e-5, rtol=1e-5)
    close(h[true], flax_h[true])
    close(slope, expected_slope)
    cell = expected["cell"]
    biased = "dense_h" if name == "lstm" else "dense_i"
    close(grads["into"][...], cell["dense_i"]["kernel"][...])
    close(grads["again"][...], cell["dense_h"]["kernel"][...])
    close(grads["bias"][...], cell[biased]["bias"][...])


@pytest.mark.parametrize("name", CELLS)
def test_gradients_in_bfloat16_are_those_in_float32_but_for_rounding(name):
    x, weights = noise(COUNT, 3, FEATURES), noise(COUNT, 3, WIDTH, seed=1)
    true = (np.arange(COUNT)[:, None] < LENGTH).astype(np.float32)[..., None]
    own = layer(name, backwards=True)

    def gradients(dtype):
        def loss(x, into, again, bias):
            way = own.way._replace(dtype=jnp.dtype(dtype))
            return (recur(way, x, true, into, again, bias) * weights).sum()

        parameters = (own.into[...], own.again[...], own.bias[...])
        return jax.grad(loss, argnums=(0, 1, 2, 3))(jnp.asarray(x), *parameters)

    for wide, narrow in zip(gradients("float32"), gradients("bfloat16"), strict=True):
        assert narrow.dtype == jnp.float32
        apart = np.linalg.norm(narrow - wide) / np.linalg.norm(wide)
        assert 0 < apart < 0.02


@pytest.mark.parametrize("name", CELLS)
def test_a_batch_on_several_devices_stays_there_and_gradients_are_added_up_once(name):
    own, count = layer(name, backwards=False), 4 * PIECE
    mesh = jax.sharding.Mesh(np.asarray(jax.devices()[:2]), ("data",))
    spread = jax.NamedSharding(mesh, jax.P(None, "data"))
    x = jax.device_put(noise(count, 4, FEATURES), spread)
    true = jax.device_put(np.ones((count, 4, 1), np.float32), spread)
    graph, params = nnx.split(own)

    def loss(params, x, true):
        return jnp.square(nnx.merge(graph, params)(x, true)).sum()

    program = jax.jit(jax.grad(loss)).lower(params, x, true).compile().as_text()
    assert "all-reduce" in program
    assert "all-gather" not in program
    loops = re.findall(r"body=%([\w.-]+)", program)
    parts = {part.split()[0]: part for part in program.split("\n\n") if part.strip()}
    assert loops
    assert not any("all-reduce" in parts[f"%{loop}"] for loop in loops)


def frame_by_frame(way, x, true, parameters):
    """What `recur` computes, as a scan over all frames and nothing left out."""
    into, again, bias = parameters

    def step(state, now):
        frame, true = now
        made, _ = way.cell.advance(state, frame @ into + bias[None], state[0] @ again)
        state = jax.tree.map(lambda a, b: jnp.where(true > 0, a, b), made, state)
        return state, state[0] * true

    start = (jnp.zeros((x.shape[1], len(again))),) * way.cell.states
    return jax.lax.scan(step, start, (x, true), reverse=way.backwards)[1]


def lengths_true(count, lengths):
    return (np.arange(count)[:, None] < np.asarray(lengths)).astype(np.float32)[
        ..., None
    ]


def gradients(compute):
    """Of x and the parameters, and h where frames are true."""

    def loss(x, true, parameters):
        h = compute(x, true, parameters)
        weights = noise(*true.shape[:2], WIDTH, seed=1)
        return (h * weights * true).sum(), h * true

    return jax.jit(jax.grad(loss, argnums=(0, 2), has_aux=True))


def ours(way):
    return gradients(lambda x, true, parameters: recur(way, x, true, *parameters))


def parameters_of(layer):
    return tuple(p[...] for p in (layer.into, layer.again, layer.bias))


def assert_close(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_however_many_frames_are_true_h_and_gradients_are_those_of_every_step(
    name, backwards
):
    own, count = layer(name, backwards), 4 * PIECE + 1
    compute, every = ours(own.way), gradients(partial(frame_by_frame, own.way))
    for longest in (1, PIECE, PIECE + 1, count - 1, count):
        true = lengths_true(count, [1, longest, longest // 2])
        given = noise(count, 3, FEATURES) * true, true, parameters_of(own)
        assert_close(compute(*given), every(*given))


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_frames_past_the_longest_of_a_batch_are_not_computed(name, backwards):
    own = layer(name, backwards)
    # Of eight pieces three have true frames; what comes of the others is no number.
    count, live = 8 * PIECE, 3 * PIECE
    true = lengths_true(count, [live - 1, 2, 5])
    x = noise(count, 3, FEATURES)
    x[live:] = np.nan

    def loss(x, parameters):
        h = recur(own.way, x, true, *parameters)
        return jnp.where(true > 0, h, 0.0).sum(), h

    compute = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))
    (of_x, of_parameters), h = compute(x, parameters_of(own))
    assert not h[live:].any()
    assert not of_x[live:].any()
    for slope in (of_x, *of_parameters):
        assert np.isfinite(slope).all()
        assert np.abs(slope).max() > 0


def test_trials_side_by_side_end_at_one_frame_and_choose_between_no_arrays():
    own = layer("lstm", backwards=False)
    alone, parameters = ours(own.way), parameters_of(own)
    together = jax.vmap(alone, in_axes=(0, 0, None))
    x = noise(2, 32, 3, FEATURES)
    true = np.stack([lengths_true(32, [4, 1, 2]), lengths_true(32, [9, 30, 1])])
    found = together(x, true, parameters)
    for trial in range(2):
        its = jax.tree.map(lambda a, trial=trial: a[trial], found)
        assert_close(its, alone(x[trial], true[trial], parameters))
    # Of itself JAX goes on while any trial does, and selects what the others had.
    program = str(jax.make_jaxpr(together)(x, true, parameters))
    assert "select_n" in program
    assert not re.findall(r":f32\[\S* = select_n", program)
