"""WAV files: any rate, PCM of 8 to 32 bits or floats, channels made into one."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.audio.features import HOP, RATE

_PCM, _FLOATS, _EXTENSIBLE = 1, 3, 0xFFFE
_FORMS = (b"RIFF", b"RF64", b"BW64")  # the last two with sizes of 64 bits
# A program that cannot go back to its header writes 0 there, or about 2 or 4 GB.
_UNKNOWN = 0x7FFF0000
# As far as floats may be beyond ±1: so much is clipped.
_LOUDEST = 2.0
# Of the loudest hundredth of a second: below it nothing is said. 0 decibels is the
# root mean square 1; the quietest of the 3 000 spoken digits has −48.
_SILENCE = -60.0
_QUIET = 0.03
_EXPECTED = "expected a WAV file of PCM or floats"


class _Format(NamedTuple):
    """What the samples are: their kind, and how many channels, a second, bits."""

    kind: int
    channels: int
    rate: int
    bits: int


def read(path: Path) -> np.ndarray:
    """The sound in a WAV file: float32 in [-1, 1], mono, of 8 kHz.

    Raises:
        ValueError: If it is no such file, damaged, or empty; names the file.
        FileNotFoundError: If there is no such file.
    """
    if path.is_dir():
        raise ValueError(f"{path}: {_EXPECTED}, it is a folder.")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file.") from None
    return decoded(data, str(path))


def decoded(data: bytes, name: str) -> np.ndarray:
    """The same from the bytes of the file.

    Args:
        data: All of it.
        name: What messages call it.

    Raises:
        ValueError: As `read`.
    """
    if data[:4] not in _FORMS or data[8:12] != b"WAVE":
        began = data[:4].decode("ascii", "replace")
        raise ValueError(f"{name}: {_EXPECTED}, it begins with {began!r}.")
    form, samples, wide = None, None, None
    at = 12
    while at + 8 <= len(data) and samples is None:
        kind, size = data[at : at + 4], _number(data, at + 4, 4)
        if kind == b"data":
            size = size if wide is None else wide
            samples = _sound(data, at + 8, size, name)
        body = data[at + 8 : at + 8 + size]
        if kind == b"fmt ":
            form = _format(body, name)
        elif kind == b"ds64":
            wide = _number(body, 8, 8)
        at += 8 + size + size % 2
    if form is None or samples is None:
        missing = "format" if form is None else "sound"
        raise ValueError(f"{name}: {_EXPECTED}, it has no {missing}.")
    whole = form.channels * form.bits // 8
    values = _values(form, samples[: len(samples) // whole * whole])
    return mono(values.reshape(-1, form.channels), form.rate, RATE, name)


def _number(data: bytes, first: int, size: int) -> int:
    return int.from_bytes(data[first : first + size], "little")


def _sound(data: bytes, first: int, size: int, name: str) -> bytes:
    """What the file says is sound; to the end, where it does not know how much."""
    found = data[first : first + size]
    complete = _number(data, 4, 4) + 8 == len(data)
    if (not size and not complete) or (len(found) < size and size >= _UNKNOWN):
        return data[first:]
    if len(found) < size:
        raise ValueError(
            f"{name}: expected {size} bytes of sound, as its header says, "
            f"found {len(found)}; it was cut off."
        )
    return found


def _format(body: bytes, name: str) -> _Format:
    kind = _number(body, 0, 2)
    if kind == _EXTENSIBLE:
        kind = _number(body, 24, 2)
    form = _Format(kind, *(_number(body, *at) for at in ((2, 2), (4, 4), (14, 2))))
    bits = {_PCM: (8, 16, 24, 32), _FLOATS: (32, 64)}.get(kind, ())
    if form.bits not in bits:
        raise ValueError(
            f"{name}: {_EXPECTED}, of 8, 16, 24 or 32 bits; found format {kind} of "
            f"{form.bits} bits. `ffmpeg -i FILE -c:a pcm_s16le OUT.wav` makes one."
        )
    if form.channels < 1 or not 1000 <= form.rate <= 400_000:
        raise ValueError(
            f"{name}: expected 1 channel or more and 1 000 to 400 000 samples a "
            f"second, found {form.channels} and {form.rate}."
        )
    return form


def mono(values: np.ndarray, found: int, rate: int, name: str) -> np.ndarray:
    """One channel of another rate: float32 in [-1, 1].

    Args:
        values: (samples, channels), in [-1, 1].
        found: Their rate.
        rate: That of what is returned.
        name: What messages call the file.

    Raises:
        ValueError: If there are none, or one is not finite or far beyond 1.
    """
    if not len(values):
        raise ValueError(f"{name}: expected sound, it has no samples.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: expected finite samples, found NaN or infinity.")
    loudest = np.abs(values).max()
    if loudest > _LOUDEST:
        raise ValueError(
            f"{name}: expected samples between -1 and 1, or {_LOUDEST:g} at the most, "
            f"found {loudest:.3g}; divide them by the largest."
        )
    sound = values.mean(axis=1)
    if found != rate:
        from scipy.signal import resample_poly  # JAX brings SciPy.

        shared = math.gcd(rate, found)
        sound = resample_poly(sound, rate // shared, found // shared)
    return np.clip(sound, -1, 1).astype(np.float32)


def _values(form: _Format, data: bytes) -> np.ndarray:
    """Every sample in [-1, 1], those of all channels in turn."""
    if form.kind == _FLOATS:
        return np.frombuffer(data, f"<f{form.bits // 8}").astype(np.float64)
    if form.bits == 8:  # The only one without a sign.
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if form.bits == 24:
        low, middle, high = np.frombuffer(data, np.uint8).reshape(-1, 3).T
        words = low.astype(np.int32) << 8
        words |= (middle.astype(np.int32) << 16) | (high.astype(np.int32) << 24)
        return words / 2**31
    return np.frombuffer(data, f"<i{form.bits // 8}") / 2.0 ** (form.bits - 1)


def speech(path: Path, expected: str, margin: int = 0) -> np.ndarray:
    """What is said in a WAV file, without the silence before and after.

    Args:
        path: The file.
        expected: What messages say that it should hold, as `a spoken digit`.
        margin: As in `trimmed`.

    Raises:
        ValueError: As `read`; and if there is only silence, or what is below −60
            decibels throughout, of which 0 are the root mean square 1.
        FileNotFoundError: If there is no such file.
    """
    wave = read(path)
    refuse_silence(wave, path, expected)
    return trimmed(wave, margin)


def refuse_silence(wave: np.ndarray, path: Path, expected: str) -> None:
    """See that something is to be heard, as `speech` has it.

    Raises:
        ValueError: If nothing is.
    """
    loudest = _loudness(wave).max()
    if loudest < 10 ** (_SILENCE / 20):
        found = f"{20 * np.log10(loudest):.1f} decibels" if loudest else "silence"
        raise ValueError(
            f"{path}: expected {expected}, something above {_SILENCE:.0f} decibels; "
            f"found {found}."
        )


def trimmed(wave: np.ndarray, margin: int = 0) -> np.ndarray:
    """Without what is quiet at its beginning and end, below 3 % of the loudest.

    Args:
        wave: float32 of (samples,).
        margin: So many quiet samples are left before and after, if there are any.
    """
    loud = _loudness(wave)
    heard = np.flatnonzero(loud >= _QUIET * loud.max())
    first, stop = heard[0] * HOP - margin, (heard[-1] + 1) * HOP + margin
    return wave[max(0, first) : stop]


def _loudness(wave: np.ndarray) -> np.ndarray:
    """Of each hundredth of a second, its root mean square about the mean of all."""
    about = wave.astype(np.float64) - wave.mean(dtype=np.float64)
    blocks = np.pad(about, (0, -len(wave) % HOP)).reshape(-1, HOP)
    return np.sqrt(np.square(blocks).mean(axis=1))
