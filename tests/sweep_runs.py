"""What the tests of sweeps train, and a count of what is compiled."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax import halving, log_uniform, training_run

_COMPILED = []


def _note(name, seconds, **said):
    del seconds
    if name.endswith("backend_compile_duration"):
        _COMPILED.append(said.get("fun_name"))


jax.monitoring.register_event_duration_secs_listener(_note)


@contextlib.contextmanager
def compiling():
    """The names of what is compiled meanwhile."""
    before, names = len(_COMPILED), []
    yield names
    names.extend(_COMPILED[before:])


def data(batches=8, dtype=np.float32):
    """Inputs and targets of a small regression, and its parameters."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batches, 16, 4))
    params = {
        "a": 0.3 * rng.standard_normal((4, 8)),
        "b": 0.3 * rng.standard_normal((8, 2)),
    }
    return jax.tree.map(lambda x: x.astype(dtype), (params, (x, np.tanh(x[..., :2]))))


def loss(params, batch):
    x, y = batch
    return jnp.mean((jnp.tanh(x @ params["a"]) @ params["b"] - y) ** 2)


def small_training(steps=8, dtype=np.float32, **options):
    """A network of 48 weights on batches of its own for every seed."""
    params, (x, y) = data(dtype=dtype)

    def batch_of(step, key):
        # The last word of a key's bits is its seed. Drawing would take long to compile.
        seed = jax.random.key_data(key)[-1].astype(jnp.int32)
        row = (step + 3 * seed) % len(x)
        return jnp.asarray(x)[row], jnp.asarray(y)[row]

    return training_run(loss, params, batch_of, steps=steps, **options)


def bowl(hyperparameters, key):
    """A run without training: how far from 2 it is."""
    del key
    return (hyperparameters["x"] - 2) ** 2


HALVED = {
    "learning_rate": log_uniform(1e-4, 1e-1),
    "decay": log_uniform(0.9, 0.999, below=1),
}
ONE = jax.devices()[:1]
CALL = {"min_steps": 3, "max_steps": 27, "points": 9, "batch_size": 1, "devices": ONE}


def search(**options):
    return halving(small_training(steps=27), HALVED, **CALL | options)


def same(one, other):
    assert one.rows == other.rows
    for ours, theirs in zip(one.curves, other.curves, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])


@functools.cache
def whole():
    """A search that nothing interrupted, and the rungs that it reported."""
    rungs = []
    return search(report=rungs.append), rungs
