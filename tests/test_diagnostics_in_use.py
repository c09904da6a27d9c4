"""Diagnostics of large trees, under jit, and of states inside others."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import tolerance

from rmsprop_jax import effective_learning_rate, metrics, param_groups, rmsprop

GRADS = {"a": jnp.array([1.0, -2.0]), "b": jnp.array([[4.0, 0.5, 8.0]])}
RATE = "effective_learning_rate/"
QUANTILES = (0.05, 0.5, 0.95)
SAMPLE = 4096


def quantiles(named):
    return np.array([named[f"{RATE}q{round(100 * q):02d}"] for q in QUANTILES])


def with_rates(rates, eps=0.0):
    """A transformation and a state of it in which coordinates have these rates."""
    tx = rmsprop(1.0, eps=eps)
    nu = jax.tree.map(lambda x: jnp.asarray(1 / x**2, jnp.float32), rates)
    return tx, tx.init(nu)._replace(nu=nu)


SIZES = {"one": [1], "few": [3, 1, 7], "sample": [SAMPLE], "in parts": [96, 4000]}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_quantiles_are_exact_up_to_the_size_of_the_sample(sizes):
    rng = np.random.default_rng(0)
    rates = rng.uniform(1, 2, sum(sizes))
    tx, state = with_rates(np.split(rates, np.cumsum(sizes)[:-1]))
    rtol = tolerance(np.float32, 1)
    expected = np.quantile(rates, QUANTILES)
    np.testing.assert_allclose(quantiles(metrics(state, tx.rule)), expected, rtol=rtol)


ROWS, COLUMNS = 128, 1024
PATTERNS = {
    "noise": np.random.default_rng(0).uniform(1, 2, (ROWS, COLUMNS)),
    "columns": np.broadcast_to(np.linspace(1, 2, COLUMNS), (ROWS, COLUMNS)),
    "rows": np.broadcast_to(np.linspace(1, 2, ROWS)[:, None], (ROWS, COLUMNS)),
    "sorted": np.linspace(1, 2, ROWS * COLUMNS).reshape(ROWS, COLUMNS),
    "every other column": np.where(np.arange(COLUMNS) % 2, 1.0, 2.0)
    * np.ones((ROWS, 1)),
}
each_pattern = pytest.mark.parametrize("rates", PATTERNS.values(), ids=PATTERNS)
# Five standard deviations of a share among so many coordinates drawn at random.
SPREAD = 5 * 0.5 / SAMPLE**0.5


@each_pattern
def test_quantiles_are_close_above_the_size_of_the_sample(rates):
    tx, state = with_rates({"x": rates[:, :1000], "y": rates[:, 1000:]})
    named = quantiles(metrics(state, tx.rule))
    below = [(rates < x * (1 - 1e-6)).mean() for x in named]
    up_to = [(rates <= x * (1 + 1e-6)).mean() for x in named]
    assert (np.array(below) - SPREAD <= QUANTILES).all()
    assert (np.array(up_to) + SPREAD >= QUANTILES).all()


@each_pattern
@pytest.mark.parametrize("eps", [1 / 1.25**2, 1 / 1.75**2])
def test_eps_share_is_close_above_the_size_of_the_sample(rates, eps):
    tx, state = with_rates(rates, eps)
    share = float(metrics(state, tx.rule)["eps_share"])
    assert abs(share - (rates**-2 <= eps).mean()) <= SPREAD


@pytest.mark.parametrize("shape", [(), (1,)])
def test_every_array_is_in_the_sample(shape):
    """As many small ones as make 7 % of it, though 0.3 % of the coordinates."""
    tx, state = with_rates([np.ones(100_000), *[np.full(shape, 2.0)] * 300])
    assert quantiles(metrics(state, tx.rule)).tolist() == [1, 1, 2]


def test_metrics_under_jit_are_scalars_from_one_trace():
    tx = rmsprop(0.5, momentum=0.5, skip_nonfinite=True)
    chex.clear_trace_counter()

    @jax.jit
    @chex.assert_max_traces(1)
    def step(grads, state):
        updates, state = tx.update(grads, state)
        named = metrics(state, tx.rule, grads=grads, updates=updates)
        return state, named, effective_learning_rate(state, tx.rule)

    state = tx.init(GRADS)
    for _ in range(3):
        state, named, rates = step(GRADS, state)
    assert {x.shape for x in named.values()} == {()}
    rtol = tolerance(np.float32, 1)
    chex.assert_trees_all_close(named, metrics(state, tx.rule) | {
        "grad_norm": named["grad_norm"], "update_norm": named["update_norm"]
    }, rtol=rtol)  # fmt: skip
    chex.assert_trees_all_close(
        rates, effective_learning_rate(state, tx.rule), rtol=rtol
    )
    np.testing.assert_allclose(named["grad_norm"], 85.25**0.5, rtol=rtol)


TX = rmsprop(0.5, decay=0.75)
WRAPPERS = {
    "chain": optax.chain(optax.clip_by_global_norm(100.0), TX, optax.scale(1.0)),
    "masked": optax.masked(TX, {"a": True, "b": True}),
    "partition": optax.partition({"all": TX}, {"a": "all", "b": "all"}),
    "inject_hyperparams": optax.inject_hyperparams(rmsprop)(0.5, decay=0.75),
}


@pytest.mark.parametrize("tx", WRAPPERS.values(), ids=WRAPPERS)
def test_state_is_found_wherever_it_is(tx):
    _, state = tx.update(GRADS, tx.init(GRADS), GRADS)
    _, bare = TX.update(GRADS, TX.init(GRADS))
    chex.assert_trees_all_equal(
        metrics(state, TX.rule, grads=GRADS), metrics(bare, TX.rule, grads=GRADS)
    )
    chex.assert_trees_all_equal(
        effective_learning_rate(state, TX.rule), effective_learning_rate(bare, TX.rule)
    )


def test_masked_leaves_do_not_count():
    tx = optax.masked(TX, {"a": True, "b": False})
    _, state = tx.update(GRADS, tx.init(GRADS), GRADS)
    rates = effective_learning_rate(state, TX.rule)
    np.testing.assert_array_equal(rates["a"], [1.0, 0.5])
    assert rates["b"] == optax.MaskedNode()
    named = metrics(state, TX.rule)
    np.testing.assert_allclose(named[RATE + "q50"], 0.75)


BOTH = [
    param_groups(
        {"b": {"dialect": "torch"}}, default={"learning_rate": 0.5, "decay": 0.75}
    ),
    optax.chain(
        optax.clip(100.0),
        param_groups(
            {"b": {"dialect": "torch"}}, default={"learning_rate": 0.5, "decay": 0.75}
        ),
    ),
]


@pytest.mark.parametrize("tx", BOTH, ids=["bare", "chain"])
def test_groups_are_told_apart_by_name(tx):
    rules = BOTH[0].rules
    _, state = tx.update(GRADS, tx.init(GRADS), GRADS)
    named = metrics(state, rules, grads=GRADS)
    for group, leaf in (("b", "b"), ("default", "a")):
        one = rmsprop(
            0.5, decay=0.75, dialect={"b": "torch", "default": "optax"}[group]
        )
        _, alone = one.update(GRADS[leaf], one.init(GRADS[leaf]))
        for name, value in metrics(alone, one.rule).items():
            np.testing.assert_array_equal(named.pop(f"{group}/{name}"), value)
        rates = effective_learning_rate(state, rules)[group][leaf]
        np.testing.assert_array_equal(rates, effective_learning_rate(alone, one.rule))
    assert list(named) == ["grad_norm"]


TWO = optax.chain(rmsprop(0.5), rmsprop(0.5))


@pytest.mark.parametrize("function", [metrics, effective_learning_rate])
@pytest.mark.parametrize(
    ("state", "rule", "words"),
    [
        (optax.sgd(0.1).init(GRADS), TX.rule, "no RMSPropState"),
        (TWO.init(GRADS), TX.rule, "expected one RMSPropState for one rule, got 2"),
        (BOTH[0].init(GRADS), TX.rule, "tx.rules"),
        (TX.init(GRADS), BOTH[0].rules, "groups"),
        (BOTH[0].init(GRADS), BOTH[0].rules | {"c": TX.rule}, "['b', 'default', 'c']"),
    ],
    ids=["none", "two", "groups and one rule", "one and groups", "another group"],
)
def test_state_that_the_rule_does_not_fit_is_refused(function, state, rule, words):
    with pytest.raises(ValueError, match="state") as info:
        function(state, rule)
    assert words in str(info.value)
