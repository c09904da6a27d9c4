"""Sweeps from the command line, on a few of the digits' steps."""

import json
import math
import shlex
import signal
import subprocess

import jax
import numpy as np
import pytest
from train_runs import command

from rmsprop_jax.train import cli
from rmsprop_jax.train.config import run_of
from rmsprop_jax.train.ground import ground
from rmsprop_jax.train.holding import held
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.sweeps import searching
from rmsprop_jax.train.sweeps.command import training_command
from rmsprop_jax.train.sweeps.plan import planned
from rmsprop_jax.train.sweeps.standing import Standing, read_rows
from rmsprop_jax.train.sweeps.sweep import HYPERPARAMETERS, parse
from rmsprop_jax.train.tasks import TASKS
from rmsprop_jax.train.training import Training, means
from rmsprop_jax.train.training_command import parse as parse_training

SMALL = ["--task", "linear", "--epochs", "2", "--no-pictures"]

HALVING = ["--epochs", "3", "--budget", "9", "--seeds", "2", "--halving"]
HALVING += ["--at-once", "1"]


def swept(folder, *arguments):
    """The exit status, and the rows of the sweep."""
    status = cli.main(["sweep", *SMALL, "--run", str(folder), *arguments])
    return status, swept_rows(folder)


def swept_rows(folder):
    lines = (folder / "trials.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def result(folder):
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """A search by halving, whole, and what it kept."""
    folder = tmp_path_factory.mktemp("halved")
    return (*swept(folder, *HALVING), folder)


def test_halving_goes_on_with_the_best_third(halved):
    status, rows, _ = halved
    assert status == 0
    steps = sorted({row["steps"] for row in rows})
    counts = [sum(row["steps"] == n for row in rows) for n in steps]
    assert counts == [12, 4, 2]
    assert [len(row["curve/validation/loss"]) for row in rows] == [
        -(-row["steps"] // steps[0]) for row in rows
    ]


def test_no_steps_are_told_that_were_not_made(halved):
    *_, rows, folder = halved
    plan = planned(parse(["--run", str(folder), "--resume"]))
    total, last = plan.ground.pace.total_steps, plan.stages[-1]
    assert last.stop * plan.every > total  # The last stretch ends with the run.
    assert max(row["steps"] for row in rows) == total
    again = Standing(plan, read_rows(folder / "trials.jsonl"))
    assert (again.stage, again.share()) == (len(plan.stages), 1)


def test_the_best_point_is_the_lowest_mean_on_held_out_examples(halved):
    _, rows, folder = halved
    last = [row for row in rows if row["steps"] == max(r["steps"] for r in rows)]
    mean = math.fsum(row["validation/loss"] for row in last) / len(last)
    assert result(folder)["best"]["validation/loss"] == pytest.approx(mean)


def test_a_finished_sweep_says_the_same_again(halved, capsys):
    *_, folder = halved
    before = (folder / "trials.jsonl").read_text()
    assert cli.main(["sweep", "--run", str(folder), "--resume"]) == 0
    assert "goes on: 100% is done" in capsys.readouterr().out
    assert (folder / "trials.jsonl").read_text() == before


def test_a_sweep_whose_progress_was_damaged_begins_anew_once_that_is_deleted(
    tmp_path, capsys
):
    choices = ["--learning-rate", "1e-2,1e-3", "--decay", "0.9"]
    _, rows = swept(tmp_path, *choices)
    file = tmp_path / "search" / "progress.npz"
    file.write_bytes(file.read_bytes()[:100])
    again = ["sweep", "--run", str(tmp_path), "--resume"]
    assert cli.main(again) == 2
    assert "progress.npz is damaged" in capsys.readouterr().err
    file.unlink()
    assert cli.main(again) == 0
    said = capsys.readouterr().out
    assert "is done" not in said
    assert "1/2  learning rate 0.01" in said
    assert swept_rows(tmp_path) == rows


@pytest.mark.skipif(jax.device_count() < 3, reason="needs three devices")
def test_trials_are_the_same_on_one_device_and_spread_over_several(
    tmp_path, monkeypatch
):
    used, search = [], searching.sweep
    monkeypatch.setattr(
        searching,
        "sweep",
        lambda *a, devices, **k: (
            used.append(len(devices)) or search(*a, devices=devices, **k)
        ),
    )
    choices = ["--learning-rate", "1e-2,1e-3,1e-4", "--decay", "0.9", "--at-once", "1"]
    _, one = swept(tmp_path / "one", *choices, "--devices", "1")
    _, many = swept(tmp_path / "many", *choices, "--devices", "3")
    losses = [[row["validation/loss"] for row in rows] for rows in (one, many)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    assert len(set(losses[0])) == 3
    assert used == [1, 3]


def test_a_folder_that_another_process_sweeps_in_is_refused(tmp_path, capsys):
    with held(tmp_path, "sweeping"):
        assert cli.main(["sweep", *SMALL, "--run", str(tmp_path)]) == 2
    assert "another process is sweeping there" in capsys.readouterr().err
    assert not (tmp_path / "trials.jsonl").exists()


MARKS = {
    "train": "config.json",
    "sweep": "sweep.json",
    "compare": "comparison.json",
    "range-test": None,
}
FOREIGN = [
    (command, mark)
    for command, own in MARKS.items()
    for mark in MARKS.values()
    if mark not in (None, own)
]


@pytest.mark.parametrize(("command", "mark"), FOREIGN)
def test_a_folder_of_another_command_is_refused(command, mark, tmp_path, capsys):
    (tmp_path / mark).write_text("{}")
    assert cli.main([command, "--task", "linear", "--run", str(tmp_path)]) == 2
    assert f"it holds {mark}, of another command" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [mark]


def test_what_diverged_is_said_and_never_best(tmp_path, capsys):
    choices = ["--learning-rate", "1e38,1e-2", "--momentum", "0.9", "--decay", "0.9"]
    status, rows = swept(tmp_path, *choices)
    assert status == 0
    assert [row["diverged"] for row in rows] == [True, False]
    said = capsys.readouterr().out
    assert "1/2  learning rate 1e+38  decay 0.9  momentum 0.9: diverged" in said
    assert "1 of 2 trials diverged." in said
    assert result(tmp_path)["best"]["learning_rate"] == 1e-2


def test_a_sweep_without_a_survivor_exits_with_1(tmp_path, capsys):
    choices = ["--learning-rate", "1e38", "--momentum", "0.9", "--decay", "0.9"]
    assert swept(tmp_path, *choices)[0] == 1
    assert result(tmp_path)["best"] is None
    assert "Try smaller learning rates" in capsys.readouterr().out


@pytest.mark.slow
def test_words_are_compiled_apart(tmp_path):
    choices = ["--learning-rate", "1e-2", "--decay", "0.9", "--quiet"]
    words = ["--dialect", "optax,tf1", "--centered", "true,false"]
    _, rows = swept(tmp_path, *choices, *words)
    losses = {row["validation/loss"] for row in rows}
    assert len(rows) == 4
    assert len(losses) == 4


def test_the_line_that_trains_the_best_is_understood():
    asked = parse(["--task", "digits", "--hidden", "16", "--clip-norm", "1"])
    base = ground(run_of(asked, HYPERPARAMETERS), "loss")
    point = {"learning_rate": 0.1 / 3, "decay": 0.9, "nesterov": True}
    point |= {"momentum": 0.5, "centered": False, "dialect": "keras"}
    program, name, *words = shlex.split(training_command(base, point))
    assert (program, name) == ("rmsprop-jax", "train")
    config = resolve(parse_training(words), "digits", TASKS["digits"].model)
    chosen, learning = config.optimizer, config.learning
    assert chosen.learning_rate == pytest.approx(0.1 / 3, rel=1e-6)
    assert (chosen.dialect, chosen.nesterov, chosen.centered) == ("keras", True, False)
    assert (chosen.momentum, chosen.clip_norm, chosen.decay) == (0.5, 1.0, 0.9)
    assert (learning.model, learning.hidden, learning.epochs) == ("mlp", 16, 20)
    assert learning.validation == 0


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "strong"])
def test_a_trial_is_the_training_that_train_would_make(tmp_path, model):
    common = f"--task digits --model {model} --epochs 2 --validation 239"
    common += " --learning-rate 1e-3 --decay 0.99 --momentum 0.9 --eps 1e-4 --seed 3"
    arguments = [*common.split(), "--no-pictures", "--quiet"]
    asked = [*arguments, "--seeds", "2", "--run", str(tmp_path)]
    assert cli.main(["sweep", *asked]) == 0
    row = json.loads((tmp_path / "trials.jsonl").read_text().splitlines()[1])
    assert row["seed"] == 4
    config = parse_training([*arguments, "--devices", "1"])
    one = Training(resolve(config, "digits", model), TASKS["digits"])
    state, per_epoch = one.start(4), one.pace.steps_per_epoch
    for epoch in range(2):
        state = one.advance(state, epoch * per_epoch, (epoch + 1) * per_epoch, 4)
        theirs = means(one.evaluate(state, "validation").totals)["loss"]
        assert row["curve/validation/loss"][epoch] == pytest.approx(theirs, rel=1e-4)
        theirs = means(state.epoch)["loss"]
        assert row["curve/train/loss"][epoch] == pytest.approx(theirs, rel=1e-4)


@pytest.mark.slow
def test_a_killed_sweep_goes_on_to_the_same_end(halved, tmp_path):
    _, rows, whole = halved
    line = command("sweep", *SMALL, *HALVING, "--run", tmp_path)
    with subprocess.Popen(**line, stdout=subprocess.PIPE) as process:
        for said in process.stdout:
            if said.startswith("rung 1/"):
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "result.json").exists()
    again = subprocess.run(
        **command("sweep", "--run", tmp_path, "--resume"),
        capture_output=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert "goes on: " in again.stdout
    assert "rung 1/" not in again.stdout
    ended = (tmp_path / "trials.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in ended] == rows
    assert result(tmp_path) == result(whole)


@pytest.mark.slow
def test_a_sweep_of_whole_runs_repeats_no_trial_that_is_kept(tmp_path):
    asked = ["--learning-rate", "1e-4:1e-1:log", "--budget", "60", "--at-once", "1"]
    line = command("sweep", *SMALL, "--epochs", "200", *asked, "--run", tmp_path)
    with subprocess.Popen(**line, stdout=subprocess.PIPE) as process:
        for said in process.stdout:
            if said.startswith(" 1/60  "):  # The first is written at once.
                break
        process.send_signal(signal.SIGKILL)
    again = subprocess.run(
        **command("sweep", "--run", tmp_path, "--resume"),
        capture_output=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    made = again.stdout.count("/60  ")
    assert 0 < made < 60
    rows = (tmp_path / "trials.jsonl").read_text().splitlines()
    assert [json.loads(line)["trial"] for line in rows] == list(range(60))
