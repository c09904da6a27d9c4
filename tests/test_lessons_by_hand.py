import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import oracle

from rmsprop_jax import rmsprop
from rmsprop_jax.lessons import by_hand


def textbook(gradients, alpha=0.1, rho=0.9, eps=1e-8, centered=False):
    theta = nu = mu = 0 * gradients[0]
    for g in gradients:
        nu, mu = rho * nu + (1 - rho) * g**2, rho * mu + (1 - rho) * g
        theta = theta - alpha * g / np.sqrt(nu - centered * mu**2 + eps)
        yield theta


@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.9}, {"centered": True}], ids=str
)
def test_by_rule_goes_where_the_oracle_goes(options):
    grads = list(by_hand.WORKED)
    rates = [0.1] * len(grads)
    expected = np.stack(oracle(np.zeros(2), grads, rates, **options))
    np.testing.assert_allclose(
        by_hand.by_rule(by_hand.WORKED, **options), expected, atol=1e-5
    )


def test_by_rule_is_rmsprop():
    tx, theta = rmsprop(0.1, momentum=0.5), jnp.zeros(2)
    state = tx.init(theta)
    for g in jnp.float32(by_hand.WORKED[:5]):
        updates, state = tx.update(g, state, theta)
        theta = theta + updates
    np.testing.assert_allclose(
        by_hand.by_rule(by_hand.WORKED[:5], momentum=0.5)[-1], theta, rtol=1e-6
    )


def test_the_worked_examples_are_the_ones_on_paper():
    theta = by_hand.by_rule(by_hand.WORKED[:2]) + np.float32([0, 10])
    on_paper = [[-0.316228, 9.683772], [-0.086812, 9.457880]]
    np.testing.assert_allclose(theta, on_paper, atol=2e-6)
    # θ² from 10: the second gradient is that of where the first step led.
    np.testing.assert_allclose(by_hand.WORKED[1, 1], 2 * on_paper[0][1], atol=2e-6)


def test_the_votes_balance_and_one_batch_is_bad():
    assert abs(by_hand.VOTES.mean()) < 1e-12
    assert (by_hand.BURST > 1).sum() == 1


@pytest.mark.parametrize(("rho", "steps"), [(0.5, 11), (0.9, 56), (0.99, 349)])
def test_recovery_takes_as_long_as_the_notebook_says(rho, steps):
    way = by_hand.by_rule(by_hand.BURST, decay=rho, eps=0.0)
    assert by_hand.recovery(by_hand.lengths(way, 0.1)) == steps
    # (1 − ρ) ρᵏ 100² falls below 3, so that √ν is below 2.
    bad = (1 - rho) * 100.0**2
    assert bad * rho**steps < 3.01 < bad * rho ** (steps - 1)


def test_a_sum_never_recovers():
    sums = np.sqrt(np.cumsum(by_hand.BURST**2))
    assert by_hand.recovery(by_hand.BURST / sums) is None


def test_the_textbook_variance_breaks_and_ours_does_not():
    steps = by_hand.centred(textbook)
    hand, ours = steps["ν − μ², by hand"], steps["centered=True"]
    assert hand.dtype == ours.dtype == np.float32
    assert 100 < np.isnan(hand).argmax() < 200
    assert np.isfinite(ours).all()
    assert 5e3 < np.median(ours[200:]) < 2e4


def test_in_float64_the_textbook_variance_holds():
    way = [*textbook(np.float64(by_hand.STEADY), centered=True)]
    assert np.isfinite(way).all()


def test_optax_centred_breaks_on_the_same_gradients():
    tx = optax.rmsprop(0.1, decay=0.9, eps=1e-8, centered=True)

    def step(state, g):
        updates, state = tx.update(g, state)
        return state, updates

    updates = jax.lax.scan(step, tx.init(jnp.zeros(())), jnp.float32(by_hand.STEADY))[1]
    assert 100 < np.isnan(np.asarray(updates)).argmax() < 200


@pytest.mark.parametrize(("eps", "knee"), [(1e-8, 1e-4), (1e-6, 1e-3)])
def test_inside_the_root_the_knee_is_at_the_root_of_eps(eps, knee):
    g, (inside, outside) = by_hand.fading(eps)[0], by_hand.fading(eps)[1].values()
    at = np.argmin(np.abs(np.log(g / knee)))
    np.testing.assert_allclose(inside[at], np.sqrt(0.5), rtol=1e-3)
    at = np.argmin(np.abs(np.log(g / eps)))
    np.testing.assert_allclose(outside[at], 0.5, rtol=1e-3)
