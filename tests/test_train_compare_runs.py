"""`compare`, on the digits with few steps: what it runs, keeps and repeats."""

import json
import shutil

import numpy as np
import pytest
from train_runs import same, training

from rmsprop_jax.train import cli, comparing
from rmsprop_jax.train.records import read

pytestmark = pytest.mark.slow

OPTIONS = ["--task", "digits", "--hidden", "16", "--epochs", "3", "--batch-size", "64"]
OPTIONS += ["--trials", "2", "--seeds", "2", "--devices", "1"]
# The second one has lost all it knew after a step, at every learning rate.
RIVALS = ["momentum", "sgd:learning_rate=1e30", "torch:centered=true"]


def compared(folder, *arguments):
    """The exit status of a comparison in `folder`."""
    words = ["compare", *OPTIONS, "--run", folder, "--optimizers", *RIVALS, *arguments]
    return cli.main([str(word) for word in words])


def rows(folder):
    """Its rows, without what was measured with a clock."""
    return [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in read(folder / "trials.jsonl")
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A comparison: its folder, and the optimizers that were compiled for it."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    made, original = [], comparing.Training

    def counted(config, task):
        made.append(config.optimizer.dialect or config.optimizer.optimizer)
        return original(config, task)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparing, "Training", counted)
        assert compared(folder) == 0
    return folder, made


@pytest.fixture
def copy(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    return tmp_path / "run"


def never(*_):
    raise AssertionError("nothing was to be compiled")


def test_one_compilation_serves_all_rates_and_seeds_of_an_optimizer(whole):
    assert whole[1] == ["momentum", "sgd", "torch"]


def test_every_optimizer_is_tried_as_often_and_the_best_is_tested_by_every_seed(whole):
    folder, _ = whole
    found = rows(folder)
    for label in RIVALS:
        own = [row for row in found if row["optimizer"] == label]
        trials = [row for row in own if row["kind"] == "trial"]
        assert [row["seed"] for row in trials] == [0, 0]
        assert len({row["learning_rate"] for row in trials}) == 2
        tests = [row for row in own if row["kind"] == "test"]
        if label == RIVALS[1]:
            assert all(row["diverged"] for row in trials)
            assert tests == []
            continue
        losses = {row["validation/loss"]: row["learning_rate"] for row in trials}
        assert len(losses) == 2  # the learning rate takes effect
        assert {row["learning_rate"] for row in tests} == {losses[min(losses)]}
        assert [row["seed"] for row in tests] == [1, 2]
        epochs = [(row["seed"], row["epoch"]) for row in own if row["kind"] == "epoch"]
        assert epochs == [(seed, epoch) for seed in (1, 2) for epoch in (1, 2, 3)]


def test_a_run_is_tested_by_its_last_epoch(whole):
    found = rows(whole[0])
    for row in found:
        if row["kind"] == "test":
            last = next(
                one
                for one in found
                if (one["kind"], one.get("epoch"), one["seed"], one["optimizer"])
                == ("epoch", 3, row["seed"], row["optimizer"])
            )
            assert row["test/loss"] == last["test/loss"]
            assert row["step"] == last["step"] == 3 * ((1437 - 239) // 64)


def test_the_table_is_kept_and_what_diverged_stands_last(whole):
    folder, _ = whole
    lines = (folder / "table.md").read_text().splitlines()
    assert lines[4].startswith(f"| {RIVALS[1]} | -")
    assert "diverged at every learning rate" in lines[4]
    kept = json.loads((folder / "result.json").read_text())["rows"]
    assert [row["optimizer"] for row in kept[:2]] == [
        line.split()[1] for line in lines[2:4]
    ]
    accuracies = [row["test/accuracy"] for row in kept[:2]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert kept[2]["test/accuracy"] is None
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_resuming_what_is_done_repeats_nothing(copy, monkeypatch, capsys):
    monkeypatch.setattr(comparing, "Training", never)
    before = (copy / "table.md").read_text()
    content = (copy / "trials.jsonl").read_bytes()
    assert cli.main(["compare", "--run", str(copy), "--resume", "--quiet"]) == 0
    assert (copy / "table.md").read_text() == before
    assert (copy / "trials.jsonl").read_bytes() == content
    assert capsys.readouterr().out == f"{before}{copy}\n"


def test_an_interrupted_comparison_ends_as_one_that_was_not(whole, copy):
    # Before the last optimizer's first row was whole.
    path = copy / "trials.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [
        line for line in lines if json.loads(line)["optimizer"] != "torch:centered=true"
    ]
    path.write_bytes(b"".join(kept) + lines[-1][:40])
    assert compared(copy, "--resume", "--no-pictures") == 0
    assert rows(copy) == rows(whole[0])
    assert (copy / "table.md").read_text() == (whole[0] / "table.md").read_text()


def test_seeds_are_added_to_those_that_are_done(whole, copy, capsys):
    arguments = [
        "--resume",
        "--no-pictures",
        "--seeds",
        "3",
        "--optimizers",
        "momentum",
    ]
    assert cli.main(["compare", "--run", str(copy), *arguments]) == 0
    assert "1 run, 4 are done" in capsys.readouterr().out
    new = rows(copy)[len(rows(whole[0])) :]
    assert [row["kind"] for row in new] == ["epoch"] * 3 + ["test"]
    assert {row["seed"] for row in new} == {3}


def test_all_start_from_the_same_weights_and_see_the_same_examples_in_order():
    one, other = training("--optimizer momentum"), training("--dialect torch")
    assert same(one.start(5).params, other.start(5).params)
    assert not same(one.start(5).params, other.start(6).params)
    # Nothing is learned at a rate of 0: the loss says which three batches came.
    losses = [
        np.asarray(t.advance(t.start(5, 0.0), 0, 3, seed).epoch["loss"][0])
        for t, seed in ((one, 5), (other, 5), (other, 6))
    ]
    assert losses[0] == losses[1] != losses[2]
