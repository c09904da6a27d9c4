"""Loops of other people: `nnx.Optimizer`, `TrainState` and Equinox modules."""

import contextlib
import functools

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState
from helpers import tolerances_apart

from rmsprop_jax import metrics, rmsprop, set_hyperparams

STEPS, RATE = 4, 0.1
X = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)
Y = np.cos(3 * X[:, :2])

TORCH = functools.partial(
    rmsprop, dialect="torch", momentum=0.9, centered=True, weight_decay=0.1
)
MASKED = functools.partial(
    TORCH,
    skip_nonfinite=True,
    weight_decay_mask=lambda params: jax.tree.map(lambda x: x.ndim > 1, params),
)
BUILDS = {
    "plain": rmsprop,
    "everything": MASKED,
    "chain": lambda rate: optax.chain(optax.clip_by_global_norm(1.0), TORCH(rate)),
}
each_build = pytest.mark.parametrize("build", BUILDS)


@pytest.fixture(autouse=True)
def _count_traces_anew():
    chex.clear_trace_counter()


def squared_error(kernel, bias):
    return jnp.mean((X @ kernel + bias[None, :] - Y) ** 2)


def loss_of(params):
    return squared_error(params["kernel"], params["bias"])


def plain_path(tx, params, loss=loss_of):
    """The parameters after every step, with nothing but Optax."""
    state, path = tx.init(params), []
    for _ in range(STEPS):
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def assert_same_path(got, expected, start):
    got, expected = (np.stack([flat(p) for p in path]) for path in (got, expected))
    assert tolerances_apart(got, expected, flat(start), np.float32) < 1


@contextlib.contextmanager
def mode(name):
    """Flax 0.12 can track a model as a graph, or as a tree."""
    if name == "tree" and not hasattr(nnx, "set_graph_mode"):
        pytest.skip("this Flax has no tree mode")
    if name == "tree":
        with nnx.set_graph_mode(False), nnx.set_graph_updates(False):
            yield
    else:
        yield


def linear(tx):
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    return model, nnx.Optimizer(model, tx, wrt=nnx.Param)


def params_of(model):
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


def nnx_loss(model):
    return squared_error(model.kernel[...], model.bias[...])


@nnx.jit
def nnx_step(model, optimizer):
    optimizer.update(model, nnx.grad(nnx_loss)(model))


@pytest.mark.parametrize(
    ("build", "graph"),
    [*((build, "graph") for build in BUILDS), ("everything", "tree")],
)
def test_an_nnx_optimizer_makes_the_steps_of_a_plain_loop(build, graph):
    tx = BUILDS[build](RATE)
    traces = []
    with mode(graph):
        model, optimizer = linear(tx)
        start = params_of(model)
        treedef = jax.tree.structure(optimizer.opt_state)

        @nnx.jit
        def step(model, optimizer):
            traces.append(build)
            optimizer.update(model, nnx.grad(nnx_loss)(model))

        got = []
        for _ in range(STEPS):
            step(model, optimizer)
            got.append(params_of(model))
            assert jax.tree.structure(optimizer.opt_state) == treedef
    assert_same_path(got, plain_path(tx, start), start)
    assert len(traces) == 1


def test_hyperparameters_are_set_in_an_nnx_optimizer_and_its_metrics_read():
    tx = TORCH(RATE)
    model, optimizer = linear(tx)
    nnx_step(model, optimizer)
    optimizer.opt_state = set_hyperparams(optimizer.opt_state, learning_rate=0.0)
    before = params_of(model)
    nnx_step(model, optimizer)
    chex.assert_trees_all_equal(params_of(model), before)

    named = metrics(optimizer.opt_state, tx.rule)
    assert (named["step"], named["learning_rate"]) == (2, 0.0)
    bare = jax.tree.structure(tx.init(before))
    arrays = jax.tree.leaves(optimizer.opt_state)
    chex.assert_trees_all_equal(named, metrics(bare.unflatten(arrays), tx.rule))


def train_state(tx):
    params = params_of(linear(tx)[0])
    return TrainState.create(apply_fn=None, params=params, tx=tx)


@each_build
def test_a_train_state_makes_the_steps_of_a_plain_loop(build):
    tx = BUILDS[build](RATE)
    state = train_state(tx)
    start, treedef = state.params, jax.tree.structure(state)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(state):
        return state.apply_gradients(grads=jax.grad(loss_of)(state.params))

    got = []
    for _ in range(STEPS):
        state = step(state)
        got.append(state.params)
        assert jax.tree.structure(state) == treedef
    assert_same_path(got, plain_path(tx, start), start)


@each_build
def test_hyperparameters_are_set_in_a_train_state_without_a_second_trace(build):
    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(state):
        return state.apply_gradients(grads=jax.tree.map(jnp.ones_like, state.params))

    state = step(train_state(BUILDS[build](RATE)))
    state = set_hyperparams(state, learning_rate=0.0, decay=0.5)
    assert isinstance(state, TrainState)
    assert optax.tree.get(step(state).opt_state, "learning_rate") == 0.0
    assert optax.tree.get(step(state).opt_state, "one_minus_decay") == 0.5


class Model(eqx.Module):
    """Weights beside what no optimizer may touch."""

    linear: eqx.nn.Linear
    calls: jax.Array
    activation: object
    name: str = "model"

    def loss(self):
        return squared_error(self.linear.weight.T, self.linear.bias)


def test_an_equinox_module_moves_where_it_is_inexact():
    tx = BUILDS["everything"](RATE)
    model = Model(
        eqx.nn.Linear(3, 2, key=jax.random.key(0)), jnp.arange(3), jax.nn.relu
    )
    start = eqx.filter(model, eqx.is_inexact_array)

    @eqx.filter_jit
    @eqx.debug.assert_max_traces(max_traces=1)
    def step(model, state):
        grads = eqx.filter_grad(Model.loss)(model)
        params = eqx.filter(model, eqx.is_inexact_array)
        updates, state = tx.update(grads, state, params)
        return eqx.apply_updates(model, updates), state

    state, got = tx.init(start), []
    for _ in range(STEPS):
        model, state = step(model, state)
        got.append(eqx.filter(model, eqx.is_inexact_array))
    assert_same_path(got, plain_path(tx, start, Model.loss), start)
    np.testing.assert_array_equal(model.calls, np.arange(3))
    assert (model.activation, model.name) == (jax.nn.relu, "model")
