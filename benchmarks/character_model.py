"""A small transformer that learns the sources of Python's standard library.

Bytes in, the next byte out: two blocks of causal attention and a hidden layer, about
100 000 parameters, in plain jnp. The text is what the running interpreter came with;
`Text.sha256` says which.
"""

import hashlib
import sysconfig
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

BYTES = 256
WIDTH = 64
HEADS = 4
HIDDEN = 192
BLOCKS = 2
HELD_OUT_OF = 10


class Text(NamedTuple):
    """Bytes to learn from, bytes to be judged by, and the hash of both."""

    train: np.ndarray
    held_out: np.ndarray
    sha256: str


def text(folder: Path | None = None) -> Text:
    """The modules of the standard library, sorted by name; every tenth is held out.

    Args:
        folder: Where the modules are; those in its folders are left out.

    Raises:
        FileNotFoundError: If there are too few to hold one out.
    """
    folder = folder or Path(sysconfig.get_path("stdlib"))
    files = sorted(folder.glob("*.py"), key=lambda file: file.name)
    if len(files) < HELD_OUT_OF:
        raise FileNotFoundError(
            f"{len(files)} modules (*.py) in {folder}: expected {HELD_OUT_OF} or more. "
            "This Python has no sources of its library; run another one."
        )
    read = [file.read_bytes() for file in files]
    held_out = b"".join(read[HELD_OUT_OF - 1 :: HELD_OUT_OF])
    del read[HELD_OUT_OF - 1 :: HELD_OUT_OF]
    train = b"".join(read)
    return Text(
        np.frombuffer(train, np.uint8),
        np.frombuffer(held_out, np.uint8),
        hashlib.sha256(train + held_out).hexdigest(),
    )


def initial(seed: int, context: int) -> dict[str, jax.Array]:
    """New parameters for windows of `context` bytes; N(0, 1 / inputs)."""
    shapes = {"byte": (BYTES, WIDTH), "place": (context, WIDTH)}
    for block in range(BLOCKS):
        shapes |= {
            f"{block}/queries, keys, values": (WIDTH, 3 * WIDTH),
            f"{block}/attended": (WIDTH, WIDTH),
            f"{block}/hidden": (WIDTH, HIDDEN),
            f"{block}/out": (HIDDEN, WIDTH),
        }
    rng = np.random.default_rng([seed, context])
    fan_in = {"byte": WIDTH, "place": WIDTH}
    return {
        name: jnp.asarray(
            rng.standard_normal(shape, np.float32)
            / np.float32(fan_in.get(name, shape[0]) ** 0.5)
        )
        for name, shape in shapes.items()
    }


def losses(params: dict[str, jax.Array], windows: jax.Array) -> jax.Array:
    """Of each byte but a window's first, −ln of its probability given those before.

    Args:
        params: As from `initial`, for windows of one byte less.
        windows: Bytes, (batch, context + 1).
    """
    windows = windows.astype(jnp.int32)
    context = windows.shape[1] - 1
    x = params["byte"][windows[:, :-1]] + params["place"][None, :context]
    for block in range(BLOCKS):
        own = {name[2:]: w for name, w in params.items() if name[:2] == f"{block}/"}
        x = x + _attention(own, _normalised(x))
        x = x + jax.nn.gelu(_normalised(x) @ own["hidden"]) @ own["out"]
    outputs = _normalised(x) @ params["byte"].T
    return optax.softmax_cross_entropy_with_integer_labels(outputs, windows[:, 1:])


def _normalised(x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.square(x).mean(axis=-1, keepdims=True) + 1e-6)


def _attention(own: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    batch, context, _ = x.shape
    projected = x @ own["queries, keys, values"]
    projected = projected.reshape(batch, context, 3, HEADS, WIDTH // HEADS)
    queries, keys, values = (projected[:, :, i] for i in range(3))
    attended = jax.nn.dot_product_attention(queries, keys, values, is_causal=True)
    return attended.reshape(batch, context, WIDTH) @ own["attended"]
