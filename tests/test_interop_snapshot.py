"""What lies between two frameworks: our state as raw moments, and back."""

import subprocess
import sys
from itertools import product

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import tolerance

from rmsprop_jax import interop, param_groups, rmsprop
from rmsprop_jax.interop.snapshot import Group, Snapshot, extract, install

PARAMS = {
    "conv": {"kernel": jnp.zeros((2, 3)), "bias": jnp.zeros(3)},
    "out": {"kernel": jnp.zeros((3, 2))},
}
PATHS = ("conv/bias", "conv/kernel", "out/kernel")
STEPS = 7


def gradients(dtype=np.float32, steps=STEPS):
    rng = np.random.default_rng(0)

    def drawn(x):
        g = rng.standard_normal(x.shape) + rng.choice([-1, 1], x.shape)
        if np.issubdtype(dtype, np.complexfloating):
            g = g + 1j * rng.standard_normal(x.shape)
        return jnp.asarray(g, dtype)

    return [jax.tree.map(drawn, PARAMS) for _ in range(steps)]


def stepped(tx, state, params=PARAMS, steps=STEPS, dtype=np.float32):
    for g in gradients(dtype, steps):
        _, state = tx.update(g, state, params)
    return state


def raw(shape=(2,), value=1.0):
    return np.full(shape, value)


def whole(options=None, count=3, **slots):
    """A sound snapshot of PARAMS, but for what is given."""
    options = {"learning_rate": 0.1, **(options or {})}
    shapes = {"conv/bias": (3,), "conv/kernel": (2, 3), "out/kernel": (3, 2)}
    full = {name: {p: raw(s) for p, s in shapes.items()} for name in ("nu", *slots)}
    for name, changed in slots.items():
        full[name] |= changed
        full[name] = {k: v for k, v in full[name].items() if v is not None}
    return Snapshot((Group(options, PATHS),), count, **full)


OPTIONS = [
    {"dialect": dialect, "centered": centered, "momentum": momentum, **more}
    for dialect, centered, momentum, more in product(
        ("optax", "torch", "tf1"),
        (False, True),
        (False, 0.9),
        ({}, {"bias_correction": True}, {"bias_correction": True, "nu_init": 0.5}),
    )
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_state_comes_back_from_its_raw_moments(options):
    tx = rmsprop(0.1, **options)
    state = stepped(tx, tx.init(PARAMS))
    snapshot = extract(tx, state, PARAMS)
    again, filled = install(snapshot, PARAMS)
    assert again.rule == tx.rule
    chex.assert_trees_all_equal_shapes_and_dtypes(filled, state)
    # To raw moments and back: each way is a few roundings of numbers of their size.
    largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(state))
    atol = tolerance(np.float32, 2) * largest
    chex.assert_trees_all_close(filled, state, rtol=0, atol=atol)


def textbook(centered, decay, start, steps=STEPS):
    """E[g²] and E[g] as frameworks keep them."""
    nu = jax.tree.map(lambda x: np.full(x.shape, start), PARAMS)
    mu = jax.tree.map(lambda x: np.zeros(x.shape), PARAMS)
    for g in gradients(steps=steps):
        g = jax.tree.map(lambda x: np.asarray(x, np.float64), g)
        nu = jax.tree.map(lambda v, g: decay * v + (1 - decay) * g**2, nu, g)
        mu = jax.tree.map(lambda m, g: decay * m + (1 - decay) * g, mu, g)
    return (nu, mu) if centered else (nu, None)


@pytest.mark.parametrize("nu_init", [0.0, 0.5])
@pytest.mark.parametrize("bias_correction", [False, True])
@pytest.mark.parametrize("centered", [False, True])
def test_what_comes_out_is_the_textbooks_moments(centered, bias_correction, nu_init):
    options = {"centered": centered, "bias_correction": bias_correction}
    tx = rmsprop(0.1, decay=0.75, nu_init=nu_init, **options)
    snapshot = extract(tx, stepped(tx, tx.init(PARAMS)), PARAMS)
    nu, mu = textbook(centered, 0.75, nu_init)
    for path in PATHS:
        first, last = path.split("/")
        rtol = tolerance(np.float32, STEPS)
        np.testing.assert_allclose(snapshot.nu[path], nu[first][last], rtol=rtol)
        if centered:
            scale = np.sqrt(nu[first][last]).max()
            expected = mu[first][last]
            np.testing.assert_allclose(snapshot.mu[path], expected, atol=rtol * scale)
    assert bool(snapshot.mu) == centered
    assert snapshot.count == STEPS


def test_numbers_come_out_as_they_were_given():
    tx = rmsprop(0.001, dialect="torch", decay=0.999, momentum=0.9, weight_decay=1e-4)
    (group,) = extract(tx, tx.init(PARAMS), PARAMS).groups
    named = {k: v for k, v in group.options.items() if k != "dialect"}
    assert named == {
        "learning_rate": 0.001,
        "decay": 0.999,
        "eps": 1e-8,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "variance_floor": None,
    }


def test_groups_stay_groups():
    default = {"learning_rate": 0.1, "momentum": 0.9}
    tx = param_groups({"bias": {"learning_rate": 0.2}}, default=default)
    state = stepped(tx, tx.init(PARAMS))
    snapshot = extract(tx, state, PARAMS)
    assert {g.paths: g.options["learning_rate"] for g in snapshot.groups} == {
        ("conv/bias",): 0.2,
        ("conv/kernel", "out/kernel"): 0.1,
    }
    again, filled = install(snapshot, PARAMS)
    g = gradients()[0]
    ours, theirs = again.update(g, filled, PARAMS)[0], tx.update(g, state, PARAMS)[0]
    chex.assert_trees_all_equal(ours, theirs)


def test_a_name_that_is_a_pattern_is_that_name():
    params = {"a.b": jnp.zeros(2), "aXb": jnp.zeros(2), "a.b.c": jnp.zeros(2)}
    options = {"learning_rate": 0.1}
    groups = Group(options, ("a.b",)), Group(options, ("aXb", "a.b.c"))
    nu = {path: raw(value=i) for i, path in enumerate(params)}
    tx, state = install(Snapshot(groups, 0, nu), params)
    assert tx.table(params).count("^(a") == 3
    _, snapshot = tx, extract(tx, state, params)
    np.testing.assert_array_equal(snapshot.nu["aXb"], raw(value=1))


def test_parts_of_a_complex_number_have_moments_of_their_own():
    params = jax.tree.map(lambda x: x.astype(np.complex64), PARAMS)
    options = {"dialect": "torch", "centered": True, "momentum": 0.9}
    tx = rmsprop(0.1, decay=0.75, **options)
    state = stepped(tx, tx.init(params), params, dtype=np.complex64)
    snapshot = extract(tx, state, params)
    for part in (np.real, np.imag):
        nu = 0
        for g in gradients(np.complex64):
            nu = 0.75 * nu + 0.25 * part(np.asarray(g["conv"]["bias"])) ** 2
        rtol = tolerance(np.float32, STEPS)
        np.testing.assert_allclose(part(snapshot.nu["conv/bias"]), nu, rtol=rtol)
    _, filled = install(snapshot, params)
    rtol = tolerance(np.float32, 2)
    chex.assert_trees_all_close(filled, state, rtol=rtol)


def test_a_leaf_without_entries_starts_as_init_starts_it():
    snapshot = whole({"dialect": "tf1"}, trace={}, nu={"conv/bias": None})
    del snapshot.trace["conv/bias"]
    tx, state = install(snapshot, PARAMS)
    np.testing.assert_array_equal(state.nu["conv"]["bias"], jnp.ones(3))
    np.testing.assert_array_equal(state.trace["conv"]["bias"], jnp.zeros(3))
    assert tx.init(PARAMS).nu["conv"]["bias"].dtype == state.nu["conv"]["bias"].dtype


def test_a_variance_is_never_negative():
    almost = np.full((3,), 2.0), np.full((3,), np.sqrt(2.0) + 1e-8)
    options = {"centered": True}
    snapshot = whole(options, mu={"conv/bias": almost[1]}, nu={"conv/bias": almost[0]})
    _, state = install(snapshot, PARAMS)
    np.testing.assert_array_equal(state.nu["conv"]["bias"], jnp.zeros(3))


def test_no_framework_is_imported_before_it_is_needed():
    code = (
        "import sys, rmsprop_jax as rj\n"
        "for name in rj.interop.__all__: getattr(rj.interop, name).__doc__\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert "rmsprop_jax" in loaded
    assert not {"torch", "keras", "tensorflow", "h5py", "flax"} & set(loaded)


def test_a_framework_that_is_not_known_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'mindspore'"):
        _ = interop.mindspore
    assert set(interop.__all__) <= set(dir(interop))
