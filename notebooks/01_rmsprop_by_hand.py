# %% [markdown]
# # RMSProp by hand
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/rmsprop-jax/rmsprop-jax/blob/main/notebooks/01_rmsprop_by_hand.ipynb)
#
# RMSProp is one division. Here we find out why it is needed, work it out on paper, see what each of its numbers does, and end at `rule.step`, the function that this library is built around.
#
# Gradient descent goes $\theta \leftarrow \theta - \alpha g$, with one learning rate $\alpha$ for all parameters. Below it walks down a valley, $f(\theta) = \tfrac12(\theta_1^2 + 100\,\theta_2^2)$: gentle along the floor, a hundred times steeper at the sides. Which $\alpha$ is right?

# %%
# Installs what is missing, for the hardware that is here. On Colab: a minute.
import sys
from glob import glob
from importlib.util import find_spec
from shutil import which
from subprocess import check_call

if find_spec("rmsprop_jax") is None:
    gpu, tpu = which("nvidia-smi"), glob("/dev/accel*") + glob("/dev/vfio/[0-9]*")
    jax = "jax[tpu]" if tpu else "jax[cuda12]" if gpu else "jax"
    ours = "rmsprop-jax[train] @ git+https://github.com/rmsprop-jax/rmsprop-jax"
    check_call([sys.executable, "-m", "pip", "install", "-q", jax, ours])

from rmsprop_jax.lessons import hardware

print(hardware.found())

# %%
import numpy as np

from rmsprop_jax.lessons import by_hand, by_hand_pictures, ground_pictures, valleys

ways = {}
for alpha in (0.002, 0.019, 0.0201):
    theta = [np.array([-1.0, 0.5])]
    for _ in range(60):
        theta.append(theta[-1] - alpha * np.array([1.0, 100.0]) * theta[-1])
    x, y = theta[-1]
    ways[f"α = {alpha}, ends at ({x:.2f}, {y:.2f})"] = np.array(theta)
ground_pictures.descents(valleys.valley(), ways)


# %% [markdown]
# None of them. A small $\alpha$ hardly moves along the floor. The sides bear no more than $2/100$: just below that it zigzags, just above it climbs out. The floor alone would take $\alpha = 1$, and be done in one step.
#
# So divide each parameter's gradient by its usual size. The usual size is the root of a running mean of squares, hence the name, *root mean square propagation*:
#
# $$\nu \leftarrow \rho\,\nu + (1-\rho)\,g^2 \qquad\qquad \theta \leftarrow \theta - \alpha\,\frac{g}{\sqrt{\nu}}$$
#
# Two steps on paper: $\theta = 0$, $\nu = 0$, $\alpha = 0.1$, $\rho = 0.9$, gradients $1$ and $-1$. One introduction gets $\theta_1 = -0.0316$ and $\theta_2 = 0.0395$. We check it.


# %%
def step(theta, nu, g, alpha=0.1, rho=0.9, eps=0.0):
    nu = rho * nu + (1 - rho) * g**2
    return theta - alpha * g / np.sqrt(nu + eps), nu


theta, nu = 0.0, 0.0
for g in (1.0, -1.0):
    theta, nu = step(theta, nu, g)
    print(f"g = {g:+.0f}   ν = {nu:.2f}   √ν = {np.sqrt(nu):.4f}   θ = {theta:.5f}")
multiplied, then = -0.1 * np.sqrt(0.1), -0.0316 + 0.1 / np.sqrt(0.19)
print(f"multiplied by √ν: {multiplied:.4f}.   from there, divided: {then:.4f}")
print(f"first step with g = 1000: θ = {step(0.0, 0.0, 1000.0)[0]:.5f}")

# %% [markdown]
# Right is $\theta_2 = -0.08681$. Their $-0.0316$ is what comes of multiplying by $\sqrt\nu$ where the formula divides. Their second step does not follow from their first either: that gives $0.1978$. We know of no way to $0.0395$. Three things to take along:
#
# * The gradients cancel, the steps do not: $\nu$ has grown in between.
# * The first step is $\alpha / \sqrt{1-\rho}$, here $3.16\,\alpha$, whatever the gradient: 1 or 1000.
# * So the steep side of a valley and its gentle floor get steps alike. That is all RMSProp does.
#
# **What is ε for?** Another introduction walks down $f = \theta^2$ from $\theta = 10$, with the same $\alpha$ and $\rho$ and $\varepsilon = 10^{-8}$ under the root, and gets $8$, then $6.25$.

# %%
theta, nu = 10.0, 0.0
for _ in range(2):
    theta, nu = step(theta, nu, 2 * theta, eps=1e-8)
    print(f"ν = {nu:.3f}   θ = {theta:.5f}")
no_division, old_nu = 10 - 0.1 * 20, 10 - 0.1 * 20 / np.sqrt(0 + 1e-8)
print(f"α g, not divided: {no_division:g}.   by the ν before the step: {old_nu:g}")
print(f"from 8, with a ν that forgot the 20: {8 - 0.1 * 16 / np.sqrt(0.1 * 16**2):.5f}")
assert abs(theta - 9.45788) < 1e-5
by_hand_pictures.knees(*by_hand.fading(eps=1e-8))

# %% [markdown]
# Right is $9.68377$ and $9.45788$. Their $8$ is gradient descent. As they write the formula, with the $\nu$ from *before* the step, only $\varepsilon$ is left to divide by, and $\theta$ lands at $-19990$. Their second step forgets the first gradient, and even so gives $7.68377$, not $6.25$. So: **first update ν, then divide.**
#
# The picture shows what $\varepsilon$ does do. Where gradients are smaller than the knee, steps are no longer $\alpha$ long but fade with the gradient. Under the root the knee is at $\sqrt\varepsilon$: the same $10^{-8}$ acts on gradients of $10^{-4}$, not $10^{-8}$. Frameworks disagree here; `eps_placement=` says which.
#
# **What is ρ for?** It is how much is remembered: about $1/(1-\rho)$ gradients. Try the extremes first. $\rho = 0$ remembers only the newest gradient, so that every step is $\pm\alpha$. Adagrad sums all squares and forgets none.

# %%
rho, ways = np.array([0.0, 0.5, 0.9, 0.99]), []
for gradients in (by_hand.VOTES, by_hand.BURST):
    theta, nu, way = 0 * rho, 0 * rho, []
    for g in gradients:
        theta, nu = step(theta, nu, g, alpha=0.01, rho=rho)
        way.append(theta)
    ways.append(np.array(way))
adagrad = by_hand.BURST / np.sqrt(np.cumsum(by_hand.BURST**2))
names, steps = [f"ρ = {x:g}" for x in rho], by_hand.lengths(ways[1], 0.01)
by_hand_pictures.memories([*names, "Adagrad"], ways[0].T, [*steps.T, adagrad])


# %% [markdown]
# Left, ten gradients of mean zero should leave $\theta$ where it is. $\rho = 0$ counts nine votes against one and walks off; $\rho = 0.5$ goes half as far, the longer memories about an eighth. Right, one bad batch: Adagrad's steps never recover, those of $\rho = 0.9$ are half their size again after 56 steps. With $\rho = 0.99$ it takes 349, and the first step is ten times too long, because the average starts at zero (`bias_correction=True` mends that).
#
# **Two more lines** are common. Momentum adds up steps; centring subtracts the mean, to divide by the deviation instead:
#
# $$m \leftarrow \beta\,m + \alpha\,u \qquad\qquad \mu \leftarrow \rho\,\mu + (1-\rho)\,g, \quad u = \frac{g}{\sqrt{\nu - \mu^2 + \varepsilon}}$$
#
# With momentum, steps that agree add up to $1/(1-\beta)$ times as much, and run on when the gradient turns. The centred formula is right on paper. In float32, with gradients of $10 \pm 0.001$:


# %%
def complete(gradients, alpha=0.1, rho=0.9, eps=1e-8, momentum=0.0, centered=False):
    theta = nu = mu = m = 0 * gradients[0]
    for g in gradients:
        nu, mu = rho * nu + (1 - rho) * g**2, rho * mu + (1 - rho) * g
        m = momentum * m + alpha * g / np.sqrt(nu - centered * mu**2 + eps)
        theta = theta - m
        yield theta


traced = {beta: [*complete(by_hand.TURNING, momentum=beta)] for beta in (0.0, 0.5, 0.9)}
by_hand_pictures.trace_and_centre(traced, by_hand.centred(complete))

# %% [markdown]
# Left, momentum: $\beta = 0.9$ goes nine times as far, and some steps too far. Right, the by-hand line ends: $\nu$ and $\mu^2$ are both near 100, their difference is rounding, once negative, and the root of that is NaN. Optax's own centred form ends the same way. The library carries the variance itself, a sum of squares, and goes on. Its steps are ten thousand times $\alpha$, which is what the formula says for a gradient that hardly varies; `variance_floor=` bounds them.
#
# **Does the division pay?** Five optimizers on three grounds: the valley; the same valley, turned by 45°; a saddle between two hollows, from almost on its ridge. Each has the best of 31 learning rates for that ground. Above each path is how many steps it takes to come within 0.1 of a lowest point and stay, the mean over eight starts.

# %%
import jax.numpy as jnp

from rmsprop_jax import rmsprop, rule
from rmsprop_jax.lessons import paths

grounds = valleys.grounds()
walked = {name: paths.race(ground) for name, ground in grounds.items()}
ground_pictures.walks(grounds, walked, ours="RMSProp")
steep = paths.fastest(rmsprop, valleys.valley(steepness=1e4))
print(f"RMSProp, sides 10,000 times as steep as the floor: {steep.steps:.0f} steps")

# %% [markdown]
# Along the axes the division pays: RMSProp takes 18 steps where gradient descent takes 95, and sides of any steepness are one valley to it. Off the saddle it takes 15 and not 217, for up there the gradient is small but the step is not. Where it does not pay:
#
# * **In the turned valley.** Each coordinate now sees both slopes, and dividing each by its own size mends nothing: 99 steps. Gradient descent and momentum do not notice the turn.
# * **On firm ground**, where nothing has to be forgotten: Adagrad is first on the two others. The burst above was its weak side.
# * **At the end.** The steps stay about $\alpha$ long, so that RMSProp circles the goal. Let the learning rate fall.
#
# **The same in the library.** `rule.step` is what you have written, for one array and every variant; `rmsprop` maps it over the parameters. Both worked examples and a hundred steps, by hand and by `rule.step`:

# %%
tx, slots = rmsprop(0.1), rule.Slots(nu=jnp.zeros(1))
numbers = tx.init(jnp.zeros(1)).hyperparams
delta, slots = rule.step(jnp.ones(1), slots, numbers, rule=tx.rule, count=jnp.int32(1))
print(f"one step on g = 1: Δ = {delta[0]:.5f}, ν = {slots.nu[0]:.2f}")
for options in ({"momentum": 0.9}, {"centered": True}, {}):
    ours = by_hand.by_rule(by_hand.WORKED, **options)
    hand = np.array([*complete(by_hand.WORKED, **options)])
    print(f"{options or 'plain'}: at most {np.abs(ours - hand).max():.0e} apart")
    assert np.abs(ours - hand).max() < 1e-4, options
assert np.allclose(ours[1] + [0, 10], [-0.08681, 9.45788], atol=1e-5)
