"""Augmentation: images, each moved, turned and scaled a little, where they lie."""

import jax
import jax.numpy as jnp


def augment(
    key: jax.Array,
    images: jax.Array,
    *,
    shift: float,
    rotate: float,
    scale: float = 0.0,
) -> jax.Array:
    """Every image under an affine map of its own, drawn evenly.

        out(p) = image(R(φ) (p − centre) / s + centre + t)

    bilinear between pixels; outside the image, its nearest pixel. All three draws
    come from `key` and the place in the batch, so that neither the number of devices
    nor the rest of the program changes them. For use inside `jit`.

    Args:
        key: A key of `jax.random`.
        images: (batch, height, width, channels), at least 2 × 2 pixels.
        shift: Both parts of t lie within so many pixels of 0.
        rotate: φ lies within so many degrees of 0.
        scale: s lies between 1 / (1 + scale) and 1 + scale.

    Raises:
        ValueError: If an amount is negative or the images are too small.

    Example:
        >>> images = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> turned = augment(jax.random.key(0), images, shift=0.0, rotate=0.0)
        >>> bool((turned == images).all())
        True
    """
    for name, amount in (("shift", shift), ("rotate", rotate), ("scale", scale)):
        if amount < 0:
            raise ValueError(f"{name}={amount}: expected 0 or more.")
    if images.ndim != 4 or min(images.shape[1:3]) < 2:
        raise ValueError(
            f"images of shape {images.shape}: expected (batch, height, width, "
            "channels) of 2 x 2 pixels or more; leave shift and rotate at 0."
        )
    height, width = images.shape[1:3]
    rows, columns = _sources(key, images.shape, shift, rotate, scale)
    return _bilinear(
        images, jnp.clip(rows, 0, height - 1), jnp.clip(columns, 0, width - 1)
    )


def _sources(key, shape, shift, rotate, scale):
    """The place in the image that each pixel comes from: rows and columns."""
    batch, height, width, _ = shape
    move, turn, size = jax.random.split(key, 3)
    each = (batch, 1, 1)
    dy, dx = shift * jax.random.uniform(move, (2, *each), minval=-1.0)
    angle = jnp.radians(rotate) * jax.random.uniform(turn, each, minval=-1.0)
    inverse = (1.0 + scale) ** jax.random.uniform(size, each, minval=-1.0)
    cosine, sine = inverse * jnp.cos(angle), inverse * jnp.sin(angle)
    down, right = (height - 1) / 2, (width - 1) / 2
    y = jnp.arange(height, dtype=jnp.float32).reshape(1, -1, 1) - down
    x = jnp.arange(width, dtype=jnp.float32).reshape(1, 1, -1) - right
    return cosine * y - sine * x + dy + down, sine * y + cosine * x + dx + right


def _bilinear(images, rows, columns):
    batch, height, width, channels = images.shape
    top = jnp.minimum(jnp.floor(rows), height - 2)
    left = jnp.minimum(jnp.floor(columns), width - 2)
    below = (rows - top)[..., None].astype(images.dtype)
    beyond = (columns - left)[..., None].astype(images.dtype)
    first = (top * width + left).astype(jnp.int32).reshape(batch, -1, 1)
    pixels = images.reshape(batch, height * width, channels)

    def corner(offset):
        chosen = jnp.take_along_axis(
            pixels, first + offset, axis=1, mode="promise_in_bounds"
        )
        return chosen.reshape(images.shape)

    upper = (1 - beyond) * corner(0) + beyond * corner(1)
    lower = (1 - beyond) * corner(width) + beyond * corner(width + 1)
    return (1 - below) * upper + below * lower
