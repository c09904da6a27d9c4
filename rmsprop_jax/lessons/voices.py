"""Six voices that say the ten digits, none of them a person's: sound out of formants.

A voice is a buzz of pitch f₀, whose harmonics the mouth lets through more or less:

    x(t) = Σₖ A(k f₀) sin(k φ(t)),   φ' = 2π f₀
    A(k f₀) = 1/k · Πᵢ 1 / |1 − (f/Fᵢ)² + j f Bᵢ/Fᵢ²|,   f = k f₀

The resonances F₁, F₂, F₃, the *formants*, make the vowel. Consonants add noise of a
band. Peterson and Barney (1952), "Control methods used in a study of the vowels", has
the formants of the vowels.
"""

from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.audio.features import RATE
from rmsprop_jax.train.data.fsdd import Recording


class _Sound(NamedTuple):
    """Formants (hertz), how loud the voice is, the noise and where, how long (s)."""

    formants: tuple[float, float, float]
    voice: float
    noise: float
    band: float
    seconds: float


class _Voice(NamedTuple):
    """Its pitch (hertz), its formants relative to the table, and how slowly it says."""

    pitch: float
    size: float
    slowness: float


def _vowel(first, second, third, seconds=0.11):
    return _Sound((first, second, third), 1.0, 0.0, 2000.0, seconds)


_SOUNDS = {
    "i": _vowel(270, 2290, 3010),
    "ɪ": _vowel(390, 1990, 2550, 0.08),
    "e": _vowel(530, 1840, 2480),
    "a": _vowel(730, 1090, 2440),
    "ʌ": _vowel(640, 1190, 2390, 0.09),
    "ɔ": _vowel(570, 840, 2410),
    "u": _vowel(300, 870, 2240),
    "w": _Sound((290, 610, 2150), 0.6, 0.0, 2000, 0.06),
    "r": _Sound((310, 1060, 1380), 0.6, 0.0, 2000, 0.06),
    "n": _Sound((250, 1400, 2300), 0.35, 0.0, 2000, 0.08),
    "v": _Sound((250, 1100, 2100), 0.3, 0.05, 2500, 0.06),
    "z": _Sound((250, 1600, 2500), 0.25, 0.2, 3500, 0.08),
    "f": _Sound((350, 1100, 2100), 0.0, 0.04, 2500, 0.09),
    "θ": _Sound((350, 1400, 2500), 0.0, 0.03, 3000, 0.08),
    "s": _Sound((350, 1600, 2500), 0.0, 0.2, 3600, 0.11),
    "k": _Sound((350, 1900, 2500), 0.0, 0.3, 1900, 0.02),
    "t": _Sound((350, 1700, 2600), 0.0, 0.3, 3300, 0.02),
    ".": _Sound((350, 1700, 2500), 0.0, 0.0, 2000, 0.05),
}
_WORDS = ("zɪrɔu", "wʌn", ".tu", "θri", "fɔr", "faiv", "sɪ.ks", "sevʌn", "ei.t", "nain")
_VOICES = {
    "bass": _Voice(95, 0.95, 1.1),
    "baritone": _Voice(115, 1.0, 1.0),
    "tenor": _Voice(140, 1.02, 0.9),
    "alto": _Voice(180, 1.12, 1.0),
    "mezzo": _Voice(205, 1.15, 1.1),
    "soprano": _Voice(235, 1.2, 0.9),
}
_WIDTHS = np.array([80.0, 100.0, 140.0])  # Bᵢ, hertz
_GLIDE = 0.03  # seconds at each end of a sound that lead to and from its neighbours


def recordings(takes: int = 12, seed: int = 0) -> list[Recording]:
    """Every digit by every voice, so many times, no two alike; by name.

    Pitch, formants and lengths differ a little from take to take. The first five takes
    are for testing, as the recordings of the Free Spoken Digit Dataset are.

    Args:
        takes: How many times.
        seed: All that is drawn comes from it.

    Example:
        >>> first = recordings(takes=1)[0]
        >>> first.name, first.digit, first.wave.dtype
        ('0_alto_0.wav', 0, dtype('float32'))
    """
    names = sorted(
        (digit, voice, take)
        for digit in range(10)
        for voice in _VOICES
        for take in range(takes)
    )
    return [
        Recording(
            f"{digit}_{voice}_{take}.wav",
            digit,
            voice,
            take,
            said(digit, voice, np.random.default_rng([seed, number])),
        )
        for number, (digit, voice, take) in enumerate(names)
    ]


def said(digit: int, voice: str, rng: np.random.Generator) -> np.ndarray:
    """The sound of a digit: float32 in [-1, 1], 8 kHz.

    Args:
        digit: Which.
        voice: Whose: bass, baritone, tenor, alto, mezzo or soprano.
        rng: All that is drawn comes from it.
    """
    sounds = [_SOUNDS[name] for name in _WORDS[digit]]
    pitch, size, slowness = (x * rng.normal(1, 0.04) for x in _VOICES[voice])
    seconds = slowness * np.array([x.seconds for x in sounds])
    seconds *= rng.normal(1, 0.12, len(sounds)).clip(0.6, 1.4)
    ends = np.cumsum(seconds)
    t = np.arange(int(RATE * ends[-1])) / RATE

    def course(values):
        # Each sound is reached and left within a glide.
        glide = np.minimum(_GLIDE, seconds / 3)
        knots = np.stack([ends - seconds + glide, ends - glide], axis=1).ravel()
        return np.interp(t, knots, np.repeat(values, 2))

    formants = np.array([course([x.formants[i] for x in sounds]) for i in range(3)])
    formants *= size * rng.normal(1, 0.02, (3, 1))
    voiced = course([x.voice for x in sounds]) * _buzz(t, pitch, formants, rng)
    band = course([x.band for x in sounds])
    noise = course([x.noise for x in sounds]) * _noise(t, band, rng)
    sound = (voiced / np.abs(voiced).max() + noise) * np.minimum(1, 60 * t)
    sound *= np.minimum(1, 60 * (t[-1] - t))
    sound += rng.normal(0, 10 ** rng.uniform(-3.5, -2.5), len(t))
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def _buzz(t, pitch, formants, rng):
    """The formula above; the pitch falls by a fifth, and trembles."""
    tremble = 0.01 * np.sin(2 * np.pi * (5 * t + rng.uniform()))
    f0 = pitch * (1.1 - 0.2 * t / t[-1] + tremble)
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    sound = np.zeros_like(t)
    for k in range(1, int(RATE / 2 / f0.max())):
        f = k * f0
        x = f / formants
        resonances = 1 / np.abs(1 - x**2 + 1j * x * _WIDTHS[:, None] / formants)
        sound += resonances.prod(axis=0) / k * np.sin(k * phase)
    return sound


def _noise(t, band, rng):
    """Noise about the frequency `band`, a kilohertz wide."""
    slow = rng.standard_normal((2, len(t)))
    window = np.hanning(16) / np.linalg.norm(np.hanning(16))
    slow = np.array([np.convolve(x, window, mode="same") for x in slow])
    phase = 2 * np.pi * np.cumsum(band) / RATE
    return slow[0] * np.cos(phase) + slow[1] * np.sin(phase)
