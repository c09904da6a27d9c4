# %% [markdown]
# # MNIST on a TPU, a GPU or a CPU: the same run
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/rmsprop-jax/rmsprop-jax/blob/main/notebooks/03_mnist_on_tpu.ipynb)
#
# A trainer should not mind what it runs on. This one takes all the devices it finds, splits each batch over them, and keeps the run in a folder. Here it trains, we look at what it learned, and time it, wrongly at first. Then we put it to the test: the same run on another number of devices, and the same run stopped half-way. What it computes has to stay the same.

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
# ## What is here
#
# The devices form a *mesh*: a row with one axis, `"data"`. Each device has a copy of the weights and works on its share of the batch. The gradient is the mean over the whole batch, so the devices exchange their sums once a step:
#
# $$g = \frac1B \sum_{d} \sum_{i \in \text{share } d} \nabla \ell_i(\theta)$$
#
# Batch size, learning rate and formula do not know how many devices there are.

# %%
import tempfile
from pathlib import Path

import jax

from rmsprop_jax.train import Running, devices

backend, mesh = jax.default_backend(), devices.mesh(Running(), batch_size=64)
assert backend in ("cpu", "gpu", "tpu")
SMALL = backend == "cpu"
share = 64 // mesh.size
print(f"{backend}, a mesh of {mesh.size}: {share} of the 64 images of a batch on each")

# %% [markdown]
# ## Train
#
# A run is a `Config`, and `train` makes it. The data are MNIST if it is here or can be downloaded, and otherwise the 1,797 small digits that come with scikit-learn. In the run's folder stay its options, rows of numbers and checkpoints; the pictures below are made of these. The images are those about which the model was surest, and wrong.

# %%
from rmsprop_jax.train import Config, Learning, Optimizer, Schedule, train
from rmsprop_jax.train.data.choice import auto

# In float32 throughout, on a TPU too, for we are going to compare digits.
jax.config.update("jax_default_matmul_precision", "highest")
runs, hidden, task = Path(tempfile.mkdtemp()), 100 if SMALL else 512, auto().task
epochs, rows = (8, 11) if task == "digits" else (2, 60)
learning = Learning(task, model="mlp", hidden=hidden, epochs=epochs, batch_size=64)
rmsprop = Optimizer(dialect="torch", momentum=0.9, learning_rate=1e-3)
kept = Running(runs / "whole", log_every=rows, pictures=False)
whole = train(config := Config(learning, rmsprop, Schedule("constant"), kept))

# %%
from time import perf_counter as clock

from rmsprop_jax.lessons import running, running_pictures
from rmsprop_jax.train import config as options

running_pictures.learned(runs / "whole")

# %% [markdown]
# ## How fast?
#
# The obvious way to time an epoch, the clock before and the clock after, has two faults. The first call waits for the compiler. And every other call returns *before* the work is done: JAX gives orders to the device, and hands back arrays that are still being computed. A clock that does not wait measures how fast one can give orders. `block_until_ready` waits.

# %%
training, took = running.again(runs / "whole"), {}
state, n = training.start(), training.pace.steps_per_epoch
for epoch, what in enumerate(["the first", *["not waited for", "waited for"] * 5]):
    jax.block_until_ready(state)
    begun = clock()
    state = training.advance(state, epoch * n, epoch * n + n)
    if what != "not waited for":
        jax.block_until_ready(state)
    took[what] = min(clock() - begun, took.get(what, 1e9))
print(running.speeds(took, 64 * n))

# %% [markdown]
# Only the last line is a speed. (An epoch is one call here: the steps are a loop on the device. A call for every step would give a TPU more to wait for than to do.)
#
# ## On other devices
#
# A CPU can pretend to be several devices, and so a mesh can be tried without having one. We make the same run in a fresh process: on eight pretended devices if there is one here, on one if there are several. Is it the same to the last bit?

# %%
count = 8 if mesh.size == 1 else 1
other = running.elsewhere(config, runs / "elsewhere", devices=count)
for run in (whole, other):
    print(
        f"{run['devices']:8} {run['sha256']['params'][:16]} {run['test/accuracy']:.4f}"
    )
here, there = running.losses(runs / "whole"), running.losses(runs / "elsewhere")
apart = [abs(here[step] - there[step]) / here[step] for step in here]
print(f"the losses differ by {apart[0]:.0e} at first and {max(apart):.0e} at most")

# %% [markdown]
# It is not, and that is no mistake. Eight partial sums are added up in another order than one long sum, and float32 rounds in each. So the fingerprints of the weights have nothing in common, and the losses differ in their last digits. Every step makes the difference a little larger: after thousands of steps two such runs are two runs, one as good as the other. Across devices, compare early, or compare what comes out, and with a tolerance.
#
# ## Stopped, and gone on with
#
# On *the same* devices there is no such excuse. We stop a second run half-way, as Ctrl-C would, and go on with it in two ways. The first is what one writes by hand: load the weights, train on. The second is `resume=True`.

# %%
second = options.replace(config, run=runs / "stopped", quiet=True)
stop = running.stopped(second, after=whole["steps"] // 2 + 1)
by_hand = running.weights_only(runs / "stopped")
resumed = train(options.replace(second, resume=True))
ways = {"weights only": by_hand, "resumed": running.losses(runs / "stopped")}
print(f"stopped after step {stop} of {whole['steps']}")
running_pictures.compared(here, there, ways, stop)

# %% [markdown]
# By hand the loss jumps. The weights are only a part of a run: $\nu$ starts again from 0, so the first step divides by $\sqrt{(1-\rho)\,g^2}$, and with $\rho = 0.99$ every weight moves ten times the learning rate. The resumed run has $\nu$, the trace, the step and the place in the order of the data. It lies on the run that was never stopped, and not nearly: its distance is 0.

# %%
assert whole["devices"] == devices.description(mesh)
assert whole["sha256"] != other["sha256"]
assert apart[0] < 1e-4
assert abs(whole["test/accuracy"] - other["test/accuracy"]) < 0.03
assert max(by_hand[step] / here[step] for step in by_hand) > 2
assert ways["resumed"] == here
assert resumed["sha256"] == whole["sha256"]
print("The same run: on other devices up to rounding, after a stop to the last bit.")
