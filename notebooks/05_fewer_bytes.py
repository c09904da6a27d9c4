# %% [markdown]
# # A quarter of the bytes, the same loss
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/rmsprop-jax/rmsprop-jax/blob/main/notebooks/05_fewer_bytes.ipynb)
#
# RMSProp remembers a number for each parameter, with momentum two. In float32 that is as much memory as the parameters, or twice as much. Here these numbers rest in two bytes or in one. The obvious ways freeze or diverge. We see why, and what has to be done so that the loss does not notice.

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
# ## Where the bytes are
#
# The matrices of GPT-2: 124 million parameters, half a gigabyte in float32. Nothing is computed here; `eval_shape` asks what the state *would* be. Bytes are per parameter, scales included.

# %%
from rmsprop_jax import rmsprop
from rmsprop_jax.lessons import quantising

gpt2 = quantising.gpt2()
print(f"{sum(x.size for x in gpt2) / 1e6:.1f} million parameters")
for dtype in ("float32", "bfloat16", "int8"):
    sides = [rmsprop(1e-3, momentum=m, state_dtype=dtype) for m in (False, 0.9)]
    plain, traced = (quantising.bytes_per_parameter(tx, gpt2) for tx in sides)
    print(f"{dtype:10} ν {plain:.2f} bytes    ν and trace {traced:.2f} bytes")

# %% [markdown]
# ## bfloat16: rounding to nearest freezes
#
# bfloat16 has eight binary digits: from 0.25 the next number is 0.252. Write the average as a small correction,
#
# $$\nu \leftarrow \nu + (1-\rho)\,(g^2 - \nu)$$
#
# and with $\rho = 0.999$ the correction is a thousandth. Where it is less than half the way to the next number, rounding to nearest takes it back, in every step. So we round up or down **at random**, up the more often the nearer the number above is: then the mean of many steps is right.
#
# One parameter, gradients of 1 and later of 0.2, three ways to keep ν:

# %%
import numpy as np

from rmsprop_jax.lessons import quantising_pictures

grads = np.repeat([1.0, 0.2], 4000)
exact = rmsprop(1e-3, decay=0.999)
two_bytes = rmsprop(1e-3, decay=0.999, state_dtype="bfloat16", state_dtype_min_size=0)
naive = quantising.rounded_at_rest(exact, quantising.nearest_bfloat16)
ways = {"float32": exact, "bfloat16, at random": two_bytes, "to nearest": naive}
nu = {name: quantising.second_moment(tx, grads) for name, tx in ways.items()}
quantising_pictures.frozen(nu, grads)
print({name: f"{way[3999]:.3f}, {way[-1]:.3f}" for name, way in nu.items()})

# %% [markdown]
# Rounded to nearest, ν stops at exactly 0.25 and stays there, whatever the gradient: steps are twice as long as they should be. `state_dtype="bfloat16"` rounds at random.
#
# ## Eight bits: equal steps lose the small ones
#
# One byte has 256 values. The usual quantisation lays them out evenly, from 0 to the largest ν of the array:
#
# $$\text{code} = \operatorname{round}\left(255\,\frac{\nu}{\max\nu}\right)$$
#
# Here are the ν that a small network has after it learned digits, and the numbers that there are for them.

# %%
from rmsprop_jax import convert_state
from rmsprop_jax.lessons import few_bits

same = {"learning_rate": 1e-3, "dialect": "torch", "decay": 0.999}
wide, int8 = rmsprop(**same), rmsprop(**same, state_dtype="int8")
one = few_bits.training(wide)(0)
back = convert_state(convert_state(one.state, int8, one.params), wide, one.params)
held = one.state.nu["hidden"]
stored = {"equal steps": quantising.equal_steps(held), "int8": back.nu["hidden"]}
quantising_pictures.levels(held, stored)

# %% [markdown]
# The gradients of one layer differ by orders of magnitude, and ν is their square. Three in ten lie below the first of the equal steps. Such a ν becomes 0, and 0 is the worst it could become: RMSProp *divides* by its root.
#
# $$\theta \leftarrow \theta - \alpha\,\frac{g}{\sqrt{0} + 10^{-8}}$$

# %%
naive = quantising.rounded_before_use(wide, quantising.equal_steps)
diverged = few_bits.training(naive)(0).losses
print("loss of the first steps:", *(f"{loss:.3g}" for loss in diverged[:4]))

# %% [markdown]
# ## What it takes
#
# - **Divide by the fresh ν, round only what rests.** Then a ν that was forgotten is $(1-\rho)\,g^2$ again, and the step $1/\sqrt{1-\rho} \approx 32$ times $\alpha$. That is *equal steps* below: it no longer diverges, but parameters with small gradients move up to 32 times too far.
# - **Numbers that are dense where ν is small.** int8 here is a floating-point number of few digits: eight numbers to an octave, in a window of 29 octaves below the largest ν of each row. None is rounded to 0.
# - **Round at random**, for the reason above.

# %%
two_bytes = rmsprop(**same, state_dtype="bfloat16")
equal = quantising.rounded_at_rest(wide, quantising.equal_steps)
sides = {"float32": wide, "bfloat16": two_bytes, "int8": int8, "equal steps": equal}
runs = {name: [*map(few_bits.training(tx), range(3))] for name, tx in sides.items()}
quantising_pictures.curves(runs)
ends = {name: [r.test_losses[-30:].mean() for r in runs[name]] for name in runs}
for name, losses in ends.items():
    print(f"{name:12} test loss", *(f"{loss:.3f}" for loss in losses))

# %% [markdown]
# Three of the four lines are one. Equal steps fit the training digits faster, for the steps are too long, and do worse on those of other writers.
#
# The small matrix and the bias, fewer than 4,096 numbers, stayed in float32: `state_dtype_min_size` says from where on it is worth it. `convert_state` takes a run from one precision to another, as we did above. On a GPU or TPU fewer bytes are also less to move; on a CPU they save memory and cost time.

# %%
assert nu["to nearest"][3999] == nu["to nearest"][-1] == 0.25
assert np.abs(nu["bfloat16, at random"] / nu["float32"] - 1)[100:].max() < 0.05
lost = {name: np.mean(np.asarray(x)[held > 0] == 0) for name, x in stored.items()}
assert 0.25 < lost["equal steps"] < 0.35
assert lost["int8"] == 0
assert not diverged[-1] < 1e4
loss = {name: np.mean(losses) for name, losses in ends.items()}
assert max(abs(loss[x] / loss["float32"] - 1) for x in ("bfloat16", "int8")) < 0.05
assert loss["equal steps"] > 1.5 * loss["float32"]
assert plain < 1.01
