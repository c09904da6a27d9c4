"""Parameters, gradients and states that fit one another, as `tree` needs them.

What does not fit is refused with the path to it.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rmsprop_jax import hyperparams as hp
from rmsprop_jax.rule import Rule, Slots
from rmsprop_jax.state import RMSPropState
from rmsprop_jax.state_dtype import StateDtype
from rmsprop_jax.storage import precision_of


def parameter(path: tuple, leaf: Any, rule: Rule) -> Any:
    """`leaf` as an array or its shape.

    Raises:
        TypeError: If the rule cannot be applied to its dtype.
    """
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
    is_complex = jnp.issubdtype(dtype, jnp.complexfloating)
    if is_complex and rule.cautious:
        raise TypeError(
            f"{where}: expected a real parameter beside cautious=True, got dtype "
            f"{dtype.name}: no complex number points along another. Leave it to an "
            "RMSProp without cautious=True, see param_groups."
        )
    if is_complex and rule.complex_form == "refused":
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


def gradients(
    updates: Any, state: RMSPropState, rule: Rule
) -> tuple[list[jax.Array], Any]:
    """The gradients' leaves and treedef, if they are those of the state.

    With `moment="tensor"` and neither μ nor trace the state knows only their rank,
    and with complex_form "modulus" not whether they are complex; see `check_alike`.

    Raises:
        TypeError: If a gradient is no floating-point number, or complex where its
            parameter is real, or the reverse.
        ValueError: If trees or shapes differ, or ν is of the other moment.
    """
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
        # Of all slots ν alone is one number with moment="tensor".
        kept = None if like is state.nu else jnp.shape(typed)
        _check_shape(path, g.shape, jnp.shape(slot), kept, rule)
        grads.append(g)
    return grads, treedef


def _check_shape(path: tuple, g: Any, nu: Any, kept: Any, rule: Rule) -> None:
    """Refuse ν of the other moment, and a gradient of another shape than the slots."""
    where = jax.tree_util.keystr(path)
    one_each = rule.moment == "elementwise"
    if one_each and nu == (1,) * len(g) != g:
        raise ValueError(
            f"state.nu{where}: expected shape {g}, one ν for each element, got {nu}. "
            "The state was made with moment='tensor', or of other parameters; go on "
            "with moment='tensor', or make a new one with init."
        )
    if not one_each and nu != (1,) * len(nu):
        raise ValueError(
            f"state.nu{where}: expected shape {(1,) * len(nu)}, one ν for the array, "
            f"got {nu}. The state was made with moment='elementwise'; "
            "convert_state(state, tx, params) adds it up."
        )
    # With neither μ nor trace, one ν for the array tells its rank and no more.
    wanted = nu if one_each else kept or g
    if g != wanted or len(g) != len(nu):
        expected = f"rank {len(nu)}" if g == wanted else f"shape {wanted}"
        raise ValueError(
            f"grads{where}: expected {expected}, got {'shape ' * (g == wanted)}{g}. "
            "The state belongs to other parameters; make a new one with init."
        )


def parameters(params: Any, grads: list[jax.Array], treedef: Any) -> list[jax.Array]:
    """The parameters' leaves, if they are as the gradients are.

    Raises:
        TypeError: As `check_alike`.
        ValueError: As that, or if there are none, or trees differ.
    """
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
    check_alike(params, grads)
    return [jnp.asarray(theta) for theta in jax.tree.leaves(params)]


def check_alike(params: Any, grads: list[jax.Array]) -> None:
    """Refuse a gradient that is of another shape than its parameter, or complex alone.

    Raises:
        TypeError: If one is complex and the other real.
        ValueError: If shapes differ.
    """
    for (path, theta), g in zip(jax.tree.leaves_with_path(params), grads, strict=True):
        where, shape = jax.tree_util.keystr(path), jnp.shape(theta)
        if shape != g.shape:
            raise ValueError(
                f"params{where}: expected shape {g.shape}, as the gradient has, got "
                f"{shape}. Pass the parameters that init saw, and their gradients."
            )
        if jnp.iscomplexobj(theta) != jnp.iscomplexobj(g):
            raise TypeError(
                f"grads{where}: expected a gradient as real or complex as its "
                f"parameter, {jnp.result_type(theta).name}, got dtype {g.dtype.name}. "
                "Take its real part, or make it complex."
            )


def _paths(tree: Any) -> set[str]:
    return {jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(tree)}


def check_state(
    state: Any,
    rule: Rule,
    given: Mapping[str, hp.Given],
    skip_nonfinite: bool,
    state_dtype: StateDtype,
) -> None:
    """Refuse a state that was made with other options.

    Raises:
        TypeError: If it is none of ours.
        ValueError: If it has other slots, or hyperparameters of another kind, or rests
            in another precision.
    """
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
    _check_precision(state, state_dtype)


def _check_precision(state: RMSPropState, state_dtype: StateDtype) -> None:
    """Refuse moments that rest in something else than `state_dtype` says.

    In fewer bits may rest what is small here, for it may be a part of an array: of
    one that is split by `shard_map`, or of stacked layers.
    """
    for slot in Slots._fields:
        for path, x in jax.tree.leaves_with_path(getattr(state, slot)):
            got, expected = precision_of(x.dtype), state_dtype.of(slot, x.size)
            if got not in {expected, getattr(state_dtype, slot)}:
                raise ValueError(
                    f"state.{slot}{jax.tree_util.keystr(path)}: expected to rest in "
                    f"{expected}, got dtype {x.dtype.name}: the state was made with "
                    "another state_dtype. convert_state(state, tx, params) stores it "
                    "anew."
                )


def decaying(mask: Any, params: Any) -> list[bool]:
    """Which leaves decay.

    Raises:
        TypeError: If the mask holds anything but booleans.
        ValueError: If it is no prefix of the parameters' tree.
    """
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
