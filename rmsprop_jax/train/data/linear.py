"""The smallest regression there is: a line through noise, the same at every call."""

import numpy as np

from rmsprop_jax.train.data.dataset import Dataset

_SEED = 20120207  # any number; the data are a function of it and of nothing else
_TRAIN, _TEST, _FEATURES = 1000, 200, 10
NOISE = 0.1


def load() -> Dataset:
    """1 000 examples to learn from and 200 to test, ten features, one output.

        y = x W + b + 0.1 n,     x, W, b and n standard normal

    Nothing predicts the test outputs better than W and b do, with a mean squared error
    of about 0.01.
    """
    x, y, _, _ = generate()
    return Dataset(
        train={"x": x[:_TRAIN], "y": y[:_TRAIN]},
        test={"x": x[_TRAIN:], "y": y[_TRAIN:]},
    )


def generate() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """All of x and y, and the W and b behind them, float32."""
    normal = np.random.default_rng(_SEED).standard_normal
    weight, bias = normal((_FEATURES, 1)), normal(1)
    x = normal((_TRAIN + _TEST, _FEATURES))
    y = x @ weight + bias + NOISE * normal((_TRAIN + _TEST, 1))
    x, y, weight, bias = (a.astype(np.float32) for a in (x, y, weight, bias))
    return x, y, weight, bias
