import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import oracle, tolerance
from recipes_page import NOT_SHIPPED, PAGE

import rmsprop_jax as rj

EPS = float(np.finfo(np.float32).eps)
# A factor rounded to float32 is off by half an ulp a stair; 300 stairs are the most
# that anyone published (600 epochs of 2), and the next stair is 2 % away.
RATE_TOLERANCE = (300 / 2 + 8) * EPS

SHAPES = {
    "conv": {"kernel": (3, 3, 2, 4), "bias": (4,)},
    "depthwise": {"kernel": (3, 3, 1, 4)},
    "batch_norm": {"scale": (4,), "bias": (4,)},
}
KINDS = {
    "conv": {"kernel": "kernel", "bias": "b"},
    "depthwise": {"kernel": "d"},
    "batch_norm": {"scale": "n", "bias": "n"},
}

each_recipe = pytest.mark.parametrize("name", PAGE)


def net(seed, scale=1.0):
    """A small net's worth of numbers, their magnitudes over four decades."""
    rng = np.random.default_rng(seed)
    leaves, treedef = jax.tree.flatten(SHAPES, is_leaf=lambda x: isinstance(x, tuple))
    sign = [rng.choice([-1, 1], shape) for shape in leaves]
    size = [10 ** rng.uniform(-4, 0, shape) for shape in leaves]
    made = (scale * s * x for s, x in zip(sign, size, strict=True))
    return treedef.unflatten(np.asarray(x, np.float32) for x in made)


def built(name, **rest):
    return rj.recipe(name, **(PAGE[name].given or {}), **rest)


def norm(arrays):
    return np.sqrt(sum(np.sum(np.square(x, dtype=np.float64)) for x in arrays))


def clipped(grads, clip):
    """A tree of gradients clipped in float64, by the definition."""
    if clip is None:
        return grads
    what, limit, added = clip
    if what == "elements":
        return jax.tree.map(lambda g: np.clip(np.float64(g), -limit, limit), grads)
    whole = norm(jax.tree.leaves(grads))

    def shrunk(g):
        size = norm([g]) if what == "each array" else whole
        return np.float64(g) * min(1, limit / (size + added))

    return jax.tree.map(shrunk, grads)


def test_every_recipe_is_on_the_page_and_the_other_way_round():
    assert list(rj.recipes()) == list(PAGE)


@each_recipe
def test_a_recipe_takes_what_the_page_leaves_open(name):
    assert set(rj.recipes()[name].needs) == set(PAGE[name].given or {})


@each_recipe
def test_a_recipe_has_the_numbers_of_the_page(name):
    page, tx, params = PAGE[name], built(name), net(0)
    state = tx.init(params)
    given = {
        "one_minus_decay": 1 - page.decay,
        "eps": page.eps,
        "momentum": page.beta,
        "weight_decay": page.decays,
    }
    row = rj.recipes()[name]
    assert (row.clip and (row.clip.what, row.clip.limit, row.clip.added)) == page.clip
    for hyperparam, value in given.items():
        ours = optax.tree.get(state, hyperparam)
        assert ours == (None if value is None else pytest.approx(value, rel=EPS))
    assert row.dialect == page.dialect
    assert tx.rule.eps_placement == page.place
    assert tx.rule.centered == page.centered
    assert tx.rule.weight_decay_form == "coupled" or page.decays is None
    assert (optax.tree.get(state, "nu")["conv"]["bias"] == page.nu0).all()
    dialect = dataclasses.replace(
        rj.DIALECTS[page.dialect].rule,
        eps_placement=page.place,
        centered=page.centered,
        weight_decay_form=tx.rule.weight_decay_form,
    )
    assert tx.rule == dialect


@each_recipe
def test_a_recipe_has_the_learning_rates_of_the_page(name):
    tx, params = built(name), net(0)
    for step, rate in PAGE[name].rates.items():
        state = optax.tree.set(tx.init(params), count=jnp.int32(step))
        _, state = tx.update(params, state, params)
        ours = optax.tree.get(state, "learning_rate")
        np.testing.assert_allclose(ours, rate, rtol=RATE_TOLERANCE, err_msg=str(step))


@each_recipe
def test_a_recipe_decays_what_the_page_says(name):
    row, page = rj.recipes()[name], PAGE[name]
    assert row.weight_decay == page.decays
    decays = jax.tree.map(lambda kind: kind not in page.spared, KINDS)
    if page.decays is not None:
        assert row.spared.mask(net(0)) == decays


@each_recipe
def test_a_recipe_takes_three_steps_as_the_page_defines_them(name):
    page, tx, params = PAGE[name], built(name), net(0)
    limit = page.clip[1] if page.clip else 1.0
    # Under the bound of any clipping, then over it in some places, then in most.
    grads = [net(1 + t, limit * 100.0 ** (t - 1)) for t in range(3)]
    state, theta, moves, rates = tx.init(params), params, [], []
    start = next(step for step, rate in page.rates.items() if rate)
    state = optax.tree.set(state, count=jnp.int32(start))
    for g in grads:
        updates, state = tx.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
        moves.append(updates)
        rates.append(float(optax.tree.get(state, "learning_rate")))
    grads = [clipped(g, page.clip) for g in grads]

    def check(kind, start, *rest):
        gs, ours = rest[:3], np.stack(rest[3:])
        decays = page.decays is not None and kind not in page.spared
        path = oracle(
            start,
            gs,
            rates,
            decay=page.decay,
            eps=page.eps,
            eps_placement=page.place,
            lr_placement=tx.rule.lr_placement,
            nu_init=page.nu0,
            centered=page.centered,
            momentum=page.beta,
            weight_decay=page.decays if decays else 0.0,
            weight_decay_form="coupled",
            float32_hyperparams=tx.rule.float32_hyperparams,
        )
        theirs = np.diff(np.stack([np.float64(start), *path]), axis=0)
        # Twice the roundings of three steps: a clipped gradient has those of a norm.
        room = 2 * tolerance(np.float32, 3) * np.abs(theirs).max(axis=0)
        assert (np.abs(ours - theirs) <= room).all()

    jax.tree.map(check, KINDS, params, *grads, *moves)


@pytest.mark.parametrize(("name", "why"), NOT_SHIPPED.items())
def test_what_the_page_leaves_incomplete_is_not_shipped(name, why):
    assert why
    with pytest.raises(ValueError, match=re.escape(f"recipe({name!r}): expected one")):
        rj.recipe(name)


@each_recipe
def test_a_recipe_says_where_it_was_read_and_what_it_leaves_outside(name):
    row = rj.recipes()[name]
    assert re.search(r"@[0-9a-f]{7}: \S|arXiv:\d{4}\.\d{4,5}", row.source)
    assert row.confidence in {"A", "A-", "B"}
    assert row.outside
    assert all(isinstance(line, str) and line for line in row.outside)


def test_only_a3c_is_second_hand():
    rows = rj.recipes().items()
    assert {name for name, row in rows if row.confidence == "B"} == {
        "a3c",
        "a3c-pfrl",
        "a3c-miyosuda",
    }


@pytest.mark.parametrize("text", [lambda: str(rj.recipes()), lambda: rj.recipe.__doc__])
def test_the_listing_and_the_docstring_leave_nothing_out(text):
    words = " ".join(text().split())
    for name, row in rj.recipes().items():
        for part in (name, *row.outside, row.source, *row.needs, row.dialect):
            assert " ".join(part.split()) in words, (name, part)
    assert max(map(len, text().splitlines())) <= 88


def test_the_listing_tells_what_decays_and_what_is_clipped():
    text = str(rj.recipes()["unet-milesial"])
    assert "clips    global norm at 1, 1e-06 added to the norm" in text
    assert "decay    1e-08, coupled, of every parameter" in text


def test_a_missing_and_an_unknown_argument_are_named_together():
    with pytest.raises(
        TypeError,
        match=r"recipe\('efficientnet'\): missing batch_size, steps_per_epoch; unknown "
        r"batchsize\. It takes batch_size, steps_per_epoch; and may be given "
        r"loss_scale, weight_decay_mask\.",
    ):
        rj.recipe("efficientnet", batchsize=256)
    with pytest.raises(TypeError, match=r"unknown learning_rate\. It takes nothing;"):
        rj.recipe("wgan", learning_rate=1e-3)


def test_a_misspelt_name_gets_the_near_ones():
    with pytest.raises(ValueError, match=r"Did you mean .*torchbeast"):
        rj.recipe("impala_torchbeast", total_steps=10)


@pytest.mark.parametrize(
    ("name", "given", "error", "match"),
    [
        ("a3c-pfrl", {"total_steps": 0}, ValueError, "total_steps=0: expected a num"),
        ("a3c-pfrl", {"total_steps": "9"}, TypeError, "total_steps='9': expected"),
        ("a3c-pfrl", {"total_steps": True}, TypeError, "total_steps=True: expected"),
        ("a3c-pfrl", {"total_steps": np.nan}, ValueError, "total_steps=nan: expected"),
        ("a3c-pfrl", {"total_steps": 9.5}, ValueError, "9.5: expected a whole number"),
        ("char-rnn", {"steps_per_epoch": 9.5}, ValueError, "between epochs"),
        (
            "inception-v3-tpu",
            {"steps_per_epoch": 0.5, "batch_size": 8},
            ValueError,
            "step",
        ),
        ("ntm", {"learning_rate": -1.0}, ValueError, r"learning_rate=-1\.0"),
        ("wgan", {"loss_scale": 0.0}, ValueError, r"loss_scale=0\.0: expected"),
        ("wgan", {"loss_scale": "c"}, ValueError, "loss_scale='c': expected"),
        ("wgan", {"weight_decay_mask": dict}, ValueError, "'wgan'.* no weight decay"),
    ],
)
def test_a_bad_value_is_named(name, given, error, match):
    with pytest.raises(error, match=match):
        rj.recipe(name, **given)


def test_whole_numbers_of_any_type_are_taken():
    def rate(total_steps):
        tx = rj.recipe("impala-paper", total_steps=total_steps)
        state = optax.tree.set(tx.init(jnp.ones(1)), count=jnp.int32(5))
        _, state = tx.update(jnp.ones(1), state)
        return optax.tree.get(state, "learning_rate")

    assert rate(9) == rate(9.0) == rate(np.int64(9)) == rate(np.float32(9))


def test_a_recipe_cannot_be_changed_through_the_mapping():
    with pytest.raises(TypeError):
        rj.recipes()["mine"] = rj.recipes()["wgan"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        rj.recipes()["wgan"].dialect = "optax"
