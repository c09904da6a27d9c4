"""What is refused: by name, with the value, what was expected, and a way out."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import named

from rmsprop_jax import DIALECTS, rmsprop, scale_by_rms

PARAMS = {"b": jnp.ones(3), "w": jnp.ones(2)}
INTEGERS = jnp.ones(2, jnp.int32)
# Cheap to show, unlike a function, and enough of a schedule.
SCHEDULE = optax.constant_schedule(0.5)

KINDS = {
    "Python": float,
    "NumPy": np.float32,
    "0-d": lambda x: np.array(x),
    "JAX": jnp.float32,
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)

UNIT, POSITIVE = "a number in [0, 1)", "a finite number >= 0"
EXPECTED = {
    "learning_rate": POSITIVE,
    "decay": UNIT,
    "eps": POSITIVE,
    "momentum": UNIT,
    "weight_decay": POSITIVE,
    "variance_floor": UNIT,
}
OUTSIDE = {
    UNIT: [-0.5, 1.0, 1.5, np.nan, np.inf],
    POSITIVE: [-(2.0**-27), -1.0, np.nan, np.inf],
}
OUT_OF_RANGE = [(n, x) for n, expected in EXPECTED.items() for x in OUTSIDE[expected]]
each_name = pytest.mark.parametrize("name", EXPECTED)


def build(**arguments):
    """`rmsprop` with what an argument needs beside it."""
    needs = {"learning_rate": 0.1}
    if "variance_floor" in arguments:
        needs["centered"] = True
    if "weight_decay_mask" in arguments:
        needs["weight_decay"] = 0.1
    return rmsprop(**(needs | arguments))


def after_a_step(name, value):
    """Hyperparameter `name` as the state tells it after a step."""
    tx = build(**{name: value})
    _, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    return getattr(state.hyperparams, name)


def refusal(error, call, *arguments, **options):
    """The message of the `error` that the call raises; jax's own are subclasses."""
    with pytest.raises(error) as info:
        call(*arguments, **options)
    assert info.type is error
    return str(info.value)


@each_kind
@pytest.mark.parametrize(("name", "value"), OUT_OF_RANGE)
def test_value_out_of_range_is_refused_whatever_its_type(name, value, kind):
    message = refusal(ValueError, build, **{name: kind(value)})
    assert message == f"{name}={value!r}: expected {EXPECTED[name]}."


@pytest.mark.parametrize("value", OUTSIDE[POSITIVE])
def test_starting_value_of_nu_out_of_range_is_refused(value):
    message = refusal(ValueError, build, nu_init=value)
    assert message == f"nu_init={value!r}: expected {POSITIVE}."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((n, x) for n, x in OUT_OF_RANGE if n in ("learning_rate", "decay", "eps")),
        *(("momentum", x) for x in OUTSIDE[UNIT]),
        *(("initial_scale", x) for x in OUTSIDE[POSITIVE]),
        ("nesterov", True),
        ("nesterov", "no"),
        ("centered", "no"),
        ("learning_rate", True),
    ],
)
def test_optax_takes_them_all(name, value):
    tx = optax.rmsprop(**({"learning_rate": 0.1} | {name: value}))
    updates, _ = tx.update(PARAMS, tx.init(PARAMS))
    assert jax.tree.structure(updates) == jax.tree.structure(PARAMS)


@each_kind
@each_name
def test_zero_is_taken(name, kind):
    assert float(after_a_step(name, kind(0.0))) == 0


@each_kind
@pytest.mark.parametrize("name", [n for n in EXPECTED if EXPECTED[n] == UNIT])
def test_the_largest_number_below_one_is_taken(name, kind):
    dtype = np.asarray(kind(0.0)).dtype.type
    value = kind(np.nextafter(dtype(1), dtype(0)))
    tx = build(**{name: value})
    updates, state = tx.update(PARAMS, tx.init(PARAMS), PARAMS)
    assert all(np.isfinite(u).all() for u in updates.values())
    if name == "decay":
        assert float(state.hyperparams.one_minus_decay) == 1 - np.float64(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", 2.0**40), ("eps", 2.0**40), ("weight_decay", 2.0), ("eps", 3)],
)
def test_large_numbers_and_integers_are_taken(name, value):
    assert float(after_a_step(name, value)) == value


@each_name
def test_traced_value_passes_unchecked(name):
    got = jax.jit(lambda x: after_a_step(name, x))(jnp.float32(-1.0))
    assert float(got) == -1


@each_name
def test_traced_values_under_vmap_pass_unchecked(name):
    values = jnp.array([-1.0, 0.5, 2.0])
    got = jax.vmap(lambda x: after_a_step(name, x))(values)
    np.testing.assert_array_equal(got, values)


@each_name
def test_what_a_schedule_returns_passes_unchecked(name):
    assert float(after_a_step(name, optax.constant_schedule(-1.0))) == -1


def test_docstring_says_what_goes_unchecked():
    assert "Traced values" in rmsprop.__doc__


# Arguments, the error, how its message begins, and the way out that it names.
WRONG = [
    ({"learning_rate": None}, TypeError, "learning_rate=None: expected", "schedule"),
    ({"learning_rate": "fast"}, TypeError, "learning_rate='fast': ", POSITIVE),
    ({"learning_rate": True}, TypeError, "learning_rate=True: ", POSITIVE),
    ({"learning_rate": [0.1]}, TypeError, "learning_rate=[0.1]: ", POSITIVE),
    ({"learning_rate": 1j}, TypeError, "learning_rate=1j: ", POSITIVE),
    ({"eps": np.complex64(1)}, TypeError, "eps: expected a finite", "complex64"),
    ({"decay": False}, TypeError, "decay=False: ", UNIT),
    ({"momentum": True}, TypeError, "momentum=True: ", UNIT),
    ({"weight_decay": True}, TypeError, "weight_decay=True: ", POSITIVE),
    ({"momentum": "0.9"}, TypeError, "momentum='0.9': ", UNIT),
    ({"learning_rate": np.ones(2)}, TypeError, "learning_rate: ", "jax.vmap"),
    ({"decay": jnp.zeros(2)}, TypeError, "decay: expected a scalar", "param_groups"),
    ({"dialect": "pytorch"}, ValueError, "dialect='pytorch': ", "optax, torch, keras"),
    ({"dialect": None}, ValueError, "dialect=None: expected one of ", "Dialect"),
    ({"nesterov": True}, ValueError, "nesterov=True: ", "momentum=0.9"),
    ({"nesterov": True, "momentum": False}, ValueError, "nesterov=True: ", "momentum"),
    ({"variance_floor": 0.1, "centered": False}, ValueError, "variance_floor=0.1: ",
     "centered=True"),
    ({"weight_decay_mask": {"w": True}, "weight_decay": None}, ValueError,
     "weight_decay_mask: expected weight_decay", "drop the mask"),
    ({"weight_decay_mask": True}, TypeError, "weight_decay_mask=True: ",
     "weight_decay=False"),
    ({"eps_placement": "before"}, ValueError, "eps_placement='before': ", "'outside'"),
    ({"eps_placement": True}, ValueError, "eps_placement=True: ", "'inside'"),
    ({"lr_placement": "inside"}, ValueError, "lr_placement='inside': ", "'in_trace'"),
    ({"weight_decay_form": "l2"}, ValueError, "weight_decay_form='l2': ", "'coupled'"),
    ({"nu_init": SCHEDULE}, TypeError, "nu_init=", "Python number"),
    ({"nu_init": jnp.float32(1)}, TypeError, "nu_init=", "static_args='nu_init'"),
    ({"peak_learning_rate": 0.1}, ValueError, "peak_learning_rate=0.1: ",
     "weight_decay_form='corrected'"),
    ({"peak_learning_rate": 0.1, "weight_decay_form": "coupled"}, ValueError,
     "peak_learning_rate=0.1: ", "got 'coupled'; pass that too, or drop"),
    ({"axis_name": "data"}, ValueError, "axis_name='data': ", "jax.lax.pmean"),
    ({"axis_name": ("a", "b"), "skip_nonfinite": False}, ValueError,
     "axis_name=('a', 'b'): ", "skip_nonfinite=True, or drop"),
    ({"state_dtype": "int4"}, ValueError, "state_dtype='int4': ", "'int8'"),
    ({"state_dtype": jnp.float16}, ValueError, "state_dtype='float16': ", "'bfloat16'"),
    ({"state_dtype": jnp.uint8}, ValueError, "state_dtype='uint8': ", "'int8'"),
    ({"state_dtype": {"nu": "int4"}}, ValueError, "state_dtype['nu']=", "'int8'"),
    ({"state_dtype": {"m": "int8"}}, ValueError, "state_dtype['m']: ", "nu, mu, trace"),
    ({"state_dtype": {"mu": "int8"}}, ValueError, "state_dtype['mu']=", "centered"),
    ({"state_dtype": {"trace": "int8"}}, ValueError, "state_dtype['trace'", "momentum"),
    ({"state_dtype": {"nu": {"w": "int8"}}}, TypeError, "state_dtype['nu']=", "dict"),
    (
        {"state_dtype": "int8", "centered": True, "bias_correction": True},
        ValueError,
        "state_dtype='int8': ",
        "variance_floor",
    ),
    ({"state_dtype_min_size": -1}, ValueError, "state_dtype_min_size=-1: ", "4096"),
    ({"state_dtype_min_size": 0.5}, TypeError, "state_dtype_min_size=0.5: ", "4096"),
    ({"state_dtype_min_size": True}, TypeError, "state_dtype_min_size=True: ", "4096"),
    ({"state_dtype": "single-ish"}, TypeError, "state_dtype='single-ish': ", "None"),
    *(
        ({name: value}, TypeError, f"{name}={value!r}: ", "True or False")
        for name in ("centered", "nesterov", "bias_correction", "skip_nonfinite")
        for value in (1, "yes", jnp.array(True))
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "error", "start", "way_out"),
    WRONG,
    ids=[named(row[0]) for row in WRONG],
)
def test_wrong_argument_is_refused(arguments, error, start, way_out):
    message = refusal(error, build, **arguments)
    assert message.startswith(start)
    assert "expected" in message
    assert way_out in message


@pytest.mark.parametrize("dtype", ["float32", np.float32, jnp.float32, np.dtype("f4")])
def test_float32_is_a_state_dtype_however_it_is_written(dtype):
    build(state_dtype=dtype)


def test_dialect_of_ones_own_is_taken():
    row = dataclasses.replace(DIALECTS["keras"], decay=0.5)
    assert float(rmsprop(0.1, dialect=row).init(PARAMS).hyperparams.decay) == 0.5


# What scale_by_rms has no use for, and the way out.
REFUSED = [
    ({"learning_rate": 0.1}, "learning_rate: ", "optax.scale_by_learning_rate"),
    ({"momentum": 0.9}, "momentum: ", "optax.trace"),
    ({"nesterov": True}, "nesterov: ", "optax.trace"),
    ({"lr_placement": "in_trace"}, "lr_placement: ", "Or use rmsprop"),
    ({"weight_decay": 0.1}, "weight_decay: ", "weight_decay_form='coupled'"),
    (
        {"weight_decay": 0.1, "weight_decay_form": "corrected"},
        "weight_decay: its corrected form",
        "weight_decay_form='coupled'",
    ),
    ({"peak_learning_rate": 0.1}, "peak_learning_rate: ", "Or use rmsprop"),
    ({"rho": 0.9}, "scale_by_rms() has no argument 'rho'", ""),
]


@pytest.mark.parametrize(("arguments", "start", "way_out"), REFUSED)
def test_scale_by_rms_refuses_what_needs_the_learning_rate(arguments, start, way_out):
    message = refusal(TypeError, scale_by_rms, **arguments)
    assert message.startswith(start)
    assert way_out in message


def test_an_axis_to_decide_over_needs_a_decision():
    message = refusal(ValueError, scale_by_rms, axis_name="data")
    assert message.startswith("axis_name='data': expected skip_nonfinite=True")
    scale_by_rms(axis_name="data", skip_nonfinite=True)


@pytest.mark.parametrize("name", ["decay", "eps", "weight_decay", "variance_floor"])
def test_scale_by_rms_checks_its_values_too(name):
    arguments = {"dialect": "torch", "centered": True, name: -1.0}
    message = refusal(ValueError, scale_by_rms, **arguments)
    assert message == f"{name}=-1.0: expected {EXPECTED[name]}."
