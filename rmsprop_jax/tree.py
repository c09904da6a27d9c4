"""The rule mapped over a tree of parameters: slots and leaves paired, dtypes kept.

No arithmetic and no defaults. What does not fit is refused with the path to it.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.moments import Moment
from rmsprop_jax.rule import Rule, Slots, step
from rmsprop_jax.skip import AxisName, keep_if_finite
from rmsprop_jax.state import RMSPropState
from rmsprop_jax.storage import working_dtype


class RMSProp(optax.GradientTransformationExtraArgs):
    """An Optax transformation (`init, update = tx`) that also carries its `rule`."""

    rule: Rule

    def __new__(cls, init, update, rule: Rule):
        """A transformation from its two functions and the rule they follow."""
        self = super().__new__(cls, init, update)
        self.rule = rule
        return self


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
            (path, _parameter(path, leaf, rule))
            for path, leaf in jax.tree.leaves_with_path(params)
        ]
        if decays and leaves:
            _decaying(mask, params)
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
        _check_state(state, rule, given, skip_nonfinite)
        grads, treedef = _gradients(updates, state, rule)
        thetas = _thetas(params, grads, treedef) if decays else [None] * len(grads)
        decaying = _decaying(mask, params) if decays else [False] * len(grads)

        count = jnp.asarray(optax.safe_increment(state.count))
        h = hp.current(given, state.hyperparams, state.count)
        without_decay = h._replace(weight_decay=None)
        moves, slots = [], []
        for g, theta, decayed, *old in zip(
            grads, thetas, decaying, *_by_leaf(state, treedef), strict=True
        ):
            dtype = working_dtype(*(x.dtype for x in old if x is not None))
            if jnp.iscomplexobj(g):
                dtype = working_dtype(dtype, jnp.complex64)
            moved, new = step(
                g.astype(dtype),
                Slots(*old),
                h if decayed else without_decay,
                rule=rule,
                count=count,
                theta=theta.astype(dtype) if decayed else None,
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

    return RMSProp(init, update, rule)


def _full(leaf: jax.Array, start: float, dtype: Any, moment: Moment) -> jax.Array:
    # Each part of a complex slot starts there: torch's ν is two reals.
    both = complex(start, start) if jnp.issubdtype(dtype, np.complexfloating) else start
    if moment == "tensor":
        return jnp.full((1,) * leaf.ndim, both, dtype)
    return jnp.full_like(leaf, both, dtype=dtype)


def _parameter(path: tuple, leaf: Any, rule: Rule) -> Any:
    where = f"params{jax.tree_util.keystr(path)}"
    try:
        dtype = jnp.result_type(leaf)
    except TypeError:
        dtype = np.dtype(object)
    if not jnp.issubdtype(dtype, jnp.inexact):
        raise TypeError(
            f"{where}: expected a floating-point parameter, got {leaf!r:.40}, of dtype "
            f"{dtype.name}. "
            "Leave it out with optax.masked, or optax.partition with "
            "optax.set_to_zero."
        )
    if rule.complex_form == "refused" and jnp.issubdtype(dtype, jnp.complexfloating):
        raise TypeError(
            f"{where}: this dialect's framework does nothing sensible with dtype "
            f"{dtype.name}. dialect='torch' treats the parts as two reals, "
            "dialect='optax' divides by |g|²; or set complex_form in a Rule."
        )
    return (
        leaf
        if isinstance(leaf, jax.Array | jax.ShapeDtypeStruct)
        else jnp.asarray(leaf)
    )


def _gradients(
    updates: Any, state: RMSPropState, rule: Rule
) -> tuple[list[jax.Array], Any]:
    """The gradients' leaves and treedef, if they are those of the state."""
    treedef = jax.tree.structure(state.nu)
    if jax.tree.structure(updates) != treedef:
        theirs, ours = (_paths(tree) for tree in (updates, state.nu))
        raise ValueError(
            "the gradients' tree differs from the parameters' that init saw"
            + (f"; only in the gradients: {theirs - ours}" if theirs - ours else "")
            + (f"; only in the parameters: {ours - theirs}" if ours - theirs else "")
            + ("" if theirs ^ ours else ": same paths, other kinds of node")
            + ". Pass gradients of just those parameters; None in both leaves one out."
        )
    # ν of a complex parameter may be real, the other two are as the parameter is.
    like = next(x for x in (state.mu, state.trace, state.nu) if x is not None)
    unknown = like is state.nu and rule.complex_form == "modulus"
    grads = []
    for (path, g), slot, typed in zip(
        jax.tree.leaves_with_path(updates),
        jax.tree.leaves(state.nu),
        jax.tree.leaves(like),
        strict=True,
    ):
        where, g = f"grads{jax.tree_util.keystr(path)}", jnp.asarray(g)
        if not jnp.issubdtype(g.dtype, jnp.inexact):
            raise TypeError(
                f"{where}: expected a floating-point gradient, got dtype "
                f"{g.dtype.name}. Leave the parameter out with optax.masked."
            )
        if not unknown and jnp.iscomplexobj(g) != jnp.iscomplexobj(typed):
            raise TypeError(
                f"{where}: expected a gradient as real or complex as its parameter, "
                f"got dtype {g.dtype.name}. Take its real part, or make it complex."
            )
        per_tensor = rule.moment == "tensor" and g.ndim == jnp.ndim(slot)
        if g.shape != jnp.shape(slot) and not per_tensor:
            raise ValueError(
                f"{where}: expected shape {jnp.shape(slot)}, got {g.shape}. The state "
                "belongs to other parameters; make a new one with init."
            )
        grads.append(g)
    return grads, treedef


def _thetas(params: Any, grads: list[jax.Array], treedef: Any) -> list[jax.Array]:
    """The parameters' leaves, if they are shaped as the gradients are."""
    if params is None:
        raise ValueError(
            "params=None: weight decay needs the parameters; call "
            "update(grads, state, params), or build with weight_decay=False."
        )
    if jax.tree.structure(params) != treedef:
        theirs, ours = _paths(params), _paths(treedef.unflatten(grads))
        raise ValueError(
            "params: expected the tree of the gradients, got one that differs in "
            f"{sorted(theirs ^ ours) or 'its kinds of node'}. Pass the parameters that "
            "init saw."
        )
    thetas = []
    for (path, theta), g in zip(jax.tree.leaves_with_path(params), grads, strict=True):
        theta = jnp.asarray(theta)
        if theta.shape != g.shape:
            raise ValueError(
                f"params{jax.tree_util.keystr(path)}: expected shape {g.shape}, as "
                f"the gradient has, got {theta.shape}. Pass the parameters that init "
                "saw."
            )
        thetas.append(theta)
    return thetas


def _paths(tree: Any) -> set[str]:
    return {jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(tree)}


def _check_state(
    state: Any, rule: Rule, given: Mapping[str, hp.Given], skip_nonfinite: bool
) -> None:
    if not isinstance(state, RMSPropState):
        raise TypeError(
            f"state: expected an RMSPropState, got {type(state).__name__}. Restore a "
            "checkpoint into tx.init(params), so that its types come back."
        )
    wanted = {
        "mu": rule.centered,
        "trace": given["momentum"] is not None,
        "skipped": skip_nonfinite,
        "sources": True,
    }
    for field, want in wanted.items():
        if (getattr(state, field) is not None) != want:
            raise ValueError(
                f"state.{field}: expected {'one' if want else 'none'}, got "
                f"{'none' if want else 'one'}: the state was made with other options. "
                "convert_state(state, tx, params) gives it the slots of this one."
            )
    kinds = zip(given, state.sources, hp.sources(given), strict=True)
    numbers = zip(given.values(), state.hyperparams, strict=True)
    for (name, was, now), (value, kept) in zip(kinds, numbers, strict=True):
        kind = "absent" if kept is None else hp.kind(was)
        wanted = "absent" if value is None else hp.kind(now)
        if kind != wanted:
            raise ValueError(
                f"{name}: expected a state in which it is {wanted}, got one in which "
                f"it is {kind}: the state was made with other options. "
                "convert_state(state, tx, params) takes it over."
            )


def _by_leaf(state: RMSPropState, treedef: Any) -> list[list[jax.Array | None]]:
    """nu, mu and trace as lists over the leaves."""
    return [
        [None] * treedef.num_leaves
        if getattr(state, field) is None
        else [jnp.asarray(x) for x in treedef.flatten_up_to(getattr(state, field))]
        for field in Slots._fields
    ]


def _decaying(mask: Any, params: Any) -> list[bool]:
    """Which leaves decay."""
    if mask is None:
        return [True] * len(jax.tree.leaves(params))
    tree = mask(params) if callable(mask) else mask
    for path, leaf in jax.tree.leaves_with_path(tree):
        if not isinstance(leaf, (bool, np.bool_)):
            raise TypeError(
                f"weight_decay_mask{jax.tree_util.keystr(path)}: expected a bool, got "
                f"{type(leaf).__name__}. Under optax.inject_hyperparams pass "
                "static_args='weight_decay_mask'."
            )
    try:
        return jax.tree.leaves(jax.tree.broadcast(tree, params))
    except ValueError as error:
        raise ValueError(
            "weight_decay_mask: expected a prefix of the parameters' tree, with a bool "
            f"wherever it ends; {error}"
        ) from None
