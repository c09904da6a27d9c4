"""The task of spoken digits, on recordings of tones made here."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from test_train_data_fsdd import corpus
from train_runs import far, same, trained
from waves_made import recordings, tone, wav

from rmsprop_jax.train.checks import check
from rmsprop_jax.train.cli import main
from rmsprop_jax.train.data import fsdd
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.tasks import TASKS, spoken
from rmsprop_jax.train.tasks.task import Reading
from rmsprop_jax.train.training import Training, means, split
from rmsprop_jax.train.training_command import parse

FILES = recordings(count=9)
TASK = TASKS["spoken-digits"]
SMALL = ["--task", "spoken-digits", "--hidden", "16", "--batch-size", "16"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("recordings")
    for name, data in FILES.items():
        (place / name).write_bytes(data)
    return place


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, folder):
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(folder))
    monkeypatch.setattr(fsdd, "load", partial(fsdd.load, corpus=corpus(files=FILES)))


def training(*arguments):
    config = parse([*SMALL, "--devices", "1", *arguments])
    check(config)
    return Training(resolve(config, TASK.name, TASK.model), TASK)


def test_the_data_are_features_lengths_and_digits_split_as_the_names_say():
    data = TASK.load(None)
    for part, count in ((data.train, 80), (data.test, 100)):
        assert part["frames"].shape == (count, spoken.FRAMES, 40)
        assert part["length"].max() <= 28
        assert np.bincount(part["label"]).tolist() == [count // 10] * 10
        past = np.arange(spoken.FRAMES)[None, :] >= part["length"][:, None]
        assert (part["frames"][past] == 0).all()


def test_what_validation_holds_out_is_of_every_digit():
    held_out = split(TASK, TASK.load(None), held_out=20)["validation"]
    assert np.bincount(held_out["label"]).tolist() == [2] * 10


@pytest.mark.parametrize("model", ["lstm", pytest.param("gru", marks=pytest.mark.slow)])
def test_tones_are_told_apart_and_stopping_changes_no_bit(model):
    one = training("--model", model, "--epochs", "8", "--learning-rate", "0.01")
    steps = one.pace.steps_per_epoch
    whole, parts = one.start(), one.start()
    for epoch in range(one.pace.epochs):
        first, last = epoch * steps, (epoch + 1) * steps
        whole = one.advance(whole, first, last)
        for stop in (first + 1, last):
            parts = one.advance(parts, int(parts.step), stop)
    assert same(whole, parts)
    assert means(one.evaluate(whole, "test").totals)["accuracy"] > 0.9


def test_what_is_varied_is_so_wherever_the_training_stopped():
    varied, plain = training("--shift", "9", "--masks", "2"), training()
    assert same(trained(varied, [1, 4, 7]), trained(varied, [7]))
    assert far(trained(varied, [7]).params, trained(plain, [7]).params) > 1e-4


def test_a_file_is_heard_as_the_data_are(folder, tmp_path):
    reading = Reading(seen=tmp_path / "seen")
    found, names = TASK.examples(folder / "3_ann_0.wav", reading)
    assert names == [str(folder / "3_ann_0.wav")]
    data = TASK.load(None).test
    first = sorted(name for name in FILES if name.endswith("_0.wav"))
    row = first.index("3_ann_0.wav")
    assert abs(int(found["length"][0]) - int(data["length"][row])) <= 1
    count = int(found["length"][0]) - 1
    close = np.abs(found["frames"][0, :count] - data["frames"][row, :count])
    assert close.mean() < 0.05
    from PIL import Image

    with Image.open(tmp_path / "seen" / "3_ann_0.png") as picture:
        assert picture.size == (int(found["length"][0]), 40)
        rows = np.asarray(picture).mean(axis=1)
    # The tone of 3 is at 586 Hz, low, and low is below.
    assert 25 < rows.argmax() < 40


def test_silence_around_it_is_no_part_of_what_is_said(tmp_path):
    sound = np.concatenate([np.zeros(9000), tone(0.2, 586), np.zeros(7000)])
    (tmp_path / "long.wav").write_bytes(wav(sound))
    found, _ = TASK.examples(tmp_path / "long.wav", Reading())
    assert found["length"][0] <= 20


def test_more_than_a_digit_is_refused_with_the_way_out(tmp_path):
    (tmp_path / "long.wav").write_bytes(wav(tone(2.0)))
    words = r"long\.wav: expected one digit, of at most 1\.29 .* found 2\.00 .*strings"
    with pytest.raises(ValueError, match=words):
        TASK.examples(tmp_path / "long.wav", Reading())


def test_silence_is_no_digit(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(np.zeros(8000)))
    with pytest.raises(ValueError, match=r"a\.wav: expected a spoken digit"):
        TASK.examples(tmp_path / "a.wav", Reading())
    with pytest.raises(ValueError, match=r"a\.wav: expected spoken digits"):
        TASKS["digit-strings"].examples(tmp_path / "a.wav", Reading())


def test_pictures_show_what_was_confused_and_misheard(tmp_path):
    test = TASK.load(None).test
    answers = test["label"].copy()
    answers[:3] = (answers[:3] + 1) % 10
    TASK.draw(tmp_path, test, answers, np.full(len(answers), 0.9))
    assert {path.name for path in tmp_path.iterdir()} == {
        "confusion.png",
        "mistakes.png",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--rotate 3", "--rotate 3.0: it says nothing for --task spoken-digits"),
        ("--masks -1", "--masks -1: expected 0 or more"),
        ("--shift 80", "at most half of 128 hundredths of a second"),
        ("--model cnn", "does not take the recordings of --task spoken-digits"),
    ],
)
def test_options_that_say_nothing_are_refused(arguments, words, capsys):
    assert main(["train", *SMALL, *arguments.split()]) == 2
    assert words in capsys.readouterr().err


def test_masks_are_for_sequences(capsys):
    assert main(["train", "--task", "digits", "--masks", "2"]) == 2
    said = capsys.readouterr().err
    assert "--masks 2: it says nothing for --task digits" in said


@pytest.mark.slow
def test_every_command_takes_the_task(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = [*SMALL, "--epochs", "2", "--quiet"]
    assert main(["train", *few, "--run", "run"]) == 0
    drawn = {path.name for path in Path("run").glob("*.png")}
    assert drawn == {"curves.png", "confusion.png", "mistakes.png"}
    assert main(["train", *few, "--run", "run", "--resume"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "run", "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)
    assert judged["tested"] == 100
    files = [str(folder / name) for name in ("0_ann_0.wav", "9_bob_0.wav")]
    assert main(["predict", "run", *files]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(re.search(r"wav: \d \(\S+ %\), then \d", line) for line in lines)
    (tmp_path / "broken.wav").write_bytes(wav(tone())[:-100])
    assert main(["predict", "run", files[0], "broken.wav"]) == 1
    assert "it was cut off" in capsys.readouterr().err


@pytest.mark.slow
def test_compare_sweep_and_range_test_take_the_task(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    few = ["--task", "spoken-digits", "--hidden", "8", "--batch-size", "16"]
    few += ["--epochs", "1"]
    rates = ["--learning-rate", "1e-3:1e-2:log", "--budget", "2", "--at-once", "2"]
    assert main(["sweep", *few, *rates, "--seeds", "1", "--run", "swept"]) == 0
    assert main(["range-test", *few[:-2], "--run", "range"]) == 0
    rivals = ["--optimizers", "rmsprop", "momentum", "--trials", "1", "--seeds", "1"]
    assert main(["compare", *few, *rivals, "--devices", "1", "--run", "both"]) == 0
    assert "momentum" in capsys.readouterr().out
