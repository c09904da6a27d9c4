"""What notebook 05 shows: moments in few bits, naively and as they should be."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest

from rmsprop_jax import rmsprop
from rmsprop_jax.lessons import few_bits, quantising, quantising_pictures

SAME = {"learning_rate": 1e-3, "dialect": "torch", "decay": 0.999}


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown; none is left open."""
    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


@pytest.mark.parametrize(
    ("dtype", "momentum", "expected"),
    [(None, False, 4), ("bfloat16", 0.9, 4), ("int8", False, 1 + 2 / 256)],
)
def test_bytes_are_those_of_the_state(dtype, momentum, expected):
    tx = rmsprop(1e-3, momentum=momentum, state_dtype=dtype)
    params = jnp.zeros((32, 256))
    assert quantising.bytes_per_parameter(tx, params) == pytest.approx(expected)
    state = tx.init(params)
    arrays = (state.nu, state.nu_scale, state.trace, state.trace_scale)
    held = sum(x.nbytes for x in jax.tree.leaves(arrays))
    assert quantising.bytes_per_parameter(tx, params) * params.size == held


def test_what_rests_in_nearest_bfloat16_freezes_at_a_quarter():
    tx = rmsprop(1e-3, decay=0.999)
    naive = quantising.rounded_at_rest(tx, quantising.nearest_bfloat16)
    assert quantising.second_moment(naive, np.ones(1000))[-1] == 0.25
    exact = quantising.second_moment(tx, np.ones(1000))[-1]
    assert exact == pytest.approx(1 - 0.999**1000, rel=1e-4)


def test_equal_steps_are_right_to_half_a_step_and_lose_what_is_below_it():
    x = jnp.asarray(np.random.default_rng(0).lognormal(size=500), jnp.float32)
    step = x.max() / 255
    rounded = quantising.equal_steps(x)
    assert jnp.abs(rounded - x).max() <= step * 0.501
    assert ((rounded == 0) == (x < step / 2)).all()
    assert len(np.unique(rounded)) <= 256
    assert (quantising.equal_steps(jnp.zeros(3)) == 0).all()


def test_rounded_at_rest_the_step_has_the_fresh_moment():
    tx = rmsprop(**SAME)
    naive = quantising.rounded_at_rest(tx, quantising.equal_steps)
    g = jnp.array([1.0, 1e-3])
    start = tx.init(g)
    first, state = naive.update(g, start)
    np.testing.assert_array_equal(first, tx.update(g, start)[0])
    assert state.nu[1] == 0
    second = naive.update(g, state)[0]
    # 1 / √(1 − ρ): all that is left to divide by is the newest gradient.
    assert second[1] == pytest.approx(-1e-3 * 1000**0.5, rel=1e-3)


def test_rounded_before_use_without_rounding_is_the_transformation():
    tx = rmsprop(**SAME)
    g = jnp.array([1.0, 1e-3])
    same = quantising.rounded_before_use(tx, lambda x: x)
    np.testing.assert_allclose(
        same.update(g, tx.init(g))[0], tx.update(g, tx.init(g))[0], rtol=1e-6
    )


def test_a_training_is_repeated_by_its_seed_and_by_no_other():
    trained = few_bits.training(rmsprop(**SAME), steps=20, hidden=32)
    one, again, other = (trained(seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.losses, again.losses)
    assert not np.array_equal(one.losses, other.losses)
    assert one.test_losses[-1] < 0.7 * one.test_losses[0]


def test_dividing_by_what_was_rounded_diverges_and_fresh_moments_do_not():
    tx = rmsprop(**SAME)
    used = quantising.rounded_before_use(tx, quantising.equal_steps)
    rested = quantising.rounded_at_rest(tx, quantising.equal_steps)
    ends = [
        few_bits.training(x, steps=10, hidden=32)(0).losses[-1] for x in (used, rested)
    ]
    assert not ends[0] < 1e4
    assert ends[1] < 10


def test_a_window_of_octaves_holds_what_equal_steps_lose(shown):
    nu = np.float32(10) ** np.linspace(-12, -5, 400, dtype=np.float32)
    quantising_pictures.levels(nu, {"equal": quantising.equal_steps(jnp.asarray(nu))})
    share = np.mean(nu < nu.max() / 510)
    text = shown[0].axes[0].texts[0].get_text()
    assert text.startswith(f"{share:.0%} rounded to 0")


def test_pictures_of_curves_have_every_seed_and_a_mean(shown):
    run = few_bits.Trained(np.ones(300), np.ones(300), None, None)
    quantising_pictures.curves({"one": [run, run], "other": [run, run]})
    assert [len(axes.lines) for axes in shown[0].axes] == [6, 6]
    quantising_pictures.frozen({"one": np.ones(5)}, np.ones(5))
    assert len(shown[1].axes[0].lines) == 2
