"""Log-mel features: how much of each band of pitches is heard, 100 times a second.

x_t ← x_t − 0.97 x_{t−1}
P = |FFT(hann · window)|²
y = log(10⁻⁶ + M P),    M: triangles, evenly apart in 2595 log₁₀(1 + f/700)
frame = (y − mean(y)) / √(variance(y) + 10⁻²),    over all bands of the true frames
"""

from collections.abc import Sequence as Listed
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Filterbank(NamedTuple):
    """What sound is cut into.

    Attributes:
        rate: Samples a second.
        window: Samples of a frame.
        hop: Samples from one frame to the next.
        bands: How many.
        fft: Samples that are transformed, the window's and zeros.
        lowest: Where the first band begins, in Hz.
        highest: Where the last one ends.
    """

    rate: int
    window: int
    hop: int
    bands: int
    fft: int
    lowest: float
    highest: float


# Windows of 25 ms each 10 ms: of a telephone's sound, and of all that speech is.
NARROW = Filterbank(8000, 200, 80, 40, 256, 60.0, 4000.0)
WIDE = Filterbank(16_000, 400, 160, 80, 1024, 60.0, 8000.0)
RATE, WINDOW, HOP, BANDS = NARROW[:4]
_EMPHASIS = 0.97
# Silence: about ten times the rounding of 16 bits.
_FLOOR = 1e-6
# Where nothing happens, it stays quiet.
_LEAST_VARIANCE = 1e-2
# So many recordings are transformed at once.
_TOGETHER = 128


def frames_of(samples: int, bank: Filterbank = NARROW) -> int:
    """How many frames so many samples have: whole windows, and at least one.

    Example:
        >>> frames_of(100), frames_of(200), frames_of(280)
        (1, 1, 2)
    """
    return 1 + max(0, samples - bank.window) // bank.hop


def log_mel(
    waves: jax.Array, samples: jax.Array, bank: Filterbank = NARROW
) -> tuple[jax.Array, jax.Array]:
    """The features of a batch, (batch, frames, bands), and how many frames are true.

    Frames past the end are 0. For use inside `jit`.

    Args:
        waves: (batch, samples), float32 in [-1, 1], of the bank's rate; 0 past the end.
        samples: (batch,), int32: how many are true.
        bank: Rate, windows and bands.
    """
    most = waves.shape[1]
    count = frames_of(most, bank)
    before = jnp.pad(waves[:, :-1], ((0, 0), (1, 0)))
    emphasised = waves - _EMPHASIS * before
    # The last true sample has an echo in the one after it.
    true = jnp.arange(most, dtype=jnp.int32)[None, :] < samples[:, None]
    emphasised = jnp.where(true, emphasised, 0.0)
    emphasised = jnp.pad(emphasised, ((0, 0), (0, max(0, bank.window - most))))
    places = bank.hop * np.arange(count)[:, None] + np.arange(bank.window)[None, :]
    windows = emphasised[:, places] * jnp.asarray(_hann(bank.window)).reshape(1, 1, -1)
    power = jnp.square(jnp.abs(jnp.fft.rfft(windows, bank.fft)))
    heard = jnp.log(_FLOOR + power @ jnp.asarray(mel_filters(bank).T))
    length = 1 + jnp.maximum(0, samples - bank.window) // bank.hop
    return _normalised(heard, length), length


def _normalised(heard: jax.Array, length: jax.Array) -> jax.Array:
    """Of mean 0 and deviation 1 over all bands of the true frames; others 0.

    Not each band by itself: in a word of one vowel, its mean is the vowel.
    """
    batch, count, bands = heard.shape
    true = (jnp.arange(count, dtype=jnp.int32)[None, :] < length[:, None])[..., None]
    number = (bands * length).astype(heard.dtype).reshape(batch, 1, 1)
    mean = jnp.where(true, heard, 0.0).sum(axis=(1, 2), keepdims=True) / number
    apart = jnp.where(true, heard - mean, 0.0)
    variance = jnp.square(apart).sum(axis=(1, 2), keepdims=True) / number
    return apart / jnp.sqrt(variance + _LEAST_VARIANCE)


def of_recordings(waves: Listed[np.ndarray], count: int) -> tuple[np.ndarray, ...]:
    """The features of recordings, float16 of (n, count, 40), and int32 lengths.

    Args:
        waves: float32 in [-1, 1], of 8 kHz, each as long as it is.
        count: Frames; what a recording has beyond them is left out.
    """
    samples = WINDOW + HOP * (count - 1)
    frames = np.zeros((len(waves), count, BANDS), np.float16)
    length = np.zeros(len(waves), np.int32)
    for first in range(0, len(waves), _TOGETHER):
        part = waves[first : first + _TOGETHER]
        # Of one shape, for one compilation.
        batch = np.zeros((_TOGETHER, samples), np.float32)
        sizes = np.ones(_TOGETHER, np.int32)
        for row, wave in enumerate(part):
            sizes[row] = min(len(wave), samples)
            batch[row, : sizes[row]] = wave[:samples]
        found = jax.device_get(_log_mel(batch, sizes))
        frames[first : first + len(part)] = found[0][: len(part)]
        length[first : first + len(part)] = found[1][: len(part)]
    return frames, length


@cache
def mel_filters(bank: Filterbank = NARROW) -> np.ndarray:
    """Triangles of height 1, (bands, frequencies), float32."""
    first, last = (2595 * np.log10(1 + f / 700) for f in (bank.lowest, bank.highest))
    corners = 700 * (10 ** (np.linspace(first, last, bank.bands + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(bank.fft, 1 / bank.rate)[None, :]
    left, top, right = (corners[i : bank.bands + i, None] for i in range(3))
    rising = (frequencies - left) / (top - left)
    falling = (right - frequencies) / (right - top)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


@cache
def _hann(window: int) -> np.ndarray:
    phase = 2 * np.pi * np.arange(window) / window
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


_log_mel = jax.jit(log_mel)
