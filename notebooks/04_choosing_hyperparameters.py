# %% [markdown]
# # Choosing hyperparameters: the learning rate first
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/rmsprop-jax/rmsprop-jax/blob/main/notebooks/04_choosing_hyperparameters.ipynb)
#
# A small training on 1,197 handwritten digits, and the question that comes before every training: which numbers? We guess, test, sweep, halve and differentiate, each at first as one should not. In the end we see what each number was worth, on digits that no choice has looked at.

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
# ## Tenfold, not ten more
#
# `training_run` makes a function of the hyperparameters out of a loss, parameters and batches. `sweep` calls it for many of them, and compiles it once. It ends with the loss on 240 digits held out: that is what we choose by.
#
# Of the learning rate we know that it is between 0 and 1. So we try ten, evenly: 0.1, 0.2, … Then we take equal *ratios*, since a step is too long or too short by a factor:
#
# $$\alpha_k = 10^{k/4}, \qquad k = -16, \dots, -2$$

# %%
from functools import partial

import rmsprop_jax as rj
from rmsprop_jax.lessons import choosing, choosing_pictures

loss, params, batches, validation = choosing.problem()
keras = {"make": partial(rj.rmsprop, dialect="keras"), "steps": 324}
run = rj.training_run(loss, params, batches, validation=validation, **keras)
rates = [10 ** (k / 4) for k in range(-16, -1)]
evenly = rj.sweep(run, {"learning_rate": [k / 10 for k in range(1, 11)]})
ratios = rj.sweep(run, {"learning_rate": rates})
print(f"evenly: {choosing.losses(evenly)}\nratios: {choosing.losses(ratios)}")

# %% [markdown]
# The even ones are ten times nearly the same: all lie in the last decade. The good rates are in another.
#
# ## One short run tells where
#
# A *range test* is cheaper: one run, whose learning rate grows at every step from 10⁻⁴ to 1, each step on another batch. Its loss falls, and rises again. The obvious reading is to take the rate at which it was lowest (▼). `range_test` suggests something else: from where the loss has made a tenth of its fall to where it has made nine tenths.

# %%
found = rj.range_test(loss, params, batches, low=1e-4, **keras)
choosing_pictures.ranges(found, ratios)
print(f"suggested: {found.low:.2g} to {found.high:.2g}")

# %% [markdown]
# The fall lags behind the rate. Where the loss was lowest, earlier and smaller steps had done the work, and a run that makes *all* its steps at that rate ends worse. In the shaded range whole runs end best.
#
# ## Two numbers at once
#
# The decay $\rho$ says how long $\nu$ remembers: about $1 / (1 - \rho)$ steps, so the rows below stand for 1, 2, 10, 100 and 1,000. Tuning one number after the other would miss a valley that lies askew. So we try all pairs, three seeds each, still one compilation.

# %%
space = {"learning_rate": rates, "decay": [0.0, 0.5, 0.9, 0.99, 0.999]}
pairs = rj.sweep(run, space, seeds=3)
default = {"learning_rate": 1e-3, "decay": 0.9}  # Keras' own
alone = choosing.best_with(pairs, decay=0.9)
both = pairs.best().hyperparameters
choosing_pictures.heat(pairs, {"default": default, "α alone": alone, "both": both})
worth = [choosing.value_at(pairs, at) for at in (default, alone, both)]
print("default {:.3f}, α alone {:.3f}, both {:.3f}".format(*worth))

# %% [markdown]
# The valley is askew: a longer memory wants a smaller rate. But it is wide along $\rho$ and narrow along $\alpha$. Of the way from the default to the best pair, nearly all is made by moving sideways alone.
#
# ## Less luck, fewer steps
#
# Lists can miss what lies between. So we draw 27 pairs, evenly by decades ($1 - \rho$ by decades too), and train each once. The best is best by 240 digits and *one* seed. At high rates a run may end anywhere, and the best of many is the luckiest of them.
#
# *Halving* spends the steps otherwise: every pair gets three seeds, and only 12 steps. The best third of the pairs goes on to 36, a third of those to 108, and one to the end.

# %%
space = {
    "learning_rate": rj.log_uniform(1e-4, 0.3),
    "decay": rj.log_uniform(0.5, 0.999, below=1),
}
once = rj.sweep(run, space, points=27)
halved = rj.halving(run, space, points=27, min_steps=12, seeds=3)
choosing_pictures.courses({"each once": once, "halving, three seeds": halved})
print(f"each once: {27 * 324} steps, {choosing.chosen(once)}")
print(f"halving: {choosing.steps_of(halved)} steps, {choosing.chosen(halved)}")

# %% [markdown]
# A third of the steps, and what is best in truth will show below.
#
# ## Downhill
#
# A training is a function of its numbers, and can be differentiated, $\partial\,\text{loss} / \partial\alpha$, through all 324 steps. `hypergradient` does that. At too high a rate every step amplifies what the step before did, and the derivative is a product of hundreds of such factors: exact, and of no use. On the side of the small rates, though, it is a slope like any other, and `tune` walks down on it, in $\log \alpha$ and $\log \rho / (1 - \rho)$.

# %%
slopes = []
for rate in (1e-3, 0.1):
    at = {"learning_rate": rate, "decay": 0.9}
    value, slope = rj.hypergradient(run, at, direction="forward")
    slopes.append((rate, float(value), float(slope["learning_rate"])))
    print("α = {:g}: loss {:.2f}, ∂ loss / ∂α = {:.0e}".format(*slopes[-1]))
start = {"learning_rate": 1e-4, "decay": 0.9}
tuned = rj.tune(run, start, rounds=25, rate=0.4, direction="forward")
choosing_pictures.descents(pairs, slopes, {"tune": tuned})

# %%
# What each choice is worth: ten new seeds, and 360 digits that nothing was chosen by.
choices = {"default": default, "α alone": alone, "both": both}
choices |= {"each once": once.best().hyperparameters}
choices |= {"halving": halved.best().hyperparameters, "tune": tuned.hyperparameters}
errors = choosing.judged(run, choices, range(100, 110))
for name, error in errors.items():
    worst = f"{error.mean():5.1f} % wrong, {error.max():5.1f} % by the worst seed"
    print(f"{name:10} {worst}   {choosing.written(choices[name])}")

# %% [markdown]
# ## What to do
#
# 1. **The learning rate first.** Alone it makes nearly all of the difference to the default. Try it by ratios, over decades; a range test says which.
# 2. **Then the decay**, by decades of $1 - \rho$, with the learning rate again: they go together. It is worth little more here.
# 3. **More than one seed**, above all at high rates, and for whatever won. What won by one seed may be luck.
# 4. **Halving** where trainings are long. Its first rung must be long enough to tell: with ν₀ = 1, as in `"tf1"`, early steps are small, and a short rung favours rates that are too large.
# 5. **Hypergradients** to refine, from the side of the small rates.
#
# That is one small problem and one dialect. The README measures it, under *Which values?*, for four dialects, three models, and ε too, and says what is not covered.

# %%
mean = {name: error.mean() for name, error in errors.items()}
won, most = (mean["default"] - x for x in (mean["α alone"], min(mean.values())))
assert won > 0.7 * most
assert evenly.best().value > 1.5 * ratios.best().value
assert found.low < alone["learning_rate"] < found.high
assert choosing.steps_of(halved) * 3 == 27 * 324
assert mean["halving"] < mean["default"] - 2
assert not abs(slopes[1][2]) < 1000 * abs(slopes[0][2])
assert tuned.value < 0.5 * tuned.path[0]["value"]
print(f"Of {most:.1f} points that choosing wins, the rate alone wins {won:.1f}.")
