"""Where the state lies on 8 devices, and one decision for all of them."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import set_mesh, tolerances_apart
from jax.sharding import AxisType, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

from rmsprop_jax import rmsprop, set_hyperparams, state_sharding

MESH = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
GRID = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
REPLICATED = NamedSharding(MESH, P())
FULL = functools.partial(
    rmsprop,
    dialect="torch",
    momentum=0.9,
    centered=True,
    weight_decay=0.1,
    skip_nonfinite=True,
)
# A name at two depths: "scale" is not "dense/scale".
PARAMS = {
    "dense": {"kernel": jnp.ones((16, 6)), "scale": jnp.ones(8)},
    "odd": jnp.ones((3, 5)),
    "scale": jnp.ones(()),
    "empty": jnp.ones((0, 8)),
}
SPECS = {
    "dense": {"kernel": P(None, "model"), "scale": P("model")},
    "odd": P(),
    "scale": P(),
    "empty": P(),
}
GROUPS = {
    "dense": {"kernel": "ours", "scale": "ours"},
    "odd": "ours",
    "scale": "none",
    "empty": "none",
}
WRAPPERS = {
    "bare": lambda tx: tx,
    "chain": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    "masked": lambda tx: optax.masked(
        tx, jax.tree.map(lambda group: group == "ours", GROUPS)
    ),
    "partition": lambda tx: optax.partition(
        {"ours": tx, "none": optax.set_to_zero()}, GROUPS
    ),
    "MultiSteps": lambda tx: optax.MultiSteps(tx, 2),
    "inject_hyperparams": lambda _: optax.inject_hyperparams(
        lambda learning_rate: FULL(learning_rate)
    )(0.1),
}


@pytest.fixture(autouse=True)
def _count_traces_anew():
    chex.clear_trace_counter()


def on(mesh, specs):
    return jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)


def by_path(tree):
    return {jax.tree_util.keystr(p): x for p, x in jax.tree.leaves_with_path(tree)}


def assert_lies(arrays, shardings):
    for x, sharding in zip(
        jax.tree.leaves(arrays), jax.tree.leaves(shardings), strict=True
    ):
        assert x.sharding.is_equivalent_to(sharding, x.ndim), (x.sharding, sharding)


@pytest.mark.parametrize("evaluate", [jax.eval_shape, lambda f, *args: f(*args)])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_moments_lie_as_their_parameters_and_all_else_on_every_device(
    wrapper, evaluate
):
    state = evaluate(WRAPPERS[wrapper](FULL(0.1)).init, PARAMS)
    shardings = state_sharding(on(GRID, SPECS), state)
    assert jax.tree.structure(shardings) == jax.tree.structure(state)

    expected, shaped = by_path(SPECS), by_path(PARAMS)
    seen = set()
    for slot in ["nu", "mu", "trace"]:
        for path, sharding in by_path(optax.tree.get(shardings, slot)).items():
            seen.add(path)
            of_parameter = NamedSharding(GRID, expected[path])
            assert sharding.is_equivalent_to(of_parameter, shaped[path].ndim)
    ours = {path for path, group in by_path(GROUPS).items() if group == "ours"}
    assert seen == (ours if wrapper in ("masked", "partition") else set(shaped))

    for leaf, sharding in zip(
        jax.tree.leaves(state), jax.tree.leaves(shardings), strict=True
    ):
        if leaf.ndim == 0:
            assert sharding == NamedSharding(GRID, P())


def test_accumulated_gradients_lie_as_their_parameters_too():
    state = jax.eval_shape(optax.MultiSteps(FULL(0.1), 2).init, PARAMS)
    shardings = state_sharding(on(GRID, SPECS), state)
    assert shardings.acc_grads["dense"]["scale"].spec == P("model")


@pytest.mark.parametrize(
    ("shape", "spec", "expected"),
    [
        ((16, 6), P(), P("data")),
        ((3, 8), P(), P(None, "data")),
        ((16, 6), P(None, "model"), P("data", "model")),
        ((16, 8), P("model"), P("model", "data")),
        # Nothing that 4 divides, or nothing left to split.
        ((3, 5), P(), P()),
        ((), P(), P()),
        ((0, 3), P(), P()),
        ((8,), P("model"), P("model")),
        ((8, 8), P("data"), P("data")),
        ((8, 8), P(("model", "data")), P(("model", "data"))),
    ],
)
def test_a_zero_axis_splits_the_first_free_dimension_that_it_divides(
    shape, spec, expected
):
    state = jax.eval_shape(FULL(0.1).init, {"w": jnp.ones(shape)})
    shardings = state_sharding(
        {"w": NamedSharding(GRID, spec)}, state, zero_axis="data"
    )
    wanted = NamedSharding(GRID, expected)
    for slot in (shardings.nu, shardings.mu, shardings.trace):
        assert slot["w"].is_equivalent_to(wanted, len(shape))


def bytes_on(device, tree):
    shards = [s for x in jax.tree.leaves(tree) for s in x.addressable_shards]
    return sum(s.data.nbytes for s in shards if s.device == device)


@pytest.mark.parametrize("wrapper", ["bare", "chain", "MultiSteps"])
def test_zero_1_keeps_an_eighth_of_the_moments_on_each_device(wrapper):
    params = {"dense": {"kernel": jnp.ones((16, 6)), "bias": jnp.ones(8)}}
    tx = WRAPPERS[wrapper](FULL(0.1))
    where = jax.tree.map(lambda _: REPLICATED, params)
    shardings = state_sharding(where, jax.eval_shape(tx.init, params), zero_axis="data")
    state = jax.jit(tx.init, out_shardings=shardings)(params)
    assert_lies(state, shardings)
    moments = [optax.tree.get(state, slot) for slot in ("nu", "mu", "trace")]
    whole = sum(x.nbytes for x in jax.tree.leaves(moments))
    assert whole == 3 * 4 * (16 * 6 + 8)
    assert {bytes_on(d, moments) for d in MESH.devices.flat} == {whole // 8}


X = np.linspace(-1, 1, 16 * 16, dtype=np.float32).reshape(16, 16) ** 3
Y = np.cos(5 * X[:, :8])
START = {"w": jnp.zeros((16, 8)), "b": jnp.zeros(8), "c": jnp.zeros(3)}
TX = optax.chain(optax.clip_by_global_norm(1.0), FULL(0.1))


def train_step(params, state, x, y):
    def loss(params):
        out = x @ params["w"] + params["b"][None, :] + params["c"].sum()
        return jnp.mean((out - y) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    updates, state = TX.update(grads, state, params)
    return optax.apply_updates(params, updates), state, value


def three_steps(step, params, state, *data):
    path = []
    for _ in range(3):
        params, state, loss = step(params, state, *data)
        path.append(np.concatenate([np.ravel(v) for v in (*params.values(), loss)]))
    return np.stack(path), params, state


@functools.cache
def unsharded_path():
    return three_steps(jax.jit(train_step), START, TX.init(START), X, Y)[0]


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_zero_1_trains_as_one_device_does_and_parameters_stay_whole(kind):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    replicated, rows = NamedSharding(mesh, P()), NamedSharding(mesh, P("data"))
    where = jax.tree.map(lambda _: replicated, START)
    shardings = state_sharding(where, jax.eval_shape(TX.init, START), zero_axis="data")
    with set_mesh(mesh):
        step = jax.jit(
            chex.assert_max_traces(train_step, n=1),
            out_shardings=(where, shardings, replicated),
        )
        params = jax.device_put(START, where)
        state = jax.jit(TX.init, out_shardings=shardings)(params)
        data = jax.device_put((X, Y), rows)
        path, params, state = three_steps(step, params, state, *data)
    assert tolerances_apart(path, unsharded_path(), 0, np.float32) < 1
    assert_lies(params, where)
    assert_lies(state, shardings)
    assert shardings[1].nu["w"].spec == P("data", None)


def test_parameters_do_drift_where_nothing_holds_them():
    """Why the step needs `out_shardings`."""
    where = jax.tree.map(lambda _: REPLICATED, START)
    shardings = state_sharding(where, jax.eval_shape(TX.init, START), zero_axis="data")
    params = jax.device_put(START, where)
    state = jax.device_put(TX.init(START), shardings)
    params, _, _ = jax.jit(train_step)(params, state, X, Y)
    assert not params["w"].is_fully_replicated


def test_a_new_learning_rate_lies_where_the_old_one_did():
    shardings = state_sharding(
        jax.tree.map(lambda _: REPLICATED, START), jax.eval_shape(TX.init, START)
    )
    state = jax.device_put(TX.init(START), shardings)
    assert_lies(set_hyperparams(state, learning_rate=0.5), shardings)


@pytest.mark.parametrize(
    ("params_sharding", "zero_axis", "error", "message"),
    [
        ({"w": REPLICATED}, "model", ValueError, "zero_axis='model'.*mesh.*data"),
        ({}, None, ValueError, "params_sharding.*no leaf"),
        (
            {"w": SingleDeviceSharding(jax.devices()[0])},
            None,
            TypeError,
            r"params_sharding\['w'\].*NamedSharding.*SingleDevice",
        ),
        ({"w": P("data")}, None, TypeError, r"params_sharding\['w'\].*NamedSharding"),
    ],
)
def test_what_is_no_sharding_is_refused_by_name(
    params_sharding, zero_axis, error, message
):
    state = FULL(0.1).init({"w": jnp.ones(8)})
    with pytest.raises(error, match=message):
        state_sharding(params_sharding, state, zero_axis=zero_axis)


def one_step_each(tx, mesh):
    """Updates, and counts of steps and of skips by device; the fourth saw a NaN."""
    axes = mesh.axis_names
    grads = jnp.ones((8, 2)).at[3, 1].set(jnp.nan)

    def on_one_device(params, grads):
        updates, state = tx.update(grads, tx.init(params), params)
        return updates, state.count[None], state.skipped[None]

    everywhere = jax.shard_map(
        on_one_device, mesh=mesh, in_specs=P(axes), out_specs=P(axes)
    )
    return jax.jit(everywhere)(jnp.ones((8, 2)), grads)


@pytest.mark.parametrize(
    ("mesh", "axis_name"), [(MESH, "data"), (GRID, ("data", "model"))]
)
def test_a_nan_on_one_device_skips_the_step_on_all(mesh, axis_name):
    updates, count, skipped = one_step_each(FULL(0.1, axis_name=axis_name), mesh)
    np.testing.assert_array_equal(skipped, np.ones(8))
    np.testing.assert_array_equal(count, np.zeros(8))
    np.testing.assert_array_equal(updates, 0)
    assert np.signbit(updates).all()


def test_without_an_axis_name_each_device_decides_alone():
    updates, count, skipped = one_step_each(FULL(0.1), MESH)
    np.testing.assert_array_equal(skipped, np.arange(8) == 3)
    np.testing.assert_array_equal(count, np.arange(8) != 3)
    assert (np.asarray(updates)[np.arange(8) != 3] < 0).all()


def test_one_of_two_axes_is_decided_over_alone():
    _, _, skipped = one_step_each(FULL(0.1, axis_name="model"), GRID)
    np.testing.assert_array_equal(skipped, np.isin(np.arange(8), [2, 3]))


@pytest.mark.parametrize("specs", [{"dense": P()}, SPECS | {"odd": {"odd": P()}}])
def test_a_moment_without_a_sharding_is_refused_by_path(specs):
    shardings = jax.tree.map(lambda spec: NamedSharding(GRID, spec), specs)
    state = jax.eval_shape(FULL(0.1).init, PARAMS)
    with pytest.raises(ValueError, match=r"state\.nu\['(dense|odd)'\].*\['dense'\]"):
        state_sharding(shardings, state)
