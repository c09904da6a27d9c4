import numpy as np
import pytest

from rmsprop_jax.train.data import digit_strings, fsdd
from rmsprop_jax.train.data.digit_strings import (
    FEWEST,
    LONGEST,
    MOST,
    Recordings,
    load,
    spoken,
)

RATE = 8000


def tone(digit, seconds=0.3, level=0.3):
    """A sine of a frequency that tells the digit."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * (300 + 100 * digit) * t)).astype(np.float32)


TONES = Recordings([tone(digit) for digit in range(10)], np.arange(10))


def drawn(recordings, count, seed=0):
    rng = np.random.default_rng(seed)
    return [spoken(recordings, rng, RATE) for _ in range(count)]


def places(string):
    """The digits with the first sample of each."""
    there = string.digits >= 0
    firsts = np.rint(RATE * string.begins[there]).astype(int)
    return list(zip(string.digits[there], firsts, strict=True))


def test_each_recording_is_heard_where_the_string_says_that_it_begins():
    for string in drawn(TONES, 20):
        for digit, first in places(string):
            heard = string.wave[first : first + 2400]
            likeness = [np.corrcoef(heard, wave)[0, 1] for wave in TONES.waves]
            assert np.argmax(likeness) == digit
            assert likeness[digit] > 0.99


def test_there_is_silence_before_between_and_after():
    for string in drawn(TONES, 20):
        quiet = np.ones(len(string.wave), bool)
        ends = [0]
        for _, first in places(string):
            quiet[first : first + 2400] = False
            assert 0.05 <= (first - ends[-1]) / RATE <= 0.25 + 1e-3
            ends.append(first + 2400)
        assert 0.05 <= (len(string.wave) - ends[-1]) / RATE <= 0.25 + 1e-3
        loudness = np.sqrt(np.mean(string.wave[quiet] ** 2))
        assert 10 ** (-71 / 20) < loudness < 10 ** (-44 / 20)


def test_strings_have_3_to_7_digits_all_counts_and_digits_as_often():
    strings = drawn(TONES, 700)
    lengths = [np.sum(string.digits >= 0) for string in strings]
    counts = np.bincount(lengths, minlength=MOST + 1)
    assert set(lengths) == set(range(FEWEST, MOST + 1))
    assert counts[FEWEST:].min() > 100
    digits = np.concatenate([string.digits for string in strings])
    assert np.bincount(digits[digits >= 0]).min() > 280
    for string, length in zip(strings[:50], lengths, strict=False):
        assert (string.digits[length:] == -1).all()
        assert (string.begins[length:] == -1).all()
        assert (np.diff(string.begins[:length]) > 0).all()


def test_the_same_seed_says_the_same_to_the_bit_and_another_does_not():
    one, same, other = (drawn(TONES, 3, seed) for seed in (5, 5, 6))
    for a, b in zip(one, same, strict=True):
        assert (a.wave.tobytes(), *a.digits) == (b.wave.tobytes(), *b.digits)
    assert one[0].wave.tobytes() != other[0].wave.tobytes()


def test_whoever_whispers_is_as_loud_as_whoever_shouts():
    recordings = Recordings([tone(0, level=0.001), tone(1, level=0.9)], np.arange(2))
    for string in drawn(recordings, 10):
        for _, first in places(string):
            heard = string.wave[first : first + 2400]
            decibels = 20 * np.log10(np.sqrt(np.mean(heard**2)))
            assert -26.5 < decibels < -17.5


def test_a_recording_of_nothing_stays_nothing():
    recordings = Recordings([np.zeros(2400, np.float32)], np.zeros(1, int))
    for string in drawn(recordings, 5):
        assert np.isfinite(string.wave).all()
        assert np.abs(string.wave).max() < 0.1


def test_no_string_outlasts_the_longest():
    recordings = Recordings([tone(0, 1.2), tone(1, 0.6)], np.arange(2))
    strings = drawn(recordings, 100)
    assert max(len(string.wave) for string in strings) <= LONGEST * RATE
    # It is drawn again, not cut off: some are of six short ones.
    assert max(np.sum(string.digits >= 0) for string in strings) >= 6


@pytest.mark.parametrize(
    ("recordings", "message"),
    [
        (Recordings([], np.zeros(0, int)), "there are none"),
        (Recordings([tone(0, 2.0)], np.zeros(1, int)), "2.00 seconds and more"),
    ],
    ids=["none", "long"],
)
def test_recordings_that_no_string_can_be_made_of_are_refused(recordings, message):
    with pytest.raises(ValueError, match=message):
        drawn(recordings, 1)


@pytest.fixture(scope="module")
def loaded():
    """Twice a small data set of recordings whose digit is their index, 0 to 49."""
    wave = tone(0, 0.2)
    made = [fsdd.Recording(f"{i}.wav", i, "who", i, wave) for i in range(50)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fsdd, "load", lambda _: made)
        patch.setattr(digit_strings, "_TRAIN", (40, 8))
        patch.setattr(digit_strings, "_TEST", 10)
        patch.setattr(digit_strings, "_TOGETHER", 16)
        return load(), load()


def test_test_strings_and_the_last_to_learn_from_are_of_recordings_of_their_own(loaded):
    said = loaded[0].train["digits"]
    parts = (said[:40], said[40:], loaded[0].test["digits"])
    for part, indices in zip(parts, ((13, 50), (5, 13), (0, 5)), strict=True):
        heard = part[part >= 0]
        assert indices[0] <= heard.min() <= heard.max() < indices[1]
        assert len(part) * FEWEST <= len(heard) <= len(part) * MOST


def test_every_example_has_its_features_as_long_as_its_string(loaded):
    for part, count in ((loaded[0].train, 48), (loaded[0].test, 10)):
        assert part["frames"].shape == (count, digit_strings.FRAMES, 40)
        assert {name: x.shape[1:] for name, x in part.items() if name != "frames"} == {
            "length": (),
            "digits": (MOST,),
            "begins": (MOST,),
        }
        for row in range(count):
            length, begins = part["length"][row], part["begins"][row]
            # The last digit, and silence after it.
            assert begins.max() + 0.2 < length / 100 + 0.03 <= begins.max() + 0.5
            assert not part["frames"][row, length:].any()
            assert part["frames"][row, length - 1].any()


def test_the_strings_are_the_same_in_every_run(loaded):
    for one, other in zip(*(data.parts for data in loaded), strict=True):
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name], strict=True)
