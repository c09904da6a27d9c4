"""Augmentation of features: what moves, what is silenced, and what is left alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rmsprop_jax.train.audio.augmentation import augment
from rmsprop_jax.train.recurrent import Sequence

COUNT, BANDS = 40, 20


def sequences(lengths):
    """Frame t of each is t + 1 in every band; past the end 0."""
    length = jnp.asarray(lengths, jnp.int32)
    at = jnp.arange(COUNT, dtype=jnp.int32)[None, :]
    frames = jnp.where(at < length[:, None], at + 1, 0).astype(jnp.float32)
    shape = (*frames.shape, BANDS)
    return Sequence(jnp.broadcast_to(frames[..., None], shape), length)


def augmented(lengths, seed=0, shift=0.0, masks=0):
    compute = jax.jit(lambda k, x: augment(k, x, shift=shift, masks=masks))
    return jax.tree.map(np.asarray, compute(jax.random.key(seed), sequences(lengths)))


def test_a_move_shifts_every_frame_and_no_other():
    lengths = [30, 39, 40, 2, 1] * 40
    out = augmented(lengths, shift=6.0)
    by = out.length - np.array(lengths)
    for row, (length, move) in enumerate(zip(lengths, by, strict=True)):
        expected = np.zeros(COUNT)
        kept = np.arange(1, length + 1)
        expected[max(move, 0) : length + move] = kept[max(-move, 0) :][
            : COUNT - max(move, 0)
        ]
        np.testing.assert_array_equal(out.frames[row, :, 0], expected)
    assert (out.length >= 1).all()
    assert (out.length <= COUNT).all()


def test_moves_are_as_often_one_way_as_the_other():
    by = augmented([30] * 2000, shift=4.0).length - 30
    counts = np.bincount(by + 4, minlength=9)
    assert len(counts) == 9
    assert (np.abs(counts - 2000 / 9) < 5 * np.sqrt(2000 / 9)).all()


def test_a_mask_is_one_stretch_of_the_true_frames_and_one_of_the_bands():
    lengths = [40, 30, 20] * 100
    out = augmented(lengths, masks=1)
    widths = []
    for row, length in enumerate(lengths):
        gone = out.frames[row, :length] == 0
        times, bands = gone.all(axis=1), gone.all(axis=0)
        assert (gone == times[:, None] | bands[None, :]).all()
        for silent, widest in ((times, 0.2 * length), (bands, 0.2 * BANDS)):
            at = np.flatnonzero(silent)
            assert len(at) <= np.ceil(widest)
            assert not len(at) or at[-1] - at[0] + 1 == len(at)
        widths.append((times.sum() / length, bands.sum() / BANDS))
    # Evenly between nothing and a fifth.
    np.testing.assert_allclose(np.mean(widths, axis=0), 0.1, atol=0.02)
    kept = out.frames != 0
    whole = np.asarray(sequences(lengths).frames)
    np.testing.assert_array_equal(out.frames[kept], whole[kept])


def test_masks_reach_the_ends():
    out = augmented([COUNT] * 600, masks=1)
    gone = (out.frames == 0).all(axis=2)
    bands = (out.frames == 0).all(axis=1)
    assert gone[:, [0, -1]].any(axis=0).all()
    assert bands[:, [0, -1]].any(axis=0).all()


def test_more_masks_silence_more():
    shares = [(augmented([40] * 200, masks=m).frames == 0).mean() for m in (0, 1, 3)]
    assert shares[0] == 0
    assert shares[0] < shares[1] < shares[2]


def test_frames_past_the_end_stay_0():
    out = augmented([10, 25] * 20, shift=8.0, masks=2)
    past = np.arange(COUNT)[None, :] >= out.length[:, None]
    assert (out.frames[past] == 0).all()


def test_draws_are_of_the_key_and_the_place_alone():
    options = {"shift": 5.0, "masks": 2}
    first, again = (augmented([30] * 8, seed=3, **options) for _ in range(2))
    other = augmented([30] * 8, seed=4, **options)
    np.testing.assert_array_equal(first.frames, again.frames)
    assert (first.frames != other.frames).any()
    assert (first.frames[0] != first.frames[1]).any()


@pytest.mark.parametrize("name", ["shift", "masks"])
def test_a_negative_amount_is_refused(name):
    amounts = {"shift": 1.0, "masks": 1} | {name: -1}
    with pytest.raises(ValueError, match=f"{name}=-1: expected 0 or more"):
        augment(jax.random.key(0), sequences([3]), **amounts)
