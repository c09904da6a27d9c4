"""The options of the trainer: what they say, how they are saved, what is refused."""

import dataclasses
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rmsprop_jax.train import config as options
from rmsprop_jax.train import config_file
from rmsprop_jax.train.checks import check
from rmsprop_jax.train.cli import main
from rmsprop_jax.train.config import Config
from rmsprop_jax.train.settings import resolve
from rmsprop_jax.train.training_command import parse

ALL = list(options.PART_OF)


def helped(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_has_a_sentence_for_every_option(capsys, monkeypatch):
    text = helped(capsys, monkeypatch)
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())
    for name in ALL:
        sentence = rf" {options.flag(name)}(?:, --no-\S+)? (?:(?! --).)*?\. \(default: "
        shown = re.findall(sentence, words)
        assert len(shown) == 1, (name, words)


def test_help_imports_neither_jax_nor_what_takes_long():
    code = (
        "import sys\n"
        "from rmsprop_jax.train.cli import main\n"
        "try:\n    main(['train', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "slow = {'jax', 'flax', 'optax', 'orbax', 'matplotlib', 'numpy', 'sklearn'}\n"
        "sys.exit(str(slow & set(sys.modules)) if slow & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_names_of_files_may_be_strings_in_python():
    paths = {"data_dir": "a/b.tsv", "run": "c", "compilation_cache": "d"}
    made = Config(
        options.Learning(data_dir=paths["data_dir"]),
        running=options.Running(run=paths["run"], compilation_cache="d"),
    )
    for config in (made, options.replace(Config(), **paths)):
        found = {name: options.values(config)[name] for name in paths}
        assert found == {name: Path(path) for name, path in paths.items()}
    assert Config().learning.data_dir is None


def test_no_two_parts_have_an_option_of_the_same_name():
    count = sum(len(dataclasses.fields(make)) for make in options.PARTS.values())
    assert count == len(ALL)


def test_a_saved_config_is_read_back_and_can_be_typed(tmp_path):
    config = parse(
        [
            "--task",
            "digits",
            "--learning-rate",
            "0.1",
            "--momentum",
            "0.3",
            "--nesterov",
            "--centered",
            "False",
            "--no-pictures",
            "--data-dir",
            "somewhere",
            "--decay",
            "0.30000000000000004",
        ]
    )
    config_file.save(config, tmp_path / "config.json")
    assert config_file.load(tmp_path / "config.json", Config()) == config
    assert parse(["--config", str(tmp_path / "config.json")]) == config


def test_what_is_typed_wins_over_the_file_of_config(tmp_path):
    config_file.save(parse(["--learning-rate", "3"]), tmp_path / "c.json")
    config = parse([f"--config={tmp_path / 'c.json'}", "--learning-rate", "4"])
    assert config.optimizer.learning_rate == 4


def test_the_options_of_another_run_make_a_new_run(tmp_path):
    saved = parse(["--run", str(tmp_path), "--seed", "5", "--resume"])
    config_file.save(saved, tmp_path / "c.json")
    config = parse(["--config", str(tmp_path / "c.json")])
    assert (config.running.run, config.running.resume) == (None, False)
    assert config.learning.seed == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "expected options as JSON"),
        ("[1]", "expected an object of options"),
        (
            '{"learnin_rate": 1}',
            "'learnin_rate' is no option. Did you mean 'learning_rate'",
        ),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, text, words, capsys):
    (tmp_path / "c.json").write_text(text)
    assert main(["train", "--config", str(tmp_path / "c.json")]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "c.json" in said


def test_a_value_of_the_wrong_kind_in_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "c.json").write_text(json.dumps({"learning_rate": "fast"}))
    with pytest.raises(SystemExit) as stop:
        main(["train", "--config", str(tmp_path / "c.json")])
    assert stop.value.code == 2
    assert "learning-rate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--epochs 0", "--epochs 0: expected 1 or more"),
        ("--batch-size 0", "--batch-size 0"),
        ("--validation -1", "--validation -1"),
        ("--ema 1", "--ema 1.0: expected 0 or more, below 1"),
        ("--ema nan", "--ema nan"),
        ("--label-smoothing 1.5", "--label-smoothing 1.5"),
        ("--target-accuracy 101", "--target-accuracy 101.0: expected percent"),
        ("--drop-factor 0.5", "--drop-factor 0.5: it says nothing without --schedule"),
        ("--schedule step --drop-factor 2", "--drop-factor 2.0: expected above 0"),
        ("--final-fraction 0.1 --schedule step", "without --schedule cosine"),
        ("--patience 5", "without --schedule plateau"),
        ("--final-decay 0.99", "without --decay-schedule"),
        ("--decay-schedule cosine", "expected --final-decay too"),
        ("--resume", "--resume: expected --run FOLDER too"),
        ("--log-every 0", "--log-every 0"),
        ("--devices 0", "--devices 0"),
        ("--nesterov --optimizer adam", "--nesterov True: it says nothing without"),
    ],
)
def test_what_cannot_be_is_refused_before_jax_is_used(arguments, words):
    with pytest.raises(ValueError, match=r"expected|nothing") as refusal:
        check(parse(arguments.split()))
    assert words in str(refusal.value)


def test_an_option_that_is_given_stays_and_the_others_are_filled():
    config = parse(["--model", "mlp", "--epochs", "3", "--ema", "0"])
    filled = resolve(config, "mnist", "mlp")
    values = options.values(filled)
    assert (values["task"], values["epochs"], values["ema"]) == ("mnist", 3, 0)
    for name in ("batch_size", "learning_rate", "schedule", "hidden", "warmup"):
        assert values[name] is not None, name


def test_a_recipe_is_left_its_own_learning_rate_and_schedule():
    config = resolve(parse(["--recipe", "wgan"]), "mnist", "mlp")
    assert config.optimizer.learning_rate is None
    assert config.schedule == Config().schedule


@pytest.mark.parametrize("command", [[], ["--help"], ["-h"]])
def test_without_a_command_all_commands_are_listed(command, capsys):
    assert main(command) == 0
    said = capsys.readouterr().out
    for name in ("train", "compare", "evaluate", "predict"):
        assert f"\n  {name} " in said


def test_an_unknown_command_is_refused(capsys):
    assert main(["trian"]) == 2
    said = capsys.readouterr().err
    assert "trian: no such command. Did you mean 'train'?\n\nusage: " in said


def test_the_version_is_that_of_the_project(capsys):
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"rmsprop-jax {project['project']['version']}\n"
