"""The update beside float32's own, when ν rests in 8 bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rmsprop_jax.eight_bits import SQUARE, Fresh, decode, encode, first
from rmsprop_jax.rounding import random_bits

STEPS, ROWS, COLUMNS = 1500, 12, 256
DECAYS = [0.9, 0.99, 0.999]


@jax.jit
def compare(grads, decay, flaws):
    """Relative L2 error over the last half, and the ratio of the updates' sizes.

    u is of order 1: what is less than .01 counts as that, and where float32's own is
    0, for its ν is, there is nothing to compare.
    """
    a = 1 - decay

    def update(nu, g):
        nu = decay * nu + a * g * g
        return nu, jnp.where(nu == 0, 0, g / jnp.sqrt(jnp.where(nu == 0, 1, nu)))

    def step(carry, now):
        nu, stored = carry
        count, g = now
        nu, wanted = update(nu, g)
        fresh, got = update(decode(*stored, SQUARE), g)
        bits = random_bits(g.shape, count, "nu")
        bits = jnp.where(flaws["nearest"], jnp.uint32(2**31), bits)
        ((codes, scale),) = encode(Fresh(fresh, *stored, bits, SQUARE))
        codes = jnp.where(flaws["no floor"] & (codes == 1), 0, codes)
        codes = jnp.where(flaws["saturating"], jnp.minimum(codes, 239), codes)
        return (nu, (codes, scale)), (wanted, got)

    nu = jnp.zeros(grads.shape[1:])
    start = nu, tuple(first(nu, SQUARE))
    counts = jnp.arange(len(grads))
    _, (wanted, got) = jax.lax.scan(step, start, (counts, grads))
    late = slice(len(grads) // 2, None)
    gap = jnp.linalg.norm(got[late] - wanted[late]) / jnp.linalg.norm(wanted[late])
    got = jnp.where(wanted == 0, 0, got)
    return gap, jnp.maximum(jnp.abs(got), 0.01) / jnp.maximum(jnp.abs(wanted), 0.01)


def compared(grads, decay, flaw=None):
    flaws = {name: name == flaw for name in ("nearest", "no floor", "saturating")}
    grads = jnp.asarray(grads, jnp.float32)
    gap, ratio = compare(grads, jnp.float32(decay), flaws)
    return float(gap), np.asarray(ratio)


def realistic(seed=0):
    """Gradients whose scales are log-normal, as those of a layer are."""
    rng = np.random.default_rng(seed)
    scale = np.exp(1.5 * rng.standard_normal((ROWS, COLUMNS)))
    return scale * rng.standard_normal((STEPS, ROWS, COLUMNS))


def adversarial(seed=0):
    """A plot against the code in each row."""
    g = realistic(seed)
    t = np.arange(STEPS)[:, None]
    g[:, 0] *= np.where(np.arange(COLUMNS) == 7, 1, 1e-12)
    g[700:, 1] = 0
    g[:, 2] *= 10 ** (-t / 35)  # to the denormals
    g[200, 3, 5] = 1e10
    g[:300, 4] = 0
    g[:, 5] *= 1e-20  # squares are denormal
    g[:, 6] *= np.where(t == 100, 1e15, 1e-3)
    g[:, 7] *= np.where(t == 100, 1e18, np.where(t < 100, 1, 0))
    g[:, 8] *= t % 75 == 0
    g[:, 9] *= 1e-8
    g[:, 10] *= (
        10.0 ** np.random.default_rng(seed).uniform(-9, 9, 30).repeat(50)[:, None]
    )
    g[:, 11] *= 10.0 ** np.random.default_rng(seed).uniform(-3, 3, STEPS)[:, None]
    return g


@pytest.mark.parametrize(
    ("decay", "most"), [(0.9, 0.031), (0.99, 0.075), (0.999, 0.095)], ids=str
)
def test_on_realistic_gradients_the_update_is_close(decay, most):
    gap, ratio = compared(realistic(), decay)
    assert gap <= most
    assert np.mean(ratio[STEPS // 2 :] > 1.25) <= 0.02
    assert ratio.max() <= 2


def test_rounding_to_nearest_would_not_be_close():
    gap, _ = compared(realistic(), 0.999, flaw="nearest")
    assert gap > 0.3


@pytest.mark.parametrize("decay", DECAYS)
def test_no_row_makes_an_update_twice_too_large(decay):
    _, ratio = compared(adversarial(), decay)
    assert ratio.max() <= 2


@pytest.mark.parametrize("flaw", ["no floor", "saturating"])
def test_without_the_floor_or_the_coarse_codes_some_would(flaw):
    _, ratio = compared(adversarial(), 0.99, flaw)
    assert ratio.max() > 2


def test_gradients_that_shrink_slowly_are_followed():
    shrinking = realistic() * np.geomspace(1, 0.0056, STEPS)[:, None, None]
    for decay, most in (0.99, 0.12), (0.999, 0.12):
        gap, _ = compared(shrinking, decay)
        assert gap <= most
