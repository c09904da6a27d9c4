"""Strict switches, before anything touches a device; and no program compiled twice."""

import os
import tempfile

import jax

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Keep what is compiled: most tests build anew what others compiled already.

    In a folder of this process alone, for JAX does not write there at one stroke.
    """
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if not folder:
        own = tempfile.TemporaryDirectory(prefix="rmsprop-jax-tests-")
        config.add_cleanup(own.cleanup)
        folder = own.name
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
