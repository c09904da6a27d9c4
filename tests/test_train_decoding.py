from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax.train.audio.decoding import BLANK, beam_search, best_path

decoded = jax.jit(best_path)


def read(path):
    """What a path says: repetitions merged, then blanks taken out."""
    merged = [x for i, x in enumerate(path) if i == 0 or x != path[i - 1]]
    return tuple(x - 1 for x in merged if x != BLANK)


def shares_of(outputs):
    """The probability of every transcript, by adding up all the paths there are."""
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=-1, keepdims=True)
    frames, classes = outputs.shape
    totals = {}
    for path in product(range(classes), repeat=frames):
        share = np.prod([shares[t, c] for t, c in enumerate(path)])
        totals[read(path)] = totals.get(read(path), 0) + share
    return totals


def random_outputs(seed, frames=5, classes=3):
    return 2 * np.random.default_rng(seed).standard_normal((frames, classes))


def test_the_best_path_reads_as_it_should_for_every_path_there_is():
    paths = np.array(list(product(range(3), repeat=5)))
    symbols, confidence = decoded(40 * jax.nn.one_hot(paths, 3))
    for path, row in zip(paths, np.asarray(symbols), strict=True):
        assert tuple(row[row >= 0]) == read(path)
    np.testing.assert_allclose(confidence, 1, rtol=1e-6)


def test_a_symbol_stands_at_the_frame_where_it_begins():
    path = jnp.array([[1, 1, 0, 1, 2, 2, 0]])
    symbols, _ = decoded(jax.nn.one_hot(path, 3))
    assert symbols.tolist() == [[0, -1, -1, 0, 1, -1, -1]]


def test_the_confidence_is_the_share_of_that_path_alone():
    outputs = random_outputs(0).astype(np.float32)
    _, confidence = decoded(jnp.asarray(outputs)[None])
    largest = jax.nn.softmax(outputs).max(axis=-1)
    np.testing.assert_allclose(confidence, [np.prod(largest)], rtol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_that_holds_everything_finds_the_share_of_every_transcript(seed):
    outputs = random_outputs(seed)
    exact = shares_of(outputs)
    found = beam_search(outputs, 1000)
    said = {x.symbols: np.exp(x.log_probability) for x in found}
    assert {text for text, share in said.items() if share > 0} == set(exact)
    for text, share in exact.items():
        np.testing.assert_allclose(said[text], share, rtol=1e-9)
    assert found[0].symbols == max(exact, key=lambda text: exact[text])
    order = [x.log_probability for x in found]
    assert order == sorted(order, reverse=True)


def test_its_shares_are_those_that_the_loss_lowers():
    outputs = random_outputs(0).astype(np.float32)
    found = [x for x in beam_search(outputs, 1000) if x.log_probability > -np.inf]
    labels = np.zeros((len(found), 5), np.int32)
    for row, transcript in zip(labels, found, strict=True):
        row[: len(transcript.symbols)] = np.add(transcript.symbols, 1)
    losses = jax.jit(optax.ctc_loss)(
        jnp.asarray(np.broadcast_to(outputs, (len(found), *outputs.shape))),
        jnp.zeros((len(found), 5)),
        jnp.asarray(labels),
        jnp.asarray((labels == BLANK).astype(np.float32)),
    )
    expected = [-x.log_probability for x in found]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_a_beam_of_some_finds_what_the_best_path_misses():
    """One symbol, never likelier than the blank, but more likely than none."""
    outputs = np.log(np.full((4, 2), [0.6, 0.4]))
    symbols, _ = decoded(jnp.asarray(outputs, jnp.float32)[None])
    assert symbols.tolist() == [[-1, -1, -1, -1]]
    exact = shares_of(outputs)
    likeliest = max(exact, key=lambda text: exact[text])
    assert likeliest == (0,)
    assert beam_search(outputs, 4)[0].symbols == likeliest


def test_a_narrow_beam_keeps_so_many_and_never_says_more_than_there_is():
    outputs = random_outputs(3, frames=6, classes=4)
    exact = shares_of(outputs)
    for beam in (1, 2, 5):
        found = beam_search(outputs, beam)
        assert len(found) == beam
        for x in found:
            assert np.exp(x.log_probability) <= exact[x.symbols] * (1 + 1e-9)


def test_frames_that_are_surely_blank_change_nothing():
    outputs = random_outputs(5)
    blank = np.where(np.arange(3) == BLANK, 0.0, -1e9)
    longer = np.concatenate([outputs, np.tile(blank, (7, 1))])
    short, long = beam_search(outputs, 3), beam_search(longer, 3)
    assert [x.symbols for x in short] == [x.symbols for x in long]
    np.testing.assert_allclose(
        [x.log_probability for x in short], [x.log_probability for x in long]
    )
    paths = [decoded(jnp.asarray(x, jnp.float32)[None]) for x in (outputs, longer)]
    assert paths[1][0][0].tolist() == paths[0][0][0].tolist() + [-1] * 7
    np.testing.assert_allclose(paths[1][1], paths[0][1], rtol=1e-6)


def test_of_no_frames_nothing_is_said():
    assert beam_search(np.zeros((0, 3)), 5) == [((), 0.0)]


@pytest.mark.parametrize("beam", [0, -1])
def test_a_beam_of_nothing_is_refused(beam):
    with pytest.raises(ValueError, match=rf"beam={beam}: expected 1 or more"):
        beam_search(np.zeros((3, 2)), beam)


def test_a_batch_is_refused_by_the_beam():
    with pytest.raises(ValueError, match=r"shape \(1, 3, 2\): expected \(frames"):
        beam_search(np.zeros((1, 3, 2)), 4)
