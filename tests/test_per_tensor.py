"""One ν for a whole array: `moment="tensor"`, in numbers done by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from rmsprop_jax import effective_learning_rate, metrics, rmsprop, state_sharding

HAND = {"decay": 0.75, "eps": 0.0, "moment": "tensor"}


def one_step(tx, params, grads):
    return tx.update(grads, tx.init(params), params)


def test_one_nu_holds_the_norm_of_each_array():
    """‖(3, 4)‖² = 25, a quarter of it 6.25; the other array does not see it."""
    grads = {"a": jnp.array([3.0, 4.0]), "b": jnp.array([[2.0], [0.0]])}
    updates, state = one_step(rmsprop(0.5, **HAND), grads, grads)
    np.testing.assert_array_equal(state.nu["a"], [6.25])
    np.testing.assert_array_equal(state.nu["b"], [[1.0]])
    np.testing.assert_allclose(updates["a"], [-0.6, -0.8], rtol=1e-6)
    np.testing.assert_array_equal(updates["b"], [[-1.0], [0.0]])


def test_the_second_step_remembers_the_first():
    tx, g = rmsprop(1.0, **HAND), jnp.array([3.0, 4.0])
    _, state = one_step(tx, g, g)
    update, state = tx.update(jnp.array([0.0, 5.0]), state)
    np.testing.assert_array_equal(state.nu, [0.75 * 6.25 + 6.25])
    np.testing.assert_allclose(update, [0.0, -5 / 10.9375**0.5], rtol=1e-6)


def test_centered_takes_the_mean_off_first():
    """μ = g / 4, so that ν = ‖g‖² / 4 − ‖g / 4‖² = 75 / 16."""
    g = jnp.array([3.0, 4.0])
    update, state = one_step(rmsprop(1.0, centered=True, **HAND), g, g)
    np.testing.assert_allclose(state.nu, [75 / 16], rtol=1e-6)
    np.testing.assert_array_equal(state.mu, [0.75, 1.0])
    np.testing.assert_allclose(update, -g / (75 / 16) ** 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("dialect", "nu", "update"),
    [
        # |3 + 4i|² + |12i|² = 169, a quarter of it 42.25.
        ("optax", [42.25], [-(3 + 4j) / 6.5, -12j / 6.5]),
        # Two reals: 9 of one, 16 + 144 of the other.
        ("torch", [2.25 + 40j], [-2 - 4j / 40**0.5, -12j / 40**0.5]),
    ],
)
def test_a_complex_array_has_the_norm_that_its_dialect_gives_it(dialect, nu, update):
    g = jnp.array([3 + 4j, 12j], jnp.complex64)
    given, state = one_step(rmsprop(1.0, dialect=dialect, **HAND), g, g)
    np.testing.assert_array_equal(state.nu, nu)
    np.testing.assert_allclose(given, update, rtol=1e-6)


def test_a_scalar_is_its_own_norm():
    g = jnp.array(-3.0)
    update, state = one_step(rmsprop(1.0, **HAND), g, g)
    assert (update, state.nu) == (2.0, 2.25)
    assert state.nu.shape == ()


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_an_empty_array_has_a_norm_of_0_and_no_update(shape):
    g = jnp.zeros(shape)
    update, state = one_step(rmsprop(1.0, momentum=0.9, **HAND), g, g)
    np.testing.assert_array_equal(state.nu, np.zeros((1,) * len(shape)))
    assert update.shape == state.trace.shape == shape


def test_rotating_the_gradient_rotates_the_update():
    """The length of a step is no matter of axes, as it is with one ν an element."""
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))
    g, turn = jnp.linspace(-1.0, 2.0, 8), jnp.asarray(turn, jnp.float32)
    for moment, turns in (("tensor", True), ("elementwise", False)):
        tx = rmsprop(0.1, moment=moment, decay=0.75)
        update, turned = (one_step(tx, x, x)[0] for x in (g, turn @ g))
        assert np.allclose(turned, turn @ update, rtol=0, atol=1e-6) == turns


def test_the_state_of_a_sharded_array_is_one_number_that_every_device_has():
    mesh = jax.make_mesh((8,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    params = {"w": jnp.linspace(-1.0, 2.0, 16 * 3).reshape(16, 3), "b": jnp.ones(3)}
    lie = {
        "w": NamedSharding(mesh, PartitionSpec("x")),
        "b": NamedSharding(mesh, PartitionSpec()),
    }
    tx = rmsprop(0.1, momentum=0.9, centered=True, moment="tensor")
    shardings = state_sharding(lie, jax.eval_shape(tx.init, params))
    assert shardings.nu["w"].is_fully_replicated
    assert shardings.trace["w"] == shardings.mu["w"] == lie["w"]
    placed = jax.device_put(params, lie)
    init = jax.jit(tx.init, out_shardings=shardings)
    update = jax.jit(tx.update, out_shardings=(lie, shardings))
    updates, state = update(placed, init(placed), placed)
    assert state.nu["w"].shape == (1, 1)
    assert [x.data.shape for x in state.nu["w"].addressable_shards] == [(1, 1)] * 8
    assert {x.data.shape for x in updates["w"].addressable_shards} == {(2, 3)}
    alone = jax.tree.leaves(one_step(tx, params, params))
    for one, other in zip(jax.tree.leaves((updates, state)), alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_zero_axis_leaves_the_one_number_whole():
    mesh = jax.make_mesh((8,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    params, lie = jnp.ones((16, 3)), NamedSharding(mesh, PartitionSpec())
    shapes = jax.eval_shape(rmsprop(0.1, momentum=0.9, moment="tensor").init, params)
    shardings = state_sharding(lie, shapes, zero_axis="x")
    assert shardings.nu.is_fully_replicated
    assert shardings.trace.spec == PartitionSpec("x", None)


def test_metrics_know_that_one_nu_serves_all():
    tx, g = rmsprop(0.5, **HAND), {"w": jnp.array([[3.0, 4.0]])}
    _, state = one_step(tx, g, g)
    seen = metrics(state, tx.rule, grads=g)
    for quantile in ("q05", "q50", "q95"):
        assert float(seen[f"effective_learning_rate/{quantile}"]) == pytest.approx(0.2)
    assert float(seen["eps_share"]) == 0
    assert float(seen["grad_norm"]) == 5
    rates = effective_learning_rate(state, tx.rule)
    np.testing.assert_allclose(rates["w"], [[0.2]], rtol=1e-6)


def test_eps_outweighs_a_small_norm_as_it_does_a_small_element():
    tx, g = rmsprop(0.5, decay=0.75, eps=100.0, moment="tensor"), jnp.array([3.0, 4.0])
    _, state = one_step(tx, g, g)
    assert float(metrics(state, tx.rule)["eps_share"]) == 1
