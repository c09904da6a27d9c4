"""What notebook 06 shows: voices, an accident in training, and transcripts."""

import jax
import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest

from rmsprop_jax import rmsprop
from rmsprop_jax.lessons import bad_batch, hearing, speech_pictures, voices
from rmsprop_jax.train import Config, Learning
from rmsprop_jax.train.data import digit_strings
from rmsprop_jax.train.tasks import spoken

RATE = 8000
RECORDINGS = voices.recordings(takes=6)


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown; none is left open."""
    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


def test_every_voice_says_every_digit_and_never_twice_the_same():
    assert len({one.name for one in RECORDINGS}) == 6 * 10 * 6
    assert {one.digit for one in RECORDINGS} == set(range(10))
    assert sum(one.tested for one in RECORDINGS) == 5 * 60
    assert len({one.wave.tobytes() for one in RECORDINGS}) == len(RECORDINGS)
    for one in RECORDINGS:
        assert one.wave.dtype == np.float32
        assert 0.1 * RATE < len(one.wave) < 0.9 * RATE
        assert np.abs(one.wave).max() == pytest.approx(0.5)


def test_the_recordings_are_those_of_the_seed():
    again, other = voices.recordings(takes=1), voices.recordings(takes=1, seed=1)
    first = [one for one in RECORDINGS if one.index == 0]
    assert [one.name for one in again] == [one.name for one in first]
    assert not np.array_equal(again[0].wave, other[0].wave)
    assert np.array_equal(again[0].wave, voices.recordings(takes=1)[0].wave)


def said(digit, voice):
    return voices.said(digit, voice, np.random.default_rng(0))


def pitch_of(wave):
    """By the lag at which a stretch of the vowel is most like itself."""
    part = wave[len(wave) // 2 :][:1200]
    alike = np.correlate(part, part, "full")[len(part) :]
    lags = np.arange(1, len(part))
    chosen = slice(RATE // 300, RATE // 75)
    return RATE / lags[: len(alike)][chosen][alike[chosen].argmax()]


def test_a_voice_has_its_pitch():
    bass, soprano = pitch_of(said(4, "bass")), pitch_of(said(4, "soprano"))
    assert bass == pytest.approx(95, rel=0.15)
    assert soprano == pytest.approx(235, rel=0.15)


def share(wave, low, high):
    """Of the power, what is between two frequencies."""
    power = np.square(np.abs(np.fft.rfft(wave)))
    at = np.fft.rfftfreq(len(wave), 1 / RATE)
    return power[(at >= low) & (at < high)].sum() / power.sum()


def test_an_open_vowel_has_its_formants_above_a_close_one_and_a_hiss_is_high():
    three, four = (said(digit, "baritone")[-1500:] for digit in (3, 4))
    assert share(four, 500, 1100) > 10 * share(three, 500, 1100)
    hiss = said(7, "baritone")[:500]
    assert share(hiss, 3000, 4000) > 0.7 > 0.1 > share(four, 3000, 4000)


def test_what_an_accident_left_is_forgotten_after_the_steps_that_are_said():
    steps = round(bad_batch.recovery(1000, 0.99))
    grads = np.ones(steps + 1)
    grads[0] = 1000
    nu = 1.0
    for g in grads:
        nu = 0.99 * nu + 0.01 * g**2
    # As much again as ν has anyway.
    assert nu == pytest.approx(2, rel=0.02)


@pytest.fixture(scope="module")
def learn():
    chosen = [one for one in RECORDINGS if not one.tested]
    return bad_batch.training(spoken.arrays(chosen), steps=30, at=10)


@pytest.mark.slow
def test_an_accident_shortens_the_steps_of_who_remembers_and_does_not_clip(learn):
    tx = rmsprop(1e-3, dialect="torch")
    plain, clipped, descent = learn(tx), learn(tx, clip=1.0), learn(optax.sgd(0.5))
    for one in (plain, clipped, descent):
        assert one.norms[10] > 50 * np.delete(one.norms, 10)[:10].max()
        assert one.losses[0] == pytest.approx(plain.losses[0], rel=1e-5)
    assert plain.rates[10] < plain.rates[9] / 30
    assert clipped.rates[10] > clipped.rates[9] / 3
    assert clipped.rates[1] == pytest.approx(plain.rates[1], rel=1e-4)
    assert np.isnan(descent.rates).all()


def test_an_accident_after_the_end_is_refused():
    with pytest.raises(ValueError, match="at=30: expected one of the 30 steps"):
        bad_batch.training({}, steps=30, at=30)


TEST = {
    "frames": np.zeros((2, 80, 40)),  # eight to a step
    "length": np.array([80, 40]),
    "digits": np.array([[3, 1, 4], [1, 5, -1]]),
    "begins": np.array([[0.0, 0.2, 0.6], [0.0, 0.24, -1]]),
}


def outputs(rows):
    """Sure of a digit at some steps, {step: digit}, and elsewhere of none."""
    path = np.zeros((len(rows), 10), int)
    for row, digits in zip(path, rows, strict=True):
        row[list(digits)] = [digit + 1 for digit in digits.values()]
    return 50 * np.asarray(jax.nn.one_hot(path, 11))


def test_sure_outputs_are_read_alike_in_both_ways():
    out = outputs([{1: 3, 4: 1, 8: 4}, {0: 1, 2: 9}])
    path, beam = hearing.by_best_path(out), hearing.by_beam(out, 4)
    for heard in (path, beam):
        assert [hearing.text(row) for row in heard] == ["314", "19"]
        assert hearing.error(heard, TEST["digits"]) == pytest.approx(1 / 5)
    np.testing.assert_allclose(hearing.confidence(out), 1, rtol=1e-5)


def test_a_digit_spread_over_steps_is_lost_by_the_path_and_not_by_the_beam():
    shares = np.full((1, 10, 11), 1e-4)
    shares[..., 0] = 0.7
    shares[0, :, 6] = 0.3
    shares[0, 5:, 6] = 1e-4
    out = np.log(shares)
    assert hearing.text(hearing.by_best_path(out)[0]) == ""
    assert hearing.text(hearing.by_beam(out, 8)[0]) == "5"


def test_delays_are_shares_of_the_time_to_the_next_digit():
    heard = np.full((2, 10), -1)
    heard[0, [0, 5, 9]] = [3, 1, 4]  # at 0, 0.4 and 0.72 seconds
    heard[1, [1, 4]] = [1, 7]  # a mistake: it is left out
    np.testing.assert_allclose(hearing.delays(heard, TEST), [0, 0.5], atol=1e-9)
    with pytest.raises(ValueError, match="a string without a mistake among 2"):
        hearing.delays(np.full((2, 10), -1), TEST)


def test_what_is_heard_past_the_end_is_found():
    assert hearing.past_the_end(outputs([{9: 1}, {4: 1}]), TEST) < 1e-20
    assert hearing.past_the_end(outputs([{9: 1}, {5: 1}]), TEST) > 0.99


def test_strings_are_tested_on_other_recordings_than_they_are_learned_from():
    test, rest = (hearing.joined(RECORDINGS, tested) for tested in (True, False))
    waves = [{wave.tobytes() for wave in part.waves} for part in (test, rest)]
    assert [len(part) for part in waves] == [300, 60]
    assert not waves[0] & waves[1]
    string = hearing.string(RECORDINGS, seed=4)
    assert np.array_equal(string.wave, hearing.string(RECORDINGS, seed=4).wave)
    assert 3 <= len(hearing.text(string.digits)) <= digit_strings.MOST


@pytest.mark.slow
def test_a_training_is_told_by_epochs_and_drawn(shown):
    task = hearing.strings(RECORDINGS, 32)
    small = Learning("digit-strings", epochs=2, hidden=8, batch_size=16)
    epochs = hearing.trained(task, Config(small))
    test = task.load(None).test
    assert len(epochs) == 2
    for one in epochs:
        assert one.outputs.shape == (128, 64, 11)
        heard = hearing.by_best_path(one.outputs)
        assert one.error == pytest.approx(hearing.error(heard, test["digits"]))
    assert hearing.past_the_end(epochs[0].outputs, test) == 0
    speech_pictures.learned(epochs, test)
    titles = [axes.get_title("left") for part in shown[0].subfigs for axes in part.axes]
    assert titles[:2] == ["mistakes for each digit", "loss for each digit"]


def test_the_epoch_nearest_to_so_many_mistakes_is_found():
    epochs = [hearing.Epoch(1.0, error, np.zeros(1)) for error in (1.0, 0.7, 0.4, 0.0)]
    assert speech_pictures.nearest(epochs, 0.5) == 2


def test_the_pictures_are_drawn(shown):
    wave = RECORDINGS[0].wave
    speech_pictures.seen(wave, np.random.default_rng(0).standard_normal((30, 40)))
    masked = shown[0].axes[2].images[0].get_array()
    whole = shown[0].axes[1].images[0].get_array()
    silent = masked == 0
    assert silent.all(axis=0).sum() >= 2  # stretches of time
    assert silent.all(axis=1).sum() >= 2  # bands
    assert np.array_equal(masked[~silent], whole[~silent])
    course = bad_batch.Course(np.ones(30), np.ones(30), np.full(30, 0.1))
    without = course._replace(rates=np.full(30, np.nan))
    speech_pictures.remembered({"a": course, "b": without}, at=3)
    left, right = shown[1].axes
    assert [text.get_text() for text in left.get_legend().texts] == ["a", "b"]
    assert len(right.lines) == 2  # one, and where it happened
