"""`rmsprop-jax range-test`: its refusals, its words, its folder."""

import json
import shlex

import numpy as np
import pytest
from pictures_seen import assert_legible, seen, words

from rmsprop_jax.sweeping.rates import RateRange
from rmsprop_jax.train import cli
from rmsprop_jax.train.sweeps import rate_picture, rate_range, sweep

__all__ = ["seen"]


def never(*_, **__):
    raise AssertionError("nothing was to be compiled")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--low", "1"], "--low 1 --high 1: expected 0 < low < high"),
        (["--high", "inf"], "expected 0 < low < high"),
        (["--steps", "1"], "--steps 1: expected 2 or more"),
        (["--smoothing", "1"], "--smoothing 1: expected 0 or more, below 1"),
        (["--decay", "1.5"], "--decay 1.5: expected a number in [0, 1)"),
        (["--dialect", "torhc"], "--dialect torhc: expected one of optax"),
        (["--nesterov"], "expected momentum too"),
        (["--hidden", "0"], "--hidden 0: expected 1 or more"),
        (["--batch-size", "2000"], "--batch-size 2000: expected at most 1437"),
        (["--task", "linear", "--model", "cnn"], "--model cnn: it does not take"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_compiled(
    arguments, message, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(rate_range, "range_test", never)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["range-test", "--task", "digits", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "model", ["linear", pytest.param("strong", marks=pytest.mark.slow)]
)
def test_the_range_and_the_next_line_are_said(model, tmp_path, capsys, seen):
    asked = ["--task", "digits", "--model", model, "--momentum", "0.5"]
    folder = ["--run", str(tmp_path)]
    assert cli.main(["range-test", *asked, *folder]) == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert 1e-6 < result["low"] < result["high"] < 0.1
    assert len(result["losses"]) == len(result["learning_rates"]) == 200
    *_, line, where = capsys.readouterr().out.splitlines()
    assert where == str(tmp_path)
    program, name, *options = shlex.split(line.removeprefix("to look closer: "))
    assert (program, name) == ("rmsprop-jax", "sweep")
    next_one = sweep.parse(options)
    assert (next_one.learning.task, next_one.learning.model) == ("digits", model)
    assert next_one.momentum == "0.5"
    assert_legible(seen[0])
    assert cli.main(["range-test", *asked, *folder]) == 2
    assert "it holds a result already" in capsys.readouterr().err


def rate_range_of(losses, low, high, diverged):
    rates = np.geomspace(1e-6, 1, len(losses))
    return RateRange(rates, losses, losses, low, high, diverged)


FALLING = np.linspace(2.3, 0.5, 50)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (rate_range_of(FALLING, 1e-4, 1e-2, None), "suggested"),
        (rate_range_of(FALLING, 1e-6, 1.0, None), "suggested"),
        (rate_range_of(np.full(50, np.nan), None, None, 0), "does not count"),
        (
            rate_range_of(np.append(FALLING, [9.0, np.inf]), 1e-2, 0.5, 50),
            "what follows does not count",
        ),
    ],
    ids=["inside", "everywhere", "lost", "late"],
)
def test_the_picture_is_legible(found, said, seen, tmp_path):
    rate_picture.draw(found, "A title", "A caption.", tmp_path / "range_test.png")
    assert_legible(seen[0])
    assert any(said in text for text in words(seen[0]))
