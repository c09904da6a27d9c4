"""Learn the spelling of Python: predict a character from the eight before it."""

import argparse
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import rmsprop

text = np.frombuffer(inspect.getsource(argparse).encode(), np.uint8)
letters, codes = np.unique(text, return_inverse=True)
windows = np.lib.stride_tricks.sliding_window_view(codes, 9)
train, unseen = np.split(windows, [len(windows) * 9 // 10])
share = np.unique(unseen[:, 8], return_counts=True)[1] / len(unseen)

rng = np.random.default_rng(0)
embed = 0.1 * rng.standard_normal((8, len(letters), 256), np.float32)
params = {"embed": jnp.asarray(embed), "out": jnp.zeros((256, len(letters)))}
tx = rmsprop(optax.cosine_decay_schedule(1e-3, 1000), dialect="torch", momentum=0.9)


def bits(params, batch):
    """Bits per character that the model needs for the last column of `batch`."""
    hidden = jax.nn.relu(params["embed"][np.arange(8), batch[:, :8]].sum(axis=1))
    logits, labels = hidden @ params["out"], batch[:, 8]
    nats = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return nats.mean() / np.log(2)


@jax.jit
def train_step(params, state, batch):
    """Return the next parameters and optimizer state, and the loss before."""
    loss, grads = jax.value_and_grad(bits)(params, batch)
    updates, state = tx.update(grads, state, params)
    return optax.apply_updates(params, updates), state, loss


state, losses = tx.init(params), []
for step in range(1, 1001):
    params, state, loss = train_step(params, state, rng.choice(train, 256))
    losses.append(loss)
    if step % 100 == 0:
        print(f"step {step:4}   {np.mean(losses[-100:]):.2f} bits per character")
print(
    f"unseen tenth of argparse.py: {bits(params, unseen):.2f} bits per character, "
    f"by the frequencies of its letters {-(share * np.log2(share)).sum():.2f}"
)
