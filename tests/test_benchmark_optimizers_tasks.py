"""What the benchmark of optimizers trains: parts of the data, a game, an LSTM."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import character_model
from benchmarks.contest import catch, recurrent_model, tasks
from benchmarks.contest.rivals import RIVALS
from benchmarks.contest.training import compiled


def test_images_that_choose_are_none_that_are_learned_from_or_judged():
    whole = tasks.TRAINER["digits"].load(None)
    data = tasks.images(smoke=True).data
    for name, x in whole.train.items():
        both = np.concatenate([data["train"][name], data["validation"][name]])
        np.testing.assert_array_equal(both, x)
    for name, x in whole.test.items():
        np.testing.assert_array_equal(data["test"][name], x)


@pytest.mark.parametrize("name", ["transformer", "recurrent"])
def test_text_that_chooses_is_none_that_is_learned_from_or_judged(name, monkeypatch):
    held_out = np.repeat(np.uint8([1, 2]), 500)
    text = character_model.Text(np.zeros(1000, np.uint8), held_out, "0" * 64)
    monkeypatch.setattr(character_model, "text", lambda: text)
    data = tasks.TASKS[name](smoke=True).data
    assert set(np.unique(data["train"])) == {0}
    assert set(np.unique(data["validation"])) == {1}
    assert set(np.unique(data["test"])) == {2}


def test_games_that_choose_are_none_that_judge():
    data = tasks.player(smoke=True).data
    chose, judged = (jax.random.key_data(data[part]) for part in tasks.PARTS)
    assert (chose != judged).any()


def test_who_follows_the_ball_catches_it_and_who_strays_misses(monkeypatch):
    def going(sure, row, ball, player):
        del row
        right = jnp.sign(ball - player)[:, None] + 1 == jnp.arange(3)[None]
        towards = jnp.where(right, sure, 0)
        return jnp.concatenate([towards, jnp.zeros((len(ball), 1))], axis=1)

    monkeypatch.setattr(catch, "outputs", going)
    missed = jax.jit(lambda sure: catch.missed(sure, jax.random.key(1), 2000))
    assert float(missed(jnp.float32(99))) < 1
    assert 75 < float(missed(jnp.float32(0))) < 92


@pytest.mark.slow
def test_the_player_learns():
    trained = tasks.player(smoke=False)._replace(steps=300)
    training = compiled(trained, RIVALS["adam"])
    assert training({"learning_rate": 0.01, "b2": 0.999}, 0, "validation") < 60


def test_the_recurrent_model_looks_only_back():
    windows = np.random.default_rng(0).integers(256, size=(1, 9), dtype=np.uint8)
    windows = np.repeat(windows, 256, axis=0)
    windows[:, 5] = np.arange(256)
    params = jax.jit(recurrent_model.initial)(jax.random.key(1))
    losses = np.asarray(jax.jit(recurrent_model.losses)(params, windows))
    assert losses.shape == (256, 8)
    assert (losses[:, :4] == losses[:1, :4]).all()
    # If it saw what it is to predict, these would be no probabilities.
    assert math.isclose(np.exp(-losses[:, 4]).sum(), 1, rel_tol=1e-4)
    assert np.unique(losses[:, 5]).size > 200
    # Nothing is known yet.
    assert abs(float(losses.mean()) - math.log(256)) < 1
