"""Where a sweep says that it is, while it runs and after it was ended."""

import math

import pytest

from rmsprop_jax.train.sweeps import standing
from rmsprop_jax.train.sweeps.plan import planned
from rmsprop_jax.train.sweeps.standing import Standing, named
from rmsprop_jax.train.sweeps.sweep import parse


@pytest.fixture(scope="module")
def halved():
    text = "--task linear --run unused --epochs 3 --budget 9 --seeds 2 --halving"
    return planned(parse(text.split()))


def rows(plan, trials, stage, loss=1.0):
    steps = plan.stages[stage].stop * plan.every
    return [
        {
            "trial": trial,
            "point": trial // 2,
            "learning_rate": 0.01,
            "decay": 0.9,
            "seed": trial % 2,
            "steps": steps,
            "validation/loss": loss + trial,
            "diverged": False,
        }
        for trial in trials
    ]


def test_a_rung_is_a_share_of_the_work(halved):
    # 18 trials for one judgement, 6 for two more, 2 for another six.
    now = Standing(halved, [])
    assert now.share() == 0
    assert now.numbers() == ["compiling and starting"]
    for _ in range(9):
        now.tick(0)
    assert now.heading()[0] == "rung 1/3  trial 9/18"
    assert now.share() == pytest.approx(9 / 42)
    for _ in range(99):  # Those that measure the speed count too.
        now.tick(0)
    assert now.share() == pytest.approx(18 / 42)
    now.report(rows(halved, range(18), 0))
    assert now.heading()[0] == "rung 2/3  trial 0/6"
    assert now.share() == pytest.approx(18 / 42)
    now.report(rows(halved, range(4, 10), 1))
    now.report(rows(halved, [6, 7], 2))
    assert now.share() == 1
    assert now.heading()[0] == "rung 3/3  trial 2/2"


def test_the_best_so_far_is_among_those_that_went_farthest(halved):
    now = Standing(halved, [])
    now.report(rows(halved, range(18), 0))
    assert now.best().value == pytest.approx(1.5)
    now.report(rows(halved, [6, 7], 1, loss=5.0))
    assert now.best().value == pytest.approx(11.5)
    assert now.numbers()[:3] == ["best so far:", "loss 11.5", "learning rate 0.01"]


def test_what_was_kept_counts_as_done(halved, tmp_path):
    before = Standing(halved, [])
    before.report(rows(halved, range(18), 0))
    before.report(rows(halved, range(6), 1, loss=math.nan))
    path = tmp_path / "trials.jsonl"
    path.write_text(before.table.to_jsonl())
    again = Standing(halved, standing.read_rows(path))
    assert again.share() == before.share() == pytest.approx(30 / 42)
    assert again.stage == 2


def test_what_is_left_goes_by_the_pace_since_the_first_judgement(halved, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(standing.time, "monotonic", lambda: clock[0])
    now = Standing(halved, [])
    assert now.seconds_left() is None
    now.tick(0)
    clock[0] += 10
    now.tick(0)
    assert now.seconds_left() == pytest.approx(10 * 40)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.99964, "0.99964"), (0.9, "0.9"), (1.2345e-5, "1.23e-05"), (True, "true")],
)
def test_a_value_is_short_and_near_one_still_tells(value, text):
    assert named({"nesterov_or_not": value}) == [f"nesterov or not {text}"]
