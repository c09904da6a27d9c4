"""Moments that rest in fewer bits: where, how exactly, and in how many bytes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import named
from low_precision import (
    FULL,
    PARAMS,
    assert_same,
    dtypes,
    far,
    gradients,
    low,
    run,
    slots,
)

from rmsprop_jax import (
    convert_state,
    rmsprop,
    scale_by_rms,
)


@pytest.mark.parametrize(
    ("state_dtype", "nu", "mu", "trace"),
    [
        (None, "float32", "float32", "float32"),
        ("float32", "float32", "float32", "float32"),
        (jnp.float32, "float32", "float32", "float32"),
        ("bfloat16", "bfloat16", "bfloat16", "bfloat16"),
        (jnp.bfloat16, "bfloat16", "bfloat16", "bfloat16"),
        ("int8", "uint8", "int8", "int8"),
        (np.dtype("int8"), "uint8", "int8", "int8"),
        ({"nu": "int8"}, "uint8", "float32", "float32"),
        ({"nu": jnp.int8, "trace": "bfloat16"}, "uint8", "float32", "bfloat16"),
        ({"mu": "bfloat16", "nu": None}, "float32", "bfloat16", "float32"),
        ({}, "float32", "float32", "float32"),
    ],
    ids=named,
)
def test_each_slot_rests_in_what_it_is_told_before_and_after_a_step(
    state_dtype, nu, mu, trace
):
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    state = tx.init(PARAMS)
    wanted = {"nu": nu, "mu": mu, "trace": trace}
    assert dtypes(state) == wanted
    _, after = jax.jit(tx.update)(gradients(0), state)
    assert dtypes(after) == wanted
    assert jax.tree.structure(after) == jax.tree.structure(state)
    alike = jax.tree.map(
        lambda a, b: (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type),
        state,
        after,
    )
    assert all(jax.tree.leaves(alike))
    for slot, dtype in wanted.items():
        scale = getattr(after, f"{slot}_scale")
        assert (scale is not None) == (dtype in {"uint8", "int8"})


@low
def test_small_arrays_rest_in_float32(state_dtype):
    state = rmsprop(1e-3, state_dtype=state_dtype, **FULL).init(PARAMS)
    assert {x["b"].dtype.name for x in slots(state).values()} == {"float32"}


@pytest.mark.parametrize(
    ("min_size", "w", "b"),
    [
        (0, "bfloat16", "bfloat16"),
        (64, "bfloat16", "bfloat16"),
        (65, "bfloat16", "float32"),
        (64 * 128, "bfloat16", "float32"),
        (64 * 128 + 1, "float32", "float32"),
        (np.int32(65), "bfloat16", "float32"),
    ],
)
def test_what_is_small_can_be_told(min_size, w, b):
    tx = rmsprop(1e-3, state_dtype="bfloat16", state_dtype_min_size=min_size)
    nu = tx.init(PARAMS).nu
    assert (nu["w"].dtype.name, nu["b"].dtype.name) == (w, b)
    run(tx, 2)


@low
def test_the_step_uses_the_fresh_moments(state_dtype):
    plain = rmsprop(1e-3, **FULL)
    tx = rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    first, _ = jax.jit(tx.update)(gradients(0), tx.init(PARAMS))
    exact, _ = jax.jit(plain.update)(gradients(0), plain.init(PARAMS))
    # From the same zeros, nothing that was rounded enters.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-6), first, exact)


def test_a_state_in_bfloat16_follows_where_one_rounded_to_nearest_stands_still():
    g = jnp.ones(5000)
    tx = scale_by_rms(decay=0.999, nu_init=0.25, state_dtype="bfloat16")

    def walk(update):
        return jax.lax.fori_loop(0, 2000, lambda _, s: update(g, s)[1], tx.init(g)).nu

    def nearest(g, state):
        nu = (0.999 * state.nu.astype(jnp.float32) + 0.001).astype(jnp.bfloat16)
        return None, state._replace(nu=jnp.where(g > 0, nu, nu))

    assert (walk(nearest) < 0.51).all()
    exact = 1 - 0.75 * 0.999**2000
    assert float(walk(tx.update).astype(jnp.float32).mean()) == pytest.approx(
        exact, 0.01
    )


@low
def test_a_hundred_steps_lead_where_those_of_float32_lead(state_dtype):
    exact, _ = run(rmsprop(1e-3, **FULL), 100)
    ours, _ = run(rmsprop(1e-3, state_dtype=state_dtype, **FULL), 100)
    moved = optax.tree.sub(exact, PARAMS)
    limit = 0.01 if state_dtype == "bfloat16" else 0.1
    assert 0 < far(optax.tree.sub(ours, PARAMS), moved) < limit


@low
def test_a_state_is_stored_anew_and_back(state_dtype):
    exact, tx = rmsprop(1e-3, **FULL), rmsprop(1e-3, state_dtype=state_dtype, **FULL)
    params, state = run(exact, 20)
    stored = convert_state(state, tx, PARAMS)
    assert jax.tree.structure(stored) == jax.tree.structure(tx.init(PARAMS))
    assert dtypes(stored) == dtypes(tx.init(PARAMS))
    assert int(stored.count) == 20
    back = convert_state(stored, exact, PARAMS)
    assert dtypes(back) == dtypes(state)
    limit = 2**-9 if state_dtype == "bfloat16" else 2**-4
    for slot, tree in slots(back).items():
        assert 0 < far(tree["w"], slots(state)[slot]["w"]) < limit
        np.testing.assert_array_equal(tree["b"], slots(state)[slot]["b"])
    run(tx, 2, params, stored)


def test_between_bfloat16_and_int8_too():
    eight = rmsprop(1e-3, state_dtype="int8")
    sixteen = rmsprop(1e-3, state_dtype="bfloat16")
    _, state = run(eight, 5)
    there = convert_state(state, sixteen, PARAMS)
    assert there.nu["w"].dtype == jnp.bfloat16
    assert there.nu_scale is None
    # A code of ν has three bits behind the leading one; bfloat16 holds it exactly.
    back = convert_state(there, eight, PARAMS)
    assert_same(convert_state(back, sixteen, PARAMS).nu, there.nu)


@pytest.mark.parametrize("made", [None, "bfloat16", "int8"])
@pytest.mark.parametrize("used", [None, "bfloat16", "int8"])
def test_a_state_of_another_precision_is_refused_with_the_way_out(made, used):
    if made == used:
        return
    state = rmsprop(1e-3, state_dtype=made).init(PARAMS)
    tx = rmsprop(1e-3, state_dtype=used)
    with pytest.raises(ValueError, match=r"state\.nu\['w'\]: expected.*convert_state"):
        tx.update(gradients(0), state)
    run(tx, 1, state=convert_state(state, tx, PARAMS))


def test_nan_never_enters_a_code():
    tx = rmsprop(1e-3, state_dtype="int8", **FULL)
    _, state = run(tx, 3)
    bad = {"w": gradients(3)["w"].at[3, 4].set(jnp.nan), "b": jnp.ones(64)}
    updates, after = jax.jit(tx.update)(bad, state)
    assert jnp.isnan(updates["w"][3, 4])
    updates, _ = jax.jit(tx.update)(gradients(4), after)
    assert jnp.isfinite(updates["w"]).all()
    clean, _ = jax.jit(tx.update)(gradients(3), state)
    other = jnp.ones((64, 128), bool).at[3, 4].set(False)
    dirty, _ = jax.jit(tx.update)(bad, state)
    np.testing.assert_array_equal(dirty["w"][other], clean["w"][other])


@pytest.mark.parametrize(
    ("slot", "options"),
    [
        ("nu", {"dialect": "torch"}),
        ("mu", {"centered": True}),
        ("trace", {"momentum": 0.9}),
    ],
)
def test_complex_moments_are_refused_by_path(slot, options):
    tx = rmsprop(1e-3, state_dtype={slot: "int8"}, **options)
    params = {"a": {"w": jnp.ones((64, 64), jnp.complex64)}}
    message = rf"params\['a'\]\['w'\]: .*{slot}.*complex64.*param_groups"
    with pytest.raises(TypeError, match=message):
        tx.init(params)
    tx.init({"a": jnp.ones(64, jnp.complex64)})


def test_a_real_nu_of_complex_numbers_rests_in_less():
    tx = rmsprop(1e-3, state_dtype="bfloat16", momentum=False)
    params = jnp.ones((64, 64), jnp.complex64)
    updates, state = tx.update(params * (1 + 1j), tx.init(params), params)
    assert (state.nu.dtype, updates.dtype) == (jnp.bfloat16, jnp.complex64)


def shapes(*sizes):
    return [jax.ShapeDtypeStruct(size, jnp.float32) for size in sizes]


def gpt2():
    """The 124 M parameters of GPT-2."""
    d = 768
    norm, block = (
        shapes((d,), (d,)),
        shapes(
            (d, 3 * d), (3 * d,), (d, d), (d,), (d, 4 * d), (4 * d,), (4 * d, d), (d,)
        ),
    )
    return [shapes((50257, d), (1024, d)), [[block, norm, norm]] * 12, norm]


def bytes_of(tree):
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("state_dtype", "most"),
    [
        (None, 4.001),
        ("bfloat16", 2.01),
        ("int8", 1.02),
    ],
)
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, FULL], ids=named)
def test_bytes_of_a_parameter_and_moment(state_dtype, most, options):
    params = gpt2()
    count = sum(x.size for x in jax.tree.leaves(params))
    assert count == 124_439_808
    tx = rmsprop(1e-3, state_dtype=state_dtype, **options)
    state = jax.eval_shape(tx.init, params)
    moments = 1 + len(options)
    assert bytes_of(state) / count / moments <= most
    assert bytes_of(state) / count / moments > 0.98 * most
