"""Runs that go nowhere, to see what is shown of them."""

import io
import sys
from types import SimpleNamespace

import pytest

from rmsprop_jax.train.progress import Progress


def train_row(step, epoch=1, loss=0.5):
    return {
        "kind": "train",
        "step": step,
        "epoch": epoch,
        "loss": loss,
        "accuracy": 0.75,
        "learning_rate": 3.2e-4,
        "examples_per_second": 112345.0,
    }


def epoch_row(epoch, steps_per_epoch=100, accuracy=0.98125):
    return {
        "kind": "epoch",
        "step": epoch * steps_per_epoch,
        "epoch": epoch,
        "train/loss": 0.5,
        "train/accuracy": 0.75,
        "test/loss": 0.25,
        "test/accuracy": accuracy,
    }


def run(stream, epochs=3, **options):
    with Progress(epochs=epochs, steps_per_epoch=100, stream=stream, **options) as p:
        p.say("on [2] images → here")
        for epoch in range(1, epochs + 1):
            for step in (50, 100):
                p.update(train_row(100 * (epoch - 1) + step, epoch))
            p.epoch(epoch_row(epoch))


class Ears(io.StringIO):
    encoding = "utf-8"
    flushed = 0

    def flush(self):
        self.flushed = len(self.getvalue())


EPOCH_LINE = (
    "epoch {}/3  loss 0.5000  accuracy 75.00 %  test loss 0.2500  test accuracy 98.12 %"
)


@pytest.fixture
def cell(monkeypatch):
    """What a notebook's cell shows: the texts of its one output, oldest first."""
    shown = []

    def display(data, *, raw, display_id):
        assert (raw, display_id) == (True, True)
        shown.append(data["text/plain"])

        def update(data, *, raw):
            assert raw
            shown.append(data["text/plain"])

        return SimpleNamespace(update=update)

    ipython = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(
        sys.modules, "IPython.display", SimpleNamespace(display=display)
    )
    return shown
