"""How learning rate and decay change: factors of their starting value, by the step."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

Factor = Callable[[jax.Array], jax.Array]


def constant(step: jax.Array) -> jax.Array:
    """1 at every step."""
    del step
    return jnp.float32(1)


def stairs(factor: float, every: int) -> Factor:
    """factor^⌊t / every⌋."""
    return lambda step: jnp.float32(factor) ** (step // every).astype(jnp.float32)


def exponential(factor: float, every: int) -> Factor:
    """factor^(t / every)."""

    def of(step):
        return jnp.exp(step.astype(jnp.float32) * jnp.float32(math.log(factor) / every))

    return of


def cosine(final: float, start: int, end: int) -> Factor:
    """From 1 at `start` along half a cosine to `final` at `end`."""

    def of(step):
        done = (step - start).astype(jnp.float32) / jnp.float32(max(end - start, 1))
        wave = (1 + jnp.cos(jnp.pi * jnp.clip(done, 0, 1))) / 2
        return final + (1 - final) * wave

    return of


def warmed_up(factor: Factor, steps: int) -> Factor:
    """`factor`, times a straight rise that reaches 1 at step `steps` − 1."""
    if not steps:
        return factor

    def of(step):
        rise = (step + 1).astype(jnp.float32) / jnp.float32(steps)
        return factor(step) * jnp.minimum(rise, 1)

    return of
