"""Under `optax.inject_hyperparams`, which turns what it can into arrays."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import rmsprop

PARAMS = {"b": jnp.ones(3), "w": jnp.ones(2)}
HALF = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
GRADS = {"b": jnp.array([1.0, -2.0, 0.0]), "w": jnp.array([1e-3, 4.0])}
NUMBERS = {
    "learning_rate": 0.1,
    "decay": 0.999,
    "eps": 1e-3,
    "momentum": 0.999,
    "weight_decay": 0.1,
    "variance_floor": 0.1,
}
BFLOAT16 = np.dtype(jnp.bfloat16).type
SIXTEEN_BITS = {
    "NumPy float16": np.float16(0.5),
    "NumPy bfloat16": BFLOAT16(0.5),
    "JAX float16": jnp.float16(0.5),
    "JAX bfloat16": jnp.bfloat16(0.5),
}
each_name = pytest.mark.parametrize("name", NUMBERS)


def decay_all(params):
    return jax.tree.map(lambda _: True, params)


def decay_matrices(params):
    return jax.tree.map(lambda x: x.ndim > 1, params)


# What inject_hyperparams makes an array of, unless told that it is static.
STATIC = [
    ("weight_decay_mask", decay_all),
    ("weight_decay_mask", decay_matrices),
    ("nu_init", 1.0),
    ("state_dtype", jnp.float32),
    ("centered", np.array(True)),
    ("nesterov", np.array(True)),
    ("bias_correction", np.array(True)),
    ("skip_nonfinite", np.array(True)),
]


def needed(name):
    """The options that `name` needs beside it."""
    options = {"learning_rate": 0.1}
    if name == "variance_floor":
        options["centered"] = True
    if name == "nesterov":
        options["momentum"] = 0.9
    if name == "weight_decay_mask":
        options["weight_decay"] = 0.1
    return options


def injected(options, **how):
    return optax.inject_hyperparams(rmsprop, **how)(**options)


def second_step(tx, params):
    state = tx.init(params)
    _, state = tx.update(params, state, params)
    return tx.update(
        jax.tree.map(lambda g, p: g.astype(p.dtype), GRADS, params), state, params
    )


def refusal(error, call, *arguments):
    with pytest.raises(error) as info:
        call(*arguments)
    return str(info.value)


@pytest.mark.parametrize("value", SIXTEEN_BITS.values(), ids=SIXTEEN_BITS)
@each_name
def test_sixteen_bits_are_refused_by_dtype(name, value):
    options = needed(name) | {name: value}
    message = refusal(TypeError, lambda: rmsprop(**options))
    assert message.startswith(f"{name}: a {value.dtype.name} holds too few digits")
    assert "hyperparam_dtype=jnp.float32" in message


def test_sixteen_bits_are_refused_when_traced_too():
    traced = jax.jit(lambda x: rmsprop(0.1, decay=x).init(PARAMS))
    message = refusal(TypeError, traced, jnp.bfloat16(0.5))
    assert message.startswith("decay: a bfloat16 holds too few digits")


def test_optax_decays_by_one_where_it_was_told_999_thousandths():
    """Why they are refused."""
    tx = optax.inject_hyperparams(optax.rmsprop)(0.1, decay=0.999)
    assert float(tx.init(HALF).hyperparams["decay"]) == 1


@each_name
def test_number_cast_to_the_parameters_sixteen_bits_is_refused(name):
    options = needed(name) | {name: NUMBERS[name]}
    others = sorted(options.keys() - {name})
    tx = injected(options, static_args=others)
    message = refusal(TypeError, tx.init, HALF)
    assert message.startswith(f"{name}: a bfloat16")
    assert "hyperparam_dtype=jnp.float32" in message


@each_name
def test_number_stays_whole_with_hyperparam_dtype(name):
    options = needed(name) | {name: NUMBERS[name]}
    tx = injected(options, hyperparam_dtype=jnp.float32)
    updates, state = second_step(tx, HALF)
    kept = float(getattr(state.inner_state.hyperparams, name))
    assert kept == np.float32(NUMBERS[name])
    direct, _ = second_step(rmsprop(**options), HALF)
    chex.assert_trees_all_equal_shapes_and_dtypes(updates, direct)
    # 1 − ρ is formed in float32 there, in double here: one bfloat16 apart at most.
    rtol = float(jnp.finfo(jnp.bfloat16).eps) if name == "decay" else 0
    chex.assert_trees_all_close(updates, direct, rtol=rtol, atol=0)


@pytest.mark.parametrize(("name", "value"), STATIC)
def test_what_became_an_array_is_refused(name, value):
    tx = injected(needed(name) | {name: value})
    message = refusal(TypeError, tx.init, PARAMS)
    assert message.startswith(name)
    assert f"static_args='{name}'" in message


@pytest.mark.parametrize(("name", "value"), STATIC)
def test_static_args_is_the_way_out(name, value):
    # A 0-d NumPy boolean is no switch anywhere.
    value = bool(value) if isinstance(value, np.ndarray) else value
    options = needed(name) | {name: value}
    updates, _ = second_step(injected(options, static_args=name), PARAMS)
    direct, _ = second_step(rmsprop(**options), PARAMS)
    chex.assert_trees_all_equal(updates, direct)


@pytest.mark.parametrize("name", ["centered", "nesterov", "bias_correction"])
def test_python_switches_need_no_static_args(name):
    options = needed(name) | {name: True}
    updates, _ = second_step(injected(options), PARAMS)
    direct, _ = second_step(rmsprop(**options), PARAMS)
    chex.assert_trees_all_equal(updates, direct)


def test_number_out_of_range_is_refused_when_injected():
    tx = injected({"learning_rate": 0.1, "decay": 1.5})
    message = refusal(ValueError, tx.init, PARAMS)
    assert message == "decay=1.5: expected a number in [0, 1)."
