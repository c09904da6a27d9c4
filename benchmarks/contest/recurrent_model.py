"""A small recurrent network on bytes: an embedding, an LSTM, and the next byte out."""

import jax
import jax.numpy as jnp
import optax

BYTES = 256
WIDTH = 96

Params = dict[str, jax.Array]


def initial(key: jax.Array) -> Params:
    """New parameters; N(0, 1 / inputs), and 1 for the forget gate's bias."""
    shapes = {
        "byte": (BYTES, WIDTH),
        "gates": (2 * WIDTH, 4 * WIDTH),
        "out": (WIDTH, BYTES),
    }
    keys = jax.random.split(key, len(shapes))
    fan_in = {"byte": WIDTH}
    params = {
        name: jax.random.normal(key, shape) / fan_in.get(name, shape[0]) ** 0.5
        for key, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
    forget = jnp.zeros(4 * WIDTH).at[WIDTH : 2 * WIDTH].set(1.0)
    return params | {"gates bias": forget, "out bias": jnp.zeros(BYTES)}


def losses(params: Params, windows: jax.Array) -> jax.Array:
    """Of each byte but a window's first, −ln of its probability given those before.

    Args:
        params: As from `initial`.
        windows: Bytes, (batch, context + 1).
    """
    windows = windows.astype(jnp.int32)
    # The inputs' part of the gates does not wait for the recurrence.
    ahead = params["byte"][windows[:, :-1]] @ params["gates"][:WIDTH]
    ahead = ahead + params["gates bias"][None, None]
    rest = jnp.zeros((len(windows), WIDTH))

    def step(carry, ahead):
        hidden, cell = carry
        gates = ahead + hidden @ params["gates"][WIDTH:]
        admit, forget, show, new = jnp.split(gates, 4, axis=1)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(admit) * jnp.tanh(new)
        hidden = jax.nn.sigmoid(show) * jnp.tanh(cell)
        return (hidden, cell), hidden

    _, hidden = jax.lax.scan(step, (rest, rest), ahead.swapaxes(0, 1))
    outputs = hidden.swapaxes(0, 1) @ params["out"] + params["out bias"][None, None]
    return optax.softmax_cross_entropy_with_integer_labels(outputs, windows[:, 1:])
