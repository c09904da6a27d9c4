"""The task digit-strings, on strings of tones in place of digits."""

import dataclasses
import wave

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from train_asked import said
from train_runs import far, same, trained

from rmsprop_jax.train import checks, predict, settings
from rmsprop_jax.train.audio import alignment_picture
from rmsprop_jax.train.audio.decoding import beam_search
from rmsprop_jax.train.data import digit_strings
from rmsprop_jax.train.data.dataset import Dataset
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.tasks.task import Reading
from rmsprop_jax.train.training import Training
from rmsprop_jax.train.training_command import parse

TASK = TASKS["digit-strings"]
RATE = 8000
measures_of, losses_of = jax.jit(TASK.measures), jax.jit(TASK.losses, static_argnums=2)


def tone(digit):
    t = np.arange(1600) / RATE
    return np.sin(2 * np.pi * (300 + 300 * digit) * t).astype(np.float32)


TONES = digit_strings.Recordings([tone(digit) for digit in range(10)], np.arange(10))


def strings(count, seed):
    return digit_strings.examples(TONES, count, np.random.default_rng(seed))


def test_measures_are_float32_whatever_the_default_of_jax_is():
    # Optax mixes dtypes there, which the trainer lets it.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        outputs = jax.ShapeDtypeStruct((2, 9, 11), jnp.float32)
        batch = {"digits": jax.ShapeDtypeStruct((2, 3), jnp.int32)}
        measures = jax.eval_shape(TASK.measures, outputs, batch)
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(measures)}
    assert dtypes == {jnp.dtype("float32")}


@pytest.fixture(scope="module")
def task():
    data = Dataset(train=strings(24, 0), test=strings(6, 1))
    return dataclasses.replace(TASK, load=lambda _: data)


def training(task, text=""):
    options = "--task digit-strings --hidden 8 --batch-size 8 --epochs 4 --devices 1"
    config = parse([*options.split(), "--warmup", "0", *text.split()])
    checks.check(config)
    checks.check_task(config, task)
    return Training(settings.resolve(config, task.name, task.model), task)


@pytest.fixture(scope="module")
def one(task):
    return training(task)


def outputs_of(texts, frames=20):
    """Outputs that say each text for certain, every symbol in two frames."""
    path = np.zeros((len(texts), frames), int)
    for row, text in zip(path, texts, strict=True):
        for k, digit in enumerate(text):
            row[3 * k : 3 * k + 2] = int(digit) + 1
    return 50 * jax.nn.one_hot(path, 11)


def batch_of(texts):
    digits = np.full((len(texts), digit_strings.MOST), -1, np.int32)
    for row, text in zip(digits, texts, strict=True):
        row[: len(text)] = [int(digit) for digit in text]
    return {"digits": jnp.asarray(digits)}


def test_what_is_measured_are_mistakes_for_each_digit_and_strings_without_any():
    heard, spoken = ["314", "2711", "", "5555"], ["314", "271", "123", "555555"]
    measures = measures_of(outputs_of(heard), batch_of(spoken))
    assert measures["error"][0].tolist() == [0, 1, 3, 2]
    assert measures["error"][1].tolist() == [3, 3, 3, 6]
    assert measures["accuracy"][0].tolist() == [1, 0, 0, 0]
    assert set(measures) == set(TASK.reported)


def test_the_loss_is_that_of_the_transcript_for_each_digit_of_it():
    outputs = np.random.default_rng(0).standard_normal((1, 4, 11)).astype(np.float32)
    shares = {x.symbols: x.log_probability for x in beam_search(outputs[0], 10_000)}
    for text in ("314", "55", "7"):
        loss = losses_of(jnp.asarray(outputs), batch_of([text]), 0.0)
        expected = -shares[tuple(map(int, text))] / len(text)
        np.testing.assert_allclose(loss, [expected], rtol=1e-5)


def test_a_beam_says_more_than_the_best_path_but_not_something_else_when_sure():
    outputs = np.asarray(outputs_of(["2718"])[0])
    alone, beam = TASK.said(outputs), TASK.said(outputs, beam=8)
    assert alone["answer"] == beam["answer"] == "2718"
    assert alone["confidence"] == pytest.approx(1)
    assert next(iter(beam["shares"])) == "2718"
    assert sum(beam["shares"].values()) <= 1 + 1e-6
    assert TASK.said(np.asarray(outputs_of([""])[0]))["answer"] == ""


def test_answers_are_what_is_said_at_the_frames_where_it_begins():
    answers = jax.jit(TASK.answers)(outputs_of(["31", ""], frames=6))
    assert answers.answer.tolist() == [[3, -1, -1, 1, -1, -1], [-1] * 6]
    np.testing.assert_allclose(answers.confidence, 1, rtol=1e-6)


def test_the_weights_after_a_step_do_not_depend_on_where_one_stopped(one):
    assert same(trained(one, [2, 3]), trained(one, [3]))
    assert far(trained(one, [3]).params, trained(one, [2]).params) > 1e-4


def test_it_learns_and_says_for_each_string_what_it_heard(one):
    state = one.start()
    before = one.evaluate(state, "test")
    for epoch in range(4):
        state = one.advance(state, 3 * epoch, 3 * epoch + 3)
    after = one.evaluate(state, "test")
    losses = [float(x.totals["loss"][0]) for x in (before, after)]
    assert losses[1] < 0.9 * losses[0]
    assert after.answers.answer.shape == (6, digit_strings.FRAMES // 8)
    assert float(after.totals["error"][1]) == (one.data["test"]["digits"] >= 0).sum()


def write(path, sound, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(32767 * np.clip(sound, -1, 1)).astype("<i2").tobytes())
    return path


def test_a_recording_is_seen_as_the_data_are_however_loud_it_is(tmp_path):
    rng = np.random.default_rng(2)
    string = digit_strings.spoken(TONES, rng, RATE)
    expected, length = digit_strings.features_of([string.wave], digit_strings.FRAMES)
    for loudness in (0.5, 2.0):
        path = write(tmp_path / "a.wav", loudness * string.wave)
        found, names = TASK.examples(path, Reading())
        assert names == [str(path)]
        assert found["length"] == length
        assert np.abs(found["frames"] - expected).mean() < 0.005


def test_long_silence_before_and_after_is_left_out(tmp_path):
    string = digit_strings.spoken(TONES, np.random.default_rng(3), RATE)
    # Only tones are more than 3 % of the loudest.
    noise = 1e-4 * np.random.default_rng(4).standard_normal(5 * RATE)
    sound = np.concatenate([noise, string.wave, noise])
    found, _ = TASK.examples(write(tmp_path / "a.wav", sound), Reading())
    alone, _ = TASK.examples(write(tmp_path / "b.wav", string.wave), Reading())
    assert alone["length"] <= found["length"] <= alone["length"] + 31


def test_a_longer_recording_is_padded_to_a_multiple_of_what_the_data_have(tmp_path):
    sound = 0.1 * np.tile(tone(3), 40)
    found, _ = TASK.examples(write(tmp_path / "a.wav", sound), Reading())
    assert found["frames"].shape[1] == 2 * digit_strings.FRAMES
    assert digit_strings.FRAMES < found["length"] < 2 * digit_strings.FRAMES


def test_the_picture_has_every_string_with_its_times(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(
        alignment_picture, "alignments", lambda *args: shown.append(args)
    )
    test = strings(3, 1)
    answers = np.full((3, digit_strings.FRAMES // 8), -1)
    answers[0, [10, 30]] = [4, 2]
    TASK.draw(tmp_path, test, answers, np.ones(3))
    (examples, seconds, path) = shown[0]
    assert (seconds, path.name) == (0.01, "alignments.png")
    assert (examples[0].heard, examples[1].heard) == (["4", "2"], [])
    np.testing.assert_allclose(examples[0].heard_at, [0.8, 2.4])
    for one, digits, begins in zip(
        examples, test["digits"], test["begins"], strict=True
    ):
        assert one.said == [str(digit) for digit in digits if digit >= 0]
        assert one.said_at[0] == begins[0]
        assert len(one.features) * seconds > one.said_at[-1]
    assert examples[0].features.shape == (test["length"][0], 40)


@pytest.mark.slow
def test_a_run_is_saved_judged_and_asked(task, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(TASKS, "digit-strings", task)
    run = tmp_path / "run"
    options = ["--task", "digit-strings", "--hidden", "8", "--batch-size", "8"]
    options += ["--epochs", "2", "--warmup", "0", "--run", run, "--devices", "1"]
    status, out, _ = said(capsys, "train", *options)
    assert status == 0
    assert "test error" in out
    assert (run / "alignments.png").is_file()
    status, out, _ = said(capsys, "evaluate", run)
    assert (status, "over 6 test strings" in out) == (0, True)
    short, long = (
        write(tmp_path / f"{n}.wav", 0.1 * np.tile(tone(3), n)) for n in (4, 40)
    )
    for beam in ([], ["--beam", "3"]):
        status, out, err = said(capsys, "predict", run, short, long, short, *beam)
        assert (status, err) == (0, "")
        first, second, third = out.splitlines()
        assert first == third
        assert (str(long) in second, "%" in second) == (True, True)


@pytest.mark.parametrize(
    ("name", "beam", "message"),
    [("digit-strings", 0, "expected 1 or more"), ("digits", 4, "it says nothing for")],
)
def test_a_beam_that_cannot_be_is_refused(name, beam, message):
    with pytest.raises(ValueError, match=rf"--beam {beam}: {message}"):
        predict._answer(TASKS[name], beam)


@pytest.mark.parametrize("option", ["--shift 2", "--rotate 5", "--label-smoothing 0.1"])
def test_options_that_say_nothing_for_strings_are_refused(task, option):
    with pytest.raises(ValueError, match="it says nothing for --task digit-strings"):
        training(task, option)
