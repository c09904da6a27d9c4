"""Log-mel features, against SciPy's transform and filters made in another way."""

import jax
import numpy as np
import pytest
from waves_made import tone

from rmsprop_jax.train.audio import features
from rmsprop_jax.train.audio.features import BANDS, HOP, RATE, WINDOW, frames_of


def heard_by_scipy(wave, emphasis=0.97, window="hann", floor=1e-6):
    """The features of one recording in float64, frame by frame."""
    from scipy import signal

    wave = signal.lfilter([1, -emphasis], [1], wave.astype(np.float64))
    wave = np.pad(wave, (0, max(0, WINDOW - len(wave))))
    shape = signal.get_window(window, WINDOW)
    *_, spectrum = signal.stft(
        wave, window=shape, nperseg=WINDOW, noverlap=WINDOW - HOP, nfft=256,
        boundary=None, padded=False,
    )  # fmt: skip
    power = np.abs(spectrum * shape.sum()) ** 2  # SciPy divides by the sum.
    ends = 2595 * np.log10(1 + np.array([60.0, 4000.0]) / 700)
    corners = 700 * (10 ** (np.linspace(*ends, BANDS + 2) / 2595) - 1)
    at = np.arange(129) * RATE / 256
    bands = [np.interp(at, corners[i : i + 3], [0, 1, 0]) for i in range(BANDS)]
    heard = np.log(floor + power.T @ np.array(bands).T)
    return (heard - heard.mean()) / np.sqrt(heard.var() + 0.01)


def sounds(sizes=(1500, 3333, 199, 201, 60)):
    rng = np.random.default_rng(0)
    for size in sizes:
        noise = rng.standard_normal(size) * rng.uniform(0.01, 0.2)
        rising = tone(size / RATE, 500)[:size] * np.linspace(0, 1, size)
        yield (noise + rising).clip(-1, 1).astype(np.float32)


def transformed(waves):
    padded = np.zeros((len(waves), max(map(len, waves))), np.float32)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    sizes = np.array([len(wave) for wave in waves], np.int32)
    return jax.jit(features.log_mel)(padded, sizes)


def test_features_are_those_of_scipy():
    waves = list(sounds())
    frames, length = transformed(waves)
    for wave, found, count in zip(waves, frames, length, strict=True):
        expected = heard_by_scipy(wave)
        assert len(expected) == count == frames_of(len(wave))
        np.testing.assert_allclose(found[:count], expected, atol=1e-4)


@pytest.mark.parametrize(
    "other", [{"emphasis": 0.9}, {"window": "hamming"}, {"floor": 1e-3}], ids=str
)
def test_other_features_are_told_apart(other):
    wave = next(sounds())
    found = np.asarray(transformed([wave])[0][0])
    assert np.abs(found - heard_by_scipy(wave, **other)).max() > 1e-2


def test_what_is_past_the_end_is_0_and_has_no_part_in_the_rest():
    waves = list(sounds())
    alone = transformed(waves[:1])
    together = transformed(waves)
    count = int(alone[1][0])
    np.testing.assert_allclose(together[0][0, :count], alone[0][0], atol=1e-5)
    assert (np.asarray(together[0][0, count:]) == 0).all()


def test_a_sound_has_mean_0_and_deviation_1_over_the_true_frames():
    frames, length = transformed(list(sounds((1500, 3333))))
    for one, count in zip(np.asarray(frames), length, strict=True):
        np.testing.assert_allclose(one[:count].mean(), 0, atol=1e-5)
        np.testing.assert_allclose(one[:count].std(), 1, atol=0.02)


def test_how_loud_it_is_says_nothing():
    wave = next(sounds())
    frames, _ = transformed([wave, wave / 4])
    # But for the silence, which is as loud as it is.
    assert np.abs(frames[0] - frames[1]).mean() < 0.05


def test_silence_is_0_and_finite():
    frames, _ = transformed([np.zeros(4000, np.float32)])
    np.testing.assert_allclose(frames, 0, atol=2e-3)  # The rounding of the mean.


def test_recordings_are_cut_at_the_last_frame_and_kept_in_half_precision():
    waves = list(sounds()) * 30
    frames, length = features.of_recordings(waves, 20)
    assert (frames.shape, frames.dtype) == ((150, 20, BANDS), np.float16)
    assert length.dtype == np.int32
    assert length[:5].tolist() == [17, 20, 1, 1, 1]
    cut = waves[1][: WINDOW + 19 * HOP]
    np.testing.assert_allclose(frames[1], heard_by_scipy(cut), atol=5e-3)
    np.testing.assert_array_equal(frames[:5], frames[145:])


def test_every_band_hears_something_and_every_pitch_is_heard():
    filters = features.mel_filters()
    assert filters.shape == (BANDS, 129)
    assert (filters.max(axis=1) > 0.3).all()
    assert (filters[:, 3:-4].sum(axis=0) > 0.5).all()


def test_wide_features_are_those_of_twice_the_rate_and_all_bands_hear():
    bank = features.WIDE
    assert bank.window / bank.rate == WINDOW / RATE == 0.025
    assert bank.hop / bank.rate == HOP / RATE == 0.01
    filters = features.mel_filters(bank)
    assert filters.shape == (80, 513)
    # A band between two frequencies of the transform would hear nothing.
    assert filters.sum(axis=1).min() > 1
    wave = tone(0.5, 6000, rate=bank.rate).astype(np.float32)[None]
    frames, length = features.log_mel(wave, np.array([8000], np.int32), bank)
    assert frames.shape[1] == length[0] == frames_of(8000, bank) == 48
    loudest = int(frames[0].mean(axis=0).argmax())
    frequencies = np.fft.rfftfreq(bank.fft, 1 / bank.rate)
    centre = frequencies[filters[loudest].argmax()]
    assert abs(centre - 6000) < 150
