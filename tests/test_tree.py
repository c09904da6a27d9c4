"""Trees that do not fit are refused with the path to where they do not."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import RMSProp, convert_state, param_groups, rmsprop, scale_by_rms

PARAMS = {"b": jnp.ones(3), "w": {"x": jnp.ones(2), "y": jnp.ones(())}}
INTEGERS = jnp.ones(2, jnp.int32)


def with_x(x):
    return {"b": PARAMS["b"], "w": {"x": x, "y": PARAMS["w"]["y"]}}


def refusal(error, call, *arguments):
    """The message of the `error` that the call raises; jax's own are subclasses."""
    with pytest.raises(error) as info:
        call(*arguments)
    assert info.type is error
    return str(info.value)


# A mask, the error, and the place that its message names.
MASKS = [
    ({"b": True}, ValueError, "w"),
    ({"b": True, "w": False, "z": True}, ValueError, "z"),
    ({"b": True, "u": False}, ValueError, "u"),
    ({"b": {"deep": True}, "w": True}, ValueError, "['b']"),
    ({"b": True, "w": {"x": True}}, ValueError, "['w']"),
    ({"b": None, "w": True}, ValueError, "['b']"),
    ([True, False], ValueError, "list"),
    (lambda _: {"b": True}, ValueError, "w"),
    ({"b": 1, "w": True}, TypeError, "['b']"),
    ({"b": True, "w": {"x": "no", "y": True}}, TypeError, "['w']['x']"),
    ({"b": True, "w": jnp.array(True)}, TypeError, "['w']"),
    (lambda p: jax.tree.map(jnp.isnan, p), TypeError, "['b']"),
]


@pytest.mark.parametrize(("mask", "error", "place"), MASKS)
@pytest.mark.parametrize("moment", ["init", "update"])
def test_mask_that_does_not_fit_is_refused(mask, error, place, moment):
    tx = rmsprop(0.1, weight_decay=0.1, weight_decay_mask=mask)
    state = rmsprop(0.1, weight_decay=0.1).init(PARAMS)
    arguments = {"init": [PARAMS], "update": [PARAMS, state, PARAMS]}[moment]
    message = refusal(error, getattr(tx, moment), *arguments)
    assert message.startswith("weight_decay_mask")
    assert "expected" in message
    assert place in message


FITTING = [
    ({"b": True, "w": False}, {"b"}),
    ({"b": False, "w": {"x": True, "y": np.False_}}, {"x"}),
    (lambda _: {"b": False, "w": True}, {"x", "y"}),
    (lambda p: jax.tree.map(lambda x: x.ndim > 0, p), {"b", "x"}),
    (lambda _: True, {"b", "x", "y"}),
]


@pytest.mark.parametrize(("mask", "decaying"), FITTING)
def test_mask_that_is_a_prefix_says_who_decays(mask, decaying):
    tx = rmsprop(1.0, weight_decay=0.5, weight_decay_mask=mask)
    nothing = jax.tree.map(jnp.zeros_like, PARAMS)
    updates, _ = tx.update(nothing, tx.init(PARAMS), PARAMS)
    moved = {
        path[-1].key for path, u in jax.tree.leaves_with_path(updates) if (u != 0).any()
    }
    assert moved == decaying


DECAYING = {
    "decoupled": rmsprop(0.1, weight_decay=0.0),
    "coupled": rmsprop(0.1, dialect="torch", weight_decay=0.1),
    "scale_by_rms": scale_by_rms(dialect="torch", weight_decay=0.1),
}


@pytest.mark.parametrize("tx", DECAYING.values(), ids=DECAYING)
def test_weight_decay_asks_for_the_parameters(tx):
    message = refusal(ValueError, tx.update, PARAMS, tx.init(PARAMS))
    assert message.startswith("params=None: ")
    assert "update(grads, state, params)" in message
    assert "weight_decay=False" in message


def test_no_weight_decay_does_without_the_parameters():
    tx = rmsprop(0.1, weight_decay=False)
    tx.update(PARAMS, tx.init(PARAMS))


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"b": PARAMS["b"]}, "['w']"),
        ({**PARAMS, "z": jnp.ones(1)}, "['z']"),
        (with_x(jnp.ones(4)), "['w']['x']"),
        (with_x(jnp.ones((2, 1))), "['w']['x']"),
        (with_x(jnp.ones(())), "['w']['x']"),
        (with_x(None), "['w']['x']"),
    ],
)
def test_other_parameters_than_at_init_are_refused(params, place):
    tx = rmsprop(0.1, weight_decay=0.1)
    message = refusal(ValueError, tx.update, PARAMS, tx.init(PARAMS), params)
    assert "params" in message
    assert place in message


GRADS = [
    ({"b": PARAMS["b"]}, ValueError, "['w']['x']"),
    ({**PARAMS, "z": jnp.ones(1)}, ValueError, "['z']"),
    (with_x(None), ValueError, "['w']['x']"),
    (None, ValueError, "['b']"),
    ([PARAMS["b"], PARAMS["w"]], ValueError, "[0]"),
    (with_x((jnp.ones(2),)), ValueError, "['w']['x'][0]"),
    (with_x(jnp.ones(3)), ValueError, "grads['w']['x']: expected shape (2,), got (3,)"),
    (with_x(jnp.ones(())), ValueError, "grads['w']['x']: expected shape (2,), got ()"),
    (with_x(jnp.ones((2, 1))), ValueError, "grads['w']['x']: expected shape (2,)"),
    (with_x(INTEGERS), TypeError, "grads['w']['x']: expected a floating-point"),
    (with_x(True), TypeError, "grads['w']['x']: expected a floating-point"),
]


@pytest.mark.parametrize(("grads", "error", "place"), GRADS)
def test_gradients_unlike_the_parameters_are_refused(grads, error, place):
    tx = rmsprop(0.1)
    message = refusal(error, tx.update, grads, tx.init(PARAMS))
    assert "grad" in message
    assert place in message
    assert message.endswith(".")


def test_optax_takes_a_gradient_of_another_shape():
    tx = optax.rmsprop(0.1)
    updates, _ = tx.update(with_x(jnp.ones(())), tx.init(PARAMS))
    assert updates["w"]["x"].shape == (2,)


@pytest.mark.parametrize(
    "leaf", [INTEGERS, True, 3, np.ones(2, bool), np.ones(2, "i8")]
)
def test_integer_parameters_are_refused(leaf):
    message = refusal(TypeError, rmsprop(0.1).init, with_x(leaf))
    assert message.startswith("params['w']['x']: expected a floating-point")
    assert jnp.result_type(leaf).name in message
    assert "optax.masked" in message


def test_complex_gradient_of_a_real_parameter_is_refused():
    tx = rmsprop(0.1, dialect="torch")
    grads = with_x(jnp.ones(2, jnp.complex64))
    message = refusal(TypeError, tx.update, grads, tx.init(PARAMS))
    assert message.startswith("grads['w']['x']: expected a gradient as real")
    assert "real part" in message


@pytest.mark.parametrize("options", [{}, {"moment": "tensor"}, {"weight_decay": 0.1}])
def test_where_nu_is_real_either_way_the_parameters_tell(options):
    """Dialect optax: ν of a complex parameter is real, and nothing else remembers."""
    grads = with_x(jnp.ones(2, jnp.complex64))
    for params, other in ((PARAMS, grads), (grads, PARAMS)):
        tx = rmsprop(0.1, **options)
        message = refusal(TypeError, tx.update, other, tx.init(params), params)
        assert message.startswith("grads['w']['x']: expected a gradient as real")
        tx.update(params, tx.init(params), params)


@pytest.mark.parametrize("dialect", ["optax", "torch", "timm"])
def test_caution_is_refused_where_numbers_have_no_sign(dialect):
    tx = rmsprop(0.1, dialect=dialect, momentum=0.9, cautious=True)
    message = refusal(TypeError, tx.init, with_x(jnp.ones(2, jnp.complex64)))
    assert message.startswith("params['w']['x']: expected a real parameter beside ca")
    tx.init(PARAMS)


def test_parameters_that_are_not_needed_may_be_of_another_tree():
    tx = rmsprop(0.1)
    tx.update(PARAMS, tx.init(PARAMS), [PARAMS["b"]])


def test_a_transformation_made_anew_from_its_parts_is_the_same():
    """As flax 0.11 does inside `nnx.jit`, to whatever is a tuple."""
    mask = {"b": True, "w": False}
    for tx in (
        rmsprop(0.1, dialect="torch", weight_decay=0.1, weight_decay_mask=mask),
        param_groups({"b": {"dialect": "tf1"}}, default={"learning_rate": 0.1}),
    ):
        leaves, treedef = jax.tree.flatten(tx)
        again = treedef.unflatten(leaves)
        assert type(again) is type(tx)
        name = "rule" if isinstance(tx, RMSProp) else "rules"
        assert getattr(again, name) == getattr(tx, name)
        assert again.decaying == tx.decaying


@pytest.mark.parametrize("state", [None, {"nu": PARAMS}, optax.EmptyState(), ()])
def test_state_that_is_none_of_ours_is_refused(state):
    message = refusal(TypeError, rmsprop(0.1).update, PARAMS, state)
    assert message.startswith("state: expected an RMSPropState, got ")
    assert "tx.init(params)" in message


SCHEDULE = optax.constant_schedule(0.1)
# The options that the state was made with, those it meets, and the place named.
OPTIONS = [
    ({"momentum": 0.9}, {}, "state.trace"),
    ({}, {"momentum": 0.9}, "state.trace"),
    ({"centered": True}, {}, "state.mu"),
    ({}, {"centered": True}, "state.mu"),
    ({"skip_nonfinite": True}, {}, "state.skipped"),
    ({}, {"skip_nonfinite": True}, "state.skipped"),
    ({"weight_decay": 0.1}, {}, "weight_decay"),
    ({}, {"weight_decay": 0.1}, "weight_decay"),
    ({"centered": True, "variance_floor": 0.1}, {"centered": True}, "variance_floor"),
    ({"centered": True}, {"centered": True, "variance_floor": 0.1}, "variance_floor"),
    ({}, {"decay": SCHEDULE}, "decay"),
    ({"decay": SCHEDULE}, {}, "decay"),
    ({"eps": jnp.float32(1e-3)}, {}, "eps"),
    ({"eps": jnp.float32(1e-3)}, {"eps": SCHEDULE}, "eps"),
]


@pytest.mark.parametrize(("made", "met", "place"), OPTIONS)
def test_state_of_other_options_is_refused_with_the_way_out(made, met, place):
    state, tx = rmsprop(0.1, **made).init(PARAMS), rmsprop(0.1, **met)
    message = refusal(ValueError, tx.update, PARAMS, state, PARAMS)
    assert place in message
    assert "expected" in message
    assert "convert_state(state, tx, params)" in message

    converted = convert_state(state, tx, PARAMS)
    _, after = tx.update(PARAMS, converted, PARAMS)
    assert jax.tree.structure(after) == jax.tree.structure(tx.init(PARAMS))


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"centered": True}])
def test_state_of_other_parameters_is_refused(options):
    tx = rmsprop(0.1, **options)
    state = tx.init(with_x(jnp.ones(5)))
    message = refusal(ValueError, tx.update, PARAMS, state)
    assert message.startswith("grads['w']['x']: expected shape (5,), got (2,)")
    assert "init" in message
