"""Augmentation of features: moved in time, and silenced in part, where they lie.

Park et al. (2019), "SpecAugment", arXiv:1904.08779, without its warping of time.
"""

import jax
import jax.numpy as jnp

from rmsprop_jax.train.recurrent import Sequence

# The widest masks: of the bands, and of the frames that are true.
_WIDEST_BAND, _WIDEST_TIME = 0.2, 0.2


def augment(key: jax.Array, x: Sequence, *, shift: float, masks: int) -> Sequence:
    """Every sequence moved by frames of its own, with masks of its own.

    Moved to later frames, it begins with silence; to earlier ones, without its
    beginning. All draws come from `key` and the place in the batch. For use inside
    `jit`.

    Args:
        key: A key of `jax.random`.
        x: Features of mean 0.
        shift: The most frames, each way; at least one is left.
        masks: How many stretches of time, and how many bands, are made 0.

    Raises:
        ValueError: If an amount is negative.
    """
    for name, amount in (("shift", shift), ("masks", masks)):
        if amount < 0:
            raise ValueError(f"{name}={amount}: expected 0 or more.")
    count, bands = x.frames.shape[1:]
    moving, times, pitches = jax.random.split(key, 3)
    if shift:
        x = _moved(moving, x, int(shift))
    length = x.length.astype(jnp.float32)
    for mask in range(masks):
        key = jax.random.fold_in(times, mask)
        silent = _stretch(key, count, length, _WIDEST_TIME * length)
        x = x._replace(frames=jnp.where(silent[:, :, None], 0.0, x.frames))
        key = jax.random.fold_in(pitches, mask)
        all_of_them = jnp.full_like(length, bands)
        silent = _stretch(key, bands, all_of_them, _WIDEST_BAND * all_of_them)
        x = x._replace(frames=jnp.where(silent[:, None, :], 0.0, x.frames))
    return x


def _moved(key: jax.Array, x: Sequence, most: int) -> Sequence:
    batch, count, _ = x.frames.shape
    by = jax.random.randint(key, (batch,), -most, most + 1)
    length = jnp.clip(x.length + by, 1, count)
    by = length - x.length
    source = jnp.arange(count, dtype=jnp.int32)[None, :] - by[:, None]
    frames = jnp.take_along_axis(
        x.frames, jnp.clip(source, 0, count - 1)[..., None], axis=1
    )
    outside = (source < 0) | (source >= count)
    return Sequence(jnp.where(outside[..., None], 0.0, frames), length)


def _stretch(
    key: jax.Array, count: int, length: jax.Array, widest: jax.Array
) -> jax.Array:
    """Which of `count` are silent in each row: a stretch below its `length`."""
    width, place = jax.random.uniform(key, (2, *length.shape))
    width = width * widest
    first = place * (length - width)
    at = jnp.arange(count, dtype=jnp.float32)[None, :] + 0.5
    return (at > first[:, None]) & (at < (first + width)[:, None])
