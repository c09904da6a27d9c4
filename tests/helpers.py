"""What the tests share: an oracle, a probe, a tolerance and a way to run."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rmsprop_jax import DIALECTS

# jax.experimental lost its enable_x64 when jax gained one.
enable_x64 = (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64
# And use_mesh became set_mesh.
set_mesh = jax.set_mesh if hasattr(jax, "set_mesh") else jax.sharding.use_mesh


def named(x):
    """`str(x)` without addresses: a test's name is the same in every process."""
    return re.sub(r" at 0x\w+", "", str(x))


def oracle(
    params,
    grads,
    rates,
    *,
    decay=0.9,
    eps=1e-8,
    eps_placement="inside",
    lr_placement="in_trace",
    nu_init=0.0,
    moment="elementwise",
    centered=False,
    variance_floor=0.0,
    bias_correction=False,
    momentum=None,
    nesterov=False,
    cautious=False,
    weight_decay=0.0,
    weight_decay_form="decoupled",
    peak_learning_rate=None,
    float32_hyperparams=(),
):
    """RMSProp of the textbook in float64: the parameters after every step."""

    def given(name, value):
        return float(np.float32(value)) if name in float32_hyperparams else value

    rho, eps = given("decay", decay), given("eps", eps)
    beta = None if momentum is None else given("momentum", momentum)
    lam = given("weight_decay", weight_decay)
    inside = eps_placement == "inside" or (
        eps_placement == "inside_with_trace" and beta is not None
    )

    def squared(x):
        return np.sum(x**2) if moment == "tensor" else x**2

    theta, grads, rates = (np.asarray(x, np.float64) for x in (params, grads, rates))
    rates = [given("learning_rate", x) for x in rates]
    nu, mu, m = np.full_like(theta, nu_init), np.zeros_like(theta), np.zeros_like(theta)
    path = []
    for t, (g, alpha) in enumerate(zip(grads, rates, strict=True), start=1):
        if weight_decay_form == "coupled":
            g = g + lam * theta
        nu = rho * nu + (1 - rho) * squared(g)
        mu = rho * mu + (1 - rho) * g
        correction = 1 - rho**t if bias_correction else 1.0
        v = nu / correction
        # One corrected gradient has no variance: step 1 divides by its magnitude.
        if centered and not (bias_correction and nu_init == 0 and t == 1):
            v = np.maximum(v - squared(mu / correction), variance_floor * v)
        denominator = np.sqrt(v + eps) if inside else np.sqrt(v) + eps
        u = np.divide(g, denominator, out=np.zeros_like(g), where=g != 0)
        if beta is None:
            step = alpha * u
        elif lr_placement == "in_trace":
            m = beta * m + alpha * u
            step = alpha * u + beta * m if nesterov else m
        else:
            m = beta * m + u
            step = alpha * (u + beta * m) if nesterov else alpha * m
        if cautious:
            along = step * g > 0
            step = np.where(along, step / max(np.mean(along), 1e-3), 0)
        if weight_decay_form == "decoupled":
            step = step + alpha * lam * theta
        if weight_decay_form == "corrected":
            step = step + alpha**2 / peak_learning_rate * lam * theta
        theta = theta - step
        path.append(theta)
    return np.stack(path)


def tolerance(dtype, steps):
    """Relative error of `steps` updates, 8 roundings each, none of them cancelling."""
    return 8 * steps * float(np.finfo(dtype).eps)


def tolerances_apart(path, other, start, dtype):
    """Largest gap between two paths, in tolerances of the distance they travel."""
    distance = np.abs(np.asarray(other, np.float64) - start).max()
    gap = np.abs(np.asarray(path, np.float64) - other).max()
    return gap / (distance * tolerance(dtype, len(path)))


def astray(gaps, limit=1):
    """Those of the gaps, in tolerances, beyond the limit; NaN is beyond any."""
    return {name: gap for name, gap in gaps.items() if not gap <= limit}


def probe(steps=42, size=64, seed=0):
    """Parameters, gradients and rates on which every rule goes its own way.

    Magnitudes cover 1e-4 to 1, so that every ε from 1e-8 to 1e-2 matters to some
    and not to others; the learning rate changes twice, because a constant one
    cannot show whether it was applied before or after the trace. The first two
    gradients oppose each other and signs are mixed after that: the variance is
    never small beside E[g²], and frameworks that subtract lose no digits.
    """
    rng = np.random.default_rng(seed)
    sign = np.where(rng.random((steps, size)) < 0.7, 1, -1)
    sign[1] = -sign[0]
    grads = np.logspace(-4, 0, size) * sign * rng.uniform(0.5, 1.5, (steps, size))
    rates = np.repeat([0.1, 0.01, 0.03], steps // 3)
    params = rng.standard_normal(size)
    return tuple(x.astype(np.float32) for x in (params, grads, rates))


def fine_probe():
    """The probe with learning rates that float32 does not hold."""
    params, grads, rates = probe()
    return params, grads, np.round(rates.astype(np.float64), 3)


def trajectories(factories, params, grads, rates, dtype=np.float32):
    """For each `factory(learning_rate)`, the parameters after every step in `dtype`.

    All of them in one scan under one jit: compiling is what takes the time.
    """
    with enable_x64(np.dtype(dtype) == np.float64):
        params, grads, rates = (jnp.asarray(x, dtype) for x in (params, grads, rates))
        txs = [factory(lambda count: rates[count]) for factory in factories]

        def step(carry, g):
            moved = []
            for tx, (params, state) in zip(txs, carry, strict=True):
                updates, state = tx.update(g, state, params)
                moved.append((optax.apply_updates(params, updates), state))
            return moved, [params for params, _ in moved]

        run = jax.jit(lambda carry: jax.lax.scan(step, carry, grads)[1])
        return [np.asarray(x) for x in run([(params, tx.init(params)) for tx in txs])]


def trajectory(factory, *args):
    """`trajectories` of one."""
    return trajectories([factory], *args)[0]


def accepting(*arguments):
    """The dialects whose framework has all of them."""
    return [
        name
        for name, row in DIALECTS.items()
        if not row.refuses.keys() & set(arguments)
        and ("momentum" not in arguments or not row.momentum_needs_centered)
    ]
