"""Reading WAV files: kinds, rates, channels, and what is refused."""

import io
import wave

import numpy as np
import pytest
from waves_made import RATE, chunk, tone, wav

from rmsprop_jax.train.audio.waves import decoded, read, trimmed


@pytest.mark.parametrize(
    ("bits", "kind"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)]
)
@pytest.mark.parametrize("extensible", [False, True])
def test_every_width_of_sample_is_the_same_sound(bits, kind, extensible):
    sound = tone()
    read = decoded(wav(sound, bits=bits, kind=kind, extensible=extensible), "a")
    assert read.dtype == np.float32
    step = 2.0 ** -(bits - 1) if kind == 1 else 0.0
    np.testing.assert_allclose(read, sound, atol=0.51 * step + 1e-7)


def test_the_standard_library_writes_what_is_read():
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes(np.array([0, 16384, -32768, 32767], "<i2").tobytes())
    expected = [0, 0.5, -1, 32767 / 32768]
    np.testing.assert_array_equal(decoded(file.getvalue(), "a"), np.float32(expected))


def test_channels_are_made_into_their_mean():
    left, right = tone(pitch=300), tone(pitch=700)
    read = decoded(wav(np.stack([left, right], axis=1), bits=32), "a")
    np.testing.assert_allclose(read, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 44100, 48000])
def test_another_rate_is_made_8_khz(rate):
    read = decoded(wav(tone(0.5, rate=rate), rate=rate), "a")
    expected = tone(0.5)
    assert abs(len(read) - len(expected)) <= 2
    inside = slice(400, 3600)  # Away from the ends, where there was nothing before.
    np.testing.assert_allclose(read[inside], expected[inside], atol=5e-3)


def test_what_8_khz_cannot_hold_is_gone_and_not_folded_back():
    read = decoded(wav(tone(0.5, pitch=6000, rate=16000), rate=16000), "a")
    assert np.abs(read[400:3600]).max() < 5e-3


def test_other_chunks_are_passed_over_odd_ones_too():
    data = wav(tone(), before=chunk(b"LIST", b"a note"[:5]))
    np.testing.assert_array_equal(decoded(data, "a"), decoded(wav(tone()), "a"))


FILE = wav(tone())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it begins with ''"),
        (b"OggS" + FILE[4:], "it begins with 'OggS'"),
        (FILE[:-10], "expected 4800 bytes of sound, as its header says, found 4790"),
        (FILE[:16], "it has no format"),
        (FILE[:36], "it has no sound"),
        (wav(tone(0.0)), "it has no samples"),
        (wav(tone(), kind=7), "found format 7 of 16 bits"),
        (wav(tone(), rate=10), "1 000 to 400 000 samples a second, found 1 and 10"),
        (wav(np.zeros((9, 0))), "expected 1 channel or more"),
        (wav([0.0, np.nan], bits=32, kind=3), "found NaN"),
    ],
    ids=range(10),
)
def test_what_is_no_recording_is_refused_by_name(data, words, tmp_path):
    (tmp_path / "bad.wav").write_bytes(data)
    with pytest.raises(ValueError, match=r"bad\.wav: ") as refused:
        read(tmp_path / "bad.wav")
    assert words in str(refused.value)


def test_a_folder_and_no_file_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="it is a folder"):
        read(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.wav: there is no such file"):
        read(tmp_path / "none.wav")


def test_silence_is_cut_off_before_and_after_and_not_between():
    quiet = np.zeros(2400)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(2400)
    whole = np.concatenate([noise, tone(), quiet, tone(), noise]).astype(np.float32)
    cut = trimmed(whole)
    assert abs(len(cut) - (2 * len(tone()) + len(quiet))) <= 160
    assert len(trimmed(np.zeros(4000, np.float32))) == 4000
