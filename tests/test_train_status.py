import math
from types import SimpleNamespace

import pytest

from rmsprop_jax.train import status as module
from rmsprop_jax.train.status import (
    Status,
    duration,
    flow,
    loss_text,
    percent,
    quantity,
)

EPOCH = {
    "kind": "epoch",
    "step": 1404,
    "epoch": 3,
    "train/loss": 0.08124,
    "train/accuracy": 0.97609,
    "test/loss": 0.0731,
    "test/accuracy": 0.9773,
    "seconds": 2.41,
}


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def made(epochs=10, steps_per_epoch=468, step=0):
    return Status(epochs, steps_per_epoch, step, "images")


@pytest.mark.parametrize(
    ("word", "number", "text"),
    [
        (percent, 0.98124, "98.12 %"),
        (percent, 1.0, "100.00 %"),
        (percent, math.nan, "nan %"),
        (quantity, 112345.6, "112 k"),
        (quantity, 999.4, "999"),
        (quantity, 999.9, "1 k"),
        (quantity, 3.456e6, "3.46 M"),
        (quantity, 2e12, "2e+03 G"),
        (quantity, 0.5, "0.5"),
        (duration, 0.04, "0.0 s"),
        (duration, 4.26, "4.3 s"),
        (duration, 9.96, "10 s"),
        (duration, 59.6, "1 min 00 s"),
        (duration, 185, "3 min 05 s"),
        (duration, 7620, "2 h 07 min"),
        (duration, math.inf, "?"),
        (loss_text, 0.08124, "0.0812"),
        (loss_text, 0.0, "0.0000"),
        (loss_text, 0.00099, "9.9e-04"),
        (loss_text, -2.5, "-2.5000"),
        (loss_text, 123.456, "123.5"),
        (loss_text, 1e9, "1.0e+09"),
        (loss_text, math.nan, "nan"),
        (loss_text, math.inf, "inf"),
    ],
)
def test_numbers_read_as_people_write_them(word, number, text):
    assert word(number) == text


def test_the_line_of_an_epoch_says_everything_where_there_is_room():
    row = EPOCH | {"examples_per_second": 112345.0, "skipped": 2}
    assert made().epoch_line(row) == (
        "epoch  3/10  loss 0.0812  accuracy 97.61 %  test loss 0.0731  "
        "test accuracy 97.73 %  2 skipped  112 k images/s  2.4 s"
    )
    assert "skipped" not in made().epoch_line(EPOCH | {"skipped": 0})


@pytest.mark.parametrize("width", range(34, 130))
def test_a_narrow_line_of_an_epoch_keeps_the_test_accuracy_and_is_no_wider(width):
    row = EPOCH | {"validation/loss": 0.07, "validation/accuracy": 0.9}
    line = made().epoch_line(row, width)
    assert len(line) <= width
    assert line.startswith("epoch  3/10")
    assert "test accuracy 97.73 %" in line


TRAIN, TEST = "loss 0.0812  accuracy 97.61 %", "test loss 0.0731  "


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (90, f"{TRAIN}  {TEST}test accuracy 97.73 %  2.4 s"),
        (89, f"{TRAIN}  {TEST}test accuracy 97.73 %"),
        (83, f"{TRAIN}  {TEST}test accuracy 97.73 %"),
        (82, f"loss 0.0812  {TEST}test accuracy 97.73 %"),
        (65, f"loss 0.0812  {TEST}test accuracy 97.73 %"),
        (64, f"{TEST}test accuracy 97.73 %"),
        (52, f"{TEST}test accuracy 97.73 %"),
        (51, "test accuracy 97.73 %"),
    ],
)
def test_a_line_drops_no_more_than_it_must(width, line):
    assert made().epoch_line(EPOCH, width) == f"epoch  3/10  {line}"


def test_a_regression_has_a_loss_only():
    row = {"step": 5, "epoch": 1, "train/loss": 0.5, "test/loss": 0.25}
    status = made(epochs=2)
    assert status.epoch_line(row) == "epoch 1/2  loss 0.5000  test loss 0.2500"
    status.update({"step": 3, "loss": 0.5})
    for loss in (0.25, 0.125, math.nan, 0.5):
        status.finish_epoch(row | {"test/loss": loss})
    assert status.numbers() == ["loss 0.5000", "best test loss 0.1250"]


def test_the_best_test_accuracy_is_the_largest_so_far():
    status = made()
    status.update({"step": 9, "loss": 0.5, "accuracy": 0.75, "learning_rate": 3.2e-4})
    assert "best" not in " ".join(status.numbers())
    for accuracy in (0.75, math.nan, 0.875, 0.5):
        status.finish_epoch(EPOCH | {"test/accuracy": accuracy})
    assert status.numbers() == [
        "loss 0.5000",
        "accuracy 75.00 %",
        "learning rate 3.2e-04",
        "best test accuracy 87.50 %",
    ]


def test_what_is_left_is_the_mean_pace_since_the_compiler_was_done(clock):
    status = made(epochs=10, steps_per_epoch=100, step=500)
    clock.seconds += 60
    assert status.numbers() == ["compiling and starting, 1 min 00 s"]
    assert status.seconds_left() is None
    status.update({"step": 520, "loss": 1.0})
    assert status.seconds_left() is None
    clock.seconds += 8
    status.update({"step": 600, "loss": 1.0})
    assert status.seconds_left() == 40.0
    clock.seconds += 3
    assert status.seconds_left() == 37.0
    assert status.heading() == ("epoch  7/10", " 60%  ETA 37 s       ")
    clock.seconds += 300
    assert status.seconds_left() == 0.0


@pytest.mark.parametrize(
    ("step", "epoch", "share"),
    [(0, 1, 0.0), (99, 1, 0.33), (100, 2, 1 / 3), (300, 3, 1)],
)
def test_the_heading_tells_the_epoch_that_runs(step, epoch, share):
    status = made(epochs=3, steps_per_epoch=100, step=step)
    assert status.heading()[0] == f"epoch {epoch}/3"
    assert status.share() == pytest.approx(share, abs=1e-12)


def test_a_run_of_no_epochs_is_done():
    assert made(epochs=0).share() == 1.0


def test_lines_flow_between_words_and_lose_none():
    words = ["loss 0.1", "accuracy 9 %", "112 k images/s"]
    assert flow(words, 100) == ["loss 0.1  accuracy 9 %  112 k images/s"]
    assert flow(words, 22) == ["loss 0.1  accuracy 9 %", "112 k images/s"]
    assert flow(words, 21) == words
    assert flow(words, 1) == words
