"""The optimizer that the options ask for is the one that a user would build."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import rmsprop_jax as rj
from rmsprop_jax.train.checks import check
from rmsprop_jax.train.optimizers import Pace, optimizer, skipped
from rmsprop_jax.train.training_command import parse

PACE = Pace(steps_per_epoch=10, epochs=6, batch_size=32)
RATE = 0.01
PARAMS = {"w": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "b": jnp.array([0.1, -0.2])}
# Options of the command line, and the transformation that they should be.
SAME = {
    "": lambda: rj.rmsprop(RATE),
    "--dialect torch --momentum 0.9": lambda: rj.rmsprop(
        RATE, dialect="torch", momentum=0.9
    ),
    "--dialect torch --decay 0.95 --eps 1e-3 --centered True": lambda: rj.rmsprop(
        RATE, dialect="torch", decay=0.95, eps=1e-3, centered=True
    ),
    "--momentum 0.5 --nesterov": lambda: rj.rmsprop(RATE, momentum=0.5, nesterov=True),
    "--decay 0 --eps 0": lambda: rj.rmsprop(RATE, decay=0.0, eps=0.0),
    "--momentum 0": lambda: rj.rmsprop(RATE, momentum=0.0),
    "--momentum 0.5 --cautious True": lambda: rj.rmsprop(
        RATE, momentum=0.5, cautious=True
    ),
    "--bias-correction True": lambda: rj.rmsprop(RATE, bias_correction=True),
    "--eps-placement outside --eps 0.1": lambda: rj.rmsprop(
        RATE, eps_placement="outside", eps=0.1
    ),
    "--lr-placement after_trace --momentum 0.5": lambda: rj.rmsprop(
        RATE, lr_placement="after_trace", momentum=0.5
    ),
    "--nu-init 1": lambda: rj.rmsprop(RATE, nu_init=1.0),
    "--moment tensor": lambda: rj.rmsprop(RATE, moment="tensor"),
    "--centered True --variance-floor 0.1": lambda: rj.rmsprop(
        RATE, centered=True, variance_floor=0.1
    ),
    "--dialect torch --weight-decay 0.1": lambda: rj.rmsprop(
        RATE, dialect="torch", weight_decay=0.1
    ),
    "--weight-decay 0.1 --weight-decay-form coupled --weight-decay-on matrices": (
        lambda: rj.rmsprop(
            RATE,
            weight_decay=0.1,
            weight_decay_form="coupled",
            weight_decay_mask={"w": True, "b": False},
        )
    ),
    "--weight-decay 0.1 --weight-decay-form corrected": lambda: rj.rmsprop(
        RATE, weight_decay=0.1, weight_decay_form="corrected"
    ),
    "--clip-norm 0.5": lambda: optax.chain(
        optax.clip_by_global_norm(0.5), rj.rmsprop(RATE)
    ),
    "--clip-value 0.5": lambda: optax.chain(optax.clip(0.5), rj.rmsprop(RATE)),
    "--optimizer adam": lambda: optax.adam(RATE),
    "--optimizer adam --decay 0.99 --eps 0.1": lambda: optax.adam(
        RATE, b2=0.99, eps=0.1
    ),
    "--optimizer adam --weight-decay 0.1 --weight-decay-form decoupled": (
        lambda: optax.adamw(RATE, weight_decay=0.1)
    ),
    "--optimizer sgd": lambda: optax.sgd(RATE),
    "--optimizer sgd --weight-decay 0.1": lambda: optax.chain(
        optax.add_decayed_weights(0.1), optax.sgd(RATE)
    ),
    "--optimizer momentum": lambda: optax.sgd(RATE, momentum=0.9),
    "--optimizer momentum --momentum 0.5 --nesterov": lambda: optax.sgd(
        RATE, momentum=0.5, nesterov=True
    ),
    "--optimizer adagrad": lambda: optax.adagrad(RATE),
    "--optimizer adagrad --eps 0.1": lambda: optax.adagrad(RATE, eps=0.1),
}


@pytest.fixture(autouse=True)
def as_users_run():
    with jax.numpy_dtype_promotion("standard"):
        yield


def config_of(text):
    return parse(["--learning-rate", str(RATE), *text.split()])


def made_of(text):
    return optimizer(config_of(text), PACE, jnp.float32(RATE))


def path_of(tx, steps=3):
    """The parameters after some steps on gradients that change."""
    rng = np.random.default_rng(0)
    params, state = PARAMS, tx.init(PARAMS)
    for _ in range(steps):
        grads = jax.tree.map(
            lambda p: jnp.asarray(rng.standard_normal(p.shape), p.dtype), params
        )
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


def distance(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(jnp.max(jnp.abs(x - y))) for x, y in pairs)


@pytest.mark.parametrize("text", SAME, ids=lambda text: text or "none")
def test_options_make_the_transformation_that_they_name(text):
    ours = path_of(made_of(text).transformation)
    assert distance(ours, path_of(SAME[text]())) <= 3 * np.finfo(np.float32).eps * 3


@pytest.mark.parametrize("text", [t for t in SAME if t], ids=str)
def test_every_one_of_these_options_changes_something(text):
    rest = path_of(made_of("").transformation)
    if text != "--momentum 0":
        assert distance(path_of(made_of(text).transformation), rest) > 1e-4


@pytest.mark.parametrize("dialect", rj.DIALECTS)
def test_every_dialect_is_there(dialect):
    ours = path_of(made_of(f"--dialect {dialect}").transformation)
    theirs = path_of(rj.rmsprop(RATE, dialect=dialect))
    assert distance(ours, theirs) <= 3 * np.finfo(np.float32).eps * 3


@pytest.mark.parametrize("name", rj.recipes())
def test_every_recipe_is_there(name):
    rate = "--learning-rate 0.01" if "learning_rate" in rj.recipes()[name].needs else ""
    config = parse(["--recipe", name, *rate.split()])
    made = optimizer(config, PACE, None)
    known = {"total_steps": 60, "steps_per_epoch": 10, "batch_size": 32}
    known["learning_rate"] = RATE
    given = {k: v for k, v in known.items() if k in rj.recipes()[name].needs}
    theirs = rj.recipe(name, **given)
    assert distance(path_of(made.transformation), path_of(theirs)) == 0
    assert made.rule == theirs.rule


def rates(text, steps=60):
    made = made_of(text)
    return [float(made.learning_rate(None, jnp.int32(t))) / RATE for t in range(steps)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", lambda _: 1),
        ("--schedule plateau", lambda _: 1),
        ("--schedule step", lambda t: 0.1 ** (t // 20)),
        (
            "--schedule step --drop-every 1.5 --drop-factor 0.5",
            lambda t: 0.5 ** (t // 15),
        ),
        ("--schedule exponential --drop-every 2", lambda t: 0.1 ** (t / 20)),
        ("--schedule cosine", lambda t: (1 + np.cos(np.pi * t / 60)) / 2),
        (
            "--schedule cosine --final-fraction 0.2 --warmup 2",
            lambda t: (
                min(1, (t + 1) / 20)
                * (0.2 + 0.8 * (1 + np.cos(np.pi * max(t - 20, 0) / 40)) / 2)
            ),
        ),
        ("--warmup 0.5", lambda t: min(1, (t + 1) / 5)),
    ],
)
def test_the_learning_rate_follows_its_formula(text, expected):
    np.testing.assert_allclose(
        rates(text), [expected(t) for t in range(60)], rtol=2e-6, atol=1e-7
    )


def test_the_optimizer_steps_by_that_learning_rate():
    tx = made_of("--optimizer sgd --schedule cosine").transformation
    state, moved = tx.init(PARAMS), []
    for _ in range(60):
        updates, state = tx.update(PARAMS, state, PARAMS)
        moved.append(-float(updates["w"][0, 0]) / RATE)
    np.testing.assert_allclose(moved, rates("--schedule cosine"), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("shape", "half"),
    [("exponential", 0.01), ("cosine", (0.1 + 0.001) / 2), ("step", 0.01)],
)
def test_the_decay_goes_from_its_start_to_its_end(shape, half):
    text = f"--decay-schedule {shape} --decay 0.9 --final-decay 0.999"
    tx = made_of(text).transformation
    state, decays = tx.init(PARAMS), []
    for _ in range(61):
        _, state = tx.update(PARAMS, state, PARAMS)
        decays.append(float(state.hyperparams.decay))
    assert decays[0] == pytest.approx(0.9)
    assert 1 - decays[30] == pytest.approx(half, rel=1e-3)
    end = 59 if shape == "step" else 60
    assert 1 - decays[end] == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--learning-rate -1", "--learning-rate -1.0: expected a finite number >= 0"),
        ("--learning-rate nan", "--learning-rate nan"),
        ("--clip-norm 0", "--clip-norm 0.0: expected a number > 0"),
        ("--optimizer adam --momentum 0.9", "--momentum: adam has none; it is for"),
        ("--optimizer sgd --dialect torch", "--dialect: sgd has none"),
        ("--optimizer adam --weight-decay-form corrected", "it is for rmsprop"),
        ("--dialect tensorflow", "tensorflow"),
        ("--dialect tensorflow --decay-schedule cosine --final-decay .9", "tensorflow"),
        ("--decay 1.5", "decay"),
        ("--recipe nothing-of-mine", "nothing-of-mine"),
        ("--recipe wgan --momentum 0.9", "--momentum: the recipe 'wgan' sets it"),
        ("--recipe wgan", "--learning-rate 0.01: the recipe 'wgan' sets it"),
        ("--recipe wgan --schedule cosine", "brings its own optimizer and schedule"),
        ("--recipe wgan --optimizer adam", "brings its own optimizer and schedule"),
    ],
)
def test_what_contradicts_itself_is_refused(text, words):
    def checked(config):
        check(config)
        return optimizer(config, PACE, RATE)

    with pytest.raises((ValueError, TypeError)) as refusal:
        checked(config_of(text))
    assert words in str(refusal.value)


@pytest.mark.parametrize("name", ["rmsprop", "adam", "sgd"])
def test_steps_that_are_not_finite_are_skipped_and_counted(name):
    tx = made_of(f"--optimizer {name} --skip-nonfinite").transformation
    state = tx.init(PARAMS)
    bad = jax.tree.map(lambda p: jnp.full_like(p, jnp.nan), PARAMS)
    for grads in (bad, PARAMS, bad):
        updates, state = tx.update(grads, state, PARAMS)
        assert all(bool(jnp.isfinite(u).all()) for u in jax.tree.leaves(updates))
    assert int(skipped(state)) == 2


def test_without_that_option_nothing_is_counted():
    tx = made_of("--optimizer adam").transformation
    assert skipped(tx.init(PARAMS)) is None


@pytest.mark.parametrize(
    ("text", "dtype"),
    [("", "float32"), ("bfloat16", "bfloat16"), ("int8", "uint8")],
)
def test_the_memory_rests_in_the_state_dtype(text, dtype):
    config = parse(f"--state-dtype {text}".split() if text else [])
    tx = optimizer(config, PACE, RATE).transformation
    assert tx.init(jnp.zeros((64, 64))).nu.dtype.name == dtype
