"""`skip_nonfinite`: a bad step leaves no trace, and a good one is untouched by it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import rmsprop, set_hyperparams

BAD = {"nan": np.nan, "inf": np.inf, "minus_inf": -np.inf, "square_overflows": 2e19}
OPTIONS = {
    "plain": {},
    "torch_full": {
        "dialect": "torch",
        "momentum": 0.9,
        "centered": True,
        "weight_decay": 0.1,
    },
    "corrected": {"bias_correction": True, "momentum": 0.9, "nesterov": True},
}
PARAMS = {"w": jnp.array([1.0, -0.0, 0.0]), "b": jnp.array(-2.0)}
GOOD = {"w": jnp.array([0.5, -1.0, 0.0]), "b": jnp.array(3.0)}


def bits(tree):
    return [np.asarray(x).tobytes() for x in jax.tree.leaves(tree)]


def after(tx, *steps):
    params, state = PARAMS, tx.init(PARAMS)
    update = jax.jit(tx.update)
    for grads in steps:
        updates, state = update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params, state


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_step_changes_nothing_but_the_counter(bad, options):
    tx = rmsprop(0.1, skip_nonfinite=True, **options)
    broken = GOOD | {"w": jnp.array([1.0, bad, 1.0])}
    params, state = after(tx, GOOD, broken, broken)
    wanted_params, wanted = after(tx, GOOD)
    assert bits(params) == bits(wanted_params)
    assert int(state.skipped) == 2
    assert bits(state._replace(skipped=wanted.skipped)) == bits(wanted)


@pytest.mark.parametrize("shape", [(64,), (8192,), (64, 128), (300, 5, 7)], ids=str)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_number_is_found_in_an_array_of_any_size(bad, shape):
    tx = rmsprop(0.1, skip_nonfinite=True)
    grads = jnp.ones(shape).at[(3,) * len(shape)].set(bad)
    for update in (tx.update, jax.jit(tx.update)):
        assert int(update(grads, tx.init(grads))[1].skipped) == 1


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_the_run_goes_on_as_if_the_bad_steps_had_not_been(bad):
    tx = rmsprop(optax.linear_schedule(0.1, 0.0, 4), momentum=0.9, skip_nonfinite=True)
    broken = GOOD | {"b": jnp.array(bad)}
    params, state = after(tx, GOOD, broken, GOOD, broken, GOOD)
    wanted, wanted_state = after(tx, GOOD, GOOD, GOOD)
    assert bits(params) == bits(wanted)
    assert int(state.count) == int(wanted_state.count) == 3


def test_good_steps_are_those_without_the_guard():
    for options in OPTIONS.values():
        guarded, _ = after(rmsprop(0.1, skip_nonfinite=True, **options), GOOD, GOOD)
        plain, _ = after(rmsprop(0.1, **options), GOOD, GOOD)
        assert bits(guarded) == bits(plain)


def test_a_skipped_update_is_minus_zero():
    tx = rmsprop(0.1, skip_nonfinite=True)
    bad = GOOD | {"b": jnp.array(np.nan)}
    updates, _ = tx.update(bad, tx.init(PARAMS))
    for leaf in jax.tree.leaves(updates):
        np.testing.assert_array_equal(leaf, 0)
        assert np.signbit(leaf).all()


def test_it_never_gives_up():
    tx = rmsprop(0.1, skip_nonfinite=True)
    broken = GOOD | {"b": jnp.array(np.nan)}
    params, state = after(tx, *[broken] * 20)
    assert bits(params) == bits(PARAMS)
    assert int(state.skipped) == 20


def test_optax_apply_if_finite_gives_up():
    tx = optax.apply_if_finite(optax.rmsprop(0.1), max_consecutive_errors=2)
    params, _ = after(tx, *[GOOD | {"b": jnp.array(np.nan)}] * 3)
    assert np.isnan(params["b"])


def test_without_the_guard_a_bad_gradient_shows():
    _, state = after(rmsprop(0.1), GOOD | {"b": jnp.array(np.nan)})
    assert np.isnan(state.nu["b"])
    assert state.skipped is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_hyperparameter_is_skipped_too(bad):
    tx = rmsprop(lambda count: jnp.where(count == 1, bad, 0.1), skip_nonfinite=True)
    params, state = after(tx, GOOD, GOOD)
    assert bits(params) == bits(after(tx, GOOD)[0])
    assert int(state.skipped) == 1


def test_an_update_too_large_for_float16_is_skipped():
    # 1e-4 apart from its mean, the gradient's centered step outgrows 65504.
    tx = rmsprop(
        1.0, dialect="torch", centered=True, decay=0.5, eps=1e-8, skip_nonfinite=True
    )
    grads = jnp.ones(1, jnp.float16)
    state = tx.init(grads)
    for _ in range(60):
        updates, state = tx.update(grads, state)
        assert np.isfinite(np.asarray(updates)).all()
    assert int(state.skipped) > 0


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("eps_placement", ["inside", "outside"])
def test_a_finite_square_gives_a_finite_float32_update(eps_placement, centered):
    """Why only float16 updates are looked at: the proof by trying the extremes."""
    edge = float(np.sqrt(np.finfo(np.float32).max)) * 0.999
    tx = rmsprop(
        1.0, centered=centered, eps=0.0, momentum=0.9, eps_placement=eps_placement
    )
    for pattern in ([edge, edge], [edge, -edge], [edge, 1e-18], [1e-18, edge]):
        grads = jnp.array([pattern * 10]).T
        state = tx.init(grads[0])
        for g in grads:
            updates, state = tx.update(g, state)
            assert np.isfinite(np.asarray(updates)).all()


def test_one_member_of_a_chain_protects_itself_only():
    tx = optax.chain(optax.trace(0.9), rmsprop(0.1, skip_nonfinite=True))
    params, state = after(tx, GOOD | {"b": jnp.array(np.nan)}, GOOD)
    assert bits(params) == bits(PARAMS)  # the trace before it stays NaN for good
    assert int(state[1].skipped) == 2


def test_the_whole_chain_can_be_wrapped():
    chain = optax.chain(optax.trace(0.9), rmsprop(0.1))
    tx = optax.apply_if_finite(chain, max_consecutive_errors=100)
    params, _ = after(tx, GOOD, GOOD | {"b": jnp.array(np.nan)}, GOOD)
    assert bits(params) == bits(after(tx, GOOD, GOOD)[0])


def test_vmapped_members_skip_each_for_itself():
    tx = rmsprop(0.1, skip_nonfinite=True)
    grads = jnp.array([[1.0, 1.0], [1.0, np.nan], [np.inf, 1.0]])
    state = jax.vmap(tx.init)(jnp.zeros((3, 2)))
    updates, state = jax.jit(jax.vmap(tx.update))(grads, state)
    np.testing.assert_array_equal(state.skipped, [0, 1, 1])
    np.testing.assert_array_equal(state.count, [1, 0, 0])
    np.testing.assert_array_equal(updates[1:], 0)
    assert (np.asarray(updates[0]) != 0).all()


def test_hyperparameters_can_be_set_under_the_guard():
    tx = rmsprop(0.1, skip_nonfinite=True)
    _, state = after(tx, GOOD)
    state = set_hyperparams(state, learning_rate=0.5)
    _, state = tx.update(GOOD | {"b": jnp.array(np.nan)}, state)
    assert float(state.hyperparams.learning_rate) == 0.5
