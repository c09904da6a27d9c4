"""Small WAV files and recordings, made of tones."""

import struct

import numpy as np

RATE = 8000


def tone(seconds=0.3, pitch=440.0, rate=RATE, loud=0.5):
    """float64 in [-1, 1]."""
    at = np.arange(round(seconds * rate)) / rate
    return loud * np.sin(2 * np.pi * pitch * at)


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav(sound, *, rate=RATE, bits=16, kind=1, extensible=False, before=b""):
    """The bytes of a file; `sound` is (samples,) or (samples, channels)."""
    sound = np.asarray(sound)
    channels = 1 if sound.ndim == 1 else sound.shape[1]
    values = sound.ravel()
    if kind == 3:
        data = values.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = (np.clip(np.rint(values * 128), -128, 127) + 128).astype("u1").tobytes()
    else:
        top = 2 ** (bits - 1)
        whole = np.clip(np.rint(values * top), -top, top - 1).astype("<i8")
        data = whole.view("u1").reshape(-1, 8)[:, : bits // 8].tobytes()
    size = channels * bits // 8
    code = 0xFFFE if extensible else kind
    form = struct.pack("<HHIIHH", code, channels, rate, rate * size, size, bits)
    if extensible:
        guid = struct.pack("<H", kind) + bytes.fromhex("000000001000800000aa00389b71")
        form += struct.pack("<HHI", 22, bits, 0) + guid
    body = before + chunk(b"fmt ", form) + chunk(b"data", data)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def recordings(speakers=("ann", "bob"), count=6, seed=0):
    """Files as FSDD names them, each digit a pitch of its own, by name."""
    rng = np.random.default_rng(seed)
    files = {}
    for speaker in speakers:
        for digit in range(10):
            for index in range(count):
                seconds = rng.uniform(0.15, 0.3)
                sound = tone(seconds, 300 * 1.25**digit * rng.uniform(0.98, 1.02))
                noise = 0.01 * rng.standard_normal(len(sound))
                files[f"{digit}_{speaker}_{index}.wav"] = wav(sound + noise)
    return files
