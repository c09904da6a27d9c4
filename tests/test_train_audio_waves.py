"""Reading WAV files: kinds, rates, channels, and what is refused."""

import io
import struct
import wave

import numpy as np
import pytest
from waves_made import RATE, chunk, tone, wav

from rmsprop_jax.train.audio.waves import decoded, read, speech, trimmed


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


FILE = wav(tone())
NOTES = chunk(b"LIST", b"a note"[:5]) + chunk(b"cue ", b"\0" * 4)


def test_other_chunks_are_passed_over_odd_ones_too():
    for data in (wav(tone(), before=NOTES), FILE + NOTES):
        np.testing.assert_array_equal(decoded(data, "a"), decoded(FILE, "a"))
    odd = wav(tone()[:-1], bits=24)  # An odd number of bytes: one more is a filler.
    np.testing.assert_array_equal(decoded(odd + NOTES, "a"), decoded(odd, "a"))


def streamed(data, size, whole=None):
    """As a program writes that cannot go back to its header, once all is known."""
    whole = size if whole is None else whole
    at = data.index(b"data") + 4
    header = b"RIFF" + struct.pack("<I", whole) + data[8:at] + struct.pack("<I", size)
    return header + data[at + 4 :]


# By ffmpeg, by what leaves its header empty, by SoX and by arecord.
@pytest.mark.parametrize("size", [0xFFFFFFFF, 0, 0x7FFFF000, 0x80000000])
@pytest.mark.parametrize("before", [b"", NOTES], ids=["bare", "notes"])
def test_a_stream_whose_size_was_not_known_is_read_to_its_end(size, before):
    data = streamed(wav(tone(), before=before), size)
    np.testing.assert_array_equal(decoded(data, "a"), decoded(FILE, "a"))
    # It may have been ended within a sample.
    np.testing.assert_array_equal(decoded(data[:-1], "a"), decoded(FILE, "a")[:-1])


def test_an_empty_file_is_no_stream():
    empty = wav(tone(0.0)) + NOTES
    empty = streamed(empty, 0, whole=len(empty) - 8)
    with pytest.raises(ValueError, match="it has no samples"):
        decoded(empty, "a")


@pytest.mark.parametrize("name", [b"RF64", b"BW64"])
def test_sizes_of_64_bits_are_read(name):
    size = len(FILE) - FILE.index(b"data") - 8
    sizes = chunk(b"ds64", struct.pack("<QQQI", 1 << 33, size, size // 2, 0))
    data = name + streamed(wav(tone(), before=sizes), 0xFFFFFFFF)[4:]
    for whole in (data, data + NOTES):
        np.testing.assert_array_equal(decoded(whole, "a"), decoded(FILE, "a"))
    with pytest.raises(ValueError, match=r"expected 4800 bytes of sound.*found 4790"):
        decoded(data[:-10], "a")


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
        (wav([0.0, -3e38], bits=32, kind=3), "found 3e+38"),
        (wav(np.full((9, 2), 1e308), bits=64, kind=3), "found 1e+308"),
        (wav(32768 * tone(), bits=32, kind=3), "divide them by the largest"),
    ],
    ids=range(13),
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


def test_floats_a_little_beyond_one_are_clipped():
    found = decoded(wav([0.0, 1.5, -2.0], bits=32, kind=3), "a")
    np.testing.assert_array_equal(found, [0, 1, -1])


# Hiss below -60 decibels, and a constant as cheap microphones have: nothing is said.
HISS = 5e-4 * np.random.default_rng(0).standard_normal(8000)


@pytest.mark.parametrize(
    "sound", [np.zeros(8000), np.full(8000, 0.2), HISS, HISS - 0.1]
)
def test_where_nothing_is_heard_it_is_said_what_was_found(sound, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(sound))
    found = r"silence" if np.ptp(sound) == 0 else r"-6\d\.\d decibels"
    words = rf"a\.wav: expected a spoken digit, .*-60 decibels.* found {found}"
    with pytest.raises(ValueError, match=words):
        speech(tmp_path / "a.wav", "a spoken digit")


def test_what_is_quiet_but_heard_is_left(tmp_path):
    # Quieter than any recording of the data: -54 decibels.
    sound = np.concatenate([0.1 * HISS, tone(loud=0.003), 0.1 * HISS]) + 0.05
    (tmp_path / "a.wav").write_bytes(wav(sound))
    assert abs(len(speech(tmp_path / "a.wav", "a digit")) - len(tone())) <= 160
