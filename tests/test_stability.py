"""No NaN of its own: each promise beside the `optax.rmsprop` that breaks it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import accepting

from rmsprop_jax import rmsprop

CONSTANTS = jnp.asarray(np.geomspace(1e-18, 1e17, 101)[None], "f4")


def run(tx, grads, repeats=1):
    """All updates of `repeats` passes over `grads`, and the last state."""

    def step(state, g):
        updates, state = tx.update(g, state)
        return state, updates

    grads = jnp.tile(grads, (repeats,) + (1,) * (grads.ndim - 1))
    state, updates = jax.jit(lambda s: jax.lax.scan(step, s, grads))(
        tx.init(jnp.zeros_like(grads[0]))
    )
    return np.asarray(updates, np.float64), state


def noisy(mean, spread, steps=400, size=64):
    rng = np.random.default_rng(0)
    return jnp.asarray(mean * (1 + spread * rng.standard_normal((steps, size))), "f4")


@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("dialect", accepting("centered", "momentum"))
def test_centered_survives_a_constant_gradient(dialect, bias_correction, momentum):
    tx = rmsprop(
        1e-3,
        dialect=dialect,
        centered=True,
        bias_correction=bias_correction,
        momentum=momentum,
    )
    updates, state = run(tx, CONSTANTS, repeats=10_000)
    assert np.isfinite(updates).all()
    assert (state.nu >= 0).all()


def test_optax_centered_does_not_survive_a_constant_gradient():
    updates, _ = run(optax.rmsprop(1e-3, centered=True), CONSTANTS, repeats=400)
    assert np.isnan(updates).any()


@pytest.mark.parametrize("dialect", accepting("centered"))
def test_centered_survives_a_nearly_constant_gradient(dialect):
    tx = rmsprop(1e-3, dialect=dialect, centered=True, decay=0.9)
    updates, state = run(tx, noisy(1, 1e-4))
    assert np.isfinite(updates).all()
    # The deviation is known here, so the step is too: about α / 1e-4, or what ε allows.
    deviation = np.sqrt(np.asarray(state.nu).mean())
    np.testing.assert_allclose(deviation, 1e-4, rtol=0.2)


def test_optax_centered_does_not_survive_a_nearly_constant_gradient():
    updates, _ = run(optax.rmsprop(1e-3, centered=True), noisy(1, 1e-4))
    assert np.isnan(updates).any()


@pytest.mark.parametrize("spread", [1e-9, 1e-3, 1.0])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("centered", [False, True])
def test_any_magnitude_of_gradient_gives_finite_updates(centered, decay, spread):
    magnitudes = np.logspace(-18, 17, 64)
    for eps in (0.0, 1e-8):
        tx = rmsprop(1e-3, centered=centered, decay=decay, eps=eps, momentum=0.9)
        updates, state = run(tx, noisy(magnitudes, spread))
        assert np.isfinite(updates).all()
        assert (state.nu >= 0).all()


@pytest.mark.parametrize("options", [{}, {"centered": True}, {"momentum": 0.9}])
@pytest.mark.parametrize("dialect", accepting("centered", "momentum"))
def test_a_float16_gradient_of_zero_moves_nothing(dialect, options):
    updates, _ = run(
        rmsprop(1e-3, dialect=dialect, **options), jnp.zeros((3, 2), jnp.float16)
    )
    np.testing.assert_array_equal(updates, 0)


def test_optax_turns_a_float16_gradient_of_zero_into_nan():
    updates, _ = run(optax.rmsprop(1e-3), jnp.zeros((3, 2), jnp.float16))
    assert np.isnan(updates).all()


@pytest.mark.parametrize("eps_placement", ["inside", "outside"])
@pytest.mark.parametrize(
    "options", [{}, {"centered": True}, {"bias_correction": True}, {"momentum": 0.9}]
)
def test_zero_over_zero_is_zero(options, eps_placement):
    tx = rmsprop(1e-3, eps=0.0, eps_placement=eps_placement, **options)
    updates, _ = run(tx, jnp.zeros((3, 2)))
    np.testing.assert_array_equal(updates, 0)
    # Squares to zero in float32: nothing is known of its size, so it stays.
    updates, _ = run(tx, jnp.full((3, 2), 1e-30))
    np.testing.assert_array_equal(updates, 0)


def test_optax_makes_nan_of_zero_over_zero():
    updates, _ = run(optax.rmsprop(1e-3, eps=0.0), jnp.zeros((3, 2)))
    assert np.isnan(updates).all()


@pytest.mark.parametrize("eps_placement", ["inside", "outside"])
def test_the_first_centered_corrected_step_has_the_size_of_the_learning_rate(
    eps_placement,
):
    tx = rmsprop(1e-3, centered=True, bias_correction=True, eps_placement=eps_placement)
    g = jnp.asarray(np.random.default_rng(0).choice([-1, 1], (1, 9999)) * 0.5, "f4")
    updates, _ = run(tx, g)
    np.testing.assert_allclose(updates, -1e-3 * np.sign(g), rtol=1e-6)


def test_optax_makes_the_first_centered_corrected_step_tens_of_units_large():
    tx = optax.rmsprop(1e-3, centered=True, bias_correction=True)
    g = jnp.asarray(np.random.default_rng(0).standard_normal((1, 9999)), "f4")
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = run(tx, g)
    assert np.isnan(updates).any()
    assert np.nanmax(np.abs(updates)) > 10


def test_a_constant_gradient_makes_the_exact_centered_step_grow_exponentially():
    updates, _ = run(rmsprop(1.0, centered=True, eps=0.0), jnp.ones((300, 1)))
    t = np.array([1, 50, 100])
    exact = 1 / np.sqrt(0.9**t * (1 - 0.9**t))
    # What is left of g − μ is ρᵗ; the rounding of μ ≈ 1 is relative to that.
    rtol = np.finfo(np.float32).eps / 0.9**100
    np.testing.assert_allclose(-updates[t - 1, 0], exact, rtol=rtol)
    assert np.abs(updates[-1]).item() > 1e6


def test_the_variance_floor_bounds_the_centered_step():
    """At most 1/√f times the uncentered step, and that where the gradient stands."""
    floor = 0.01
    uncentered, _ = run(rmsprop(1.0), jnp.ones((300, 1)))
    updates, _ = run(
        rmsprop(1.0, centered=True, variance_floor=floor), jnp.ones((300, 1))
    )
    ratio = updates / uncentered
    rtol = 300 * np.finfo(np.float32).eps
    assert ratio.max() <= (1 + rtol) / np.sqrt(floor)
    np.testing.assert_allclose(ratio[-1], 1 / np.sqrt(floor), rtol=rtol)


@pytest.mark.parametrize("centered", [False, True])
def test_a_gradient_whose_square_overflows_is_forgotten(centered):
    grads = jnp.ones((1200, 1)).at[5].set(2e19)
    updates, state = run(rmsprop(1e-2, decay=0.9, centered=centered), grads)
    assert np.isfinite(updates).all()
    assert np.isfinite(state.nu).all()
    assert np.abs(updates[-1]).item() > 1e-3


def test_optax_stands_still_for_ever_after_a_gradient_whose_square_overflows():
    grads = jnp.ones((1200, 1)).at[5].set(2e19)
    updates, _ = run(optax.rmsprop(1e-2), grads)
    np.testing.assert_array_equal(updates[6:], 0)


def test_no_decay_at_all_forgets_an_overflow_at_once():
    updates, _ = run(rmsprop(1e-2, decay=0.0), jnp.ones((3, 1)).at[1].set(2e19))
    np.testing.assert_allclose(updates[2], -1e-2, rtol=1e-6)
