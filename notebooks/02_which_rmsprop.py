# %% [markdown]
# # Which RMSProp?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/rmsprop-jax/rmsprop-jax/blob/main/notebooks/02_which_rmsprop.ipynb)
#
# Fifteen programs call an optimizer RMSProp. Given the same gradients they do not take the same steps. Here they all run side by side: we see where they part, by how much, and what makes one of them out of another. In the end a run that PyTorch began goes on in JAX.

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

# %% [markdown]
# ## One call, several steps
#
# This is the formula that everyone quotes: divide the gradient by the root of its running mean square.
#
# $$\nu \leftarrow \rho\,\nu + (1-\rho)\,g^2 \qquad \theta \leftarrow \theta - \alpha\,\frac{g}{\sqrt{\nu+\varepsilon}}$$
#
# A port usually begins by keeping the learning rate: $\alpha = 0.01$ there, so $\alpha = 0.01$ here. We do that with all fifteen, everything else as each has it. Two parameters get one sequence of 200 random gradients, the *loud* one at a scale of 1, the *quiet* one at $10^{-4}$. Here is how far each dialect has moved them.

# %%
from rmsprop_jax.lessons import parting, parting_pictures

grads = parting.gradients()
own = parting.ways(parting.family(0.01), grads)
assert len(own) == 15
print(f"{'':16}{'first step, loud':>18}{'loud, 200':>12}{'quiet, 200':>12}")
for name, way in own.items():
    print(f"{name:16}{way[1, 0]:18.4f}{way[-1, 0]:12.3f}{way[-1, 1]:12.5f}")

# %% [markdown]
# The first steps differ by a factor of 16, and `"torch"` moves the quiet parameter thousands of times as far as `"sb3"` does, which is PyTorch code too. A learning rate tuned for the one says nothing about the other.
#
# ## The same numbers are not enough
#
# The frameworks have different default numbers: $\rho$ from $0.9$ to $0.99$, $\varepsilon$ from $0$ to $0.01$. So we set all numbers alike, $\rho = 0.9$ and $\varepsilon = 10^{-8}$, no momentum. The picture has a cell for each pair: the mean over both parameters of $|a - b| / \max(|a|, |b|)$ after 200 steps.

# %%
same = {"decay": 0.9, "eps": 1e-8, "momentum": False}
numbers = parting.ways(parting.family(0.01, **same), grads)
order = [name for group in parting.together(numbers) for name in group]
parting_pictures.distances({"own numbers": own, "the same numbers": numbers}, order)
print(*map(", ".join, parting.together(numbers)), sep="\n")

# %% [markdown]
# Equal numbers, and still four camps. What is left is built in:
#
# | choice | one way | the other |
# |---|---|---|
# | ν at the start | $\nu_0 = 0$ | $\nu_0 = 1$: first steps are as small as the gradients |
# | what divides | $\sqrt{E[g^2]}$ | centered: $\sqrt{E[g^2] - E[g]^2}$, less where gradients agree |
# | place of ε | $\sqrt{\nu + \varepsilon}$: felt once $g$ is about $\sqrt\varepsilon$ | $\sqrt\nu + \varepsilon$: felt once $g$ is about $\varepsilon$ |
# | place of α | $m \leftarrow \beta m + \alpha u$: the trace keeps the old rate | $m \leftarrow \beta m + u$: a new rate holds at once |
# | weight decay | coupled: $g + \lambda\theta$, divided by the root too | decoupled: $\alpha\lambda\theta$ off the parameter |
#
# Each picture shows one choice. Once seen, it is made alike for all, so that the next picture shows the next one.

# %%
import optax

first = parting.ways(parting.family(0.01, **same), grads)
same |= {"nu_init": 0.0, "centered": False}
second = parting.ways(parting.family(0.01, **same), grads)
same |= {"eps_placement": "inside"}
falls = optax.piecewise_constant_schedule(0.01, {100: 0.1})
third = parting.ways(parting.family(falls, **same | {"momentum": 0.9}), grads)
same |= {"lr_placement": "in_trace"}
fourth = parting.ways(parting.family(0.01, **same, weight_decay=0.5), grads, start=1.0)
parting_pictures.forks(first, second, third, fourth)

# %% [markdown]
# ## Which of these is yours?
#
# You have a run of timm's RMSProp, and PyTorch's own to repeat it with. `explain` runs both on gradients of the size that you name, and takes over one difference at a time. The largest is on top: the first step is 10,000 times too long. The call at the bottom takes PyTorch's row of the table and makes timm's choices one by one. We try that call, and then make *every* choice alike, for all fifteen.

# %%
from rmsprop_jax import explain, rmsprop

both = {"learning_rate": 0.01, "momentum": 0.9}
why = explain("timm", "torch", **both, gradient_scale=1e-3)
print(why)

# %%
pair = {
    "timm": rmsprop(**both, dialect="timm"),
    "torch": rmsprop(**both, dialect="torch"),
    "the call": rmsprop(0.01, dialect="torch", decay=0.9, eps=1e-10, eps_placement="inside", nu_init=1.0, momentum=0.9, lr_placement="in_trace"),
}  # fmt: skip
pair = parting.ways(pair, grads)
print({name: f"{parting.apart(way, pair['timm']):.1e}" for name, way in pair.items()})
same |= {"weight_decay": 0.5, "weight_decay_form": "decoupled"}
alike = parting.ways(parting.family(0.01, **same), grads, start=1.0)
print(len(parting.together(alike)), "camp of", len(alike))

# %% [markdown]
# ## A run of PyTorch's goes on
#
# Numbers and choices are half of it: an optimizer also has a memory. PyTorch trains a matrix to tell digits apart, for 400 steps. After 200 we take what it saved, and go on in JAX on the same batches. The wrong ways first:
#
# - **the parameters alone**, with a fresh optimizer: ν is 0 again, and the next steps are up to ten times too long, as $1/\sqrt{1-\rho}$ is 10;
# - **the memory too, but in Optax's dialect**: its trace holds $\alpha u$ where PyTorch's holds $u$, so what was saved is $1/\alpha = 333$ times too large.
#
# `interop.torch.load` reads numbers, choices and memory, and gives the transformation that goes on.

# %%
from rmsprop_jax import interop, like
from rmsprop_jax.lessons import continuing, torch_run

digits = continuing.problem()
options = {"lr": 3e-3, "momentum": 0.9}
theirs = torch_run.run(digits.gradient, digits.theta, 400, saved_after=200, **options)
memory = theirs.saved["state"][0]
print(f"{theirs.by} saved {', '.join(memory)}")

# %%
theta = theirs.path[200]
tx, state = interop.torch.load(theirs.saved, theta)
fresh, other = like("torch", **options), rmsprop(3e-3, momentum=0.9)
ways_on = {
    "interop.torch.load": (tx, state),
    "parameters alone": (fresh, fresh.init(theta)),
    "memory, in Optax's dialect": (other, state),
}
ends = continuing.paths(ways_on, theta, digits.gradient, first=200, steps=200)
continuing.picture(ends, theirs.path, digits.test_loss)

# %%
# Fifteen names: ten optimizers as they come, four with the same numbers, one with the same choices.
assert [len(parting.together(ways)) for ways in (own, numbers, alike)] == [10, 4, 1]
assert 15 < own["torch"][1, 0] / own["sb3"][1, 0] < 17
assert own["torch"][-1, 1] / own["sb3"][-1, 1] > 5_000
assert 9_000 < why.first < 11_000
assert parting.apart(pair["the call"], pair["timm"]) < 1e-4
gap = {name: abs(path[-1] - theirs.path[-1]).max() for name, path in ends.items()}
assert gap["interop.torch.load"] < 1e-4 < 1 < gap["parameters alone"]
jump = max(map(digits.test_loss, ends["parameters alone"][:40]))
assert jump > 1.2 * max(map(digits.test_loss, theirs.path[200:240]))
print(f"In the end θ is {gap['interop.torch.load']:.0e} from PyTorch's.")
