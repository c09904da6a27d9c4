"""RMSProp on one array: what may vary, what is remembered, and the step itself.

No pytrees and no defaults here. ρ is `decay`, ε `eps`, α `learning_rate`, β
`momentum`, λ `weight_decay`, ν `nu`, μ `mu`, m `trace`, θ `theta`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from rmsprop_jax.moments import Moment, central_moment, second_moment, squared

EpsPlacement = Literal["inside", "outside", "inside_with_trace"]
LrPlacement = Literal["in_trace", "after_trace"]
WeightDecayForm = Literal["decoupled", "coupled", "corrected"]
ComplexForm = Literal["split", "modulus", "refused"]


@dataclass(frozen=True)
class Rule:
    """The choices in which one RMSProp differs from another.

    Attributes:
        eps_placement: `"inside"` divides by √(ν + ε), `"outside"` by √ν + ε;
            `"inside_with_trace"` is inside with momentum and outside without.
        lr_placement: `"in_trace"` traces α u, `"after_trace"` traces u. They
            differ as soon as α changes.
        weight_decay_form: `"coupled"` adds λ θ to the gradient, `"decoupled"`
            takes α λ θ off the parameter, `"corrected"` α² / α_peak λ θ.
        peak_learning_rate: α_peak.
        nu_init: ν before the first step.
        moment: One ν for each element, or `"tensor"`: one of ‖g‖² for all.
        centered: Divide by the running standard deviation, not the root mean square.
        nesterov: Look one step ahead along the trace.
        cautious: Move only where the trace still points along the gradient, and
            there the further, by the share of such elements (timm's `caution`).
        bias_correction: Average over the steps made so far, instead of over a past
            in which the gradient was zero.
        complex_form: `"split"` treats a complex number as two reals, `"modulus"`
            divides it by one running |g|².
        float32_hyperparams: Names that are rounded to float32 before use, ρ before
            1 − ρ is formed.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> rmsprop(0.1).rule == rmsprop(0.1, dialect="torch").rule
        False
        >>> rmsprop(0.1, dialect="torch").rule.eps_placement
        'outside'
    """

    eps_placement: EpsPlacement
    lr_placement: LrPlacement
    weight_decay_form: WeightDecayForm
    peak_learning_rate: float | None = None
    nu_init: float = 0.0
    moment: Moment = "elementwise"
    centered: bool = False
    nesterov: bool = False
    cautious: bool = False
    bias_correction: bool = False
    complex_form: ComplexForm = "refused"
    float32_hyperparams: tuple[str, ...] = ()


class Hyperparams(NamedTuple):
    """The numbers of one step, scalars all; `None` is what the rule goes without.

    1 − ρ and not ρ: it is the weight of every gradient, and float32(0.9999) has lost
    one part in 6 000 of it. To change one, `set_hyperparams`, which checks it.

    Attributes:
        learning_rate: α; `None` in `scale_by_rms`.
        one_minus_decay: 1 − ρ.
        eps: ε.
        momentum: β.
        weight_decay: λ.
        variance_floor: f.

    Example:
        >>> from rmsprop_jax import rmsprop
        >>> h = rmsprop(1e-3, decay=0.9999).init(jnp.zeros(2)).hyperparams
        >>> float(h.one_minus_decay), h.momentum
        (9.999999747378752e-05, None)
    """

    learning_rate: jax.Array | None
    one_minus_decay: jax.Array
    eps: jax.Array
    momentum: jax.Array | None = None
    weight_decay: jax.Array | None = None
    variance_floor: jax.Array | None = None

    @property
    def decay(self) -> jax.Array:
        """ρ."""
        return 1 - self.one_minus_decay


class Slots(NamedTuple):
    """What is remembered of one parameter array.

    `nu` is the running second moment, or, beside a `mu`, the running variance.
    """

    nu: jax.Array
    mu: jax.Array | None = None
    trace: jax.Array | None = None


def step(
    g: jax.Array,
    slots: Slots,
    hyperparams: Hyperparams,
    *,
    rule: Rule,
    count: jax.Array,
    theta: jax.Array | None = None,
) -> tuple[jax.Array, Slots]:
    """One RMSProp step on one array. The rule is written here and nowhere else.

        g ← g + λ θ                            (coupled weight decay)
        ν ← ρ ν + (1 − ρ) g²                   (centered: running variance of g)
        u = g / √(ν + ε)      or     g / (√ν + ε)
        m ← β m + α u         or     β m + u
        Δ = −m                or     −α m      (no momentum: −α u)
        Δ ← Δ − α λ θ                          (decoupled weight decay)

    `rule` picks the column line by line. 0/0 is 0.

    Args:
        g: The gradient, in the dtype to compute in.
        slots: What was remembered of this array.
        hyperparams: The numbers of this step; no learning rate: u is returned.
        rule: What kind of RMSProp.
        count: Which step this is; the first is 1.
        theta: The parameter, needed for weight decay only.

    Returns:
        Δ, the amount to add to the parameter, and the new slots.
    """
    if jnp.iscomplexobj(g) and rule.complex_form == "split":
        return _step_on_parts(g, slots, hyperparams, rule, count, theta)
    h = in_dtype(hyperparams, slots.nu.dtype, rule)
    alpha, beta, lam = jax.tree.map(
        lambda x: x.astype(g.dtype), (h.learning_rate, h.momentum, h.weight_decay)
    )

    if lam is not None and rule.weight_decay_form == "coupled":
        g = g + lam * theta
    weight = newest_weight(h, count) if rule.bias_correction else h.one_minus_decay
    if slots.mu is None:
        nu, mu = second_moment(slots.nu, g, weight, rule.moment), None
    else:
        nu, mu = central_moment(slots.nu, slots.mu, g, weight, rule.moment)
    trace = slots.trace
    d = denominator(Slots(nu, mu, trace), h, rule=rule, count=count)
    u = _divide(g, d)
    if alpha is None:
        return u, Slots(nu, mu)

    move = alpha * u if rule.lr_placement == "in_trace" else u
    if trace is not None:
        trace = beta * trace + move
        move = move + beta * trace if rule.nesterov else trace
        if rule.cautious:
            agrees = (move * g > 0).astype(g.dtype)
            move = move * agrees / jnp.maximum(agrees.mean(), 1e-3)
    delta = -move if rule.lr_placement == "in_trace" else -alpha * move
    if lam is not None and rule.weight_decay_form != "coupled":
        corrected = rule.weight_decay_form == "corrected"
        share = alpha / rule.peak_learning_rate if corrected else 1
        delta = delta - share * alpha * lam * theta
    return delta, Slots(nu, mu, trace)


def denominator(
    slots: Slots, hyperparams: Hyperparams, *, rule: Rule, count: jax.Array
) -> jax.Array:
    """What the gradient is divided by, after step `count`.

        √(v + ε)      or     √v + ε                    (instead of 0: ∞)

    v is ν, but for three cases. With bias correction, ν₀ ≠ 0 still counts
    ρᵗ / (1 − ρᵗ). A variance floor f: v is never less than f E[g²]. And with ν₀ = 0 the
    first corrected variance, that of one gradient, is 0: v is its square.
    """
    h, v = hyperparams, slots.nu
    if rule.bias_correction and rule.nu_init:
        seen = _share_seen(h, count)
        v = v + rule.nu_init * (1 - seen) / seen
    if h.variance_floor is not None and slots.mu is not None:
        v = jnp.maximum(v, h.variance_floor * (v + squared(slots.mu, rule.moment)))
    if rule.bias_correction and not rule.nu_init and slots.mu is not None:
        v = jnp.where(count == 1, squared(slots.mu, rule.moment), v)
    # One division by ∞, and no derivative of √ at 0: 0/0 costs a single comparison.
    if eps_is_inside(rule, slots):
        v = v + h.eps
        return jnp.sqrt(jnp.where(v == 0, jnp.inf, v))
    root = jnp.where(v == 0, 0.0, jnp.sqrt(jnp.where(v == 0, 1.0, v)))
    d = root + h.eps
    return jnp.where(d == 0, jnp.inf, d)


def eps_is_inside(rule: Rule, slots: Slots) -> bool:
    """Whether ε stands under the root."""
    if rule.eps_placement == "inside_with_trace":
        return slots.trace is not None
    return rule.eps_placement == "inside"


def newest_weight(hyperparams: Hyperparams, count: jax.Array) -> jax.Array:
    """Share of the newest gradient in a bias-corrected average.

        a = (1 − ρ) / (1 − ρᵗ)

    It is 1 on the first step, and stays continuous when ρ changes under way.
    """
    a = hyperparams.one_minus_decay / _share_seen(hyperparams, count)
    return jnp.minimum(a, 1)


def in_dtype(hyperparams: Hyperparams, dtype, rule: Rule) -> Hyperparams:
    """The numbers in the dtype to compute in, rounded first where the rule says."""
    real = jnp.finfo(dtype).dtype
    h = jax.tree.map(lambda x: x.astype(real), hyperparams)
    rounded = {
        name: _float32(getattr(h, name))
        for name in rule.float32_hyperparams
        if name != "decay" and getattr(h, name) is not None
    }
    if "decay" in rule.float32_hyperparams:
        rounded["one_minus_decay"] = 1 - _float32(h.decay)
    return h._replace(**rounded)


def _share_seen(hyperparams: Hyperparams, count: jax.Array) -> jax.Array:
    """1 − ρᵗ, without the cancellation."""
    a = hyperparams.one_minus_decay
    # log(ρ) = −∞ at ρ = 0 has a value here but no derivative.
    log_decay = jnp.log1p(-jnp.minimum(a, 1 - jnp.finfo(a.dtype).epsneg))
    return -jnp.expm1(count.astype(a.dtype) * log_decay)


def _divide(g: jax.Array, d: jax.Array) -> jax.Array:
    if jnp.iscomplexobj(g):
        return jax.lax.complex(g.real / d, g.imag / d)
    return g / d.astype(g.dtype)


def _float32(x: jax.Array) -> jax.Array:
    # A pair of casts would do, were XLA not free to drop it.
    return jax.lax.reduce_precision(x, exponent_bits=8, mantissa_bits=23)


def _step_on_parts(g, slots, hyperparams, rule, count, theta):
    def of(part):
        its_g, its_slots, its_theta = jax.tree.map(part, (g, slots, theta))
        return step(
            its_g, its_slots, hyperparams, rule=rule, count=count, theta=its_theta
        )

    return jax.tree.map(jax.lax.complex, of(jnp.real), of(jnp.imag))
