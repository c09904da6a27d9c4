# %% [markdown]
# # Spoken digits: from sound to what was said
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/rmsprop-jax/rmsprop-jax/blob/main/notebooks/06_speech.ipynb)
#
# Recurrent networks such as the LSTM (*long short-term memory*) are where RMSProp is at home. Here one learns to hear digits, then whole strings of them, though nobody tells it where in the sound they are. Two things go wrong on the way: an optimizer that cannot forget, and an answer that is read one step at a time.

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
# ## Hear
#
# Six voices say the ten digits. They are no people: a buzz whose harmonics pass three resonances, the *formants*, and some noise for the consonants (`rmsprop_jax/lessons/voices.py`). So nothing needs to be downloaded. With `REAL = True` they are six people, of the Free Spoken Digit Dataset. Then the training below is larger and takes minutes. The last cell holds for both.
#
# First a seven. Then a string: single digits of any voice, joined, each as loud as it happens to be.

# %%
from IPython.display import Audio, display

from rmsprop_jax.lessons import hearing, voices
from rmsprop_jax.train.audio.features import RATE
from rmsprop_jax.train.data import fsdd

REAL = False  # True: recordings of people
recordings = fsdd.load() if REAL else voices.recordings()
seven = next(one for one in recordings if one.digit == 7)
string = hearing.string(recordings, seed=58)
display(Audio(seven.wave, rate=RATE), Audio(string.wave, rate=RATE))
print(f"{seven.name}, and {hearing.text(string.digits)}")

# %% [markdown]
# ## See
#
# An ear hears *how much of which pitch*, not the pressure of the air. So does the model: the power of the Fourier transform in short windows, summed in bands that are narrow for low pitches and wide for high ones, then the logarithm. A hundred times a second,
#
# $$y = \log\left(10^{-6} + M\,\left|\mathrm{FFT}(w \cdot x)\right|^2\right)$$
#
# and over the whole recording, mean 0 and deviation 1. A seven begins with a hiss, high above; then come vowels, dark where their formants are. `rmsprop-jax train --task spoken-digits` masks random stretches of time and bands in training, sets them to the mean, so that the model cannot lean on a single one.

# %%
from rmsprop_jax.lessons import speech_pictures
from rmsprop_jax.train.audio import features

frames, length = features.of_recordings([seven.wave], count=128)
frames = frames[0, : length[0]]
speech_pictures.seen(seven.wave, frames)

# %% [markdown]
# ## One bad gradient
#
# The gradient of a recurrent network goes back through every step of time, and is multiplied at each. Now and then the product explodes. RMSProp should not mind: it divides by $\sqrt\nu$, and a step of $\alpha\,g/\sqrt{(1-\rho)\,g^2}$ is at most $\alpha/\sqrt{1-\rho}$, however large $g$ is. So it needs no clipping, one might think.
#
# We do not wait for an explosion. An LSTM learns which digit is said, and at step 20 we multiply its gradient by 1,000.

# %%
import optax

from rmsprop_jax import rmsprop
from rmsprop_jax.lessons import bad_batch
from rmsprop_jax.train.tasks import spoken

data = spoken.arrays([one for one in recordings if not one.tested])
learn, tx = bad_batch.training(data, steps=200, at=20), rmsprop(1e-3, dialect="torch")
courses = {"RMSProp": learn(tx), "RMSProp, clipped": learn(tx, clip=1.0)}
courses["plain gradient descent"] = learn(optax.sgd(0.5))
speech_pictures.remembered(courses, at=20)
print(f"{bad_batch.recovery(1000, decay=0.99):.0f} steps")

# %% [markdown]
# Plain gradient descent is thrown far away, and comes back: it has no memory. RMSProp is pushed back only a little, but it *remembers*. The accident has put $(1-\rho)\,K^2$ times the usual into ν, with $\rho = 0.99$ and $K = 1000$ ten thousand times. Every step is now about a hundred times too short. ν loses a hundredth a step, and if gradients stay as they are, it needs
#
# $$n = \frac{\log\left((1-\rho)\,K^2\right)}{-\log\rho} = 916$$
#
# of them to forget. What clipping protects is not the step but ν.
#
# The trainer clips the gradients of recurrent models to a norm of 1.
#
# ## Strings
#
# In a string nobody says where the digits are. So the model gives, for each step of 0.08 seconds, shares for ten digits and for *blank*. A path takes one of them at each step; to read it, merge repetitions and drop blanks. The share of a text is a sum over all the paths that read as it, and CTC, *connectionist temporal classification* (Graves et al., 2006), makes that of the right text large; the loss is $-\log p(\text{text})$ for each digit of it:
#
# $$p(\text{text}) = \sum_{\text{paths}} \prod_t p_t(\text{path}_t)$$

# %%
from rmsprop_jax.train import Config, Learning

count, small = 512, {"epochs": 10, "hidden": 64, "batch_size": 16}
if REAL:
    count, small = 4200, {}  # the trainer's own options, and as many strings
task = hearing.strings(recordings, count)
epochs = hearing.trained(task, Config(Learning("digit-strings", **small)))
test = task.load(None).test
speech_pictures.learned(epochs, test)

# %% [markdown]
# At first the model learns to say nothing: blank is right most of the time. Then it dares, and at last each digit is one or two steps, and sure. Past the end of a string it gives blank for certain, so a short one in a batch of long ones costs nothing.
#
# ## Transcribe
#
# The obvious way to read its shares is step by step: take the likeliest of each step. That is the best *path*. But a text has many paths. A digit that might begin at any of five steps has a fifth of the share at each of them, and blank wins them all. A *beam search* adds up the paths: it keeps the eight likeliest beginnings of a text, and grows them step by step. Below, three strings: as they were said, by the best path, by the beam.

# %%
half, last = epochs[speech_pictures.nearest(epochs, 0.5)], epochs[-1]
found = {}
for name, epoch in {"half-way": half, "at the end": last}.items():
    ways = hearing.by_best_path(epoch.outputs), hearing.by_beam(epoch.outputs, 8)
    found[name] = [hearing.error(way, test["digits"]) for way in ways]
    print("{:10} best path {:6.1%} wrong, beam {:6.1%}".format(name, *found[name]))
    for said, *heard in list(zip(test["digits"], *ways, strict=True))[:3]:
        print(f"{hearing.text(said):>9}:", *map(hearing.text, heard), sep="   ")

# %% [markdown]
# Half-way through the training, the model already knew far more than its best paths said. At the end it is sure, and both read the same. For a model that is not sure, on noise or on strangers, the sum is what counts: `rmsprop-jax predict RUN FILE --beam 8`.
#
# And *when* did it hear what? Nobody told it, and yet each digit comes after its beginning, before the next: the line below says after how much of the time between the two, for the earliest, the middle and the latest, outliers aside. Mostly much of the digit is over by then. This network reads forwards, and cannot know before.

# %%
import tempfile
from pathlib import Path

import numpy as np
from IPython.display import Image

heard, folder = hearing.by_best_path(last.outputs), Path(tempfile.mkdtemp())
delays = np.quantile(hearing.delays(heard, test), [0.02, 0.5, 0.98])
print("heard after {:.0%}, {:.0%}, {:.0%} of the time to the next".format(*delays))
task.draw(folder, test, heard, hearing.confidence(last.outputs))
Image(folder / "alignments.png", width=756)

# %%
assert frames[:5, 30:].mean() > frames[:5, :20].mean() + 1
plain, clipped, descent = courses.values()
assert descent.losses[21:].max() > 5 > 3 > plain.losses[21:].max()
kept, kept_by_clipping = (x.rates[21] / x.rates[19] for x in (plain, clipped))
assert 1 / 300 < kept < 1 / 30 < 1 / 3 < kept_by_clipping
assert plain.losses[-20:].mean() > 4 * clipped.losses[-20:].mean()
assert hearing.past_the_end(last.outputs, test) == 0
assert ((delays > [0, 0.35, 0.35]) & (delays < 1)).all()
assert found["half-way"][0] > 1.2 * found["half-way"][1]
assert max(found["at the end"]) < 0.05
