"""`evaluate` and `predict` of runs that take seconds each."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from train_asked import evaluated, predicted, written
from train_runs import result, run

from rmsprop_jax.train.data import mnist
from rmsprop_jax.train.data.linear import generate
from rmsprop_jax.train.saved import SavedRun

pytestmark = pytest.mark.slow

MNIST = next(
    (
        folder
        for folder in (
            Path(os.environ.get("RMSPROP_JAX_DATA") or "nowhere"),
            Path(__file__).parents[2] / "shared/data/mnist",
        )
        if mnist.available("mnist", folder)
    ),
    None,
)


def test_a_regression_answers_rows_of_numbers(tmp_path, capsys):
    folder = tmp_path / "run"
    options = ["--task", "linear", "--epochs", "40", "--devices", "1", "--no-pictures"]
    assert run(*options, "--quiet", "--run", folder, cwd=tmp_path).returncode == 0
    x, y, _, _ = generate()
    np.savetxt(tmp_path / "rows.csv", x[-5:], delimiter=",")
    status, said_, _ = predicted(capsys, folder, tmp_path / "rows.csv")
    assert status == 0
    assert said_[4]["file"].endswith("rows.csv, row 5")
    answers = np.array([row["answer"] for row in said_])
    assert np.abs(answers - y[-5:, 0]).max() < 0.5 < np.abs(y[-5:]).max()
    ours = evaluated(capsys, folder)
    assert "classes" not in ours
    assert ours["test/loss"] < 0.05


def test_a_state_that_was_spread_over_devices_is_restored_on_others(tmp_path, capsys):
    options = ["--task", "digits", "--model", "mlp", "--epochs", "2", "--quiet"]
    options += ["--no-pictures", "--zero", "--devices", "2", "--run", "run"]
    done = run(*options, cwd=tmp_path, devices=2)
    assert done.returncode == 0, done.stderr
    for count in (1, 4):
        ours = evaluated(
            capsys, tmp_path / "run", "--devices", count, "--checkpoint", "latest"
        )
        assert ours["test/accuracy"] == result(tmp_path / "run")["test/accuracy"]


@pytest.mark.skipif(MNIST is None, reason="MNIST is not in $RMSPROP_JAX_DATA")
def test_printed_digits_are_read_by_a_model_of_handwritten_ones(tmp_path, capsys):
    options = [
        "--task",
        "mnist",
        "--data-dir",
        MNIST,
        "--model",
        "mlp",
        "--epochs",
        "4",
    ]
    options += ["--no-pictures", "--quiet", "--run", tmp_path / "run"]
    assert run(*options, cwd=tmp_path).returncode == 0
    font, files = ImageFont.load_default(size=200), []
    for digit in range(10):
        page = Image.new("RGB", (300, 400), "white")
        ImageDraw.Draw(page).text((90, 60), str(digit), font=font, fill="black")
        files.append(tmp_path / f"{digit}.png")
        page.save(files[-1])
    _, said_, _ = predicted(capsys, tmp_path / "run", *files)
    right = sum(row["answer"] == str(k) for k, row in enumerate(said_))
    assert right >= 7  # its 6 and 9 are not written as people do
    test = mnist.load("mnist", MNIST).test
    files = written(tmp_path / "png", test["image"][:500])
    _, said_, _ = predicted(capsys, tmp_path / "run", *files)
    answers = SavedRun(tmp_path / "run", "best").judge(test).answers.answer
    assert [int(row["answer"]) for row in said_] == np.asarray(answers[:500]).tolist()
