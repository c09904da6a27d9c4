"""A run on speech, killed from outside: it ends in the same bits."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from train_runs import command, result, rows

SCRIPT = Path(__file__).with_name("tones_trained.py")
OPTIONS = ["--task", "spoken-digits", "--hidden", "8", "--batch-size", "16"]
OPTIONS += ["--epochs", "12", "--log-every", "3", "--checkpoint-every", "3"]
OPTIONS += ["--shift", "10", "--masks", "2"]
OPTIONS += ["--no-pictures", "--quiet", "--resume"]


def start(folder, alone=False):
    """The trainer on tones, going on in `folder` or beginning there."""
    line = command(*OPTIONS, "--run", folder / "run", alone=alone)
    line["args"][1:3] = [str(SCRIPT), "train"]  # in place of -m rmsprop_jax.train
    (folder / "data").mkdir(parents=True, exist_ok=True)
    line["env"]["RMSPROP_JAX_DATA"] = str(folder / "data")
    return subprocess.Popen(**line, stdout=subprocess.DEVNULL)


def steps(folder):
    names = [path.name for path in (folder / "run" / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdigit()), default=0)


def killed(folder):
    """The newest checkpoint when the run got SIGKILL."""
    before, process = steps(folder), start(folder)
    try:
        while process.poll() is None and steps(folder) < before + 6:
            time.sleep(0.005)
    finally:
        process.kill()
    assert process.wait(30) == -signal.SIGKILL
    return steps(folder)


@pytest.mark.slow
def test_a_run_on_varied_speech_that_is_killed_ends_in_the_same_bits(tmp_path):
    assert start(tmp_path / "whole", alone=True).wait(600) == 0
    whole = tmp_path / "whole" / "run"
    folder = tmp_path / "killed"
    assert 0 < killed(folder) < result(whole)["steps"]
    assert start(folder).wait(600) == 0
    assert result(folder / "run")["sha256"] == result(whole)["sha256"]
    assert rows(folder / "run") == rows(whole)
