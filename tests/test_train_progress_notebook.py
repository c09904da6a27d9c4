import re
import time
from types import SimpleNamespace

import pytest
from progress_runs import EPOCH_LINE, Ears, cell, epoch_row, run, train_row

from rmsprop_jax.train import progress as module
from rmsprop_jax.train.progress import Progress

__all__ = ["cell"]


def test_a_notebook_has_one_output_and_it_ends_with_the_lines_of_epochs(cell, capsys):
    run(None)
    lines = [EPOCH_LINE.format(k) for k in (1, 2, 3)]
    assert cell[-1].splitlines() == ["on [2] images → here", *lines]
    assert capsys.readouterr().out == ""
    assert "\x1b" not in "".join(cell)


def test_a_notebook_shows_the_live_view_seldom_and_never_floods(cell, monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    with Progress(epochs=1000, steps_per_epoch=100) as p:
        for epoch in range(1, 1001):
            now.seconds += 0.01
            p.update(train_row(100 * epoch, epoch))
            p.epoch(epoch_row(epoch))
    assert 30 <= len(cell) <= 50
    assert max(text.count("\n") for text in cell) < 25
    assert max(len(line) for text in cell for line in text.splitlines()) <= 100
    middle = cell[20].splitlines()
    assert re.fullmatch(r"epoch +\d+/1000  \[#+-+\] +5\d%.*", middle[-3].rstrip()), (
        middle
    )
    assert "best test accuracy" in middle[-1]
    last = cell[-1].splitlines()
    assert last[0] == "... 980 lines before"
    assert last[-1].startswith("epoch 1000/1000  loss 0.5000")


def test_a_stream_of_ones_own_is_plain_in_a_notebook_too(cell):
    stream = Ears()
    run(stream)
    assert cell == []
    assert stream.getvalue().count("\n") == 4


def test_an_update_of_a_cell_costs_less_than_a_millisecond(cell):
    took = []
    with Progress(epochs=1, steps_per_epoch=10**6) as p:
        for step in range(1000):
            began = time.perf_counter()
            p.update(train_row(step))
            took.append(time.perf_counter() - began)
    assert sorted(took)[500] < 1e-3
    assert cell


NOTEBOOK = """
import sys
sys.path.insert(0, {root!r})
from rmsprop_jax.train.progress import Progress
with Progress(epochs=2, steps_per_epoch=1) as progress:
    progress.say("hello")
    for epoch in (1, 2):
        progress.epoch({{"step": epoch, "epoch": epoch, "test/loss": 0.5}})
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_real_notebook_keeps_one_output(request):
    nbformat, nbclient = map(pytest.importorskip, ("nbformat", "nbclient"))
    pytest.importorskip("ipykernel")
    source = NOTEBOOK.format(root=str(request.config.rootpath))
    cell = nbformat.v4.new_code_cell(source)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    (output,) = cell["outputs"]
    assert output["data"]["text/plain"].splitlines() == [
        "hello",
        "epoch 1/2  test loss 0.5000",
        "epoch 2/2  test loss 0.5000",
    ]
