"""How a moment rests between two steps.

Today that is one precision: the wider of float32 and the leaf's own dtype, in which
the arithmetic is done too.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def working_dtype(*dtypes: Any) -> np.dtype:
    """The widest of float32 and `dtypes`: what to compute in and to remember in."""
    wide = [x for x in dtypes if np.dtype(x).itemsize >= 4]
    with jax.numpy_dtype_promotion("standard"):
        return jnp.result_type(jnp.float32, *wide)


def check_state_dtype(state_dtype: Any) -> None:
    """Refuse what no moment can rest in.

    Raises:
        ValueError: If `state_dtype` is neither `None` nor float32.
        TypeError: If it is no dtype at all.
    """
    if state_dtype is None:
        return
    try:
        array = isinstance(state_dtype, (jax.Array, np.ndarray, np.generic))
        known = None if array else jnp.dtype(state_dtype)
    except TypeError:
        known = None
    if known is None:
        raise TypeError(
            f"state_dtype={state_dtype!r}: expected None or 'float32'. Under "
            "optax.inject_hyperparams pass static_args='state_dtype'."
        )
    if known != jnp.float32:
        raise ValueError(
            f"state_dtype={known.name!r}: expected None or 'float32' (the wider of "
            "float32 and each parameter's own dtype); no other precision exists yet."
        )
