"""What goes in comes out: structure, shapes, dtypes, weak types, traces, carries."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import enable_x64, oracle, probe, tolerance

from rmsprop_jax import rmsprop

OPTIONS = {
    "plain": {},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "corrected": {"centered": True, "bias_correction": True, "variance_floor": 0.01},
    "torch": {
        "dialect": "torch",
        "momentum": 0.9,
        "centered": True,
        "weight_decay": 0.1,
        "weight_decay_mask": lambda params: jax.tree.map(lambda x: x.ndim > 0, params),
    },
    "keras": {"dialect": "keras", "momentum": 0.9, "weight_decay": 0.1},
    "skipping": {"momentum": 0.0, "nu_init": 1.0, "skip_nonfinite": True},
    "scheduled": {
        "learning_rate": lambda count: 0.1 / (1 + count.astype(jnp.float32)),
        "decay": lambda _: jnp.asarray(0.9),
        "momentum": lambda _: 0.9,
        "eps": 1,
    },
}
FULL = {"momentum": 0.9, "nesterov": True, "centered": True, "weight_decay": 0.1}


def ones(dtype, shape=(2,)):
    return jnp.ones(shape, dtype)


def same(leaf):
    return leaf, leaf


BF16, F16, F32 = ones(jnp.bfloat16), ones(jnp.float16), ones(jnp.float32)
MIXED = (
    {"a": BF16, "b": [F32, F16], "c": ones(jnp.bfloat16, ())},
    {"a": F32, "b": [BF16, F16], "c": ones(jnp.float32, ())},
)
LEAVES = {
    "float32": same(F32),
    "bfloat16": same(BF16),
    "float16": same(F16),
    "bfloat16 beside float32 gradients": (BF16, F32),
    "float32 beside bfloat16 gradients": (F32, BF16),
    "mixed": MIXED,
    "weak": same(jnp.asarray(1.0)),
    "weak beside bfloat16 gradients": (jnp.asarray(1.0), ones(jnp.bfloat16, ())),
    "NumPy": same(np.ones((2, 3), np.float32)),
    "empty": same(ones(jnp.bfloat16, (0, 3))),
    "None": same({"a": F32, "b": None}),
    "MaskedNode": same({"a": BF16, "b": optax.MaskedNode()}),
    "no leaf": same({"a": {}, "b": ()}),
}


def make(option):
    return rmsprop(**({"learning_rate": 0.1} | OPTIONS[option]))


def types(tree):
    """The treedef, and shape, dtype and weak type of every leaf."""
    leaves, treedef = jax.tree.flatten(tree)
    return treedef, [(x.shape, x.dtype, x.weak_type) for x in leaves]


def moved(params, updates):
    """`optax.apply_updates`, which promotion must not be strict for."""
    return jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)


@pytest.fixture(autouse=True)
def _count_traces_anew():
    chex.clear_trace_counter()


each_option = pytest.mark.parametrize("option", OPTIONS)


@each_option
@pytest.mark.parametrize("kind", LEAVES)
def test_a_step_keeps_the_types_of_the_state_and_gives_updates_those_of_gradients(
    kind, option
):
    params, grads = LEAVES[kind]
    tx = make(option)
    state = tx.init(params)
    updates, new_state = jax.eval_shape(tx.update, grads, state, params)
    assert types(new_state) == types(state)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, grads)


@each_option
def test_the_moments_are_float32_whatever_16_bits_there_are(option):
    state = make(option).init(MIXED[0])
    moments = jax.tree.leaves((state.nu, state.mu, state.trace))
    assert {x.dtype.name for x in moments} == {"float32"}


@pytest.mark.parametrize("rate", ["a float32 array", "a number"])
def test_optax_does_let_the_state_drift(rate):
    """Why the types are tested: a carry of this state is refused by `lax.scan`."""
    tx = optax.rmsprop(
        jnp.float32(0.1) if rate == "a float32 array" else 0.1, momentum=0.9
    )
    # With the array, even bfloat16 gradients make a float32 trace.
    grads = BF16 if rate == "a float32 array" else F32
    state = tx.init(BF16)
    with jax.numpy_dtype_promotion("standard"):
        _, new_state = jax.eval_shape(tx.update, grads, state)
        assert types(new_state) != types(state)
        with pytest.raises(TypeError, match="carry"):
            jax.lax.scan(lambda s, g: (tx.update(g, s)[1], None), state, grads[None])


def test_a_learning_rate_that_is_a_float32_array_leaves_bfloat16_alone():
    tx = rmsprop(jnp.float32(0.1), momentum=0.9)
    state = tx.init(BF16)
    updates, new_state = jax.eval_shape(tx.update, BF16, state)
    assert types(new_state) == types(state)
    assert updates.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("option", "promotion"),
    [*((option, "strict") for option in OPTIONS), ("torch", "standard")],
)
def test_three_steps_are_traced_once(option, promotion):
    tx, (params, grads) = make(option), MIXED

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(params, state):
        updates, state = tx.update(grads, state, params)
        return moved(params, updates), state

    with jax.numpy_dtype_promotion(promotion):
        state = tx.init(params)
        for _ in range(3):
            params, state = step(params, state)
    assert state.count == 3


def by_scan(step, carry, steps):
    return jax.lax.scan(lambda c, _: (step(c), None), carry, length=steps)[0]


def by_while_loop(step, carry, steps):
    def body(loop):
        return loop[0] + 1, step(loop[1])

    return jax.lax.while_loop(lambda loop: loop[0] < steps, body, (0, carry))[1]


def by_cond(step, carry, steps):
    def body(i, carry):
        return jax.lax.cond(i % 2 == 0, step, lambda c: c, carry)

    return jax.lax.fori_loop(0, 2 * steps, body, carry)


@pytest.mark.parametrize("option", ["corrected", "skipping"])
@pytest.mark.parametrize("loop", [by_scan, by_while_loop, by_cond])
def test_a_carry_through_the_loops_of_lax_is_a_loop_of_python(loop, option):
    tx, params, grads = make(option), (BF16, F32), (F32, BF16)

    def step(carry):
        params, state = carry
        updates, state = tx.update(grads, state, params)
        return moved(params, updates), state

    start = params, tx.init(params)
    expected = step(step(step(start)))
    got = jax.jit(lambda carry: loop(step, carry, 3))(start)
    assert types(got) == types(expected) == types(start)
    chex.assert_trees_all_close(got[1], expected[1], rtol=tolerance(np.float32, 3))


def run(tx, params, grads):
    """All updates of a run on `grads`, and the last state; nothing fused."""
    state, moves = tx.init(params), []
    for g in grads:
        updates, state = tx.update(g, state, params)
        params = moved(params, updates)
        moves.append(updates)
    return moves, state


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_16_bit_gradients_are_widened_first_and_the_update_is_rounded_once(dtype):
    params, grads, _ = probe(steps=3, size=8)
    grads = jnp.asarray(grads).astype(dtype)
    narrow = run(rmsprop(0.1, **FULL | {"weight_decay": None}), params, grads)
    wide = run(
        rmsprop(0.1, **FULL | {"weight_decay": None}),
        params,
        grads.astype(jnp.float32),
    )
    chex.assert_trees_all_equal(narrow[1], wide[1])
    chex.assert_trees_all_equal(narrow[0], [u.astype(dtype) for u in wide[0]])


def test_bfloat16_parameters_decay_as_the_float32_numbers_that_they_are():
    params, (g, *_), _ = probe(steps=3, size=8)
    params, tx = jnp.asarray(params).astype(jnp.bfloat16), rmsprop(0.1, **FULL)
    updates, state = tx.update(g, tx.init(params), params)
    wide = params.astype(jnp.float32)
    chex.assert_trees_all_equal((updates, state), tx.update(g, tx.init(wide), wide))


def last_nu(tx, steps):
    state = tx.init(BF16)
    run = jax.lax.scan(lambda s, _: (tx.update(BF16, s)[1], None), state, length=steps)
    return np.asarray(optax.tree.get(run[0], "nu"), np.float64)


def test_the_second_moment_of_a_bfloat16_parameter_reaches_its_end():
    expected = 1 - 0.999**5000
    got = last_nu(rmsprop(0.1, decay=0.999), 5000)
    np.testing.assert_allclose(got, expected, rtol=tolerance(np.float32, 5000))
    assert (last_nu(optax.rmsprop(0.1, decay=0.999), 5000) <= 0.5).all()


@each_option
def test_a_float32_model_takes_the_same_steps_under_x64(option):
    params, grads, _ = probe(steps=3, size=4)
    params = jnp.asarray(params)
    expected = run(make(option), params, grads)
    with enable_x64(True):
        got = run(make(option), params, grads)
    if option == "scheduled":
        # 0.1 / (1 + count) is itself computed in float64 there.
        chex.assert_trees_all_close(got, expected, rtol=tolerance(np.float32, 3))
    else:
        chex.assert_trees_all_equal(got, expected)
    assert types(got) == types(expected)


def test_a_float32_model_under_x64_keeps_its_state_whatever_float64_it_is_given():
    with enable_x64(True):
        grads, wide = ones(jnp.float64), ones(jnp.float64, ())
        tx = rmsprop(0.1 * wide, decay=lambda _: 0.9 * wide, **FULL)
        state = tx.init(F32)
        updates, new_state = jax.eval_shape(tx.update, grads, state, F32)
        assert types(new_state) == types(state)
        assert updates.dtype == jnp.float64
    assert {x.dtype.name for x in jax.tree.leaves(state)} == {"float32", "int32"}


def test_float64_leaves_beside_float32_ones_go_as_if_alone():
    params, grads, _ = probe(steps=6, size=4)
    rates = np.linspace(0.1, 0.03, len(grads))
    with enable_x64(True):
        both = {"single": jnp.asarray(params), "double": jnp.asarray(params, float)}
        gs = [jax.tree.map(lambda x, g=g: g.astype(x.dtype), both) for g in grads]
        tx = rmsprop(lambda count: jnp.asarray(rates)[count], **FULL)
        moves, state = run(tx, both, gs)
        for name, leaf in both.items():
            alone, its_state = run(tx, leaf, [g[name] for g in gs])
            chex.assert_trees_all_equal([move[name] for move in moves], alone)
            chex.assert_trees_all_equal(state.nu[name], its_state.nu)
            assert state.nu[name].dtype == leaf.dtype
        assert types(state) == types(tx.init(both))
        path = params + np.cumsum([move["double"] for move in moves], axis=0)
    expected = oracle(params, grads, rates, **FULL)
    distance = np.abs(expected - params).max()
    atol = tolerance(np.float64, len(grads)) * distance
    np.testing.assert_allclose(path, expected, rtol=0, atol=atol)
