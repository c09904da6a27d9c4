"""WAV files: any rate, PCM of 8 to 32 bits or floats, channels made into one."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rmsprop_jax.train.audio.features import HOP, RATE

_PCM, _FLOATS, _EXTENSIBLE = 1, 3, 0xFFFE
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
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        began = data[:4].decode("ascii", "replace")
        raise ValueError(f"{name}: {_EXPECTED}, it begins with {began!r}.")
    form, samples = None, None
    at = 12
    while at + 8 <= len(data) and samples is None:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if data[at : at + 4] == b"fmt ":
            form = _format(body, name)
        elif data[at : at + 4] == b"data":
            if len(body) < size:
                raise ValueError(
                    f"{name}: expected {size} bytes of sound, as its header says, "
                    f"found {len(body)}; it was cut off."
                )
            samples = body
        at += 8 + size + size % 2
    if form is None or samples is None:
        missing = "format" if form is None else "sound"
        raise ValueError(f"{name}: {_EXPECTED}, it has no {missing}.")
    return _mono(form, samples, name)


def _format(body: bytes, name: str) -> _Format:
    def number(first: int, size: int) -> int:
        return int.from_bytes(body[first : first + size], "little")

    kind = number(0, 2)
    if kind == _EXTENSIBLE:
        kind = number(24, 2)
    form = _Format(kind, number(2, 2), number(4, 4), number(14, 2))
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


def _mono(form: _Format, data: bytes, name: str) -> np.ndarray:
    whole = form.channels * form.bits // 8
    values = _values(form, data[: len(data) // whole * whole])
    if not len(values):
        raise ValueError(f"{name}: expected sound, it has no samples.")
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: expected finite samples, found NaN or infinity.")
    sound = values.reshape(-1, form.channels).mean(axis=1)
    if form.rate != RATE:
        from scipy.signal import resample_poly  # JAX brings SciPy.

        shared = math.gcd(RATE, form.rate)
        sound = resample_poly(sound, RATE // shared, form.rate // shared)
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


def trimmed(wave: np.ndarray, margin: int = 0) -> np.ndarray:
    """Without what is quiet at its beginning and end, below 3 % of the loudest.

    Loud is a hundredth of a second by its root mean square.

    Args:
        wave: float32 of (samples,).
        margin: So many quiet samples are left before and after, if there are any.
    """
    blocks = np.pad(wave, (0, -len(wave) % HOP)).reshape(-1, HOP)
    loud = np.sqrt(np.square(blocks).mean(axis=1))
    heard = np.flatnonzero(loud >= _QUIET * loud.max())
    first, stop = heard[0] * HOP - margin, (heard[-1] + 1) * HOP + margin
    return wave[max(0, first) : stop]
