"""Random bits without a key, and numbers rounded with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax import apply_updates_stochastic
from rmsprop_jax.rounding import random_bits, round_to_bfloat16

STEPS = jnp.arange(1, 4001, dtype=jnp.int32)


def correlation(a, b):
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def over_steps(n, what="nu"):
    """Steps × elements, in [0, 1)."""
    return uniform_of(jax.vmap(lambda count: random_bits((n,), count, what))(STEPS))


def uniform_of(bits):
    return np.asarray(bits) / 2**32


def test_bits_are_uniform_over_elements_and_over_steps():
    u = over_steps(256)
    n = u.size
    # Five standard deviations of the mean, and of the share of each sixteenth.
    assert abs(u.mean() - 0.5) < 5 / np.sqrt(12 * n)
    shares = np.bincount((u * 16).astype(int).ravel(), minlength=16) / n
    assert abs(shares - 1 / 16).max() < 5 * np.sqrt(1 / 16 / n)
    # And of one element over the steps, for every element: none is biased.
    assert abs(u.mean(0) - 0.5).max() < 5 / np.sqrt(12 * len(u))
    assert abs(u.mean(1) - 0.5).max() < 5 / np.sqrt(12 * u.shape[1])


def test_bits_do_not_correlate_with_their_neighbours():
    u = over_steps(256)
    # A stretch of 256 steps is one draw for each element.
    bound = 5 / np.sqrt(u.size / 256)
    assert abs(correlation(u[:, 1:], u[:, :-1])) < bound
    assert abs(correlation(u[1:, 1:], u[:-1, :-1])) < bound
    assert abs(correlation(u[1:, :-1], u[:-1, 1:])) < bound
    assert abs(correlation(u, over_steps(256, "mu"))) < bound
    # Nor with those of the stretch of 256 steps before.
    assert abs(correlation(u[256:], u[:-256])) < bound


def test_a_step_makes_good_what_the_one_before_rounded_away():
    u = over_steps(256)[:256]
    golden = (5**0.5 - 1) / 2
    # Of u and u + golden, modulo 1.
    expected = 1 - 6 * golden * (1 - golden)
    assert correlation(u[1:], u[:-1]) == pytest.approx(expected, abs=0.01)
    # The share of up-roundings comes out far closer than by chance.
    for share in (0.1, 0.5, 0.77):
        assert abs((u < share).mean(0) - share).max() < 3 / 256


def test_a_hash_of_index_xor_step_would_be_seen_as_biased():
    def naive(count):
        x = jnp.arange(256, dtype=jnp.uint32) ^ count.astype(jnp.uint32)
        x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
        x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
        return x ^ (x >> 16)

    means = uniform_of(jax.vmap(naive)(STEPS[:255])).mean(1)
    # The same 256 numbers at every step: their mean never changes.
    assert means.std() < 1e-6
    assert over_steps(256)[:255].mean(1).std() > 1e-3


@pytest.mark.parametrize(
    "spec", [("a",), (None, "a"), ("a", "b"), (("a", "b"),)], ids=str
)
def test_bits_are_the_same_sharded_or_not(spec):
    mesh = jax.make_mesh((2, 4), ("a", "b"), devices=jax.devices()[:8])
    placed = NamedSharding(mesh, PartitionSpec(*spec))

    def bits(count):
        return random_bits((64, 32), count, "mu")

    sharded = jax.jit(bits, out_shardings=placed)(jnp.int32(7))
    assert sharded.sharding == placed
    np.testing.assert_array_equal(sharded, bits(jnp.int32(7)))


def test_bfloat16_is_one_of_its_neighbours_and_right_in_the_mean():
    x = jnp.array([1.001, -1.001, 3e-30, 1 + 2**-8, 250.3], jnp.float32)
    bits = jax.vmap(lambda count: random_bits(x.shape, count, "nu"))(STEPS)
    rounded = np.asarray(jax.vmap(lambda b: round_to_bfloat16(x, b))(bits), np.float64)
    spacing = np.asarray(2.0 ** (np.floor(np.log2(np.abs(x))) - 7), np.float64)
    exact = np.asarray(x, np.float64)
    assert (np.abs(rounded - exact) < spacing).all()
    assert (np.unique(rounded[:, 0]) == [1, 1 + 2**-7]).all()
    bound = 5 * spacing / np.sqrt(4 * len(STEPS))
    assert (np.abs(rounded.mean(0) - exact) < bound).all()


def test_what_bfloat16_holds_exactly_stays_and_so_does_what_is_not_finite():
    x = jnp.array([0.0, -0.0, 1.0, -1.5, 2.0**-126, jnp.inf, -jnp.inf], jnp.float32)
    for bits in (0, 2**32 - 1):
        full = jnp.full(x.shape, bits, jnp.uint32)
        rounded = round_to_bfloat16(x, full)
        assert rounded.dtype == jnp.bfloat16
        np.testing.assert_array_equal(rounded.astype(jnp.float32), x)
    patterns = jnp.array([0x7FFFFFFF, 0x7F800001, 0xFFFFFFFF], jnp.uint32)
    nans = jax.lax.bitcast_convert_type(patterns, jnp.float32)
    assert jnp.isnan(round_to_bfloat16(nans, jnp.full(3, 2**32 - 1, jnp.uint32))).all()


def test_small_steps_reach_bfloat16_parameters_only_if_rounded_at_random():
    update = jnp.full(512, -1e-3)

    def walk(apply):
        def one(theta, count):
            return apply(theta, update, count), None

        return jax.lax.scan(one, jnp.ones(512, jnp.bfloat16), STEPS[:500])[0]

    def nearest(theta, update, _):
        return theta + update.astype(theta.dtype)

    assert (walk(nearest) == 1).all()
    theta = walk(apply_updates_stochastic)
    assert theta.dtype == jnp.bfloat16
    assert float(theta.astype(jnp.float32).mean()) == pytest.approx(0.5, abs=5e-3)


def test_wider_parameters_are_updated_as_by_optax():
    assert apply_updates_stochastic(None, jnp.ones(2), 1) is None
    params = {"a": jnp.ones(3), "b": None, "c": jnp.ones(2, jnp.complex64)}
    updates = {"a": jnp.full(3, 1e-9, jnp.bfloat16), "b": None, "c": None}
    new = apply_updates_stochastic(params, updates, jnp.int32(1))
    np.testing.assert_array_equal(new["a"], params["a"] + 1e-9)
    assert new["a"].dtype == jnp.float32
    assert new["b"] is None
    assert new["c"] is params["c"]


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.float8_e4m3fn, jnp.int32])
def test_parameters_of_other_dtypes_are_refused(dtype):
    name = jnp.dtype(dtype).name
    with pytest.raises(TypeError, match=rf"params\['a'\]: expected bfloat16.*{name}"):
        apply_updates_stochastic({"a": jnp.ones(2, dtype)}, {"a": jnp.ones(2)}, 1)


def test_a_complex_update_of_a_real_parameter_is_refused():
    with pytest.raises(TypeError, match="updates: expected real numbers"):
        apply_updates_stochastic(jnp.ones(2), jnp.ones(2, jnp.complex64), 1)


def test_a_count_that_is_none_is_refused():
    for count in (1.0, jnp.ones(2, jnp.int32)):
        with pytest.raises(TypeError, match="count: expected an integer scalar"):
            apply_updates_stochastic(jnp.ones(2), jnp.ones(2), count)
