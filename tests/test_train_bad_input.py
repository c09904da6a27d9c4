"""The same bad input to every command: the same sentence, and nothing is begun."""

import pytest

from rmsprop_jax.train import checks, cli, comparing
from rmsprop_jax.train.sweeps import rate_range, searching
from rmsprop_jax.train.training_command import parse

LEARNED = ["train", "compare", "sweep", "range-test"]
REPEATED = ["train", "compare", "sweep"]
PATH = "/proc/none"


def never(*_, **__):
    raise AssertionError("nothing was to be compiled")


@pytest.fixture
def refused(monkeypatch, tmp_path, capsys):
    """What is said of arguments that are refused before anything is made."""
    monkeypatch.setattr(comparing, "Training", never)
    monkeypatch.setattr(searching, "TaskRun", never)
    monkeypatch.setattr(rate_range, "range_test", never)
    monkeypatch.chdir(tmp_path)

    def said(*arguments):
        assert cli.main([*arguments]) == 2
        assert [*tmp_path.rglob("*")] == []
        return capsys.readouterr().err.removeprefix(f"rmsprop-jax {arguments[0]}: ")

    return said


ALIKE = [
    (LEARNED, "--hidden 99999999999 --task digits", "--hidden 99999999999: expected"),
    (LEARNED, "--hidden 5", "--hidden 5: --model linear has no hidden layer"),
    (LEARNED, "--batch-size 2000", "--batch-size 2000: expected at most "),
    (REPEATED, "--epochs 9999999999", "--epochs 9999999999: expected at most 21474836"),
    (REPEATED, "--epochs 2000000000", "--epochs 2000000000: expected fewer than "),
    (REPEATED, "--validation 1000", "--validation 1000: linear has 1000 training exa"),
    (REPEATED, "--drop-every 2", "--drop-every 2.0: it says nothing without --sch"),
    (REPEATED, "--devices 64", "--devices 64: expected at most 8, which is how many"),
]


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [(name, words, said) for names, words, said in ALIKE for name in names],
)
def test_every_command_says_the_same(command, arguments, words, refused):
    assert refused(command, "--task", "linear", *arguments.split()).startswith(words)


def test_the_decay_drops_by_drop_every_too():
    told = "--task linear --decay-schedule step --final-decay 0.99 --drop-every 2"
    checks.check(parse(told.split()))


@pytest.mark.parametrize("command", LEARNED)
def test_a_folder_that_cannot_be_made_is_named(command, refused):
    said = refused(command, "--task", "linear", "--run", PATH)
    assert said.startswith(f"--run {PATH}: ")
    assert "Choose another" in said


@pytest.mark.parametrize("command", ["train", "range-test"])
def test_a_number_of_the_optimizer_is_refused_as_it_is_typed(command, refused):
    def said(*words):
        return refused(command, "--task", "linear", *words)

    assert said("--decay", "1.5") == "--decay 1.5: expected a number in [0, 1).\n"
    assert said("--momentum", "1") == "--momentum 1.0: expected a number in [0, 1).\n"
    assert said("--eps", "1e-50").startswith("--eps 1e-50: it is 0 in float32; ")
    assert said("--dialect", "trch").endswith("Did you mean 'torch'?\n")


@pytest.mark.parametrize(
    ("rival", "words"),
    [
        ("sgd:learning_rate=0", "its learning rates are all 0; expected one above 0"),
        ("sgd:learning_rate=1e39", "of --trials 7, learning rate 1e+39: it is infin"),
        ("sgd:learning_rate=1e-37", "of --trials 7, learning rate 3.16e-39: it is 0"),
        ("sgd:learning_rate=-1", "learning_rate=-1: expected a finite number >= 0"),
        ("torch:momentum=5", "momentum=5: expected a number in [0, 1)"),
        ("torch:decay=nan", "decay=nan: expected a number in [0, 1)"),
    ],
)
def test_an_optimizer_that_cannot_be_tuned_is_named(rival, words, refused):
    said = refused("compare", "--task", "linear", "--optimizers", "adam", rival)
    assert said.startswith(f"--optimizers {rival}: {words}")


def test_an_optimizer_under_two_names_is_compared_once(refused):
    said = refused("compare", "--optimizers", "optax", "adam", "rmsprop")
    assert said == "--optimizers rmsprop: it is the same as optax; leave one out.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("compare --trials 9999", "--trials 9999: expected at most 99; each is by"),
        ("sweep --budget 999999999", "999999999 points by --seeds 1: expected at mo"),
        ("sweep --seeds 99999999", "32 points by --seeds 99999999: expected at most"),
        ("sweep --epochs 9999999", "--epochs 9999999: expected fewer, or fewer --se"),
        ("sweep --clip-norm 0", "--clip-norm 0.0: expected a number > 0"),
        ("range-test --steps 99999", "--steps 99999: expected 2 or more, at most 10"),
    ],
)
def test_what_would_take_for_ever_is_refused(arguments, words, refused):
    assert refused(*arguments.split(), "--task", "linear").startswith(words)
