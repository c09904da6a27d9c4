"""Leaves of every kind: absent, empty, scalar, complex, and those of no use."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64, probe, tolerance, tolerances_apart

from rmsprop_jax import rmsprop, scale_by_rms

FULL = {"momentum": 0.9, "centered": True, "weight_decay": 0.1}
W = jnp.array([1.0, -2.0, 3.0])
G = jnp.array([0.5, 0.25, -4.0])


def two_steps(tx, params, grads):
    state = tx.init(params)
    _, state = tx.update(grads, state, params)
    return tx.update(grads, state, params)


def alone(**options):
    return two_steps(rmsprop(0.1, **options), W, G)


@pytest.mark.parametrize("gone", [None, optax.MaskedNode(), {}, ()], ids=repr)
@pytest.mark.parametrize("options", [{}, FULL | {"skip_nonfinite": True}])
def test_what_is_no_leaf_stays_where_it_is(gone, options):
    params, grads = {"w": W, "gone": gone}, {"w": G, "gone": gone}
    updates, state = two_steps(rmsprop(0.1, **options), params, grads)
    expected, its_state = alone(**options)
    chex.assert_trees_all_equal(updates, {"w": expected, "gone": gone})
    chex.assert_trees_all_equal(state.nu, {"w": its_state.nu, "gone": gone})
    assert jax.tree.structure(state.nu) == jax.tree.structure(params)


@pytest.mark.parametrize("options", [{}, FULL | {"skip_nonfinite": True}])
def test_an_empty_array_changes_nothing_for_the_others(options):
    hole = jnp.zeros((0, 3))
    updates, state = two_steps(
        rmsprop(0.1, **options), {"w": W, "hole": hole}, {"w": G, "hole": hole}
    )
    expected, its_state = alone(**options)
    chex.assert_trees_all_equal(updates, {"w": expected, "hole": hole})
    chex.assert_trees_all_equal(state.hyperparams, its_state.hyperparams)
    assert state.nu["hole"].shape == hole.shape


@pytest.mark.parametrize("nothing", [{}, [()], {"a": jnp.zeros((0, 3))}], ids=repr)
def test_nothing_to_learn_is_a_step_all_the_same(nothing):
    tx = rmsprop(0.1, skip_nonfinite=True, **FULL)
    updates, state = two_steps(tx, nothing, nothing)
    chex.assert_trees_all_equal(updates, nothing)
    assert (state.count, state.skipped) == (2, 0)


@pytest.mark.parametrize(
    "scalar",
    [
        float,
        np.float32,
        jnp.asarray,
        jnp.float32,
        np.float64,
    ],
)
def test_a_scalar_of_any_type_moves_as_an_array_of_one(scalar):
    tx = rmsprop(0.1, **FULL)
    updates, state = two_steps(tx, scalar(2.0), scalar(0.5))
    expected = two_steps(tx, jnp.full(1, 2.0), jnp.full(1, 0.5))
    # Another shape is another program, and may round once less.
    chex.assert_trees_all_close(updates, expected[0][0], rtol=3e-7)
    chex.assert_trees_all_close(state.nu, expected[1].nu[0], rtol=3e-7)
    assert isinstance(updates, jax.Array)
    assert updates.shape == state.nu.shape == ()


def test_a_python_number_is_a_carry_for_the_state_that_it_made():
    tx = rmsprop(0.1, **FULL)
    _, state = two_steps(tx, 2.0, 0.5)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, tx.init(2.0))


def integers_beside_weights():
    """Parameters, and their gradients: those of integers have dtype float0."""
    params = {"w": W, "n": jnp.arange(3)}

    def loss(params):
        return jnp.sum(params["w"] * G) + params["n"].sum().astype(jnp.float32)

    return params, jax.grad(loss, allow_int=True)(params)


@pytest.mark.parametrize("options", [{}, FULL | {"skip_nonfinite": True}])
def test_integers_behind_masked_are_left_alone(options):
    params, grads = integers_beside_weights()
    assert grads["n"].dtype == jax.dtypes.float0
    tx = optax.masked(
        rmsprop(0.1, **options),
        lambda tree: jax.tree.map(
            lambda x: jnp.isdtype(x.dtype, "real floating"), tree
        ),
    )
    updates, state = two_steps(tx, params, grads)
    expected, its_state = alone(**options)
    chex.assert_trees_all_equal(updates["w"], expected)
    assert updates["n"] is grads["n"]
    nu = state.inner_state.nu
    chex.assert_trees_all_equal(nu, {"w": its_state.nu, "n": optax.MaskedNode()})


def test_integers_without_a_mask_are_refused_with_the_way_out():
    params, grads = integers_beside_weights()
    tx = rmsprop(0.1)
    with pytest.raises(TypeError, match=r"params\['n'\].*int32.*optax\.masked"):
        tx.init(params)
    state = tx.init(jax.tree.map(lambda x: x.astype(jnp.float32), params))
    with pytest.raises(TypeError, match=r"grads\['n'\].*optax\.masked"):
        tx.update(grads, state)


# By hand: g = 3 + 4i, α = 1, ε = 0. Centered at ρ = 1/2 the first mean is g/2 and
# the variance |g|²/4, or 9/4 and 16/4 part by part.
@pytest.mark.parametrize(
    ("dialect", "options", "update", "nu"),
    [
        ("optax", {"decay": 0.0}, -(3 + 4j) / 5, 25),
        ("torch", {"decay": 0.0}, -1 - 1j, 9 + 16j),
        ("optax", {"decay": 0.5, "centered": True}, -(6 + 8j) / 5, 6.25),
        ("torch", {"decay": 0.5, "centered": True}, -2 - 2j, 2.25 + 4j),
    ],
)
def test_complex_numbers_go_as_in_the_framework_of_the_dialect(
    dialect, options, update, nu
):
    tx = rmsprop(1.0, dialect=dialect, eps=0.0, **options)
    z = jnp.array([3 + 4j])
    got, state = tx.update(z, tx.init(z))
    np.testing.assert_allclose(got, [update], rtol=tolerance(np.float32, 1))
    np.testing.assert_allclose(state.nu, [nu], rtol=tolerance(np.float32, 1))
    assert got.dtype == jnp.complex64


COMPLEX_OPTIONS = [
    {},
    FULL,
    {"momentum": 0.9, "nesterov": True, "nu_init": 1.0},
    {"centered": True, "bias_correction": True, "variance_floor": 0.01},
]


def complex_probe():
    (re, im), (gs, hs), _ = zip(probe(6, 8, seed=0), probe(6, 8, seed=1), strict=True)
    return jnp.asarray(re + 1j * im), jnp.asarray(gs + 1j * hs)


def moves(tx, params, grads):
    """The updates of a run, and its last state."""
    state, updates = tx.init(params), []
    for g in grads:
        update, state = tx.update(g, state, params)
        params = params + update
        updates.append(update)
    return np.stack(updates), state


@pytest.mark.parametrize("options", COMPLEX_OPTIONS)
def test_torch_treats_a_complex_number_as_two_reals(options):
    params, grads = complex_probe()
    tx = rmsprop(0.1, dialect="torch", **options)

    def parts(tree):
        return jax.tree.map(lambda z: jnp.stack([z.real, z.imag], axis=-1), tree)

    got, state = moves(tx, params, grads)
    expected, its_state = moves(tx, parts(params), parts(grads))
    got, expected = (np.cumsum(x, axis=0) for x in (parts(got), expected))
    assert tolerances_apart(got, expected, 0, np.float32) < 1
    rtol = tolerance(np.float32, len(grads))
    chex.assert_trees_all_close(parts(state.nu), its_state.nu, rtol=rtol)


@pytest.mark.parametrize(
    ("centered", "momentum"), list(itertools.product([False, True], [None, 0.9]))
)
def test_optax_divides_a_complex_number_by_its_modulus(centered, momentum):
    params, grads = complex_probe()
    options = {"eps": 1e-2, "centered": centered, "momentum": momentum}
    got, state = moves(rmsprop(0.1, **options), params, grads)
    with jax.numpy_dtype_promotion("standard"):
        theirs, _ = moves(optax.rmsprop(0.1, **options), params, grads)
    split, _ = moves(rmsprop(0.1, dialect="torch", decay=0.9, **options), params, grads)
    got, theirs, split = (np.cumsum(x, axis=0) for x in (got, theirs, split))
    for part in (np.real, np.imag):
        assert tolerances_apart(part(got), part(theirs), 0, np.float32) < 1
        assert tolerances_apart(part(split), part(theirs), 0, np.float32) > 10
    assert state.nu.dtype == jnp.float32


@pytest.mark.parametrize("dialect", ["optax", "torch"])
@pytest.mark.parametrize("options", COMPLEX_OPTIONS)
def test_complex_leaves_of_either_width_keep_the_types_of_the_state(dialect, options):
    with enable_x64(True):
        z = jnp.array([3 + 4j])
        params = {"narrow": z.astype(jnp.complex64), "wide": z, "real": W}
        tx = rmsprop(0.1, dialect=dialect, skip_nonfinite=True, **options)
        state = tx.init(params)
        updates, new_state = jax.eval_shape(tx.update, params, state, params)
        chex.assert_trees_all_equal_shapes_and_dtypes(new_state, state)
        chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)
        assert jnp.finfo(state.nu["narrow"].dtype).bits == 32
        assert jnp.finfo(state.nu["wide"].dtype).bits == 64


@pytest.mark.parametrize("build", [rmsprop, lambda _, **kw: scale_by_rms(**kw)])
def test_keras_refuses_complex_parameters_with_the_way_out(build):
    tx = build(0.1, dialect="keras")
    with pytest.raises(TypeError, match=r"params\['z'\].*complex64.*dialect='torch'"):
        tx.init({"w": W, "z": jnp.array([3 + 4j])})


@pytest.mark.parametrize("dialect", ["torch", "optax"])
def test_a_complex_gradient_of_a_real_parameter_is_refused(dialect):
    tx = rmsprop(0.1, dialect=dialect, momentum=0.9)
    with pytest.raises(TypeError, match=r"grads\['w'\].*complex64.*real part"):
        tx.update({"w": G.astype(jnp.complex64)}, tx.init({"w": W}))


@pytest.mark.parametrize("dialect", ["optax", "torch"])
def test_an_infinite_imaginary_part_is_not_finite(dialect):
    z = jnp.array([3 + 4j])
    tx = rmsprop(0.1, dialect=dialect, skip_nonfinite=True)
    updates, state = tx.update(z.at[0].add(1j * jnp.inf), tx.init(z))
    assert (state.skipped, state.count) == (1, 0)
    np.testing.assert_array_equal(z + updates, z)
