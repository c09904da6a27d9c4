"""A small convolutional net in Flax, its data, and how far float32 strays on it.

Another framework trains the same net on the same batches. Every step it may be from
the float64 twin of our continuation `SLACK` times as far as our own float32 has been
until then: both round as often, at different places. So may the loss, and besides by
as much as it is rounded itself.

A row of a path is the parameters after a step, and last the loss that it began with.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from helpers import enable_x64, tolerance

BEFORE, BESIDE, AFTER, CHUNK = 200, 200, 50, 50
SLACK = 4
HYPERPARAMS = {"learning_rate": 2e-3, "decay": 0.9, "momentum": 0.9, "eps": 1e-6}

_rng = np.random.default_rng(0)
X = _rng.standard_normal((512, 8, 8, 2)).astype(np.float32)
Y = _rng.integers(0, 4, 512).astype(np.int32)
BATCHES = _rng.integers(0, 512, (BEFORE + BESIDE + AFTER, 16))


class Net(nn.Module):
    """tanh and mean pooling: no kinks to fall on either side of."""

    @nn.compact
    def __call__(self, x):
        x = nn.tanh(nn.Conv(6, (3, 3), padding="VALID", name="conv")(x))
        depthwise = nn.Conv(
            12, (3, 3), padding="VALID", feature_group_count=6, name="depthwise"
        )
        x = nn.tanh(depthwise(x)).reshape(-1, 2, 2, 2, 2, 12).mean((2, 4))
        x = nn.tanh(nn.Dense(10, name="hidden")(x.reshape(-1, 48)))
        return nn.Dense(4, name="out")(x)


def like():
    """Parameters of the net, untrained."""
    shapes = jax.eval_shape(Net().init, jax.random.key(0), X[:1])["params"]
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def loss(params, x, y):
    logits = nn.log_softmax(Net().apply({"params": params}, x))
    return -(logits * jax.nn.one_hot(y, 4, dtype=logits.dtype)).sum(1).mean()


def follower(tx, dtype):
    """`follow(params, state, batches)`: the path, and what it ends with."""

    def step(carry, batch):
        params, state = carry
        value, grads = jax.value_and_grad(loss)(
            params, jnp.asarray(X, dtype)[batch], jnp.asarray(Y)[batch]
        )
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), (params, value)

    chunk = jax.jit(lambda carry, batches: jax.lax.scan(step, carry, batches))

    def cast(x):
        is_float = jnp.issubdtype(jnp.result_type(x), jnp.floating)
        return jnp.asarray(x, dtype if is_float else None)

    def follow(params, state, batches):
        with enable_x64(dtype == np.float64):
            carry, path = jax.tree.map(cast, (params, state)), []
            for i in range(0, len(batches), CHUNK):
                carry, passed = chunk(carry, jnp.asarray(batches[i : i + CHUNK]))
                path.append(flat(*passed))
            return np.concatenate(path), *carry

    return follow


def flat(path, losses):
    """A tree of stacked parameters, and the losses, as one float64 row per step."""
    columns = [*jax.tree.leaves(path), losses]
    return np.concatenate(
        [np.asarray(x, np.float64).reshape(len(x), -1) for x in columns], axis=1
    )


def row(arrays, loss=()):
    """Arrays by name as such a row; no layout of this net moves an element."""
    columns = [*(np.ravel(arrays[name]) for name in sorted(arrays)), np.ravel(loss)]
    return np.concatenate(columns)


def gaps(theirs, exact, noise):
    """Distance of parameters from the twin at every step of `theirs`, in tolerances."""
    steps, parameters = len(theirs), np.s_[:, :-1]
    allowed = SLACK * np.maximum.accumulate(np.abs(noise[parameters]).max(axis=1))
    far = np.abs(theirs - exact[:steps])[parameters].max(axis=1)
    return far / allowed[:steps]


def loss_gaps(theirs, exact, noise):
    """The same of the loss."""
    steps, losses = len(theirs), np.s_[:, -1]
    allowed = SLACK * np.maximum.accumulate(np.abs(noise[losses]))
    allowed = allowed[:steps] + tolerance(np.float32, 1) * exact[:steps][losses]
    return np.abs(theirs - exact[:steps])[losses] / allowed


def wrong_states(state):
    """What a careless import would have made of it."""
    zeros = jax.tree.map(jnp.zeros_like, state.mu)
    raw = jax.tree.map(lambda nu, mu: nu + mu**2, state.nu, state.mu)
    negative = jax.tree.map(jnp.negative, state.trace)
    return {
        "raw second moment": state._replace(nu=raw),
        "no mean": state._replace(mu=zeros),
        "no trace": state._replace(trace=zeros),
        "trace of the other sign": state._replace(trace=negative),
    }


def continue_beside(tx, state, params):
    """Our run after `BEFORE`: path, twin, noise, state and parameters after `BESIDE`.

    With it, the distance of every wrong start from the twin, in tolerances: that of
    the parameters or that of the loss, whichever is less.
    """
    ours, twin = follower(tx, np.float32), follower(tx, np.float64)
    path, there, kept = ours(params, state, BATCHES[BEFORE : BEFORE + BESIDE])
    after, *_ = ours(there, kept, BATCHES[BEFORE + BESIDE :])
    exact, *_ = twin(params, state, BATCHES[BEFORE:])
    noise = np.concatenate([path, after]) - exact
    first = BATCHES[BEFORE : BEFORE + CHUNK]
    wrong = {}
    for name, start in wrong_states(state).items():
        astray, *_ = ours(params, start, first)
        wrong[name] = min(
            measure(astray, exact, noise).max() for measure in (gaps, loss_gaps)
        )
    return exact, noise, there, kept, wrong
