"""Sound in files of any kind that libsndfile knows: WAV, FLAC, OGG, ..."""

from pathlib import Path

import numpy as np

from rmsprop_jax.train.audio import waves


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
    return waves.mono(sound, found, rate, str(path))
