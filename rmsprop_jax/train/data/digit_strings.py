"""Strings of spoken digits: recordings of single ones, joined with silence between."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.audio import features
from rmsprop_jax.train.data import fsdd
from rmsprop_jax.train.data.dataset import Arrays, Dataset

FEWEST, MOST = 3, 7
LONGEST = 5.12  # seconds
FRAMES = 512
_SILENCE = (0.05, 0.25)  # seconds, before, between and after
_LEVEL = (-26.0, -18.0)  # decibels of each recording, 0 being the root mean square 1
_NOISE = (-70.0, -45.0)  # likewise, of the noise below all of it
_LOUDNESS = -25.0  # likewise, of what the model is given

# The strings are the same ones in every run, whatever its seed.
_SEED = 0
# Of each digit by each speaker there are 50 recordings: those that test strings are
# made of, those of the last training strings, and those of the others.
_TESTED, _LAST, _OTHERS = range(5), range(5, 13), range(13, 50)
_TEST, _TRAIN = 500, (3500, 700)
# So many sound at once in memory.
_TOGETHER = 500


class Recordings(NamedTuple):
    """Single digits: float32 of (samples,) between −1 and 1 each, and what was said."""

    waves: Sequence[np.ndarray]
    digits: np.ndarray


class Spoken(NamedTuple):
    """A string as it sounds.

    Attributes:
        wave: float32 of (samples,).
        digits: int32 of (MOST,), −1 after the last.
        begins: The second at which each begins, float32 of (MOST,), −1 after the last.
    """

    wave: np.ndarray
    digits: np.ndarray
    begins: np.ndarray


def spoken(recordings: Recordings, rng: np.random.Generator, rate: int) -> Spoken:
    """A string of 3 to 7 recordings, any of them, whoever speaks.

        wave = noise + Σₖ xₖ shifted to bₖ,     bₖ₊₁ = bₖ + length of xₖ + silence

    Each recording has a loudness of its own, drawn as are the silences and the noise.
    One that would last longer than `LONGEST` seconds is drawn again.

    Args:
        recordings: What to draw from.
        rng: All that is drawn comes from it.
        rate: Samples a second.

    Raises:
        ValueError: If there are no recordings, or they are so long that strings of
            them never end in time.

    Example:
        >>> hum = np.sin(np.arange(2000.0, dtype=np.float32))
        >>> recordings = Recordings([hum], np.array([8]))
        >>> spoken(recordings, np.random.default_rng(0), rate=8000).digits.tolist()
        [8, 8, 8, 8, 8, 8, 8]
    """
    count = len(recordings.waves)
    if not count:
        raise ValueError("recordings: expected some to join, there are none.")
    for _ in range(1000):
        chosen = rng.integers(count, size=rng.integers(FEWEST, MOST + 1))
        waves = [recordings.waves[i] for i in chosen]
        silences = np.rint(rate * rng.uniform(*_SILENCE, size=len(waves) + 1))
        lengths = [len(wave) for wave in waves]
        if silences.sum() + sum(lengths) <= LONGEST * rate:
            return _joined(waves, recordings.digits[chosen], silences, rng, rate)
    raise ValueError(
        f"recordings of {min(map(len, recordings.waves)) / rate:.2f} seconds and more: "
        f"expected such that strings of {FEWEST} to {MOST} last at most {LONGEST} "
        "seconds."
    )


def _joined(waves, digits, silences, rng, rate) -> Spoken:
    lengths = np.array([len(wave) for wave in waves])
    firsts = (np.cumsum(silences[:-1]) + np.cumsum(lengths) - lengths).astype(np.int64)
    total = int(silences.sum()) + lengths.sum()
    sound = _amplitude(rng.uniform(*_NOISE)) * rng.standard_normal(total, np.float32)
    for first, wave in zip(firsts, waves, strict=True):
        gain = _amplitude(rng.uniform(*_LEVEL)) / max(_loudness(wave), 1e-6)
        sound[first : first + len(wave)] += np.float32(gain) * wave
    spare = (0, MOST - len(waves))
    return Spoken(
        wave=sound,
        digits=np.pad(digits.astype(np.int32), spare, constant_values=-1),
        begins=np.pad((firsts / rate).astype(np.float32), spare, constant_values=-1),
    )


def load(data_dir: str | Path | None = None) -> Dataset:
    """4 200 strings to learn from, and 500 to test, of recordings that those have not.

    The last sixth of the training strings are of recordings of their own too: what
    `--validation` holds out has not been heard.

    Raises:
        ValueError: As `fsdd.load`.
        ConnectionError: As `fsdd.load`.
    """
    recordings = fsdd.load(data_dir)

    def strings(part: int, count: int, indices: Container[int]) -> Arrays:
        chosen = [one for one in recordings if one.index in indices]
        drawn = Recordings(
            [one.wave for one in chosen], np.array([one.digit for one in chosen])
        )
        return examples(drawn, count, np.random.default_rng([_SEED, part]))

    others, last = strings(0, _TRAIN[0], _OTHERS), strings(1, _TRAIN[1], _LAST)
    return Dataset(
        train={k: np.concatenate([others[k], last[k]]) for k in last},
        test=strings(2, _TEST, _TESTED),
    )


def examples(recordings: Recordings, count: int, rng: np.random.Generator) -> Arrays:
    """Strings as arrays, of `features.RATE`.

    Args:
        recordings: What to draw from.
        count: How many strings.
        rng: All that is drawn comes from it.

    Returns:
        `frames` and `length` as `features_of` has them, `digits` and `begins` as
        `Spoken` has them.
    """
    parts = []
    for first in range(0, count, _TOGETHER):
        number = min(_TOGETHER, count - first)
        some = [spoken(recordings, rng, features.RATE) for _ in range(number)]
        frames, length = features_of([one.wave for one in some], FRAMES)
        parts.append(
            {
                "frames": frames,
                "length": length,
                "digits": np.stack([one.digits for one in some]),
                "begins": np.stack([one.begins for one in some]),
            }
        )
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}


def features_of(waves: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, ...]:
    """Features of sounds that are made equally loud: see `features.of_recordings`."""
    gains = [_amplitude(_LOUDNESS) / max(_loudness(wave), 1e-6) for wave in waves]
    equal = [gain * wave for gain, wave in zip(gains, waves, strict=True)]
    return features.of_recordings(equal, count)


def _loudness(wave: np.ndarray) -> np.float32:
    """The root mean square."""
    return np.float32(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


def _amplitude(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))
