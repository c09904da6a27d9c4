import numpy as np
import optax
import pytest
from helpers import (
    astray,
    oracle,
    probe,
    tolerance,
    tolerances_apart,
    trajectories,
    trajectory,
)

FALLING = {"rates": [1, 0.1, 0.1], "decay": 0.0, "momentum": 0.5}


def path_of(gradients, *, rates=None, start=0.0, eps=0.0, **options):
    """The oracle on one parameter, as numbers that compare to seven digits."""
    rates = np.ones(len(gradients)) if rates is None else rates
    path = oracle([start], [[g] for g in gradients], rates, eps=eps, **options)
    return pytest.approx(path[:, 0].tolist())


def test_oracle_takes_opposite_gradients_almost_back():
    assert path_of([1, -1], rates=[0.1, 0.1]) == [-0.31622777, -0.08681203]


def test_oracle_descends_the_parabola_of_the_keras_docstring():
    """θ² from 10: the gradients are 20 and 2 · 9.683772."""
    path = path_of([20, 2 * 9.683772234], rates=[0.1, 0.1], start=10.0)
    assert path == [9.68377223, 9.457880]


def test_oracle_puts_eps_where_it_is_told():
    options = {"decay": 0.0, "eps": 16.0}
    assert path_of([3], **options, eps_placement="inside") == [-3 / 5]
    assert path_of([3], **options, eps_placement="outside") == [-3 / 19]


def test_oracle_lets_a_trace_take_eps_inside():
    options = {"decay": 0.0, "eps": 16.0, "eps_placement": "inside_with_trace"}
    assert path_of([3], **options) == [-3 / 19]
    assert path_of([3], **options, momentum=0.0) == [-3 / 5]


def test_oracle_starts_the_second_moment_where_it_is_told():
    assert path_of([7], decay=0.5, nu_init=1.0) == [-7 / 5]


def test_oracle_subtracts_the_squared_mean():
    """E[g²] = 2, 3 and E[g]² = 1, 9/4."""
    assert path_of([2, 2], decay=0.5, centered=True) == [-2, -2 - 2 / 0.75**0.5]


def test_oracle_keeps_the_variance_above_its_floor():
    path = path_of([2, 2], decay=0.5, centered=True, variance_floor=0.5)
    assert path == [-2, -2 - 2 / 1.5**0.5]


def test_oracle_corrects_for_the_start():
    path = path_of([3, 4], bias_correction=True)
    assert path == [-1, -1 - 4 / (2.41 / 0.19) ** 0.5]


def test_oracle_corrects_the_variance_too():
    """Two gradients one apart, of weights 9/19 and 10/19: variance 90/361."""
    path = path_of([3, 4], bias_correction=True, centered=True)
    assert path == [-1, -1 - 4 / (90 / 361) ** 0.5]
    path = path_of([2], bias_correction=True, centered=True, nu_init=1.0)
    assert path == [-2 / 3]


def test_oracle_keeps_a_trace_of_steps_or_of_directions():
    assert path_of([1, 1, 1], **FALLING) == [-1, -1.6, -2]
    path = path_of([1, 1, 1], **FALLING, lr_placement="after_trace")
    assert path == [-1, -1.15, -1.325]


def test_oracle_looks_ahead():
    assert path_of([1, 1, 1], **FALLING, nesterov=True) == [-1.5, -1.9, -2.2]
    path = path_of([1, 1, 1], **FALLING, nesterov=True, lr_placement="after_trace")
    assert path == [-1.5, -1.675, -1.8625]


def test_oracle_decays_the_parameters_as_they_move():
    options = {"rates": [0.1, 0.1], "start": 10.0, "decay": 0.0, "weight_decay": 0.5}
    assert path_of([-1, -1], **options) == [9.6, 9.22]
    path = path_of([-1, -6], **options, weight_decay_form="coupled")
    assert path == [9.9, 10.0]


def test_oracle_rounds_the_hyperparameters_it_is_told_to():
    options = {"decay": 0.9999, "start": 1.0, "weight_decay": 0.1}
    rounded = path_of([1], **options, float32_hyperparams=("decay",))
    assert rounded == [1 - 1 / (1 - float(np.float32(0.9999))) ** 0.5 - 0.1]
    assert rounded != path_of([1], **options).expected


def test_oracle_stays_where_there_is_no_gradient():
    assert path_of([0, 0], start=10.0) == [10, 10]


def test_oracle_computes_in_float64_whatever_it_is_given():
    narrow = probe()
    wide = [x.astype(np.float64) for x in narrow]
    options = {"momentum": 0.9, "weight_decay": 0.01}
    np.testing.assert_array_equal(oracle(*narrow, **options), oracle(*wide, **options))


def test_tolerance_is_eight_roundings_a_step():
    assert tolerance(np.float32, 1) == 2.0**-20
    assert tolerance(np.float64, 10) == 10 * 2.0**-49


def test_tolerances_are_of_the_distance_travelled():
    start = np.array([100.0, 100.0])
    path = np.array([[101.0, 100.0], [104.0, 99.0]])
    other = path + np.array([[0.0, 0.0], [0.0, 2.0**-17]])
    assert tolerances_apart(path, other, start, np.float32) == 2.0**-17 / (4 * 2.0**-19)
    assert np.isnan(tolerances_apart(path * np.nan, other, start, np.float32))


def test_nan_is_astray():
    gaps = {"near": 1.0, "far": 1.5, "lost": np.nan}
    assert list(astray(gaps)) == ["far", "lost"]
    assert list(astray(gaps, limit=2)) == ["lost"]


def test_probe_changes_the_learning_rate_twice():
    _, grads, rates = probe()
    assert np.count_nonzero(np.diff(rates)) == 2
    assert len(grads) == len(rates)


@pytest.mark.parametrize("decay", [0.9, 0.99])
def test_probe_costs_a_subtracted_variance_no_digit(decay):
    """E[g²] stays within ten times E[g²] − E[g]²."""
    _, grads, _ = probe()
    nu = mu = correction = 0.0
    for g in grads.astype(np.float64):
        nu = decay * nu + (1 - decay) * g**2
        mu = decay * mu + (1 - decay) * g
        correction = decay * correction + (1 - decay)
        assert (nu < 10 * (nu - mu**2)).all()
        if correction > 1 - decay:
            corrected = nu / correction
            assert (corrected < 10 * (corrected - (mu / correction) ** 2)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_trajectory_sets_the_learning_rate_at_each_step(dtype):
    grads = np.array([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])
    rates = np.array([1.0, 0.5, 0.25])
    path = trajectory(optax.sgd, np.array([10.0, 20.0]), grads, rates, dtype)
    assert path.dtype == dtype
    np.testing.assert_array_equal(path, [[9, 18], [7.5, 16], [7.75, 15.875]])


def test_trajectories_run_side_by_side():
    grads, rates = np.ones((2, 1)), np.ones(2)
    slow, fast = trajectories(
        [optax.sgd, lambda rate: optax.chain(optax.scale(2.0), optax.sgd(rate))],
        *(np.zeros(1), grads, rates),
    )
    np.testing.assert_array_equal(slow, [[-1], [-2]])
    np.testing.assert_array_equal(fast, [[-2], [-4]])
