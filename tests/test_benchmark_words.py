"""What the page says of measurements in words: it is so, by the receipts."""

import math

import pytest

from benchmarks import receipts
from benchmarks.measure import spread
from benchmarks.peers.table import sides_of
from benchmarks.precision.table import cells_of, in_percent, interval
from benchmarks.reporting.choosing_values import DIALECTS
from benchmarks.sensitivity.table import distances, maps, mean
from benchmarks.sensitivity.trials import default


def rows(benchmark):
    return receipts.full(receipts.read(receipts.file_of(benchmark)))


def best_rate(task, dialect):
    """Of the map at the dialect's own ε, by the test data."""
    line = maps(rows("sensitivity"))[task, dialect, default(dialect)["eps"]]
    return min(line, key=lambda rate: mean(line[rate]["test"]))


@pytest.mark.parametrize("task", ["mlp", "cnn"])
@pytest.mark.parametrize("dialect", ["optax", "torch", "keras"])
def test_1e_3_is_within_an_octave_of_the_best_where_nu_starts_at_0(task, dialect):
    assert abs(math.log2(best_rate(task, dialect) / 1e-3)) <= 1


@pytest.mark.parametrize("task", ["mlp", "cnn"])
def test_the_default_rate_of_pytorch_is_three_octaves_too_high_for_images(task):
    assert default("torch")["learning_rate"] == 1e-2
    assert round(math.log2(1e-2 / best_rate(task, "torch"))) == 3


def test_1e_2_is_right_for_the_linear_regression_and_1e_3_too_small():
    found = distances(rows("sensitivity"))
    assert abs(math.log2(best_rate("linear", "torch") / 1e-2)) < 0.5
    for dialect in ("optax", "keras", "tf1"):
        usual, tuned, *_ = found["linear", dialect]
        assert usual["at"]["learning_rate"] == 1e-3
        assert usual["of"].endswith("640 steps")
        assert mean(usual["test"]) > 100 * mean(tuned["test"])


def test_tf1_is_still_behind_after_80_steps_of_the_cnn():
    found = distances(rows("sensitivity"))
    assert found["cnn", "tf1"].rate["of"].endswith("80 steps")
    tuned = {x: mean(found["cnn", x].rate["test"]) for x in DIALECTS}
    assert tuned.pop("tf1") > 2 * max(tuned.values())


@pytest.mark.parametrize("side", ["bfloat16", "int8"])
@pytest.mark.parametrize("task", ["mlp", "cnn", "characters"])
def test_fewer_bytes_do_not_measurably_hurt(task, side):
    cells = [
        x for (of, *_), x in cells_of(rows("state_precision")).items() if of == task
    ]
    assert len(cells) == 6
    assert interval(in_percent(cells, side)).holds_zero


def test_only_the_convolutions_of_tensorflow_are_faster():
    for model, faster in ("cnn", {"keras-tensorflow"}), ("mlp", {"products"}):
        run = receipts.newest(rows("mnist"), "model")[model]
        epoch = {
            side: spread(row["epoch_seconds"] for row in own)[0]
            for side, own in sides_of(run).items()
        }
        assert {x for x in epoch if epoch[x] < epoch["trainer"]} == faster
