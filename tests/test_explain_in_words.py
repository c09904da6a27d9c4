"""What `explain` tells and refuses; its figures are in test_explain."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rmsprop_jax import DIALECTS, explain
from rmsprop_jax.sides import sides
from rmsprop_jax.wording import CHOICES, percent, sentence


def named(why):
    return {it.argument: it for it in why.differences}


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_does_not_differ_from_itself(name):
    why = explain(name, name)
    assert (why.differences, why.first, why.later) == ((), 0, 0)
    assert str(why).startswith(f"{name} in place of {name}: no difference.\n\n    rmsp")


def test_differences_are_sorted_by_size():
    sizes = [max(it.first, it.later) for it in explain("torch", "graves").differences]
    assert len(sizes) > 5
    assert sizes == sorted(sizes, reverse=True)


def test_every_difference_is_a_line_of_the_table():
    why = explain("torch", "graves", gradient_scale=1e-3)
    lines = str(why).splitlines()
    for it in why.differences:
        (line,) = (line for line in lines if line.endswith(f"  {it.sentence}"))
        first, later = map(percent, (it.first, it.later), why.rounding)
        assert line == f"{first:>10}  {later:>10}  {it.sentence}"
    assert "gradients of about 0.001" in str(why)


def test_an_explanation_is_data_and_the_same_twice():
    why = explain("torch", "keras", momentum=0.9)
    assert why == explain("torch", "keras", momentum=0.9)
    for it in (why, *why.differences):
        with pytest.raises(dataclasses.FrozenInstanceError):
            it.first = 0.0


def test_the_first_step_shrinks_by_what_the_formulas_say():
    """√ν is √(1 − ρ) |g| on the first step, and |g| with bias correction."""
    why = explain("torch", {"dialect": "torch", "decay": 0.9, "bias_correction": True})
    close = {"rel": 1e-5}
    assert named(why)["decay"].first == pytest.approx(1 - np.sqrt(0.01 / 0.1), **close)
    assert named(why)["bias_correction"].first == pytest.approx(0.9, **close)


def test_legacy_keras_moves_its_epsilon_with_the_momentum():
    assert "eps_placement" in named(explain("keras", "tf_keras_legacy"))
    with_momentum = explain("keras", "tf_keras_legacy", momentum=0.9)
    assert "eps_placement" not in named(with_momentum)
    assert "eps_placement" not in with_momentum.call


def test_the_call_says_no_more_than_it_must():
    """MXNet's momentum of 0.9 is off unless centered."""
    why = explain("keras", "mxnet", learning_rate=0.5)
    assert "momentum" not in why.call
    assert "momentum" not in named(why)


def test_what_is_never_read_is_no_difference():
    torch = DIALECTS["torch"]
    rules = (dataclasses.replace(torch.rule, peak_learning_rate=x) for x in (0.5, 0.25))
    one, other = (dataclasses.replace(torch, rule=rule) for rule in rules)
    assert explain(one, other, weight_decay=0.1).differences == ()
    rule = DIALECTS["paddle"].rule
    rounds = dataclasses.replace(rule, float32_hyperparams=("decay", "eps"))
    row = dataclasses.replace(DIALECTS["paddle"], rule=rounds)
    assert explain("paddle", row).differences == ()
    assert len(explain("paddle", row, momentum=0.5).differences) == 1


def test_a_trace_of_momentum_zero_is_no_difference():
    assert "momentum" not in named(explain("keras", "tf1"))
    assert "momentum" in named(explain("keras", {"dialect": "tf1", "momentum": 0.5}))


@pytest.mark.parametrize(
    ("argument", "need"),
    [("lr_placement", "momentum"), ("weight_decay_form", "weight_decay")],
)
def test_what_has_no_effect_says_what_it_would_need(argument, need):
    idle = named(explain("torch", "keras"))[argument]
    assert (idle.first, idle.later) == (0, 0)
    assert idle.sentence.endswith(f"nothing without {need.replace('_', ' ')}")
    felt = named(explain("torch", "keras", **{need: 0.5}))[argument]
    assert felt.later > 0
    assert "nothing without" not in felt.sentence


@pytest.mark.parametrize(
    ("argument", "need"),
    [
        ("nesterov", {"momentum": 0.5}),
        ("cautious", {"momentum": 0.5}),
        ("variance_floor", {"centered": True}),
    ],
)
def test_what_comes_along_is_compared_beside_what_it_needs(argument, need):
    """The one side has neither; so the other's momentum is lent to it."""
    value = 0.5 if argument == "variance_floor" else True
    both = {"dialect": "optax", argument: value, **need}
    lent, base = explain("optax", both), {"dialect": "optax", **need}
    alone = explain(base, both)
    assert {x.argument for x in lent.differences} == {argument, *need}
    assert [x.argument for x in alone.differences] == [argument]
    one, other = named(lent)[argument], named(alone)[argument]
    assert (one.first, one.later) == (other.first, other.later) != (0, 0)


def test_peak_learning_rates_differ_where_both_have_one():
    corrected = {"dialect": "timm", "weight_decay_form": "corrected"}
    one = corrected | {"peak_learning_rate": 0.5}
    why = explain(one, corrected, weight_decay=0.1)
    assert [x.argument for x in why.differences] == ["peak_learning_rate"]
    assert why.later > 0
    forms = explain("timm", one, weight_decay=0.1)
    (form,) = forms.differences
    assert form.argument == "weight_decay_form"
    assert (form.first, form.later) == (forms.first, forms.later)
    turned = explain(one, "timm", weight_decay=0.1)
    assert [x.argument for x in turned.differences] == ["weight_decay_form"]
    assert "peak_learning_rate=0.5" in turned.call
    assert "peak_learning_rate" not in explain(corrected, "timm", weight_decay=0.1).call


@pytest.mark.parametrize(
    ("arguments", "rates"),
    [
        ({}, (1e-2, 1e-2)),
        ({"learning_rate": 0.5}, (0.5, 0.5)),
        ({"other": {"dialect": "optax", "learning_rate": 0.5}}, (1e-2, 0.5)),
        ({"other": {"learning_rate": 0.0}}, (1e-2, 0.0)),
        ({"other": "keras"}, (1e-2, 1e-3)),
        ({"one": "tf1"}, (1e-3, 1e-3)),
        ({"one": "tf1", "other": {"learning_rate": 0.0}}, (0.0, 0.0)),
    ],
)
def test_each_side_has_its_own_learning_rate_or_the_others(arguments, rates):
    given = {"one": "torch", "other": "optax", "learning_rate": None} | arguments
    one, other = given.pop("one"), given.pop("other")
    got = sides(one, other, given)
    assert tuple(side.values["learning_rate"] for side in got) == rates


def test_a_learning_rate_of_zero_is_no_division_by_zero():
    still = explain("torch", "optax", learning_rate=0.0)
    assert (still.first, still.later) == (0, 0)
    moves = explain({"dialect": "torch", "learning_rate": 0.0}, "torch")
    assert moves.first == np.inf


def test_arrays_are_numbers_too():
    one = explain("torch", "optax", decay=jnp.float32(0.5), eps=np.float64(0.25))
    assert one == explain("torch", "optax", decay=0.5, eps=0.25)


def test_a_mapping_is_of_the_default_dialect_if_it_names_none():
    why = explain({"decay": 0.5}, "optax")
    assert why.one == "optax (decay=0.5)"
    assert why.call == 'rmsprop(0.001, dialect="optax", decay=0.5)'


def test_a_row_of_ones_own_is_called_by_its_place():
    row = dataclasses.replace(DIALECTS["caffe"], decay=0.5)
    why = explain({"dialect": row, "centered": False}, row)
    assert (why.one, why.other) == ("one (centered=False)", "other")
    assert explain("caffe", row).call == "rmsprop(0.001, dialect=other, decay=0.99)"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0.0, "0"),
        (1e-7, "rounding"),
        (3.14e-6, "0.00031%"),
        (0.0949, "9.5%"),
        (0.0996, "10%"),
        (0.996, "100%"),
        (7.731, "773%"),
        (9.999, "1000%"),
        (15.7, "16 x"),
        (31622.8, "31,623 x"),
        (float("inf"), "inf x"),
    ],
)
def test_sizes_have_two_digits(size, text):
    assert percent(size, 1e-6) == text


@pytest.mark.parametrize(
    ("argument", "one", "other", "text"),
    [
        ("decay", 0.9999, 0.9, "ρ = 0.9, not 0.9999: "),
        ("momentum", 0.9, None, "no momentum, not 0.9: "),
        ("momentum", None, 0.9, "momentum 0.9, not none: "),
        ("centered", True, False, "divided by the root mean square, not standard "),
        (
            "float32_hyperparams",
            ("decay", "eps"),
            (),
            "no number rounded to float32, no",
        ),
        (
            "float32_hyperparams",
            (),
            ("decay", "eps"),
            "rounded to float32: decay, eps, n",
        ),
    ],
)
def test_sentences_name_both_sides(argument, one, other, text):
    assert sentence(argument, one, other, idle=False).startswith(text)


def test_every_choice_has_words():
    for name, choice in CHOICES.items():
        assert choice.text.count("{}") == 1
        assert choice.needs is None or choice.needs in CHOICES, name


def test_a_scale_is_a_scale():
    """Without ε and ν₀, a thousandth of the gradients makes the same steps."""
    one, other = (
        {"dialect": "hinton", "decay": x, "learning_rate": 0.1} for x in (0.5, 0.9)
    )
    large, small = (explain(one, other, gradient_scale=x) for x in (1.0, 2.0**-10))
    assert (large.first, large.later) == (small.first, small.later)
    with_eps = (explain("keras", "torch", gradient_scale=x) for x in (1.0, 2.0**-10))
    assert len({why.first for why in with_eps}) == 2


SCHEDULE = optax.constant_schedule(0.5)
WRONG = [
    ({"other": "pytorch"}, ValueError, "other='pytorch': expected one of optax, torch"),
    ({"one": None}, ValueError, "one=None: expected one of"),
    ({"one": {"dialect": 3}}, ValueError, "one=3: expected one of"),
    ({"rho": 0.9}, TypeError, "rho: expected one of learning_rate, decay"),
    ({"other": {"alpha": 0.9}}, TypeError, "alpha: expected one of"),
    ({"optax": {"decay": 0.9}}, TypeError, '{"dialect": "optax", "decay": 0.99}'),
    ({"weight_decay_mask": True}, TypeError, "weight_decay_mask: expected one of"),
    ({"float32_hyperparams": ("decay",)}, TypeError, "float32_hyperparams: expected"),
    (
        {"learning_rate": SCHEDULE},
        TypeError,
        "learning_rate: expected a number, no sch",
    ),
    ({"decay": "0.9"}, TypeError, "decay='0.9': expected a number in [0, 1)"),
    ({"decay": 1.5}, ValueError, "decay=1.5: expected a number in [0, 1)"),
    ({"decay": jnp.bfloat16(0.5)}, TypeError, "decay: a bfloat16 holds"),
    ({"momentum": True}, TypeError, "momentum=True: expected a number"),
    ({"nesterov": True}, ValueError, "torch: nesterov=True: expected momentum too"),
    (
        {"other": "caffe", "momentum": 0.9},
        ValueError,
        "caffe: momentum=0.9: Caffe stops",
    ),
    ({"eps_placement": "above"}, ValueError, "eps_placement='above': expected one of"),
    ({"gradient_scale": 0.0}, ValueError, "gradient_scale=0.0: expected a finite"),
    ({"gradient_scale": np.inf}, ValueError, "gradient_scale=inf: expected a finite"),
    ({"gradient_scale": "1"}, ValueError, "gradient_scale='1': expected a finite"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), WRONG)
def test_wrong_argument_is_refused(arguments, error, text):
    given = {"one": "torch", "other": "optax"} | arguments
    with pytest.raises(error, match=re.escape(text)) as info:
        explain(given.pop("one"), given.pop("other"), **given)
    assert info.type is error


def test_traced_value_is_refused():
    with pytest.raises(TypeError, match="nothing traced"):
        jax.jit(lambda x: explain("torch", "optax", decay=x).first)(0.5)
