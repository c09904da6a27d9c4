"""The learning rate falls when the loss has stopped falling."""

import pytest
from train_runs import result, rows, run

from rmsprop_jax.train.plateau import Plateau
from rmsprop_jax.train.training_command import main


def test_the_factor_comes_after_more_than_patience_epochs_without_a_lower_loss():
    plateau = Plateau(factor=0.1, patience=2)
    losses = [3.0, 2.0, 2.0, 2.5, 2.1, 2.0, 1.9, 5.0, 5.0, 5.0]
    factors = [plateau.factor_after(loss) for loss in losses]
    assert factors == [1, 1, 1, 1, 0.1, 1, 1, 1, 1, 0.1]


def test_a_loss_that_is_no_number_counts_as_none_lower():
    plateau = Plateau(factor=0.5, patience=0, best=1.0)
    assert plateau.factor_after(float("nan")) == 0.5
    assert plateau.best == 1.0


def test_a_run_lowers_its_rate_and_remembers_it_when_it_goes_on(tmp_path):
    plateau = ["--task", "digits", "--model", "linear", "--batch-size", "64"]
    plateau += ["--schedule", "plateau", "--patience", "0", "--learning-rate", "0.3"]
    plateau += ["--drop-factor", "0.5", "--no-pictures", "--epochs", "12"]
    done = run(*plateau, "--run", "a", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    epochs = [row for row in rows(tmp_path / "a") if row["kind"] == "epoch"]
    best, expected, rate = float("inf"), [], 0.3
    for row in epochs:
        expected.append(rate)
        rate *= 1 if row["train/loss"] < best else 0.5
        best = min(best, row["train/loss"])
    rates = [round(row["learning_rate"], 6) for row in epochs]
    assert rates == [round(r, 6) for r in expected]
    assert rates[-1] < 0.3
    assert result(tmp_path / "a")["epochs"] == 12


def rates(losses, forgets_after=None):
    """Of a run with these losses, by its Plateau, or by a new one from there on."""
    plateau, rate, found = Plateau(0.5, 1), 1.0, []
    for epoch, loss in enumerate(losses):
        if epoch == forgets_after:
            plateau = Plateau(0.5, 1)
        found.append(rate)
        rate *= plateau.factor_after(loss)
    return found


def test_a_run_that_crashed_remembers_how_long_it_has_waited(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--task", "digits", "--model", "linear", "--batch-size", "64"]
    options += ["--schedule", "plateau", "--patience", "1", "--learning-rate", "1"]
    options += ["--drop-factor", "0.5", "--no-pictures", "--epochs", "14", "--quiet"]
    assert not main([*options, "--run", "whole"])
    epochs = [row for row in rows(tmp_path / "whole") if row["kind"] == "epoch"]
    losses = [row["train/loss"] for row in epochs]
    # Where a run that forgot would go another way.
    told = [n for n in range(1, 14) if rates(losses, n) != rates(losses)]
    crash = told[len(told) // 2]

    def crashing(self, loss, *, factor_after=Plateau.factor_after):
        if loss == losses[crash]:
            raise RuntimeError("the machine is gone")
        return factor_after(self, loss)

    with monkeypatch.context() as patch:
        patch.setattr(Plateau, "factor_after", crashing)
        with pytest.raises(RuntimeError, match="gone"):
            main([*options, "--run", "broken"])
    assert not main([*options, "--run", "broken", "--resume"])
    assert rows(tmp_path / "broken") == rows(tmp_path / "whole")
