"""Load from a live optimizer of Keras', and dump into one; by hand, without Keras."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from keras_by_hand import (
    CONFIG,
    NU,
    ORDER,
    PARAMS,
    RMSprop,
    Variable,
    assert_full,
    assert_slot,
)

from rmsprop_jax import param_groups, rmsprop, scale_by_rms, set_hyperparams
from rmsprop_jax.interop import keras as interop

IGNORED = ["use_ema", "gradient_accumulation_steps"]


def assert_same(got, expected):
    assert list(got) == list(expected)
    for path in expected:
        np.testing.assert_array_equal(got[path], expected[path], err_msg=path)


def test_a_live_optimizer_gives_every_slot():
    assert_full(interop.load(RMSprop(), PARAMS)[1])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": 0.0},
        {"centered": False},
        {"weight_decay": 0.5},
        {"weight_decay": 0.5, "excluded": ["bias"]},
    ],
)
def test_dump_undoes_load(settings):
    source, target = RMSprop(**settings), RMSprop(**settings).emptied()
    tx, state = interop.load(source, PARAMS)
    interop.dump(tx, state, PARAMS, target)
    assert_same(target.held(), source.held())


def test_weight_decay_leaves_out_what_keras_excluded():
    optimizer = RMSprop(weight_decay=0.5, excluded=["bias"])
    tx, state = interop.load(optimizer, PARAMS)
    params = jax.tree.map(jnp.ones_like, PARAMS)
    plain, other = interop.load(RMSprop(), PARAMS)
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    with_decay = tx.update(grads, state, params)[0]["fc"]
    without = plain.update(grads, other, params)[0]["fc"]
    np.testing.assert_array_equal(with_decay["bias"], without["bias"])
    decayed = np.asarray(without["kernel"]) - np.float32(0.25 * 0.5)
    np.testing.assert_allclose(with_decay["kernel"], decayed, rtol=1e-6)


def test_dump_leaves_averages_and_empties_sums():
    settings = {"use_ema": True, "gradient_accumulation_steps": 7}
    optimizer = RMSprop(**settings)
    tx, state = interop.load(optimizer, PARAMS, ignore=IGNORED)
    assert_full(state, count=1)
    before = optimizer.held()
    interop.dump(tx, state._replace(count=jnp.asarray(3)), PARAMS, optimizer)
    after = optimizer.held()
    assert after["iteration"] == 3 * 7
    sums = {path for path in after if path.endswith("accumulator")}
    assert len(sums) == 4
    assert not any(after[path].any() for path in sums)
    rest = set(after) - sums - {"iteration"}
    assert_same({k: after[k] for k in rest}, {k: before[k] for k in rest})


def test_amid_a_step_the_sums_are_lost_only_on_request():
    optimizer = RMSprop(gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="amid a step, at call 7"):
        interop.load(optimizer, PARAMS, ignore=["use_ema"])
    assert_full(interop.load(optimizer, PARAMS, ignore=IGNORED)[1], count=3)


def test_a_legacy_optimizer_is_known_by_its_slots():
    class Legacy:
        def __init__(self):
            paths = [f"RMSprop/{path}/rms:0" for path in ORDER]
            arrays = [np.asarray(7), *NU]
            self.held = list(map(Variable, arrays, ["RMSprop/iter:0", *paths]))

        def get_config(self):
            return CONFIG | {"decay": 0.0, "momentum": 0.0, "centered": False}

        def variables(self):
            return self.held

        def get_slot(self, variable, name):
            raise NotImplementedError

    Legacy.__name__ = "RMSprop"
    tx, state = interop.load(Legacy(), PARAMS)
    assert tx.rule == rmsprop(1.0, dialect="tf_keras_legacy").rule
    assert_slot(state.nu, NU)


def test_depthwise_kernels_go_back_as_they_came():
    params = {"dw": {"kernel": jnp.arange(90.0).reshape(3, 3, 1, 10)}}
    arguments = {"shapes": [(3, 3, 5, 2)], "order": ["dw/kernel"]}
    source, target = RMSprop(**arguments), RMSprop(**arguments).emptied()
    for variable in source.variables[2:]:
        variable.value = 1e-3 * np.arange(90, dtype=np.float32).reshape(3, 3, 5, 2)
    source.variables[2].value += 1
    tx, state = interop.load(source, params)
    interop.dump(tx, state, params, target)
    np.testing.assert_array_equal(target.variables[3].value, source.variables[3].value)
    [variable] = target._trainable_variables
    interop.assign(params, [variable])
    assert variable.value[0, 0, 1, 1] == 3
    got = interop.params([variable], jax.tree.map(jnp.zeros_like, params))
    np.testing.assert_array_equal(got["dw"]["kernel"], params["dw"]["kernel"])


def test_what_keras_calls_differently_is_matched_all_the_same():
    theirs = ["bn/gamma", "bn/beta", "e/embeddings", "dw/depthwise_kernel", "fc/kernel"]
    ours = ["bn/scale", "bn/bias", "e/embedding", "dw/kernel", "fc/kernel"]
    shapes = [(2,), (2,), (2, 2), (2, 2), (2, 2)]  # which decide nothing
    params = {path: jnp.zeros(shape) for path, shape in zip(ours, shapes, strict=True)}
    optimizer = RMSprop(shapes=shapes, order=theirs, centered=False)
    for trained in (optimizer._trainable_variables, []):  # slots have "_" for "/"
        optimizer._trainable_variables = trained
        state = interop.load(optimizer, params)[1]
        assert [float(state.nu[path].max()) for path in ours] == [20, 21, 22, 23, 24]


def test_assign_changes_nothing_if_anything_does_not_fit():
    names = "fc/kernel", "fc/bias"
    both = [Variable(np.ones((2, 3)), names[0]), Variable(np.ones(9), names[1])]
    with pytest.raises(ValueError, match=r"fc/bias: \(3,\) in params, and \(9,\)"):
        interop.assign({"fc": PARAMS["fc"]}, both)
    assert (both[0].value == 1).all()


def test_dump_takes_learning_rate_and_count_along():
    tx, state = interop.load(RMSprop(), PARAMS)
    state = set_hyperparams(state, learning_rate=0.5)._replace(count=jnp.asarray(9))
    target = RMSprop()
    interop.dump(tx, state, PARAMS, target)
    assert (int(target.variables[0].value), float(target.learning_rate)) == (9, 0.5)


def test_dump_out_of_a_chain_needs_its_rule():
    inner, state = interop.load(RMSprop(), PARAMS)
    tx = optax.chain(optax.clip(1.0), inner)
    state, target = (optax.EmptyState(), state), RMSprop()
    with pytest.raises(TypeError, match="rule=None: expected a Rule"):
        interop.dump(tx, state, PARAMS, target)
    interop.dump(tx, state, PARAMS, target.emptied(), rule=inner.rule)
    assert_same(target.held(), RMSprop().held())


LIKE = {"dialect": "keras", "decay": 0.75, "eps": 1e-3, "momentum": 0.5}
TWO_RATES = param_groups(
    {"bias": {"learning_rate": 0.5}},
    default={**LIKE, "learning_rate": 1.0, "centered": True},
)
OTHERS = {
    "decay": (rmsprop(1.0, **{**LIKE, "decay": 0.5}, centered=True), "decay is 0.5 in"),
    "eps": (rmsprop(1.0, **{**LIKE, "eps": 1e-4}, centered=True), "eps is 0.0001 in"),
    "centered": (rmsprop(1.0, **LIKE), "centered is False in our state and True"),
    "momentum": (
        rmsprop(1.0, **{**LIKE, "momentum": False}, centered=True),
        "momentum is False in our state and 0.5",
    ),
    "placement": (
        rmsprop(1.0, **LIKE, centered=True, lr_placement="after_trace"),
        "lr_placement is 'after_trace' in our state and 'in_trace'",
    ),
    "outside": (
        rmsprop(1.0, **LIKE, centered=True, eps_placement="outside"),
        "eps_placement is 'outside' in our state and 'inside'",
    ),
    "bias correction": (
        rmsprop(1.0, **LIKE, centered=True, bias_correction=True),
        "bias_correction is True in our state",
    ),
    "weight decay": (
        rmsprop(1.0, **LIKE, centered=True, weight_decay=0.5),
        "weight_decay is 0.5 in our state and False",
    ),
    "no rate": (
        scale_by_rms(dialect="keras"),
        "learning_rate: .*scale_by_rms",
    ),
    "two rates": (TWO_RATES, "learning_rate: expected one"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_keras_would_not_go_on_as_ours_does_and_keeps_what_it_has(case):
    tx, words = OTHERS[case]
    target = RMSprop()
    before = target.held()
    with pytest.raises(ValueError, match=words):
        interop.dump(tx, tx.init(PARAMS), PARAMS, target)
    assert_same(target.held(), before)
