"""What the page says of measurements in words: it is so, by the receipts."""

import math

import pytest

from benchmarks import receipts
from benchmarks.contest.selection import mean as mean_of
from benchmarks.contest.table import apart, standings
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


def epochs(model):
    """Median, least and greatest of the seconds an epoch, by side."""
    run = receipts.newest(rows("mnist"), "model")[model]
    return {
        side: spread(row["epoch_seconds"] for row in own)
        for side, own in sides_of(run).items()
    }


@pytest.mark.parametrize(("model", "faster"), [("mlp", {"products"}), ("cnn", set())])
def test_nobody_trains_mnist_faster_than_this_trainer(model, faster):
    took = epochs(model)
    assert {x for x in took if took[x][0] < took["trainer"][0]} == faster


def test_tensorflow_is_as_fast_in_the_cnn_within_the_spread():
    took = epochs("cnn")
    _, least, greatest = took["keras-tensorflow"]
    assert least <= took["trainer"][0] <= greatest


OURS = ("rmsprop, optax", "rmsprop, torch", "rmsprop, tf1")


def lines(task):
    """Of one task of `optimizers`: those that competed, by name."""
    found = standings(rows("optimizers"))
    (of_task,) = (found[title] for title in found if title.split(", ")[0] == task)
    return {line.optimizer: line for line in of_task}


def less_than_adam(task, name):
    of_task = lines(task)
    return apart(of_task[name], [*of_task.values()])


def tuned(task, name):
    return mean_of([*lines(task)[name].tuned.values()])


def test_on_images_rmsprop_is_level_with_adam_or_behind():
    found = [less_than_adam("images", name) for name in OURS]
    assert all(one.mean > 0 for one in found)
    assert all(one.mean < 0.05 * tuned("images", "adam") for one in found)


def test_on_a_recurrent_net_rmsprop_is_ahead_and_so_is_adam_without_momentum():
    for name in (*OURS, "adam, b1 = 0"):
        found = less_than_adam("recurrent", name)
        assert found.mean < 0
        assert not found.holds_zero
    bare = [tuned("recurrent", name) for name in (*OURS, "adam, b1 = 0")]
    assert max(bare) < 1.01 * min(bare)
    assert {lines("recurrent")[name].choice["momentum"] for name in OURS} == {0.0}


def test_on_a_transformer_adamw_is_ahead_of_rmsprop_and_that_of_adam():
    best = min(tuned("transformer", name) for name in OURS)
    assert tuned("transformer", "adamw") < best < tuned("transformer", "adam")
    assert best > 0.98 * tuned("transformer", "adam")


def test_on_the_player_one_dialect_of_three_is_ahead_of_adam():
    ahead = [not less_than_adam("player", name).holds_zero for name in OURS]
    assert sum(ahead) == 1


@pytest.mark.parametrize("task", ["images", "transformer", "recurrent", "player"])
@pytest.mark.parametrize("name", [*OURS, "adam"])
def test_customary_values_cost_more_than_the_choice_of_adam_or_rmsprop(task, name):
    customary = mean_of([*lines(task)[name].customary.values()])
    apart_from_adam = abs(tuned(task, name) - tuned(task, "adam"))
    assert customary - tuned(task, name) > apart_from_adam


@pytest.mark.parametrize("task", ["images", "transformer"])
def test_adamw_is_as_good_as_rmsprop_on_images_and_the_transformer(task):
    assert tuned(task, "adamw") <= min(tuned(task, name) for name in OURS)


def test_on_average_the_first_hears_two_recordings_more_than_the_last():
    right = [row["test/accuracy"] for row in receipts.latest(rows("speech_optimizers"))]
    assert len(right) == 7
    assert right == sorted(right, reverse=True)
    assert round(300 * (right[0] - right[-1])) == 2
