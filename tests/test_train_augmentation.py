import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax.train.tasks.augmentation import augment

SIDE = 21
MIDDLE = slice(6, 15)  # what no map of these tests takes from beyond the edge
EPS = float(np.finfo(np.float32).eps)


def noise(count, seed=0, dtype=np.float32):
    values = np.random.default_rng(seed).standard_normal((count, SIDE, SIDE, 1))
    return jnp.asarray(values.astype(np.float32), dtype)


def maps(key, count, **amounts):
    """Of each image the matrix and the translation, from what becomes of two ramps.

    Bilinear interpolation is exact on them: an image of the row numbers becomes the
    row that each pixel came from.
    """
    place = jnp.arange(SIDE, dtype=jnp.float32) - SIDE // 2
    rows, columns = jnp.meshgrid(place, place, indexing="ij")
    ramps = jnp.stack([rows, columns], axis=-1)[None].repeat(count, axis=0)
    found = np.asarray(augment(key, ramps, **amounts), np.float64)[:, MIDDLE, MIDDLE]
    at = np.asarray(ramps[0, MIDDLE, MIDDLE], np.float64).reshape(-1, 2)
    design = np.concatenate([at, np.ones((len(at), 1))], axis=1)
    answers = found.reshape(count, -1, 2)
    solved = np.stack([np.linalg.lstsq(design, a, rcond=None)[0] for a in answers])
    # A pixel number is at most SIDE, and each of the four products rounds once.
    np.testing.assert_allclose(design @ solved, answers, rtol=0, atol=8 * SIDE * EPS)
    return solved[:, :2].swapaxes(1, 2), solved[:, 2]


def test_nothing_happens_without_amounts():
    images = noise(3)
    out = augment(jax.random.key(0), images, shift=0.0, rotate=0.0)
    np.testing.assert_array_equal(out, images)


def test_shifts_fill_their_square_evenly():
    matrices, moved = maps(jax.random.key(0), 400, shift=2.0, rotate=0.0)
    np.testing.assert_allclose(matrices, np.eye(2)[None].repeat(400, 0), atol=1e-5)
    assert np.abs(moved).max() <= 2.0 + 1e-5
    # Of 400 even draws fewer than 20 or more than 70 in one of ten parts: p < 1e-4.
    for axis in range(2):
        counts, _ = np.histogram(moved[:, axis], bins=10, range=(-2.0, 2.0))
        assert counts.min() > 20
        assert counts.max() < 70
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.25


def test_turns_are_rotations_about_the_centre_by_up_to_so_many_degrees():
    matrices, moved = maps(jax.random.key(1), 400, shift=0.0, rotate=15.0)
    np.testing.assert_allclose(moved, 0, atol=1e-5)
    products = matrices @ matrices.swapaxes(1, 2)
    np.testing.assert_allclose(products, np.eye(2)[None].repeat(400, 0), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-5)
    degrees = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 14.5 < degrees.max() <= 15.001
    assert -15.001 <= degrees.min() < -14.5


def test_scales_lie_between_one_and_its_inverse():
    matrices, _ = maps(jax.random.key(2), 400, shift=0.0, rotate=0.0, scale=0.25)
    sizes = 1 / matrices[:, 0, 0]
    np.testing.assert_allclose(matrices[:, 1, 1], matrices[:, 0, 0], atol=1e-5)
    assert 1 / 1.2501 <= sizes.min() < 0.84
    assert 1.2 < sizes.max() <= 1.2501


def test_a_quarter_turn_is_a_quarter_turn():
    """Of the whole image; which of the two is drawn, so one of them has to come."""
    images = noise(64)
    matrices, _ = maps(jax.random.key(3), 64, shift=0.0, rotate=60.0)
    degrees = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    at = int(np.abs(degrees).argmax())
    rotate = 60 * 90 / abs(degrees[at])
    out = augment(jax.random.key(3), images, shift=0.0, rotate=rotate)
    turned = np.rot90(np.asarray(images[at, :, :, 0]), k=-int(np.sign(degrees[at])))
    # The angle was measured to 1e-5, so that a pixel is off by SIDE / 2 times that.
    slope = 2 * np.abs(turned).max()
    np.testing.assert_allclose(out[at, :, :, 0], turned, atol=slope * SIDE * 1e-5)


def test_beyond_the_edge_is_the_edge():
    rows = jnp.arange(4.0).reshape(1, 4, 1, 1).repeat(6, axis=2)
    columns = jnp.arange(6.0).reshape(1, 1, 6, 1).repeat(4, axis=1)
    ramps = jnp.concatenate([rows, columns], axis=-1).repeat(64, axis=0)
    out = augment(jax.random.key(0), ramps, shift=9.0, rotate=45.0)
    np.testing.assert_array_equal(out.min(axis=(0, 1, 2)), [0, 0])
    np.testing.assert_array_equal(out.max(axis=(0, 1, 2)), [3, 5])


def test_shift_turn_and_scale_are_drawn_apart_and_together_keep_shapes():
    amounts = {"shift": 1.0, "rotate": 10.0, "scale": 0.1}
    matrices, moved = maps(jax.random.key(4), 400, **amounts)
    squares = matrices[:, 0, 0] ** 2 + matrices[:, 1, 0] ** 2
    products = matrices @ matrices.swapaxes(1, 2)
    np.testing.assert_allclose(products, squares[:, None, None] * np.eye(2), atol=1e-5)
    degrees = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert 9 < np.abs(degrees).max() <= 10.001
    draws = np.stack([*moved.T, degrees, np.log(squares)])
    # Of 400 independent pairs, 0.25 is five standard deviations.
    assert np.abs(np.corrcoef(draws) - np.eye(4)).max() < 0.25


def test_the_map_depends_on_key_and_place_alone():
    amounts = {"shift": 2.0, "rotate": 10.0, "scale": 0.1}
    one, other = noise(4), noise(4, seed=1)
    mixed = jnp.concatenate([one[:2], other[2:]])
    key = jax.random.key(0)
    out = augment(key, mixed, **amounts)
    np.testing.assert_array_equal(out[:2], augment(key, one, **amounts)[:2])
    np.testing.assert_array_equal(out[2:], augment(key, other, **amounts)[2:])
    assert (out != augment(jax.random.key(1), mixed, **amounts)).any()


def test_images_on_eight_devices_become_what_they_become_on_one():
    images = noise(16)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.device_put(images, NamedSharding(mesh, PartitionSpec("data")))
    compute = jax.jit(lambda key, x: augment(key, x, shift=2.0, rotate=10.0))
    out = compute(jax.random.key(0), spread)
    assert out.sharding.spec[0] == "data"
    np.testing.assert_array_equal(out, compute(jax.random.key(0), images))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_dtype_survives(dtype):
    out = augment(jax.random.key(0), noise(2, dtype=dtype), shift=1.0, rotate=5.0)
    assert out.dtype == dtype


@pytest.mark.parametrize("name", ["shift", "rotate", "scale"])
def test_a_negative_amount_is_refused(name):
    amounts = {"shift": 1.0, "rotate": 1.0} | {name: -0.5}
    with pytest.raises(ValueError, match=f"{name}=-0.5: expected 0 or more"):
        augment(jax.random.key(0), noise(1), **amounts)


@pytest.mark.parametrize("shape", [(4, 64), (4, 1, 8, 1)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match="expected \\(batch, height, width"):
        augment(jax.random.key(0), jnp.ones(shape), shift=1.0, rotate=0.0)
