"""Folders of sweeps, comparisons and range tests: how they are gone on with, kept."""

import subprocess

import pytest
from sentences_made import sentences, write
from train_runs import command

from rmsprop_jax.train import cli, compare, comparing, job
from rmsprop_jax.train.config import Config, replace
from rmsprop_jax.train.config_file import save
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.holding import held
from rmsprop_jax.train.sweeps import rate_range, searching, standing, sweep
from rmsprop_jax.train.sweeps.plan import planned
from rmsprop_jax.train.training_command import parse as parse_training

ASKED = {"sweep": (sweep, sweep.SWEEP), "compare": (compare, compare.COMPARISON)}
each = pytest.mark.parametrize("kind", ASKED)


@each
def test_devices_are_those_of_now(kind, tmp_path):
    module, kind = ASKED[kind]
    asked = replace(kind.start, task="digits", devices=4)
    Folder(tmp_path, kind).save(asked)
    again = ["--run", str(tmp_path), "--resume"]
    assert module.parse(again).devices is None
    assert module.parse([*again, "--devices", "2"]).devices == 2


@each
def test_auto_is_what_it_was(kind, tmp_path):
    module, kind = ASKED[kind]
    Folder(tmp_path, kind).save(replace(kind.start, task="digits"))
    again = ["--run", str(tmp_path), "--resume", "--task"]
    assert module.parse([*again, "auto"]).learning.task == "digits"
    with pytest.raises(ValueError, match=r"--task linear: the (sweep|comparison) "):
        module.parse([*again, "linear"])


def test_auto_is_what_it_was_for_a_training(tmp_path):
    save(replace(Config(), task="digits"), tmp_path / "config.json")
    again = ["--run", str(tmp_path), "--resume", "--task", "auto"]
    assert parse_training(again).learning.task == "digits"


def stopped(*_, **__):
    """What runs trainings, stopped before the first."""
    raise KeyboardInterrupt


@each
def test_what_learned_from_other_data_is_not_gone_on_with(
    kind, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(comparing, "Training", stopped)
    monkeypatch.setattr(searching, "sweep", stopped)
    data, run = tmp_path / "texts", tmp_path / "run"
    data.mkdir()
    write(data / "train.tsv", sentences(60))
    told = [kind, "--data-dir", str(data), "--run", str(run), "--quiet"]
    assert cli.main([*told, "--task", "text-sentiment"]) == 130
    write(data / "train.tsv", sentences(60, seed=1))
    before = {p: p.read_bytes() for p in run.rglob("*.json*")}
    assert cli.main([*told, "--resume"]) == 2
    said = capsys.readouterr().err
    assert f"--run {run}: its data are not those that it began with." in said
    assert "sha256 of train (" in said
    assert "Give it those by --data-dir, or choose another --run" in said
    assert before == {p: p.read_bytes() for p in run.rglob("*.json*")}
    write(data / "train.tsv", sentences(60))
    assert cli.main([*told, "--resume"]) == 130


@each
def test_one_process_at_a_time_compares_or_sweeps_in_a_folder(kind, tmp_path, capsys):
    with held(tmp_path, "training"):
        assert cli.main([kind, "--task", "linear", "--run", str(tmp_path)]) == 2
    doing = ASKED[kind][1].doing
    said = f"another process is {doing} there. Wait for it, stop it, or choose another"
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["train", "sweep", "compare", "range-test"])
@pytest.mark.parametrize("more", ["", "below"])
def test_a_file_in_place_of_the_folder_is_named(name, more, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("mine")
    asked = [name, "--task", "linear", "--run", str(file / more)]
    assert cli.main(asked) == 2
    said = f"--run {file / more}: expected a folder that can be written, {file} is none"
    assert said in capsys.readouterr().err
    assert file.read_text() == "mine"


def test_a_range_test_keeps_others_out_and_is_kept_out(tmp_path, capsys, monkeypatch):
    asked = ["range-test", "--task", "linear", "--run", str(tmp_path), "--no-pictures"]
    with held(tmp_path, "training"):
        assert cli.main(asked) == 2
    assert "another process is testing there" in capsys.readouterr().err
    seen, test = [], rate_range.range_test

    def watched(*given, **options):
        with pytest.raises(ValueError, match="another process is"), held(tmp_path, ""):
            pass
        seen.append(True)
        return test(*given, **options)

    monkeypatch.setattr(rate_range, "range_test", watched)
    assert cli.main([*asked, "--steps", "20"]) == 0
    assert seen == [True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["range-test", "--low", "1e-50"], "--low 1e-50: it is 0 in float32; the smal"),
        (["range-test", "--high", "1e39"], "--high 1e+39: it is infinite in float32"),
        (["sweep", "--learning-rate", "1e-50,1"], "--learning-rate 1e-50: it is 0 in"),
        (["sweep", "--eps", "1e-99:1:log"], "--eps 1e-99: it is 0 in float32; the sm"),
    ],
)
def test_what_is_0_to_the_computation_is_refused(arguments, said, tmp_path, capsys):
    folder = tmp_path / "none"
    assert cli.main([*arguments, "--task", "linear", "--run", str(folder)]) == 2
    assert said in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize("line", ["{", "[]", "7", "{}", '{"trial": 0}'])
def test_rows_of_something_else_are_named(line, tmp_path):
    path = tmp_path / "trials.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match=r"trials\.jsonl: expected a trial .*Move it"):
        standing.read_rows(path)


@pytest.mark.parametrize("arguments", [["sweep", "--help"], ["train", "--help"], []])
def test_a_reader_that_leaves_is_no_error(arguments, tmp_path):
    with subprocess.Popen(
        **command(*arguments),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 141)


def test_another_broken_pipe_is_an_error(monkeypatch, capsys):
    def broken(_):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sweep, "main", broken)
    assert cli.main(["sweep"]) == 2
    assert "Broken pipe" in capsys.readouterr().err


def test_a_model_that_train_would_not_take_is_said():
    def said(text):
        return planned(sweep.parse([*text.split(), "--run", "unused"])).ground.said

    line = "model: mlp, since runs are many; train's default is --model cnn."
    assert said("--task digits") == [line]
    assert said("--task digits --model mlp") == []
    assert said("--task linear") == []


def test_one_is_told_as_one():
    result = {"task": "linear", "model": "linear", "optimizer": "rmsprop", "run": "r"}
    result |= {"tested": 1, "test/loss": 0.1, "seconds": 1.0, "target_accuracy": None}
    assert " after 1 epoch, 1.0 s" in job.summary(result | {"epochs": 1})
    assert " after 2 epochs, 1.0 s" in job.summary(result | {"epochs": 2})


LARGEST = 2**32 - 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--seed", f"{LARGEST + 1}"], f"expected at most {LARGEST}."),
        (["range-test", "--seed", f"{LARGEST + 1}"], f"expected at most {LARGEST}."),
        (["sweep", "--seed", f"{LARGEST}", "--seeds", "2"], f"most {LARGEST - 1}."),
        (["compare", "--seed", f"{LARGEST - 2}"], f"most {LARGEST - 3}."),
        (["compare", "--rotate", "5"], "--rotate 5.0: it says nothing for --task"),
        (["compare", "--model", "cnn"], "--model cnn: it does not take the rows"),
        (["compare", "--epochs", "1", "--warmup", "3"], "less than the --epochs 1"),
    ],
)
def test_what_cannot_be_is_refused_at_once(arguments, said, tmp_path, capsys):
    folder = tmp_path / "none"
    assert cli.main([*arguments, "--task", "linear", "--run", str(folder)]) == 2
    assert said in capsys.readouterr().err
    assert not folder.exists()
