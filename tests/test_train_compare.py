"""The options of `compare`: what is refused, kept, and known before a run begins."""

import pytest

from rmsprop_jax.train import cli, compare, comparing
from rmsprop_jax.train.comparison_plan import planned
from rmsprop_jax.train.config import replace
from rmsprop_jax.train.folder import Folder


def never(*_):
    raise AssertionError("nothing was to be compiled")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizers", "adam", "nadam"], "'nadam' is none of"),
        (["--optimizers", "adam:momentum=0.9"], "--optimizers adam:momentum=0.9: "),
        (["--optimizers", "torch:decay=2"], "--optimizers torch:decay=2: decay=2"),
        (["--seeds", "0"], "--seeds 0: expected 1 or more."),
        (["--trials", "0"], "--trials 0: expected 1 or more."),
        (["--validation", "0"], "to choose learning rates by"),
        (["--validation", "1430"], "expected at most 7, which is how many examples"),
        (
            ["--task", "linear", "--choose-by", "accuracy"],
            "--choose-by accuracy: linear",
        ),
        (["--devices", "9"], "--devices 9: expected at most 8"),
        (["--batch-size", "65"], "expected a multiple of 8"),
        (["--epochs", "0"], "--epochs 0: expected 1 or more"),
        (["--resume"], "expected --run FOLDER too"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_compiled(
    arguments, message, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(comparing, "Training", never)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", "--task", "digits", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "it holds a comparison already; --resume goes on"),
        (["--resume", "--hidden", "17"], "--hidden 17: the comparison in"),
        (["--resume", "--task", "linear"], "has digits"),
    ],
)
def test_another_comparison_in_the_folder_is_refused(
    tmp_path, arguments, message, capsys
):
    asked = replace(compare.Compare(), task="digits", hidden=16)
    Folder(tmp_path, compare.COMPARISON).save(asked)
    assert cli.main(["compare", "--run", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_ctrl_c_says_how_to_go_on(monkeypatch, tmp_path, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparing, "compare", interrupted)
    assert cli.main(["compare", "--run", str(tmp_path)]) == 130
    assert "--resume with the same --run goes on" in capsys.readouterr().err


def test_options_are_kept_and_those_given_again_win(tmp_path):
    asked = compare.parse(["--task", "linear", "--optimizers", "adam", "dqn"])
    folder = Folder(tmp_path, compare.COMPARISON)
    folder.save(asked)
    assert folder.saved() == asked
    again = compare.parse(["--run", str(tmp_path), "--resume", "--seeds", "5"])
    assert again.learning.task == "linear"
    assert again.optimizers == ("adam", "dqn")
    assert again.seeds == 5
    (tmp_path / "comparison.json").write_text("[]")
    with pytest.raises(ValueError, match=r"comparison.json: expected an object of opt"):
        folder.saved()


def test_all_runs_of_a_plan_differ_in_the_optimizer_only(tmp_path):
    rivals = ("sgd", "adam:eps=1e-6", "torch:momentum=0.9")
    told = {"task": "digits", "optimizers": rivals, "seed": 4, "run": tmp_path}
    asked = replace(compare.Compare(), **told)
    plan = planned(asked)
    learning = {config.learning for config in plan.configs.values()}
    schedules = {config.schedule for config in plan.configs.values()}
    assert (len(learning), len(schedules)) == (1, 1)
    chosen = [config.optimizer for config in plan.configs.values()]
    assert [one.optimizer for one in chosen] == ["sgd", "adam", "rmsprop"]
    assert (chosen[1].eps, chosen[2].dialect, chosen[2].momentum) == (
        1e-6,
        "torch",
        0.9,
    )
    assert {len(plan.rates(one)) for one in plan.contenders} == {7}
    # None of those that the learning rate was chosen by.
    assert list(plan.seeds) == [5, 6, 7]
    assert plan.asked.tuning.validation == 1437 // 6
    assert (
        plan.ground.pace.steps_per_epoch == (1437 - 239) // plan.ground.pace.batch_size
    )
