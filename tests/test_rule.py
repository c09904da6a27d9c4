import dataclasses
import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import (
    astray,
    fine_probe,
    oracle,
    probe,
    tolerances_apart,
    trajectories,
    trajectory,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rmsprop_jax import DIALECTS, rmsprop
from rmsprop_jax.moments import central_moment, second_moment

DTYPES = ["float32", "float64"]
MOMENTS = [
    {"centered": centered, "bias_correction": corrected, "nu_init": nu_init}
    for centered in (False, True)
    for corrected in (False, True)
    for nu_init in (0.0, 1.0)
]
PER_TENSOR = [
    {"moment": "tensor"},
    {"moment": "tensor", "centered": True, "nu_init": 1.0},
    {"moment": "tensor", "centered": True, "bias_correction": True},
]
TRACES = [
    {"momentum": None},
    *(
        {"momentum": 0.9, "lr_placement": placement, "nesterov": nesterov}
        for placement in ("in_trace", "after_trace")
        for nesterov in (False, True)
    ),
]
CAUTIOUS = [
    {"momentum": 0.9, "cautious": True, "lr_placement": "in_trace"},
    {"momentum": 0.9, "cautious": True, "lr_placement": "after_trace"},
    {"momentum": 0.9, "cautious": True, "nesterov": True},
]
DECAYS = [
    {},
    {"weight_decay": 0.01, "weight_decay_form": "coupled"},
    {"weight_decay": 0.01, "weight_decay_form": "decoupled"},
    {
        "weight_decay": 0.01,
        "weight_decay_form": "corrected",
        "peak_learning_rate": 0.1,
    },
]
EVERYTHING = ("learning_rate", "decay", "eps", "momentum", "weight_decay")
CORNERS = [
    {"decay": 0.0},
    {"decay": 0.0, "centered": True},
    {"decay": 0.0, "bias_correction": True},
    {"decay": 0.9999},
    {"decay": 0.9999, "float32_hyperparams": ("decay",)},
    {"decay": 0.9999, "bias_correction": True, "float32_hyperparams": ("decay",)},
    {"eps": 0.0},
    {"eps": 0.0, "eps_placement": "outside", "centered": True},
    {"eps": 1e-3, "eps_placement": "inside_with_trace"},
    {"eps": 1e-3, "eps_placement": "inside_with_trace", "momentum": 0.0},
    *({"momentum": 0.9, "float32_hyperparams": EVERYTHING, **x} for x in DECAYS),
    {"centered": True, "variance_floor": 0.9},
    {"centered": True, "variance_floor": 0.9, "nu_init": 1.0},
    {"centered": True, "variance_floor": 0.9, "bias_correction": True},
    {"centered": True, "variance_floor": 0.9, "moment": "tensor"},
    {"eps": 0.0, "moment": "tensor"},
]


def factory(float32_hyperparams=(), **options):
    """`rmsprop` with the options of the oracle."""
    row = DIALECTS["optax"]
    rule = dataclasses.replace(row.rule, float32_hyperparams=float32_hyperparams)
    return partial(rmsprop, dialect=dataclasses.replace(row, rule=rule), **options)


def gaps(rows, dtype):
    """Options → tolerances between the oracle's path and that of `rmsprop`."""
    start, grads, rates = fine_probe()
    paths = trajectories([factory(**row) for row in rows], start, grads, rates, dtype)
    return {
        str(row): tolerances_apart(
            path, oracle(start, grads, rates, **row), start, dtype
        )
        for row, path in zip(rows, paths, strict=True)
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("placement", ["inside", "outside"])
def test_rule_is_the_textbooks(placement, dtype):
    """Every moment with every trace; the forms of weight decay take turns."""
    pairs = [
        *itertools.product(TRACES, MOMENTS),
        *itertools.product(CAUTIOUS + TRACES[::4], PER_TENSOR),
        *itertools.product(CAUTIOUS, MOMENTS[:1]),
    ]
    rows = [
        {"eps": 1e-3, "eps_placement": placement, **moment, **trace, **decay}
        # Five turns and eight moments: each moment meets each form.
        for (trace, moment), decay in zip(
            pairs, itertools.cycle([*DECAYS, {}]), strict=False
        )
    ]
    assert not astray(gaps(rows, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_rule_is_the_textbooks_in_the_corners(dtype):
    assert not astray(gaps(CORNERS, dtype))


def test_opposite_gradients_almost_cancel():
    tx = partial(rmsprop, eps=0.0)
    path = trajectory(tx, np.zeros(1), [[1.0], [-1.0]], [0.1, 0.1], np.float64)
    assert path[:, 0] == pytest.approx([-0.31622777, -0.08681203])


def test_two_steps_down_a_parabola():
    """θ² from 10, as in the docstring of Keras and one step further."""
    tx, theta = rmsprop(0.1, eps=0.0), jnp.float32(10.0)
    state, path = tx.init(theta), []
    for _ in range(2):
        update, state = tx.update(2 * theta, state, theta)
        theta = optax.apply_updates(theta, update)
        path.append(float(theta))
    assert path == pytest.approx([9.683772, 9.457880])


@pytest.mark.parametrize("placement", ["inside", "outside"])
@pytest.mark.parametrize("moment", MOMENTS + PER_TENSOR, ids=str)
def test_nothing_moves_without_a_gradient_or_eps(moment, placement):
    tx = factory(eps=0.0, eps_placement=placement, momentum=0.9, **moment)
    path = trajectory(tx, np.ones(3), np.zeros((3, 3)), np.ones(3))
    np.testing.assert_array_equal(path, np.ones((3, 3)))


def test_elements_do_not_see_each_other():
    start, grads, rates = probe()
    order = np.random.default_rng(1).permutation(start.size)
    rows = [{**moment, **trace} for moment in MOMENTS for trace in TRACES[::2]]
    factories = [factory(weight_decay=0.01, **row) for row in rows]
    paths = trajectories(factories, start, grads, rates)
    permuted = trajectories(factories, start[order], grads[:, order], rates)
    for path, other in zip(paths, permuted, strict=True):
        np.testing.assert_array_equal(path[:, order], other)


@jax.jit
def moments(grads, weight):
    """ν, and running variance and mean, after every gradient."""

    def step(carry, g):
        raw, (nu, mu) = carry
        carry = second_moment(raw, g, weight), central_moment(nu, mu, g, weight)
        return carry, carry

    zeros = jnp.zeros_like(grads[0])
    return jax.lax.scan(step, (zeros, (zeros, zeros)), grads)[1]


GRADIENTS = arrays(np.float32, (6, 5), elements=st.floats(-1024, 1024, width=32))


@settings(deadline=None, max_examples=50, derandomize=True)
@given(grads=GRADIENTS, k=st.integers(-8, 8), weight=st.sampled_from([0.1, 0.01, 1.0]))
def test_moments_scale_exactly_with_powers_of_two(grads, k, weight):
    """ν(2ᵏ g) = 4ᵏ ν(g), bit for bit: the exponent moves, the mantissa does not."""
    # Differences of gradients this size stay clear of subnormals when squared.
    grads = np.round(grads, 3)
    two = np.float32(2.0) ** k
    raw, (nu, mu) = moments(grads, np.float32(weight))
    raw_scaled, (nu_scaled, mu_scaled) = moments(two * grads, np.float32(weight))
    np.testing.assert_array_equal(raw_scaled, two**2 * raw)
    np.testing.assert_array_equal(nu_scaled, two**2 * nu)
    np.testing.assert_array_equal(mu_scaled, two * mu)


def steady(dtype):
    """300 gradients a lane; means 1e-18 to 1e17, noise 1e-9 to 10 times the mean."""
    mean, noise = np.meshgrid(10.0 ** np.arange(-18, 18), 10.0 ** np.arange(-9, 2))
    rng = np.random.default_rng(0)
    grads = mean * (1 + noise * rng.standard_normal((300, *mean.shape)))
    return jnp.asarray(grads, dtype).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_variance_is_never_negative(decay, dtype):
    _, (nu, mu) = moments(steady(dtype), np.float32(1 - decay))
    assert jnp.isfinite(nu).all()
    assert jnp.isfinite(mu).all()
    assert nu.min() >= 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_subtracting_the_squared_mean_does_go_negative(decay, dtype):
    """Why the central moment is not written as E[g²] − E[g]²."""
    raw, (_, mu) = moments(steady(dtype), np.float32(1 - decay))
    assert (raw - mu**2).min() < 0
