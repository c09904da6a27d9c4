"""A small game, and an actor with a critic that learns it from what it does.

A ball falls through seven rows, carried left or right by the wind now and then. At each
the player sees it and steps left, right, or not at all. Where it lands the reward is 1
for a catch and −1 for a miss. Every update plays new games, by what has been learned so
far: the data change with the parameters, and the gradient is noisy.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

WIDTH, ROWS = 7, 7
HIDDEN = 64
GAMES = 16
WIND = 0.1
DISCOUNT, VALUE_WEIGHT, ENTROPY_WEIGHT = 0.99, 0.5, 0.01
OF = f"catch, {WIDTH} columns, {ROWS} rows, wind {WIND}, {GAMES} games an update"

Params = dict[str, jax.Array]


class Played(NamedTuple):
    """Games as they went, (rows, games)."""

    log_probability: jax.Array
    entropy: jax.Array
    value: jax.Array


def initial(key: jax.Array) -> Params:
    """New parameters; N(0, 1 / inputs), the outputs' a hundredth of that."""
    hidden, out = jax.random.split(key)
    inputs, outputs = ROWS * WIDTH + WIDTH, 3 + 1
    return {
        "hidden": jax.random.normal(hidden, (inputs, HIDDEN)) / inputs**0.5,
        "hidden bias": jnp.zeros(HIDDEN),
        "out": 0.01 * jax.random.normal(out, (HIDDEN, outputs)) / HIDDEN**0.5,
        "out bias": jnp.zeros(outputs),
    }


def loss(params: Params, key: jax.Array) -> jax.Array:
    """Of new games: −ln π · advantage + ½ (return − value)² − 0.01 entropy."""
    played, reward = play(params, key, GAMES)
    ahead = jnp.arange(ROWS - 1, -1, -1, dtype=jnp.float32)
    returns = DISCOUNT ** ahead[:, None] * reward[None]
    short_of = returns - played.value
    actor = -played.log_probability * jax.lax.stop_gradient(short_of)
    critic = VALUE_WEIGHT * jnp.square(short_of)
    return (actor + critic - ENTROPY_WEIGHT * played.entropy).mean()


def missed(params: Params, key: jax.Array, games: int) -> jax.Array:
    """Percent of the balls."""
    _, reward = play(params, key, games)
    return 100 * (reward < 0).mean()


def play(params: Params, key: jax.Array, games: int) -> tuple[Played, jax.Array]:
    """So many games side by side; how they went, and the reward of each."""
    first, *keys = jax.random.split(key, ROWS + 1)
    ball, player = jax.random.randint(first, (2, games), 0, WIDTH)

    def fall(columns, now):
        ball, player = columns
        row, key = now
        choice, wind, where = jax.random.split(key, 3)
        blown = jax.random.bernoulli(wind, WIND, (games,)).astype(jnp.int32)
        side = 2 * jax.random.bernoulli(where, 0.5, (games,)).astype(jnp.int32) - 1
        ball = jnp.clip(ball + blown * side, 0, WIDTH - 1)
        said = outputs(params, row, ball, player)
        logits = jax.nn.log_softmax(said[:, :3])
        move = jax.random.categorical(choice, logits)
        player = jnp.clip(player + move - 1, 0, WIDTH - 1)
        taken = jnp.take_along_axis(logits, move[:, None], axis=1)[:, 0]
        entropy = -(jnp.exp(logits) * logits).sum(axis=1)
        return (ball, player), Played(taken, entropy, said[:, 3])

    rows = jnp.arange(ROWS, dtype=jnp.int32)
    (ball, player), played = jax.lax.scan(fall, (ball, player), (rows, jnp.stack(keys)))
    return played, jnp.where(ball == player, 1.0, -1.0)


def outputs(params: Params, row: Any, ball: jax.Array, player: jax.Array) -> jax.Array:
    """Three logits and the value, from where the ball is and where the player is."""
    seen = jax.nn.one_hot(row * WIDTH + ball, ROWS * WIDTH)
    x = jnp.concatenate([seen, jax.nn.one_hot(player, WIDTH)], axis=1)
    hidden = jnp.tanh(x @ params["hidden"] + params["hidden bias"][None])
    return hidden @ params["out"] + params["out bias"][None]
