"""Moments that rest in few bits: naive ways, and how many bytes each takes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import RMSProp, effective_learning_rate

Rounded = Callable[[jax.Array], jax.Array]


def gpt2() -> list[jax.ShapeDtypeStruct]:
    """The shapes of GPT-2's matrices, of which a dozen of a kind are one array.

    Example:
        >>> sum(x.size for x in gpt2())
        124318464
    """
    tables = [(50257, 768), (1024, 768)]
    layers = [(12, 768, 2304), (12, 768, 768), (12, 768, 3072), (12, 3072, 768)]
    return [jax.ShapeDtypeStruct(shape, "float32") for shape in tables + layers]


def bytes_per_parameter(tx: RMSProp, params: Any) -> float:
    """Bytes of ν, trace and scales, divided by the number of parameters.

    Args:
        tx: Whose state.
        params: The parameters, or their shapes: nothing is computed.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> bytes_per_parameter(rmsprop(1e-3, momentum=0.9), jnp.zeros(100))
        8.0
    """
    state = jax.eval_shape(tx.init, params)
    slots = (state.nu, state.nu_scale, state.trace, state.trace_scale)
    held = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(slots))
    return held / sum(x.size for x in jax.tree.leaves(params))


def nearest_bfloat16(x: jax.Array) -> jax.Array:
    """The nearest number of eight binary digits.

    Example:
        >>> nearest_bfloat16(jnp.array([1.003, 1.005]))
        Array([1.       , 1.0078125], dtype=float32)
    """
    # A cast there and back may be left out by the compiler; this may not.
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=7)


def equal_steps(x: jax.Array) -> jax.Array:
    """The nearest of 256 numbers from 0 to the largest, in equal steps.

        code = round(255 x / max x)

    Example:
        >>> equal_steps(jnp.array([255.0, 3.4, 0.4]))
        Array([255.,   3.,   0.], dtype=float32)
    """
    step = jnp.maximum(jnp.abs(x).max() / 255, jnp.finfo(x.dtype).tiny)
    return jnp.round(x / step) * step


def rounded_at_rest(tx: RMSProp, rounded: Rounded) -> optax.GradientTransformation:
    """`tx`, with every ν rounded after the step.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx = rounded_at_rest(rmsprop(0.1), equal_steps)
        >>> _, state = tx.update(jnp.array([1.0, 0.01]), tx.init(jnp.zeros(2)))
        >>> state.nu
        Array([0.1, 0. ], dtype=float32)
    """

    def update(updates, state, params=None):
        return _stepped(tx, rounded, updates, state, params)

    return optax.GradientTransformation(tx.init, update)


def rounded_before_use(tx: RMSProp, rounded: Rounded) -> optax.GradientTransformation:
    """`tx` without momentum, with every ν rounded before it divides.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx = rounded_before_use(rmsprop(0.1, dialect="torch"), equal_steps)
        >>> g = jnp.array([1.0, 0.01])
        >>> [f"{x:.4g}" for x in tx.update(g, tx.init(g))[0]]     # 0.1 · 0.01 / 10⁻⁸
        ['-1', '-1e+05']
    """

    def update(updates, state, params=None):
        _, state = _stepped(tx, rounded, updates, state, params)
        rates = effective_learning_rate(state, tx.rule)
        return jax.tree.map(lambda rate, g: -rate * g, rates, updates), state

    return optax.GradientTransformation(tx.init, update)


def second_moment(tx: Any, grads: Any) -> np.ndarray:
    """ν of a single parameter after every step.

    Args:
        tx: An RMSProp, with its state in bfloat16 or float32.
        grads: Of every step.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> [f"{nu:.2f}" for nu in second_moment(rmsprop(0.1), [1.0, 1.0])]
        ['0.10', '0.19']
    """

    def step(state, g):
        _, state = tx.update(g[None], state)
        return state, state.nu[0].astype(jnp.float32)

    start = tx.init(jnp.zeros(1))
    scan = jax.jit(lambda: jax.lax.scan(step, start, jnp.asarray(grads, jnp.float32)))
    return np.asarray(scan()[1])


def _stepped(tx: Any, rounded: Rounded, *arguments: Any) -> tuple[Any, Any]:
    updates, state = tx.update(*arguments)
    return updates, state._replace(nu=jax.tree.map(rounded, state.nu))
