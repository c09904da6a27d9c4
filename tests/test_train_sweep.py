"""The options of `sweep`: what is refused, kept, and known before a trial begins."""

import json
import subprocess
import sys

import pytest

from rmsprop_jax.sweeping.space import Range
from rmsprop_jax.train import cli
from rmsprop_jax.train.config import replace
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.sweeps import searching, sweep
from rmsprop_jax.train.sweeps.plan import planned
from rmsprop_jax.train.sweeps.values import values


def never(*_, **__):
    raise AssertionError("nothing was to be compiled")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "1e-1:1e-4:log"], "expected the smaller end first"),
        (["--learning-rate", "0:1:log"], "--learning-rate 0:1:log: 0 has no decade"),
        (["--learning-rate", "1e-4:1e-1:lin"], "--learning-rate 1e-4:1e-1:lin: expe"),
        (["--learning-rate", "fast"], "'fast' is no number"),
        (["--learning-rate", "inf"], "--learning-rate inf: expected a finite number"),
        (["--decay", "1.5"], "--decay 1.5: expected a number in [0, 1), got 1.5"),
        (["--decay", "0.9:1:log"], "--decay 0.9:1:log: expected a number in [0, 1)"),
        (["--decay", "0.99999999"], "--decay 0.99999999: expected a number in"),
        (["--decay", "0.9,,0.99"], "'' is no number"),
        (["--momentum", "0.9,2"], "--momentum 0.9,2: expected a number in [0, 1)"),
        (["--dialect", "torch,karas"], "Did you mean 'keras'?"),
        (["--centered", "yes"], "--centered yes: 'yes' is none of true, false"),
        (["--nesterov", "true"], "--nesterov true: nesterov=True: expected momentum"),
        (["--budget", "0"], "--budget 0: expected 1 or more."),
        (["--seeds", "0"], "--seeds 0: expected 1 or more."),
        (["--at-once", "33"], "--at-once 33: expected at most 32"),
        (["--halving", "--budget", "2"], "--halving: expected 3 points"),
        (["--learning-rate", "1,2", "--budget", "7"], "expected at most 6, the combin"),
        (["--validation", "1430"], "expected at most 7, which is how many examples"),
        (["--epochs", "0"], "--epochs 0: expected 1 or more"),
        (["--clip-norm", "0"], "--clip-norm 0.0: expected a number > 0"),
        (["--schedule", "cosine", "--warmup", "99"], "--warmup 99"),
        (["--task", "linear", "--choose-by", "accuracy"], "--choose-by accuracy: lin"),
        (["--resume"], "expected --run FOLDER too"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_compiled(
    arguments, message, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(searching, "sweep", never)
    monkeypatch.setattr(searching, "halving", never)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sweep", "--task", "digits", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_range_with_log_has_the_decades_that_count():
    assert values("eps", "1e-8:1e-2:log") == Range(1e-8, 1e-2, 0.0)
    assert values("decay", "0.9:0.999:log") == Range(0.9, 0.999, 1.0)
    assert values("momentum", "0:0.99:log").at(0.5) == pytest.approx(0.9)
    assert values("learning_rate", "0:1") == Range(0.0, 1.0)


def test_a_list_has_each_value_once():
    assert values("decay", "0.9,0.99,0.90") == [0.9, 0.99]
    assert values("centered", "true,false") == [True, False]
    assert values("dialect", "keras, torch") == ["keras", "torch"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "it holds a sweep already; --resume goes on with it"),
        (["--resume", "--decay", "0.9"], "--decay 0.9: the sweep in"),
        (["--resume", "--halving"], "--halving True: the sweep in"),
        (["--resume", "--hidden", "17"], "--hidden 17: the sweep in"),
    ],
)
def test_another_sweep_in_the_folder_is_refused(tmp_path, arguments, message, capsys):
    asked = replace(sweep.Sweep(), task="digits", hidden=16)
    Folder(tmp_path, sweep.SWEEP).save(asked)
    assert cli.main(["sweep", "--run", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_options_are_kept(tmp_path):
    asked = sweep.parse(["--task", "linear", "--eps", "1e-8,1e-3", "--halving"])
    folder = Folder(tmp_path, sweep.SWEEP)
    folder.save(asked)
    assert folder.saved() == asked
    again = sweep.parse(["--run", str(tmp_path), "--resume", "--quiet"])
    assert again.learning.task == "linear"
    assert (again.eps, again.halving) == ("1e-8,1e-3", True)
    (tmp_path / "sweep.json").write_text(json.dumps({"tusk": "linear"}))
    with pytest.raises(ValueError, match=r"sweep.json: 'tusk' is no option. Did you"):
        folder.saved()


def test_ctrl_c_says_how_to_go_on(monkeypatch, tmp_path, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(searching, "search", interrupted)
    assert cli.main(["sweep", "--run", str(tmp_path)]) == 130
    assert "--resume with the same --run goes on" in capsys.readouterr().err


def plan(text):
    return planned(sweep.parse(["--task", "digits", "--run", "unused", *text.split()]))


def test_the_budget_is_all_combinations_of_lists_or_32():
    assert plan("").points == 32
    assert plan("--learning-rate 1e-3,1e-2 --momentum 0,0.9").points == 12
    assert plan("--learning-rate 1e-3,1e-2 --budget 4").points == 4


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 9, 20, 100])
@pytest.mark.parametrize("budget", [3, 10, 27, 64])
def test_rungs_end_with_the_whole_run(epochs, budget):
    planned = plan(f"--halving --budget {budget} --epochs {epochs}")
    total, stages = planned.ground.pace.total_steps, planned.stages
    assert stages[0].points == budget
    assert [one.stop for one in stages[1:]] == [3 * one.stop for one in stages[:-1]]
    assert [one.start for one in stages[1:]] == [one.stop for one in stages[:-1]]
    last = stages[-1].stop * planned.every
    assert total <= last < total + 2 * stages[-1].stop + planned.every
    assert all(one.points >= 1 for one in stages)


@pytest.mark.parametrize("epochs", [1, 7, 31, 100])
def test_a_whole_run_is_judged_at_most_thirty_times(epochs):
    planned = plan(f"--epochs {epochs}")
    (stage,), total = planned.stages, planned.ground.pace.total_steps
    assert stage.stop <= 30
    assert (stage.stop - 1) * planned.every < total <= stage.stop * planned.every


def test_the_test_examples_are_none_of_those_that_decide():
    planned = plan("")
    parts = {name: len(x["label"]) for name, x in planned.ground.data.items()}
    assert parts == {"train": 1437 - 239, "validation": 239, "test": 360}


@pytest.mark.parametrize("command", ["sweep", "range-test"])
def test_help_imports_no_jax(command):
    code = (
        "import sys\nfrom rmsprop_jax.train.cli import main\n"
        f"try:\n    main(['{command}', '--help'])\nexcept SystemExit:\n    pass\n"
        "slow = {'jax', 'flax', 'optax', 'numpy', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(slow) if slow else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--task" in done.stdout
