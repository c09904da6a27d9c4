"""`evaluate` and `predict` of one small run, judged on averaged weights as it was."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from train_asked import evaluated, predicted, said, written
from train_runs import command, result, rows, run

from rmsprop_jax.train.data import digits
from rmsprop_jax.train.loop import Loop
from rmsprop_jax.train.saved import SavedRun

OPTIONS = ["--task", "digits", "--model", "mlp", "--hidden", "16", "--epochs", "6"]
OPTIONS += ["--batch-size", "64", "--learning-rate", "0.02", "--ema", "0.98"]
# Sums of 360 losses in another order.
ROUNDING = 360 * 2**-24
OPTIONS += ["--validation", "64", "--no-pictures", "--quiet"]
TEST = digits.load().test


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The folder of a run on one device; the tests here have eight."""
    folder = tmp_path_factory.mktemp("saved")
    done = run(*OPTIONS, "--run", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def restored(saved):
    return SavedRun(saved, "latest")


def test_the_latest_checkpoint_does_what_the_run_said_on_another_device_count(
    saved, capsys
):
    ours, theirs = evaluated(capsys, saved, "--checkpoint", "latest"), result(saved)
    assert ours["step"] == theirs["steps"]
    assert ours["test/accuracy"] == theirs["test/accuracy"]
    assert ours["test/loss"] == pytest.approx(theirs["test/loss"], rel=ROUNDING)


def test_the_weights_without_their_average_would_have_another_loss(restored):
    plain = restored._state._replace(average=None)
    assert restored.average
    one = SavedRun.__new__(SavedRun)
    one.__dict__ = restored.__dict__ | {"_state": plain}
    losses = [float(r.judge(TEST).totals["loss"][0]) for r in (restored, one)]
    assert abs(losses[0] / losses[1] - 1) > 10 * ROUNDING


def test_the_best_checkpoint_is_the_one_that_the_run_calls_best(saved, capsys):
    best = result(saved)["best"]
    row = next(r for r in rows(saved) if r["step"] == best["step"] and "test/loss" in r)
    ours = evaluated(capsys, saved)
    assert ours["step"] == best["step"]
    assert ours["test/accuracy"] == row["test/accuracy"]


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_the_best_has_the_highest_accuracy(saved, tmp_path, capsys, value):
    shutil.copytree(saved, tmp_path / "run")
    steps = sorted(int(p.name) for p in (saved / "checkpoints").iterdir())
    metrics = tmp_path / "run" / "checkpoints" / str(steps[0]) / "metrics" / "metrics"
    assert "headline" in json.loads(metrics.read_text())
    metrics.write_text(json.dumps({"headline": value}))
    step = evaluated(capsys, tmp_path / "run")["step"]
    assert (step == steps[0]) == (value == 2.0)


def test_a_step_names_a_checkpoint(saved, capsys):
    step = result(saved)["steps"]
    assert evaluated(capsys, saved, "--checkpoint", step)["step"] == step


def test_the_classes_add_up_to_the_whole(saved, capsys):
    ours = evaluated(capsys, saved)
    counts = np.bincount(TEST["label"], minlength=10)
    assert [row["tested"] for row in ours["classes"]] == counts.tolist()
    right = sum(row["right"] for row in ours["classes"])
    assert right / 360 == pytest.approx(ours["test/accuracy"], abs=1e-9)


def test_a_class_says_what_it_is_most_often_taken_for(saved, restored, capsys):
    rows = evaluated(capsys, saved, "--checkpoint", "latest")["classes"]
    answers = np.asarray(restored.judge(TEST).answers.answer)
    for k, row in enumerate(rows):
        of_class = answers[TEST["label"] == k]
        assert row["right"] == (of_class == k).sum()
        wrong = np.bincount(of_class[of_class != k], minlength=10)
        assert row["times"] == wrong.max()
        if row["times"]:
            assert wrong[int(row["taken_for"])] == row["times"]


def test_text_says_accuracy_loss_and_a_line_for_each_class(saved, capsys):
    ours = evaluated(capsys, saved)
    _, out, _ = said(capsys, "evaluate", saved)
    lines = out.splitlines()
    assert f"digits, mlp, best, step {ours['step']}, by its averaged" in lines[0]
    assert f"360 test images right, {100 * ours['test/accuracy']:.2f} %" in lines[1]
    assert [line.split()[0] for line in lines[4:]] == list("0123456789")


def test_a_run_that_goes_on_is_left_alone(saved, tmp_path, capsys):
    copy = tmp_path / "run"
    shutil.copytree(saved, copy)
    # What another process would be saving, or deleting, just now.
    (copy / "checkpoints" / "999.orbax-checkpoint-tmp").mkdir()
    (copy / "checkpoints" / "deleted").mkdir()
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    evaluated(capsys, copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_no_training_step_is_traced(saved, capsys, monkeypatch):
    monkeypatch.setattr(Loop, "advance", None)
    monkeypatch.setattr(Loop, "_step", None)
    evaluated(capsys, saved)


def test_pictures_are_drawn_into_the_folder_asked_for(saved, tmp_path, capsys):
    evaluated(capsys, saved, "--pictures", tmp_path / "new")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"confusion.png", "mistakes.png"}


def test_what_is_no_run_or_checkpoint_or_device_is_refused(saved, tmp_path, capsys):
    steps = sorted(int(p.name) for p in (saved / "checkpoints").iterdir())
    for arguments, text in (
        ([tmp_path], "expected the folder of a run"),
        ([saved, "--checkpoint", "7"], f"keeps: {', '.join(map(str, steps))}."),
        ([saved, "--devices", "9"], "--devices 9: expected at most 8"),
    ):
        status, _, err = said(capsys, "evaluate", *arguments)
        assert status == 2
        assert text in err


def test_a_run_without_a_checkpoint_is_refused(saved, tmp_path, capsys):
    shutil.copy(saved / "config.json", tmp_path)
    assert "saved none yet" in said(capsys, "evaluate", tmp_path)[2]
    (tmp_path / "checkpoints").mkdir()
    status, _, err = said(capsys, "evaluate", tmp_path)
    assert (status, "there is none yet" in err) == (2, True)


def test_a_checkpoint_of_another_configuration_is_refused(saved, tmp_path, capsys):
    shutil.copytree(saved / "checkpoints", tmp_path / "checkpoints")
    config = json.loads((saved / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden": 17}))
    status, _, err = said(capsys, "evaluate", tmp_path)
    assert status == 2
    assert "[16] there, expected" in err or "16]" in err
    assert "another configuration" in err


@pytest.mark.parametrize("name", ["evaluate", "predict", "compare"])
def test_help_imports_nothing_heavy(name):
    code = (
        "import sys\nfrom rmsprop_jax.train.cli import main\n"
        f"try: main([{name!r}, '--help'])\n"
        "except SystemExit: pass\n"
        "print({'jax', 'flax', 'numpy', 'matplotlib', 'PIL'} & set(sys.modules))"
    )
    line = [sys.executable, "-c", code]
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, env=command()["env"]
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_test_images_in_files_get_the_answers_of_the_evaluation(
    saved, restored, tmp_path, capsys
):
    files = written(tmp_path / "png", TEST["image"])
    status, said_, _ = predicted(capsys, saved, *files, "--checkpoint", "latest")
    assert status == 0
    assert [row["file"] for row in said_] == [str(file) for file in files]
    judged = restored.judge(TEST).answers
    assert [int(row["answer"]) for row in said_] == np.asarray(judged.answer).tolist()
    # Two programs; a softmax of logits below 100, in float32 and in double.
    np.testing.assert_allclose(
        [row["confidence"] for row in said_], judged.confidence, rtol=100 * 2**-22
    )


def test_dark_digits_on_a_light_page_are_the_same_digits(saved, tmp_path, capsys):
    light = written(tmp_path / "light", TEST["image"][:9])
    dark = written(tmp_path / "dark", 255 - TEST["image"][:9])
    shares = [
        [row["shares"] for row in predicted(capsys, saved, *files)[1]]
        for files in (light, dark)
    ]
    assert shares[0] == shares[1]


def test_a_line_says_the_answer_and_the_next_one(saved, tmp_path, capsys):
    (file,) = written(tmp_path / "png", TEST["image"][:1])
    _, (row,), _ = predicted(capsys, saved, file)
    _, out, _ = said(capsys, "predict", saved, file)
    first, second = sorted(row["shares"], key=row["shares"].get)[:-3:-1]
    assert out.startswith(f"{file}: {first} (")
    assert f"), then {second} (" in out
    assert sum(row["shares"].values()) == pytest.approx(1)


def test_bad_files_are_named_after_the_others_are_answered(saved, tmp_path, capsys):
    good = written(tmp_path / "png", TEST["image"][:2])
    bad = [tmp_path / name for name in ("text.png", "missing.png", "empty.png")]
    bad[0].write_text("no image")
    Image.new("L", (50, 50), 255).save(bad[2])
    status, out, err = said(capsys, "predict", saved, bad[0], *good, *bad[1:])
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == [str(f) for f in good]
    assert [sum(str(f) in line for line in err.splitlines()) for f in bad] == [1, 1, 1]
    status, said_, _ = predicted(capsys, saved, bad[1])
    assert (status, list(said_[0])) == (1, ["file", "error"])


def test_what_the_model_is_shown_can_be_kept(saved, tmp_path, capsys):
    (file,) = written(tmp_path / "png", TEST["image"][:1])
    said(capsys, "predict", saved, file, "--seen", tmp_path / "seen")
    seen = np.asarray(Image.open(tmp_path / "seen" / "000.png"))
    np.testing.assert_array_equal(seen, TEST["image"][0, ..., 0])


def test_predict_without_files_is_refused(saved, capsys):
    status, _, err = said(capsys, "predict", saved)
    assert (status, "expected files" in err) == (2, True)
