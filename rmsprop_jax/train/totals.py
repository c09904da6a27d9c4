"""Totals of measures: what is reported is Σ value / Σ weight."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

Totals = Mapping[str, tuple[jax.Array, jax.Array]]


def zero(tree: Any) -> Any:
    """Totals, or any tree, before anything is added."""
    return jax.tree.map(jnp.zeros_like, tree)


def plus(totals: Totals, measures: Totals) -> Totals:
    """Totals with what a batch adds: Σ value, Σ weight."""
    return {
        name: (value + measures[name][0].sum(), weight + measures[name][1].sum())
        for name, (value, weight) in totals.items()
    }
