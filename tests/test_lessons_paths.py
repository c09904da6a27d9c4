import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import rmsprop
from rmsprop_jax.lessons import paths, valleys

GROUNDS = valleys.grounds()


@pytest.mark.parametrize("name", GROUNDS)
def test_lowest_points_are_lowest(name):
    ground = GROUNDS[name]
    anywhere = np.random.default_rng(1).normal(size=(2, 1000)).astype(np.float32)
    lowest = [float(ground.height(jnp.float32(x))) for x in ground.lowest]
    assert np.ptp(lowest) < 1e-6
    assert min(lowest) <= float(ground.height(anywhere).min())
    for x in ground.lowest:
        assert jnp.abs(jax.grad(ground.height)(jnp.float32(x))).max() < 1e-6


def test_a_turned_valley_is_the_valley_turned():
    straight, turned = valleys.valley(), valleys.valley(turned=30.0)
    for one, other in zip(straight.starts, turned.starts, strict=True):
        np.testing.assert_allclose(
            straight.height(jnp.float32(one)),
            turned.height(jnp.float32(other)),
            rtol=1e-5,
        )
    hessian = jax.jit(jax.hessian(turned.height))(jnp.zeros(2))
    np.testing.assert_allclose(np.linalg.eigvalsh(hessian), [1, 100], rtol=1e-5)
    assert abs(hessian[0, 1]) > 10


def test_arrivals_counts_the_last_point_that_is_away_and_nan_is_away():
    nan = np.nan
    one = [[5.0, 0], [0, 0], [5.0, 0], [0, 0.05], [0, 0]]
    two = [[5.0, 0], [0, 0], [0, 0], [0, 0], [nan, 0]]
    three = [[0.0, 0]] * 5
    found = paths.arrivals(np.array([one, two, three]), np.zeros((1, 2)))
    assert found.tolist() == [3, 5, 0]


def test_gradient_descent_does_not_notice_a_turn_and_rmsprop_does():
    straight, turned = GROUNDS["valley"], GROUNDS["turned valley"]
    sgd = [paths.fastest(optax.sgd, x).steps for x in (straight, turned)]
    ours = [paths.fastest(rmsprop, x).steps for x in (straight, turned)]
    assert abs(sgd[0] - sgd[1]) < 1
    assert ours[0] < sgd[0] / 4
    assert ours[1] > 4 * ours[0]


def test_to_rmsprop_sides_of_any_steepness_are_one_valley():
    steps = [paths.fastest(rmsprop, valleys.valley(x)).steps for x in (1.0, 1e4)]
    assert abs(steps[0] - steps[1]) < 1


def test_rmsprop_leaves_the_ridge_where_gradient_descent_lingers():
    ours = paths.fastest(rmsprop, GROUNDS["saddle"])
    sgd = paths.fastest(optax.sgd, GROUNDS["saddle"])
    assert ours.steps < sgd.steps / 8
    assert np.abs(ours.path[-1] - GROUNDS["saddle"].lowest[0]).max() <= 0.1
