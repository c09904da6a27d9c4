"""A run through the command line: what it shows, keeps, and goes on from."""

import os
import re
import signal
import subprocess
import time

import pytest
from train_runs import command, remembering, result, rows, run

from benchmarks import kills

SHORT = ["--task", "digits", "--model", "mlp", "--hidden", "16", "--batch-size", "64"]
SHORT += ["--epochs", "8", "--log-every", "10", "--checkpoint-every", "15"]
SHORT += ["--learning-rate", "0.01", "--no-pictures"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run without interruption: its folder and process."""
    folder = tmp_path_factory.mktemp("whole")
    done = run(*SHORT, "--run", "whole", "--tensorboard", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "whole", done


def ended(folder, number, *arguments, devices=1):
    """Status and last words of a run that got a signal after its first epoch."""
    line = command(*arguments, "--run", folder, devices=devices)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(**line, **pipes) as process:
        for text in process.stdout:
            if text.startswith("epoch"):
                break
        process.send_signal(number)
        return process.wait(300), process.stdout.read()


def test_a_run_says_what_it_is_then_each_epoch_then_its_result(whole):
    folder, done = whole
    lines = done.stdout.splitlines()
    assert "digits (1,437 train, 360 test)" in lines[0]
    assert "8 x 22 steps of 64" in lines[0]
    assert [line.split()[1] for line in lines[1:9]] == [f"{i}/8" for i in range(1, 9)]
    accuracy = 100 * result(folder)["test/accuracy"]
    assert lines[9].startswith("digits, mlp, rmsprop")
    assert f"{accuracy:.2f} % of 360 test images after 8 epochs" in lines[9]
    assert lines[10:] == ["whole"]
    assert done.stderr == ""
    assert accuracy > 80


def test_a_run_keeps_its_options_rows_events_result_and_checkpoints(whole):
    folder, _ = whole
    assert {path.name for path in folder.iterdir()} == {
        ".lock",
        "config.json",
        "metrics.jsonl",
        "result.json",
        "checkpoints",
        "tensorboard",
    }
    kept = {int(path.name) for path in (folder / "checkpoints").iterdir()}
    best = int(result(folder)["best"]["step"])
    assert kept == {best, 165, 176}


def test_there_is_a_row_every_ten_steps_and_at_each_epoch_end(whole):
    folder, _ = whole
    train = [row["step"] for row in rows(folder) if row["kind"] == "train"]
    epoch = [row["step"] for row in rows(folder) if row["kind"] == "epoch"]
    ends = {22 * i for i in range(1, 9)}
    assert train == sorted(ends | set(range(10, 177, 10)))
    assert epoch == sorted(ends)
    last = rows(folder)[-1]
    assert last["test/accuracy"] == result(folder)["test/accuracy"]
    assert last["effective_learning_rate/q50"] > last["learning_rate"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_was_ended_goes_on_as_if_it_had_not(whole, tmp_path, number):
    folder = tmp_path / "run"
    status, rest = ended(folder, number, *SHORT)
    if number == signal.SIGKILL:
        assert status == -number
    else:
        assert status == 128 + number
        assert "stopped after step" in rest
    assert not (folder / "result.json").exists()
    done = run(*SHORT, "--run", folder, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    if number != signal.SIGKILL:
        assert "goes on after step" in done.stdout
    assert result(folder)["sha256"] == result(whole[0])["sha256"]
    assert rows(folder) == rows(whole[0])


def test_a_run_goes_on_with_other_devices(whole, tmp_path):
    folder = tmp_path / "run"
    status, _ = ended(folder, signal.SIGTERM, *SHORT, devices=4)
    assert status == 143
    done = run("--run", folder, "--resume", "--zero", cwd=tmp_path, devices=2)
    assert done.returncode == 0, done.stderr
    loss, other = result(folder)["test/loss"], result(whole[0])["test/loss"]
    assert loss == pytest.approx(other, abs=1e-4)
    assert [row["step"] for row in rows(folder)] == [
        row["step"] for row in rows(whole[0])
    ]


def test_a_finished_run_that_is_resumed_says_its_result_again(whole, tmp_path):
    folder, first = whole
    before = rows(folder)
    done = run("--run", folder, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.splitlines()[-2].split(" after ")[0]
        == (first.stdout.splitlines()[-2].split(" after ")[0])
    )
    assert rows(folder) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "it holds a run already; --resume goes on with it"),
        (["--resume", "--learning-rate", "0.5"], "--learning-rate 0.5: the run in"),
        (["--resume", "--seed", "1"], "--seed 1: the run in"),
        (["--resume", "--log-every", "7"], "--log-every 7: the run in"),
    ],
)
def test_a_folder_that_holds_another_run_is_left_alone(
    whole, tmp_path, arguments, words
):
    folder, _ = whole
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = run(*SHORT, "--run", folder, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_target_that_is_missed_is_an_exit_status(tmp_path):
    quick = [*SHORT, "--epochs", "2", "--quiet"]
    done = run(*quick, "--target-accuracy", "99.9", cwd=tmp_path)
    assert done.returncode == 3
    assert "99.9 %: not reached" in done.stdout
    done = run(*quick, "--target-accuracy", "30", "--run", "b", cwd=tmp_path)
    assert done.returncode == 0
    assert "30 %: reached after epoch" in done.stdout
    assert result(tmp_path / "b")["reached"]["seconds"] > 0


def test_a_loss_that_is_not_finite_ends_the_run_with_the_steps(tmp_path):
    wild = [*SHORT, "--optimizer", "sgd", "--learning-rate", "1e20", "--run", "a"]
    done = run(*wild, cwd=tmp_path)
    assert done.returncode == 1
    assert "the loss was not finite in" in done.stderr
    assert re.search(r"of the steps 1 to \d+ \(latest checkpoint: none\)", done.stderr)
    assert "--skip-nonfinite" in done.stderr


def test_data_that_are_not_there_are_refused_in_a_sentence(tmp_path):
    done = run("--task", "mnist", "--data-dir", tmp_path, cwd=tmp_path)
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    for name, value in remembering(tmp_path / "compiled").items():
        monkeypatch.setenv(name, value)
    row = kills.measure(3, 1, tmp_path)
    assert row["kills"] >= 3


@pytest.mark.slow
def test_without_any_option_the_embedded_digits_are_learned_and_drawn(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RMSPROP_JAX_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # No network.
    began = time.perf_counter()
    done = run(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "digits" in done.stdout.splitlines()[0]
    (folder,) = (tmp_path / "runs").iterdir()
    pictures = {path.name for path in folder.glob("*.png")}
    assert pictures == {"curves.png", "confusion.png", "mistakes.png"}
    assert result(folder)["test/accuracy"] > 0.95
    print(f"{time.perf_counter() - began:.1f} s, {os.getloadavg()[0]:.1f} waiting")
