"""The rule mapped over a tree of parameters: slots and leaves paired, dtypes kept.

No arithmetic and no defaults; what does not fit, `acceptance` refuses.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.acceptance import (
    check_alike,
    check_state,
    decaying,
    gradients,
    parameter,
    parameters,
)
from rmsprop_jax.moments import Moment
from rmsprop_jax.rule import Rule, Slots, step
from rmsprop_jax.skip import AxisName, keep_if_finite
from rmsprop_jax.state import RMSPropState
from rmsprop_jax.storage import working_dtype

Decaying = Callable[[Any], list[bool]]


class RMSProp(optax.GradientTransformationExtraArgs):
    """An Optax transformation (`init, update = tx`) that also carries its `rule`."""

    def __new__(
        cls,
        init: Any,
        update: Any,
        rule: Rule | None = None,
        decaying: Decaying | None = None,
    ):
        """A transformation from its two functions and what they follow.

        Args:
            init: As Optax has it.
            update: As Optax has it.
            rule: What kind of RMSProp; without, what `update` carries already.
            decaying: Which of some parameters decay, leaf by leaf; `None` is all.
        """
        if rule is not None:
            # The function carries it: a pytree that is flattened and made anew,
            # as flax 0.11 does with a tuple, keeps nothing else.
            vars(update).update(rule=rule, decaying=decaying)
        return super().__new__(cls, init, update)

    @property
    def rule(self) -> Rule:
        """What kind of RMSProp it is."""
        return vars(self.update)["rule"]

    @property
    def decaying(self) -> Decaying | None:
        """Which of some parameters decay, if not all."""
        return vars(self.update)["decaying"]


def over_tree(
    rule: Rule,
    given: Mapping[str, hp.Given],
    *,
    mask: Any = None,
    skip_nonfinite: bool = False,
    axis_name: AxisName = None,
) -> RMSProp:
    """The transformation that makes `rule.step` on every leaf.

    Args:
        rule: What kind of RMSProp.
        given: Its hyperparameters as they were given, in `Hyperparams`' order.
        mask: Which parameters decay; `None` is all.
        skip_nonfinite: Whether a step that is not finite is skipped.
        axis_name: Over which axes that is decided jointly.
    """
    decays = given["weight_decay"] is not None

    def init(params):
        leaves = [
            (path, parameter(path, leaf, rule))
            for path, leaf in jax.tree.leaves_with_path(params)
        ]
        if decays and leaves:
            decaying(mask, params)
        treedef = jax.tree.structure(params)
        working = [working_dtype(leaf.dtype) for _, leaf in leaves]
        reals = [jnp.finfo(dtype).dtype for dtype in working]

        def slots(start, dtypes, moment: Moment = "elementwise"):
            full = (
                _full(x, start, dtype, moment)
                for (_, x), dtype in zip(leaves, dtypes, strict=True)
            )
            return treedef.unflatten(full)

        one_nu_each = reals if rule.complex_form == "modulus" else working
        return RMSPropState(
            count=jnp.zeros([], jnp.int32),
            hyperparams=hp.starting(given, working_dtype(*reals)),
            sources=hp.sources(given),
            nu=slots(rule.nu_init, one_nu_each, rule.moment),
            mu=slots(0, working) if rule.centered else None,
            trace=slots(0, working) if given["momentum"] is not None else None,
            skipped=jnp.zeros([], jnp.int32) if skip_nonfinite else None,
        )

    def update(updates, state, params=None, **extra_args):
        del extra_args
        check_state(state, rule, given, skip_nonfinite)
        grads, treedef = gradients(updates, state, rule)
        points, decayed = [None] * len(grads), [False] * len(grads)
        if decays:
            points = parameters(params, grads, treedef)
            decayed = decaying(mask, params)
        elif params is not None and jax.tree.structure(params) == treedef:
            check_alike(params, grads)

        count = jnp.asarray(optax.safe_increment(state.count))
        h = hp.current(given, state.hyperparams, state.count)
        without_decay = h._replace(weight_decay=None)
        moves, slots = [], []
        for g, theta, decays_here, *old in zip(
            grads, points, decayed, *_by_leaf(state, treedef), strict=True
        ):
            dtype = working_dtype(*(x.dtype for x in old if x is not None))
            if jnp.iscomplexobj(g):
                dtype = working_dtype(dtype, jnp.complex64)
            moved, new = step(
                g.astype(dtype),
                Slots(*old),
                h if decays_here else without_decay,
                rule=rule,
                count=count,
                theta=theta.astype(dtype) if decays_here else None,
            )
            moves.append(moved.astype(g.dtype))
            slots.append(new)

        new_state = state._replace(count=count, hyperparams=h)
        for field in Slots._fields:
            if getattr(state, field) is not None:
                leaves = [getattr(s, field) for s in slots]
                new_state = new_state._replace(**{field: treedef.unflatten(leaves)})
        stepped = treedef.unflatten(moves), new_state
        if skip_nonfinite:
            return keep_if_finite(updates, stepped, state, axis_name)
        return stepped

    masked = decays and mask is not None
    return RMSProp(init, update, rule, partial(decaying, mask) if masked else None)


def _full(leaf: jax.Array, start: float, dtype: Any, moment: Moment) -> jax.Array:
    # Each part of a complex slot starts there: torch's ν is two reals.
    both = complex(start, start) if jnp.issubdtype(dtype, np.complexfloating) else start
    if moment == "tensor":
        return jnp.full((1,) * leaf.ndim, both, dtype)
    return jnp.full_like(leaf, both, dtype=dtype)


def _by_leaf(state: RMSPropState, treedef: Any) -> list[list[jax.Array | None]]:
    """nu, mu and trace as lists over the leaves."""
    return [
        [None] * treedef.num_leaves
        if getattr(state, field) is None
        else [jnp.asarray(x) for x in treedef.flatten_up_to(getattr(state, field))]
        for field in Slots._fields
    ]
