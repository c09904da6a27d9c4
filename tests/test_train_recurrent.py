"""Recurrent models: true lengths, dropout and dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from test_train_recurrence import CELLS, COUNT, FEATURES, LENGTH, WIDTH, layer, noise

from rmsprop_jax.train import recurrent
from rmsprop_jax.train.cells import LSTM
from rmsprop_jax.train.models import build
from rmsprop_jax.train.recurrent import Layer, Sequence, stacked


def model(name, each_frame=False, **options):
    made = build(
        name, (COUNT, FEATURES), 4, hidden=WIDTH, each_frame=each_frame,
        rngs=nnx.Rngs(0), **options,
    )  # fmt: skip
    made.eval()
    return made


def answered(model, frames, length=LENGTH):
    compute = jax.jit(lambda frames, length: model(Sequence(frames, length)))
    return np.asarray(compute(frames, np.asarray(length, np.int32)))


def padded(frames, count):
    return np.pad(frames, ((0, 0), (0, count - frames.shape[1]), (0, 0)))


def cut(frames):
    true = np.arange(frames.shape[1])[None, :] < LENGTH[:, None]
    return np.where(true[..., None], frames, 0)


@pytest.mark.parametrize("each_frame", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_an_answer_is_that_of_the_sequence_alone(name, each_frame):
    frames, made = cut(noise(3, COUNT, FEATURES)), model(name, each_frame)
    together = answered(made, frames)
    longer = answered(made, padded(frames, 2 * COUNT))
    for row, length in enumerate(LENGTH):
        alone = answered(made, frames[row : row + 1, :length], [length])
        steps = alone.shape[1] if each_frame else None
        for other in (together, longer):
            np.testing.assert_allclose(other[row][:steps], alone[0], atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_steps_past_the_end_are_blank_and_nothing_else(name):
    outputs = answered(model(name, each_frame=True), cut(noise(3, COUNT, FEATURES)))
    steps = -(-COUNT // recurrent.STACKED)
    assert outputs.shape == (3, steps, 4)
    past = np.arange(steps)[None, :] >= -(-LENGTH // recurrent.STACKED)[:, None]
    shares = np.asarray(jax.nn.softmax(outputs))
    assert (shares[past] == [1, 0, 0, 0]).all()
    assert (shares[~past] < 0.99).all()


def test_a_blank_step_costs_nothing_in_ctc_and_makes_no_gradient():
    frames = cut(noise(3, COUNT, FEATURES))
    made = model("lstm", each_frame=True)
    outputs = jnp.asarray(answered(made, frames))
    longer = jnp.asarray(answered(made, padded(frames, 2 * COUNT)))
    labels = jnp.asarray([[1, 2], [3, 0], [2, 0]])
    missing = (labels == 0).astype(jnp.float32)

    def loss(outputs):
        return optax.ctc_loss(outputs, jnp.zeros(outputs.shape[:2]), labels, missing)

    np.testing.assert_allclose(loss(outputs), loss(longer), rtol=1e-5)
    slope = jax.grad(lambda x: loss(x).sum())(longer)
    assert jnp.isfinite(slope).all()


@pytest.mark.parametrize("name", CELLS)
def test_every_true_frame_has_a_part_in_the_answer_and_no_other(name):
    made, frames = model(name), jnp.asarray(cut(noise(3, COUNT, FEATURES)))
    length = jnp.asarray(LENGTH)
    compute = jax.jit(jax.grad(lambda x: jnp.square(made(Sequence(x, length))).sum()))
    felt = np.abs(np.asarray(compute(frames))).max(axis=2) > 0
    steps = -(-LENGTH // recurrent.STACKED) * recurrent.STACKED
    # A frame beside the last true one is read with it, and 0 by agreement.
    assert (felt == (np.arange(COUNT)[None, :] < steps[:, None])).all()


def test_stacked_frames_are_side_by_side_in_their_order():
    frames = jnp.arange(2 * 10 * 3.0).reshape(2, 10, 3)
    together, length = stacked(Sequence(frames, jnp.array([10, 3], jnp.int32)))
    size = recurrent.STACKED
    assert together.shape == (-(-10 // size), 2, size * 3)
    assert length.tolist() == [-(-10 // size), -(-3 // size)]
    np.testing.assert_array_equal(together[1, 0], frames[0, size : 2 * size].ravel())


def test_the_forget_gate_begins_open_and_nothing_else_does():
    made = layer("lstm", backwards=False)
    made = Layer(LSTM, FEATURES, WIDTH, dtype=jnp.dtype("float32"), rngs=nnx.Rngs(0))
    bias = np.asarray(made.bias[...]).reshape(4, WIDTH)
    np.testing.assert_array_equal(bias, [[0] * WIDTH, [1] * WIDTH] + [[0] * WIDTH] * 2)
    again = np.asarray(made.again[...])
    for gate in np.split(again, 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(WIDTH), atol=1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_bfloat16_is_what_products_are_computed_in(name):
    frames = cut(noise(3, COUNT, FEATURES))
    wide, narrow = (
        answered(model(name, dtype=dtype), frames) for dtype in ("float32", "bfloat16")
    )
    assert narrow.dtype == np.float32
    assert (wide != narrow).any()
    np.testing.assert_allclose(narrow, wide, atol=0.05)


def test_dropout_is_of_training_and_of_its_key():
    made, frames = model("lstm"), cut(noise(3, COUNT, FEATURES))
    x = Sequence(jnp.asarray(frames), jnp.asarray(LENGTH))
    quiet = made(x)
    made.train()
    one, again, other = (made(x, rngs=nnx.Rngs(dropout=k)) for k in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert (one != quiet).any()


@pytest.mark.parametrize(
    ("name", "shape", "each_frame", "words"),
    [
        ("lstm", (8, 8, 1), False, r"expected sequences \(frames, features\)"),
        ("mlp", (9, 5), True, "expected one of lstm, gru"),
    ],
)
def test_what_a_model_cannot_do_is_refused(name, shape, each_frame, words):
    with pytest.raises(ValueError, match=words):
        build(name, shape, 4, each_frame=each_frame, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("name", CELLS)
def test_recurrences_stay_in_float32_whatever_the_default_of_jax_is(name):
    with jax.enable_x64(True):
        made = model(name)
        loss = nnx.grad(lambda m, x, n: jnp.square(m(Sequence(x, n))).sum())
        frames = jax.ShapeDtypeStruct((3, COUNT, FEATURES), jnp.float32)
        slopes = jax.eval_shape(loss, made, frames, jnp.asarray(LENGTH))
    leaves = [*jax.tree.leaves(nnx.state(made, nnx.Param)), *jax.tree.leaves(slopes)]
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}
