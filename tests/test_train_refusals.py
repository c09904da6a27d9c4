"""Bad input to the trainer: a sentence that names it, and nothing lost."""

import os
import subprocess
import time

import pytest
from train_runs import command, result, rows, run

from rmsprop_jax.train import checks, settings
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training_command import parse

QUICK = ["--task", "digits", "--model", "mlp", "--hidden", "8", "--batch-size", "64"]
QUICK += ["--epochs", "3", "--no-pictures"]


def checked(text):
    config = parse(text.split())
    checks.check(config)
    task = TASKS[config.learning.task]
    checks.check_task(config, task)
    checks.check_pace(settings.resolve(config, task.name, task.model))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "--task linear --target-accuracy 90",
            "--target-accuracy 90.0: it says nothing",
        ),
        (
            "--task linear --label-smoothing 0.1",
            "--label-smoothing 0.1: it says nothing",
        ),
        ("--task linear --shift 2", "--shift 2.0: it says nothing for --task linear"),
        ("--task linear --model cnn", "--model cnn: it does not take"),
        (
            "--task digits --data-dir x",
            "--data-dir x: it says nothing for --task digits",
        ),
        ("--task digits --model linear --hidden 5", "--hidden 5: --model linear"),
        ("--task digits --shift 5", "--shift 5.0: expected at most half of 8 pixels"),
        ("--task digits --shift inf", "--shift inf: expected a finite number"),
        ("--task digits --warmup inf", "--warmup inf: expected a finite number"),
        ("--task digits --warmup 2 --epochs 2", "--warmup 2.0: expected less than the"),
        ("--task digits --schedule step --drop-every 0", "--drop-every 0.0: expected"),
    ],
)
def test_an_option_that_means_nothing_here_is_refused(text, words):
    with pytest.raises(ValueError, match=r"--") as refusal:
        checked(text)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("task", "model"),
    [(one.name, model) for one in TASKS.values() for model in one.models],
)
def test_what_has_been_resolved_passes_again(task, model):
    config = settings.resolve(parse(["--task", task, "--model", model]), task, model)
    checks.check(config)
    checks.check_task(config, TASKS[task])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    done = run(*QUICK, "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def copy_of(finished, tmp_path):
    subprocess.run(["cp", "-r", finished, tmp_path / "run"], check=True)
    return tmp_path / "run"


def test_a_damaged_checkpoint_is_named_with_the_one_before_it(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    (folder / "result.json").unlink()
    for path in (folder / "checkpoints" / "66").rglob("*"):
        if path.is_file() and path.stat().st_size > 3000:
            os.truncate(path, 100)
    done = run("--run", folder, "--resume", cwd=tmp_path)
    assert done.returncode == 2
    assert "checkpoints/66: the checkpoint is damaged or incomplete" in done.stderr
    assert "Delete that folder to go on from step 44" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["rm", "-r", folder / "checkpoints" / "66"], check=True)
    done = run("--run", folder, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert result(folder)["sha256"] == result(finished)["sha256"]


def test_a_finished_run_without_checkpoints_is_not_begun_again(finished, tmp_path):
    folder = copy_of(finished, tmp_path)
    subprocess.run(["rm", "-r", folder / "checkpoints"], check=True)
    done = run("--run", folder, "--resume", cwd=tmp_path)
    assert done.returncode == 2
    assert "its checkpoints are gone" in done.stderr
    assert rows(folder) == rows(finished)


def test_only_one_process_trains_in_a_folder(tmp_path):
    folder = tmp_path / "run"
    line = command(*QUICK, "--epochs", "500", "--run", folder, "--resume")
    with subprocess.Popen(**line, stdout=subprocess.DEVNULL) as first:
        while not (folder / "metrics.jsonl").exists():
            time.sleep(0.05)
        second = run(
            *QUICK, "--epochs", "500", "--run", folder, "--resume", cwd=tmp_path
        )
        first.kill()
    assert second.returncode == 2
    assert "another process is training there" in second.stderr


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_run_that_cannot_have_its_folder_says_so_at_once(where, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(*QUICK, "--run", where, cwd=tmp_path)
    assert done.returncode == 2
    assert f"--run {where}: expected a folder that can be written" in done.stderr


def test_a_terminal_without_unicode_and_a_closed_pipe_do_not_end_a_run(
    finished, tmp_path, monkeypatch
):
    for name, value in {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONUTF8", "0")
    line = command(*QUICK, "--run", tmp_path / "run")
    with subprocess.Popen(**line, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(120)
    assert result(tmp_path / "run")["sha256"] == result(finished)["sha256"]


def test_an_unknown_command_is_refused_by_the_module_too(tmp_path):
    done = run("trian", cwd=tmp_path)
    assert done.returncode == 2
    assert "trian: no such command" in done.stderr
