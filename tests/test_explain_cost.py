"""What `explain` costs where nothing is compiled yet."""

import time

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

from rmsprop_jax import explain


@pytest.fixture
def nothing_compiled():
    """JAX remembers no program, of this process or in files."""
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", True)
    compilation_cache.reset_cache()


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_compiled")
def test_explaining_takes_less_than_three_seconds():
    """From scratch, and with more differences than any two rows have."""
    other = {"dialect": "tf1", "momentum": 0.9, "weight_decay": 0.1, "centered": True}

    def took():
        jax.clear_caches()
        start = time.perf_counter()
        why = explain("torch", other | {"nesterov": True, "moment": "tensor"})
        assert len(why.differences) >= 10
        return time.perf_counter() - start

    # Once is enough: the machine may be busy.
    assert any(took() < 3 for _ in range(3))
