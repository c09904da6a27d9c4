"""`rmsprop` and `scale_by_rms`: what users call."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from rmsprop_jax.arguments import check_mask, resolve, skipping
from rmsprop_jax.dialects import Dialect
from rmsprop_jax.moments import Moment
from rmsprop_jax.rule import EpsPlacement, LrPlacement, Rule, WeightDecayForm
from rmsprop_jax.skip import AxisName
from rmsprop_jax.state_dtype import StateDtype, resolve_state_dtype
from rmsprop_jax.tree import RMSProp, over_tree

_NEED_LEARNING_RATE = {
    "learning_rate",
    "momentum",
    "nesterov",
    "cautious",
    "lr_placement",
    "peak_learning_rate",
}

Schedule = Callable[[jax.Array], Any]
Number = float | jax.Array | Schedule
Mask = Any


def rmsprop(
    learning_rate: Number,
    *,
    dialect: str | Dialect = "optax",
    decay: Number | None = None,
    eps: Number | None = None,
    momentum: Number | None = None,
    nesterov: bool | None = None,
    centered: bool | None = None,
    bias_correction: bool | None = None,
    weight_decay: Number | None = None,
    weight_decay_mask: Mask = None,
    variance_floor: Number | None = None,
    eps_placement: EpsPlacement | None = None,
    lr_placement: LrPlacement | None = None,
    weight_decay_form: WeightDecayForm | None = None,
    peak_learning_rate: float | None = None,
    nu_init: float | None = None,
    moment: Moment | None = None,
    cautious: bool | None = None,
    state_dtype: Any = None,
    state_dtype_min_size: int | None = None,
    skip_nonfinite: bool = False,
    axis_name: AxisName = None,
) -> RMSProp:
    """RMSProp, as the framework named by `dialect` computes it.

        ν ← ρ ν + (1 − ρ) g²
        θ ← θ − α g / √ν                      with ε where the dialect puts it

    Same hyperparameters, same trajectory, to rounding. What is left at `None` takes
    the dialect's own default, so that switching `dialect` switches those too.

    **Hyperparameters are live.** A number (Python or NumPy) is a starting value: it
    lives in `state.hyperparams`, is read there at every update, and can be changed
    (`set_hyperparams`), vmapped and differentiated. So a restored state wins over
    an edited call; `reset_hyperparams` takes the call's numbers. A `jax.Array` stays
    the caller's and is used as given. A schedule is called with the 0-based number
    of the step. Any of the six may be any of these.

    Args:
        learning_rate: α ≥ 0.
        dialect: A key of `DIALECTS`, or a `Dialect` of your own.
        decay: ρ in [0, 1). The average remembers about 1 / (1 − ρ) steps.
        eps: ε ≥ 0. Not comparable across dialects, see `eps_placement`. With ε = 0,
            a coordinate whose gradients were all zero stays where it is.
        momentum: β in [0, 1), 0.0 included, keeps a trace; `False` keeps none. With
            `dialect="tf_keras_legacy"` a trace, of 0.0 too, puts ε inside the root;
            there a momentum of 0 is `False` here, and `like` reads it so.
        nesterov: Look one step ahead along the trace.
        centered: Divide by the running standard deviation instead of the root mean
            square. Costs one more array per parameter. The variance cannot turn
            negative, but a constant gradient drives it to 0 and the exact step up as
            ρ^(−t/2), until ε stops it; `variance_floor` is against that.
        bias_correction: Average over the steps made so far only.
        weight_decay: λ ≥ 0; `False` is none, whatever the dialect's default.
        weight_decay_mask: A tree of booleans that is a prefix of the parameters, or
            a function from parameters to one: which of them decay.
        variance_floor: f in [0, 1): the centered variance counts as at least
            f E[g²], and no step exceeds 1 / √f times the uncentered one. Off by
            default.
        eps_placement: `"inside"` the root, √(ν + ε), or `"outside"`, √ν + ε.
        lr_placement: α `"in_trace"`, m ← β m + α u, or `"after_trace"`, −α m.
        weight_decay_form: `"coupled"`, g + λ θ; `"decoupled"`, −α λ θ; or
            `"corrected"`, −α² / α_peak λ θ.
        peak_learning_rate: α_peak, of the corrected form; the learning rate itself
            if that is a number.
        nu_init: ν before the first step.
        moment: `"elementwise"`, one ν for each element, or `"tensor"`, one of ‖g‖²
            for each array. Without μ and trace the state then does not know an array's
            shape: a gradient's is checked only if `update` is given the parameters.
        cautious: Where trace and gradient point apart, stay; elsewhere move the
            further, by the share of elements where they do not. Real parameters only.
        state_dtype: What the moments rest in between steps: `"bfloat16"` (half the
            bytes) or `"int8"` (a quarter), rounded at random, or a dict by slot,
            `{"nu": "int8", "trace": "bfloat16"}`. The step itself always computes in
            the wider of float32 and the parameter's own dtype; `None` stores that.
            Fewer bits have float32's range. Under `shard_map`, `"int8"` needs rows of
            128 and more, whole on a device; under `jit`, nothing.
        state_dtype_min_size: Arrays of fewer elements, 4096 if not given, rest in
            float32 all the same.
        skip_nonfinite: Skip a step, whole, in which a g·g or a hyperparameter is not
            finite, or an update is too large for float16: slots and `count` stay,
            the updates are −0.0, `state.skipped` counts. Parameters that are NaN
            already stay so. It protects this transformation and what comes of it,
            not other members of a chain; all of those are protected by
            `optax.apply_if_finite(optax.chain(...), max_consecutive_errors=10**9)`,
            which after so many bad steps in a row applies one.
        axis_name: The axis or axes of a `shard_map` (or vmap) over which that
            decision is made jointly; nothing else needs it.

    Returns:
        A transformation whose updates are added to the parameters and have the
        gradients' dtypes. It carries its `rule`.

    Raises:
        ValueError: If a value is out of range, options contradict one another, or,
            from `update`, trees do not match.
        TypeError: If something is of the wrong kind, such as integer parameters.

    Traced values, and those of schedules, have no range checked.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = rmsprop(0.1, decay=0.75, eps=0.0)
        >>> params = jnp.array([3.0, -3.0, 0.0])
        >>> updates, state = tx.update(params, tx.init(params))
        >>> updates                      # α / √(1 − ρ), whatever the gradient
        Array([-0.2,  0.2, -0. ], dtype=float32)

    References:
        Tieleman & Hinton (2012), Lecture 6.5, COURSERA: Neural Networks for Machine
        Learning. Centered: Graves (2013), arXiv:1308.0850.
    """
    if learning_rate is None:
        raise TypeError("learning_rate=None: expected a number, array or schedule.")
    numbers = {
        "learning_rate": learning_rate,
        "decay": decay,
        "eps": eps,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "variance_floor": variance_floor,
    }
    choices = {
        "eps_placement": eps_placement,
        "lr_placement": lr_placement,
        "weight_decay_form": weight_decay_form,
        "peak_learning_rate": peak_learning_rate,
        "nu_init": nu_init,
        "moment": moment,
        "centered": centered,
        "nesterov": nesterov,
        "cautious": cautious,
        "bias_correction": bias_correction,
    }
    rule, given = resolve(dialect, numbers, choices)
    at_rest = _at_rest(state_dtype, state_dtype_min_size, rule, given)
    return _checked(rule, given, at_rest, weight_decay_mask, skip_nonfinite, axis_name)


def scale_by_rms(
    *,
    dialect: str | Dialect = "optax",
    decay: Number | None = None,
    eps: Number | None = None,
    centered: bool | None = None,
    bias_correction: bool | None = None,
    weight_decay: Number | None = None,
    weight_decay_mask: Mask = None,
    variance_floor: Number | None = None,
    eps_placement: EpsPlacement | None = None,
    weight_decay_form: WeightDecayForm | None = None,
    nu_init: float | None = None,
    moment: Moment | None = None,
    state_dtype: Any = None,
    state_dtype_min_size: int | None = None,
    skip_nonfinite: bool = False,
    axis_name: AxisName = None,
    **refused: Any,
) -> RMSProp:
    """The gradient over its root mean square, for chains of one's own.

        u = g / √(ν + ε)      or     g / (√ν + ε)

    The rule of `rmsprop` without learning rate, momentum and sign: put
    `optax.trace` and `optax.scale_by_learning_rate` behind it. The arguments are
    those of `rmsprop`; weight decay must be coupled, because the other form needs
    the learning rate.

    Raises:
        TypeError: If given an option that needs the learning rate.
        ValueError: As `rmsprop`.

    Example:
        >>> import jax.numpy as jnp
        >>> tx = scale_by_rms(decay=0.75, eps=0.0)
        >>> tx.update(jnp.array([3.0, -3.0]), tx.init(jnp.zeros(2)))[0]
        Array([ 2., -2.], dtype=float32)
    """
    for name in refused:
        if name not in _NEED_LEARNING_RATE:
            raise TypeError(f"scale_by_rms() has no argument {name!r}.")
        raise TypeError(
            f"{name}: scale_by_rms has neither learning rate nor trace; expected them "
            "in the chain (optax.trace, optax.scale_by_learning_rate). Or use rmsprop."
        )
    numbers = {
        "learning_rate": None,
        "decay": decay,
        "eps": eps,
        "momentum": False,
        "weight_decay": weight_decay,
        "variance_floor": variance_floor,
    }
    choices = {
        "eps_placement": eps_placement,
        "weight_decay_form": weight_decay_form,
        "nu_init": nu_init,
        "moment": moment,
        "centered": centered,
        "nesterov": False,
        "cautious": False,
        "bias_correction": bias_correction,
    }
    rule, given = resolve(dialect, numbers, choices)
    if given["weight_decay"] is not None and rule.weight_decay_form != "coupled":
        raise TypeError(
            f"weight_decay: its {rule.weight_decay_form} form needs the learning rate, "
            "and scale_by_rms has none; put optax.add_decayed_weights behind it, or "
            "pass weight_decay_form='coupled', or use rmsprop."
        )
    at_rest = _at_rest(state_dtype, state_dtype_min_size, rule, given)
    return _checked(rule, given, at_rest, weight_decay_mask, skip_nonfinite, axis_name)


def _checked(rule, given, state_dtype, mask, skip_nonfinite, axis_name) -> RMSProp:
    check_mask(mask, given)
    return over_tree(
        rule,
        given,
        state_dtype=state_dtype,
        mask=mask,
        skip_nonfinite=skipping(skip_nonfinite, axis_name),
        axis_name=axis_name,
    )


def _at_rest(
    state_dtype: Any, min_size: Any, rule: Rule, given: Mapping[str, Any]
) -> StateDtype:
    absent = {} if rule.centered else {"mu": "centered=True"}
    if given["momentum"] is None:
        absent["trace"] = "momentum"
    at_rest = resolve_state_dtype(state_dtype, min_size, absent)
    corrected = rule.centered and rule.bias_correction
    if corrected and at_rest.mu == "int8" and given["variance_floor"] is None:
        raise ValueError(
            f"state_dtype={state_dtype!r}: expected mu in 'bfloat16' or 'float32' "
            "beside centered=True and bias_correction=True: after one step the "
            "variance is 0, and a mean of eight bits too far off. Pass a dict, such as "
            "{'nu': 'int8', 'mu': 'bfloat16'}, or a variance_floor."
        )
    return at_rest
