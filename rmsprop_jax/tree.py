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
from rmsprop_jax.resting import as_trees, by_leaf
from rmsprop_jax.rule import Hyperparams, Rule, Slots, step
from rmsprop_jax.skip import AxisName, keep_if_finite
from rmsprop_jax.state import RMSPropState
from rmsprop_jax.state_dtype import StateDtype
from rmsprop_jax.storage import Resting, put_to_rest, read, rest, working_dtype

Decaying = Callable[[Any], list[bool]]


class RMSProp(optax.GradientTransformationExtraArgs):
    """An Optax transformation (`init, update = tx`) that also carries its `rule`.

    What `rmsprop`, `like` and `recipe` return. Inside `optax.chain` the rule is out of
    sight: keep it, for `metrics(state, rule)`.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> tx = rmsprop(0.1, momentum=0.9)
        >>> tx.rule.lr_placement, hasattr(optax.chain(tx), "rule")
        ('in_trace', False)
    """

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
    state_dtype: StateDtype,
    mask: Any = None,
    skip_nonfinite: bool = False,
    axis_name: AxisName = None,
) -> RMSProp:
    """The transformation that makes `rule.step` on every leaf.

    Args:
        rule: What kind of RMSProp.
        given: Its hyperparameters as they were given, in `Hyperparams`' order.
        state_dtype: What the moments rest in.
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

        def start(slot, number, dtypes, moment: Moment = "elementwise"):
            put = [
                _put_to_rest(_full(x, number, dtype, moment), slot, state_dtype, path)
                for (path, x), dtype in zip(leaves, dtypes, strict=True)
            ]
            coded = getattr(state_dtype, slot) == "int8"
            return as_trees(slot, put, treedef, coded=coded)

        one_nu_each = reals if rule.complex_form == "modulus" else working
        return RMSPropState(
            count=jnp.zeros([], jnp.int32),
            hyperparams=hp.starting(given, working_dtype(*reals)),
            sources=hp.sources(given),
            skipped=jnp.zeros([], jnp.int32) if skip_nonfinite else None,
            **start("nu", rule.nu_init, one_nu_each, rule.moment),
            **(start("mu", 0, working) if rule.centered else {}),
            **(start("trace", 0, working) if given["momentum"] is not None else {}),
        )

    def update(updates, state, params=None, **extra_args):
        del extra_args
        check_state(state, rule, given, skip_nonfinite, state_dtype)
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
        moves, kept = [], {slot: [] for slot in Slots._fields}
        for g, theta, decays_here, old in zip(
            grads, points, decayed, by_leaf(state), strict=True
        ):
            moved, put = _step_on_leaf(
                g,
                old,
                h if decays_here else without_decay,
                count,
                theta if decays_here else None,
                rule=rule,
            )
            moves.append(moved)
            for slot, leaf in zip(kept, put, strict=True):
                if leaf is not None:
                    kept[slot].append(leaf)

        new_state = state._replace(count=count, hyperparams=h)
        for slot, leaves in kept.items():
            if getattr(state, slot) is not None:
                coded = getattr(state, f"{slot}_scale") is not None
                trees = as_trees(slot, leaves, treedef, coded=coded)
                new_state = new_state._replace(**trees)
        stepped = treedef.unflatten(moves), new_state
        if skip_nonfinite:
            return keep_if_finite(updates, stepped, state, axis_name)
        return stepped

    masked = decays and mask is not None
    return RMSProp(init, update, rule, partial(decaying, mask) if masked else None)


# Leaves that are alike are traced and lowered once, and called by each.
@partial(jax.jit, static_argnames="rule")
def _step_on_leaf(
    g: jax.Array,
    old: tuple[Any, ...],
    hyperparams: Hyperparams,
    count: jax.Array,
    theta: jax.Array | None,
    *,
    rule: Rule,
) -> tuple[jax.Array, list[Any]]:
    """Δ in the gradient's dtype, and the slots as they rest."""
    dtype = _compute_in(g, old)
    moved, new = step(
        g.astype(dtype),
        _read(old, dtype),
        hyperparams,
        rule=rule,
        count=count,
        theta=None if theta is None else theta.astype(dtype),
    )
    fresh = {slot: x for slot, x in new._asdict().items() if x is not None}
    rested = rest(fresh, dict(zip(Slots._fields, old, strict=True)), count)
    return moved.astype(g.dtype), [rested.get(slot) for slot in Slots._fields]


def _full(leaf: jax.Array, start: float, dtype: Any, moment: Moment) -> jax.Array:
    # Each part of a complex slot starts there: torch's ν is two reals.
    both = complex(start, start) if jnp.issubdtype(dtype, np.complexfloating) else start
    if moment == "tensor":
        return jnp.full((1,) * leaf.ndim, both, dtype)
    return jnp.full_like(leaf, both, dtype=dtype)


def _put_to_rest(
    x: jax.Array, slot: str, state_dtype: StateDtype, path: tuple
) -> Resting:
    precision = state_dtype.of(slot, x.size)
    if precision != "float32" and jnp.iscomplexobj(x):
        raise TypeError(
            f"params{jax.tree_util.keystr(path)}: expected a real parameter, whose "
            f"{slot} can rest in {precision}, got dtype {x.dtype.name}. Leave it to an "
            "RMSProp with state_dtype=None, see param_groups."
        )
    return put_to_rest(x, slot, precision)


def _compute_in(g: jax.Array, old: tuple[Any, ...]) -> np.dtype:
    """The widest of float32 and the slots' dtypes; with g's, if one is narrow."""
    slots = [x.values.dtype for x in old if x is not None]
    narrow = any(dtype.itemsize < 4 for dtype in slots)
    dtype = working_dtype(*slots, *([g.dtype] if narrow else []))
    return working_dtype(dtype, jnp.complex64) if jnp.iscomplexobj(g) else dtype


def _read(old: tuple[Any, ...], dtype: Any) -> Slots:
    """The slots as numbers: those that rest in less, in the real part of `dtype`."""
    real = jnp.finfo(dtype).dtype

    def number(slot: str, x: Any) -> Any:
        if x is None:
            return None
        return x.values if x.precision == "float32" else read(x, slot).astype(real)

    return Slots(*map(number, Slots._fields, old))
