"""Sound in files of any kind that libsndfile knows: WAV, FLAC, OGG, ..."""

import math
from pathlib import Path

import numpy as np


def read(path: Path, rate: int) -> np.ndarray:
    """The sound in a file: float32 in [-1, 1], mono, of that rate.

    Raises:
        ValueError: If it is no such file, damaged, or empty; names the file.
        FileNotFoundError: If there is no such file.
    """
    import soundfile

    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        sound, found = soundfile.read(path, dtype="float64", always_2d=True)
    except soundfile.LibsndfileError as error:
        why = error.error_string.strip(" .")
        raise ValueError(f"{path}: expected sound, as WAV or FLAC: {why}.") from None
    if not len(sound):
        raise ValueError(f"{path}: expected sound, it has no samples.")
    if not np.isfinite(sound).all():
        raise ValueError(f"{path}: expected finite samples, found NaN or infinity.")
    sound = sound.mean(axis=1)
    if found != rate:
        from scipy.signal import resample_poly  # JAX brings SciPy.

        shared = math.gcd(rate, found)
        sound = resample_poly(sound, rate // shared, found // shared)
    return np.clip(sound, -1, 1).astype(np.float32)
