"""Inside the rest of Optax: chains, wrappers, and the transformations of JAX."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import probe, tolerances_apart
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from rmsprop_jax import rmsprop, scale_by_rms

STEPS, RATE = 4, 0.1
SCHEDULE = optax.exponential_decay(RATE, 1, 0.5)
W, B = (2, 3), (2,)


def partition(build):
    return optax.partition(
        {"ours": build(RATE), "sgd": optax.sgd(RATE)}, {"w": "ours", "b": "sgd"}
    )


def accumulated(build, dtype=jnp.float32):
    steps = optax.MultiSteps(build(RATE), 2, accumulator_dtype=dtype)
    return steps.gradient_transformation()


def injected(build):
    return optax.inject_hyperparams(lambda learning_rate: build(learning_rate))(
        SCHEDULE
    )


def sharpness_aware(build):
    ascent = optax.chain(optax.contrib.normalize(), optax.sgd(0.05))
    return optax.contrib.sam(build(RATE), ascent, sync_period=2)


WRAPPERS = {
    "chain": lambda build: optax.chain(
        optax.add_decayed_weights(0.1), build(SCHEDULE), optax.scale(0.5)
    ),
    "masked": lambda build: optax.masked(build(RATE), {"w": True, "b": False}),
    "partition": partition,
    "MultiSteps": accumulated,
    "MultiSteps in bfloat16": lambda build: accumulated(build, jnp.bfloat16),
    "inject_hyperparams": injected,
    "apply_if_finite": lambda build: optax.apply_if_finite(build(RATE), 3),
    "lookahead": lambda build: optax.lookahead(build(RATE), 2, 0.5),
    "schedule_free": lambda build: optax.contrib.schedule_free(build(RATE), RATE),
    "reduce_on_plateau": lambda build: optax.chain(
        build(RATE), optax.contrib.reduce_on_plateau(factor=0.5, patience=2)
    ),
    "sam": sharpness_aware,
    "adaptive_grad_clip": lambda build: optax.chain(
        optax.adaptive_grad_clip(0.1), build(RATE)
    ),
    "clip_by_global_norm": lambda build: optax.chain(
        optax.clip_by_global_norm(0.5), build(RATE)
    ),
}
OPTIONS = {
    "corrected": {"bias_correction": True},
    "centered": {"momentum": 0.9, "nesterov": True, "centered": True},
}
each_wrapper = pytest.mark.parametrize("name", WRAPPERS)


@pytest.fixture(autouse=True)
def _promotion():
    """Optax's MultiSteps, lookahead, sam and reduce_on_plateau mix dtypes."""
    chex.clear_trace_counter()
    with jax.numpy_dtype_promotion("standard"):
        yield


def problem(name, seed=0, dtype=jnp.float32):
    """Where to start, and gradients: those that a wrapper named `name` takes."""
    params, grads, _ = probe(STEPS, np.prod(W) + np.prod(B), seed)

    def split(x):
        x = jnp.asarray(x, dtype)
        return {"w": x[: np.prod(W)].reshape(W), "b": x[np.prod(W) :].reshape(B)}

    params = split(params)
    if name == "lookahead":
        params = optax.LookaheadParams(params, params)
    return params, [split(g) for g in grads]


def stepper(tx, name):
    extra = {"value": 1.0} if name == "reduce_on_plateau" else {}

    def step(params, state, grads):
        updates, state = tx.update(grads, state, params, **extra)
        return optax.apply_updates(params, updates), state

    return step


def flat(params):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(params)])


def path(step, carry, grads):
    """The parameters after every step, a row each, and the last state."""
    rows = []
    for g in grads:
        carry = step(*carry, g)
        rows.append(flat(carry[0]))
    return np.stack(rows), carry[1]


def run(name, tx, params, grads):
    """`path`, compiling nothing: a `lax.cond` is a Python `if`."""
    with jax.disable_jit():
        return path(stepper(tx, name), (params, tx.init(params)), grads)


def assert_same_path(got, expected, params):
    assert tolerances_apart(got, expected, flat(params), np.float32) < 1


@pytest.mark.parametrize("options", OPTIONS)
@each_wrapper
def test_rmsprop_can_stand_wherever_that_of_optax_stands(name, options):
    params, grads = problem(name)
    options = {"eps": 1e-2} | OPTIONS[options]
    ours, theirs = (
        WRAPPERS[name](functools.partial(rms, **options))
        for rms in (rmsprop, optax.rmsprop)
    )
    got, state = run(name, ours, params, grads)
    expected, _ = run(name, theirs, params, grads)
    assert_same_path(got, expected, params)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, ours.init(params))


@each_wrapper
def test_every_wrapper_feels_which_rmsprop_it_holds(name):
    """The comparison above has power: another dialect is far away."""
    params, grads = problem(name)
    optax_build = functools.partial(optax.rmsprop, eps=1e-2)
    torch_build = functools.partial(rmsprop, dialect="torch", eps=1e-2)
    expected, other = (
        run(name, WRAPPERS[name](build), params, grads)[0]
        for build in (optax_build, torch_build)
    )
    assert tolerances_apart(other, expected, flat(params), np.float32) > 10


TORCH = functools.partial(
    rmsprop, dialect="torch", momentum=0.9, centered=True, weight_decay=0.1
)


TRANSPARENT = {
    "chain": optax.chain,
    "named_chain": lambda tx: optax.named_chain(("rms", tx)),
    "masked": lambda tx: optax.masked(tx, True),
    "partition": lambda tx: optax.partition({"all": tx}, "all"),
    "flatten": optax.flatten,
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 1).gradient_transformation(),
    "inject_hyperparams": lambda _: optax.inject_hyperparams(
        lambda learning_rate: TORCH(learning_rate)
    )(RATE),
    "apply_if_finite": lambda tx: optax.apply_if_finite(tx, 3),
}


@pytest.mark.parametrize("wrapper", TRANSPARENT)
def test_a_wrapper_that_does_nothing_changes_no_bit(wrapper):
    start_and_grads, bare = problem(wrapper), TORCH(RATE)
    got, _ = run(wrapper, TRANSPARENT[wrapper](bare), *start_and_grads)
    expected, _ = run(wrapper, bare, *start_and_grads)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_two_accumulated_gradients_are_one_step_with_their_mean(dtype):
    """Means of small integers, which bfloat16 holds."""
    params, _ = problem("MultiSteps")
    mean = jax.tree.map(lambda x: jnp.round(8 * x), params)
    halves = [jax.tree.map(lambda x, k=k: k * x, mean) for k in (0.5, 1.5)]
    got, state = run("", accumulated(TORCH, dtype), params, 2 * halves)
    expected, its_state = run("", TORCH(RATE), params, 2 * [mean])
    np.testing.assert_array_equal(got[1::2], expected)
    chex.assert_trees_all_equal(state.inner_opt_state, its_state)


def test_apply_if_finite_skips_what_skip_nonfinite_skips():
    params, grads = problem("")
    grads[2]["w"] = grads[2]["w"].at[0, 1].set(jnp.nan)
    got, its_state = run("", optax.apply_if_finite(TORCH(RATE), 3), params, grads)
    expected, state = run("", TORCH(RATE, skip_nonfinite=True), params, grads)
    np.testing.assert_array_equal(got, expected)
    assert np.isfinite(got).all()
    assert its_state.total_notfinite == state.skipped == 1
    assert its_state.inner_state.count == state.count == STEPS - 1


@pytest.mark.parametrize("centered", [False, True])
def test_scale_by_rms_is_the_part_of_a_chain_that_rmsprop_is_made_of(centered):
    params, grads = problem("")
    options = {"dialect": "torch", "centered": centered, "weight_decay": 0.1}
    chained = optax.chain(
        scale_by_rms(**options), optax.trace(0.9), optax.scale_by_learning_rate(RATE)
    )
    whole = rmsprop(RATE, momentum=0.9, **options)
    got, expected = (run("", tx, params, grads)[0] for tx in (chained, whole))
    assert_same_path(got, expected, params)


@each_wrapper
def test_the_abstract_state_is_that_of_init(name):
    params, _ = problem(name)
    tx = WRAPPERS[name](TORCH)
    state, abstract = tx.init(params), jax.eval_shape(tx.init, params)
    assert jax.tree.structure(abstract) == jax.tree.structure(state)
    chex.assert_trees_all_equal_shapes_and_dtypes(abstract, state)


@each_wrapper
def test_a_wrapped_step_of_bfloat16_keeps_the_types_of_the_state(name):
    params, (g, *_) = problem(name, dtype=jnp.bfloat16)
    tx = WRAPPERS[name](TORCH)
    state = tx.init(params)
    after = jax.eval_shape(stepper(tx, name), params, state, g)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, (params, state))
    assert jax.tree.structure(after) == jax.tree.structure((params, state))


@each_wrapper
def test_a_batch_of_runs_under_vmap_is_each_run_alone_traced_once(name):
    problems = [problem(name, seed) for seed in range(2)]
    tx = WRAPPERS[name](TORCH)
    params, grads = jax.tree.map(lambda *xs: jnp.stack(xs), *problems)
    step = jax.jit(jax.vmap(chex.assert_max_traces(stepper(tx, name), n=1)))
    together, _ = path(step, (params, jax.vmap(tx.init)(params)), grads)
    for i, (its_params, its_grads) in enumerate(problems):
        alone, _ = run(name, tx, its_params, its_grads)
        leaves = jax.tree.leaves(params)
        parts = np.split(together, np.cumsum([x.size for x in leaves])[:-1], axis=1)
        its_rows = [part.reshape(STEPS, 2, -1)[:, i] for part in parts]
        assert_same_path(np.concatenate(its_rows, axis=1), alone, its_params)


@each_wrapper
def test_eight_devices_that_average_their_gradients_are_one(name):
    mesh = jax.make_mesh((8,), ("data",))
    params, grads = problem(name)
    tx = WRAPPERS[name](TORCH)
    step = stepper(tx, name)

    def parallel_step(params, state, shares):
        mean = jax.tree.map(lambda x: jax.lax.pmean(x[0], "data"), shares)
        return step(params, state, mean)

    weights = jnp.arange(8) / 3.5
    shares = jax.device_put(
        [jax.tree.map(lambda x: jnp.multiply.outer(weights, x), g) for g in grads],
        NamedSharding(mesh, P("data")),
    )
    sharded = jax.jit(
        jax.shard_map(
            parallel_step,
            mesh=mesh,
            in_specs=(P(), P(), P("data")),
            out_specs=P(),
        )
    )
    carry = jax.device_put((params, tx.init(params)), NamedSharding(mesh, P()))
    got, _ = path(sharded, carry, shares)
    expected, _ = run(name, tx, params, grads)
    assert_same_path(got, expected, params)
