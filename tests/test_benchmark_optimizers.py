"""The benchmark of optimizers: equal chances, no choice by test data, no repetition."""

import json
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks import optimizers
from benchmarks.contest import selection, tasks
from benchmarks.contest.rivals import RIVALS, Rival
from benchmarks.contest.training import compiled, share

STEPS = 7
# Trainings of a search, for each.
SEARCH = 24 + 4 * 2


def task(**changed):
    """A line that falls for ever: every gradient is one."""
    return tasks.Task(
        metric="height",
        of="a test",
        steps=STEPS,
        start=lambda _: jnp.zeros(()),
        batch=lambda data, *_: data,
        loss=lambda w, _: w,
        judged=lambda w, part: w + part,
        data={
            "train": jnp.zeros(()),
            "validation": jnp.zeros(()),
            "test": jnp.ones(()),
        },
    )._replace(**changed)


@pytest.fixture
def trained(monkeypatch):
    """Trainings of which only part, point and seed are kept."""
    seen = []

    def fake(trained, rival):
        del trained, rival

        def training(point, seed, part):
            seen.append((part, tuple(point.items()), seed))
            # Where validation is best, the test is worst.
            height = abs(math.log10(point["learning_rate"]) + 2.1) + seed / 1000
            return height if part == "validation" else 9 - height

        return training

    monkeypatch.setattr(optimizers, "compiled", fake)
    monkeypatch.setattr(optimizers, "TASKS", {"images": lambda _: task()})
    return seen


def run(out, *more):
    optimizers.main(["--tasks", "images", "--out", str(out), *more])
    return [json.loads(line) for line in out.read_text().splitlines()]


def trainings(rows):
    return [row for row in rows if row["kind"] == "training"]


# Fairness


@pytest.mark.parametrize("name", RIVALS)
def test_everyone_tries_as_many_points_over_as_many_decades(name):
    rival = RIVALS[name]
    assert len({tuple(point.items()) for point in rival.points}) == 24
    assert rival.default in rival.points
    for beside in rival.beside:
        own = [p["learning_rate"] for p in rival.points if beside.items() <= p.items()]
        assert len(own) == 8
        assert math.isclose(max(own) / min(own), 10**3.5, rel_tol=0.01)


def test_a_longer_trace_has_smaller_learning_rates():
    def rates(beside):
        points = [p for p in RIVALS["sgd"].points if beside.items() <= p.items()]
        return np.array([p["learning_rate"] for p in points])

    ratio = rates({"momentum": 0.99}) / rates({"momentum": 0.0})
    np.testing.assert_allclose(ratio, 0.01, rtol=0.01)


@pytest.mark.usefixtures("trained")
def test_everyone_has_as_many_trainings(tmp_path):
    rows = trainings(run(tmp_path / "results.jsonl"))
    of = Counter(row["optimizer"] for row in rows if row["part"] == "validation")
    assert of == dict.fromkeys(RIVALS, SEARCH)
    for part, seeds in (("validation", 3), ("test", 5)):
        assert len({row["seed"] for row in rows if row["part"] == part}) == seeds


@pytest.mark.parametrize("name", RIVALS)
def test_everyone_makes_every_step_once(name):
    made = []

    def batch(data, step, key):
        del key
        jax.debug.callback(lambda i: made.append(int(i)), step)
        return data

    training = compiled(task(batch=batch), RIVALS[name])
    assert training(RIVALS[name].default, 0, "validation") < 0
    jax.effects_barrier()
    assert sorted(made) == list(range(STEPS))


def test_a_learning_rate_climbs_for_a_tenth_of_the_steps_and_falls_to_zero():
    shares = [float(share(jnp.int32(i), 40)) for i in range(41)]
    np.testing.assert_allclose(shares[:5], [0.25, 0.5, 0.75, 1, 1])
    np.testing.assert_allclose(np.diff(shares[4:]), -1 / 36, atol=1e-6)
    assert shares[40] == 0


def test_what_is_trained_with_is_the_share_of_the_learning_rate():
    rival = Rival(optax.sgd, 0.5, ({}, {}, {}))
    height = compiled(task(), rival)({"learning_rate": 0.5}, 0, "validation")
    whole = sum(float(share(jnp.int32(i), STEPS)) for i in range(STEPS))
    assert math.isclose(height, -0.5 * whole, rel_tol=1e-6)


def test_a_training_is_judged_by_the_part_that_is_named():
    training = compiled(task(), RIVALS["adam"])
    one, other = (
        training({"learning_rate": 0.1, "b2": 0.9}, 0, x) for x in tasks.PARTS
    )
    assert math.isclose(other, one + 1, rel_tol=1e-6)


def test_a_training_that_diverges_is_none_and_no_exception():
    training = compiled(task(), RIVALS["sgd"])
    assert training({"learning_rate": 3e38, "momentum": 0.9}, 0, "test") is None


# What is chosen, and by what


def test_test_data_choose_nothing(trained, tmp_path):
    rows = trainings(run(tmp_path / "results.jsonl", "--optimizers", "adagrad"))
    parts = [part for part, _, _ in trained]
    assert parts == ["validation"] * SEARCH + ["test"] * len(parts[SEARCH:])
    # By validation 0.01 is best, and by the test 0.316 is.
    first = next(row for row in rows if row["part"] == "test")
    assert first["at"]["learning_rate"] == 0.01


def test_seeds_that_chose_do_not_judge(trained, tmp_path):
    run(tmp_path / "results.jsonl")
    chose, judged = (
        {seed for part, _, seed in trained if part == name} for name in tasks.PARTS
    )
    assert chose == {0, 1, 2}
    assert len(judged) == 5
    assert not chose & judged


def test_the_best_four_have_two_more_seeds_and_the_best_mean_is_chosen():
    values = {0: [1, 9, 9], 1: [2, 2, 3], 2: [3, 2, 2.5], 3: [4, 4, 4], 4: [5, 0, 0]}
    asked = []

    def tried(point, seed):
        asked.append((point, seed))
        return values[point][seed]

    # 2 has 7.0, 4 is not asked again.
    assert selection.chosen(tried, [4, 3, 2, 1, 0]) == 1
    values[1][2] = 4
    assert selection.chosen(tried, [4, 3, 2, 1, 0]) == 2
    assert {point for point, seed in asked if seed} == {0, 1, 2, 3}


def test_a_seed_that_diverged_spoils_a_point():
    values = {0: [0, None, 0], 1: [5, 5, 5], 2: [None, 0, 0]}
    assert selection.chosen(lambda p, s: values[p][s], [0, 1, 2]) == 1


def test_if_all_diverged_one_is_judged_all_the_same():
    assert selection.judged(lambda *_: None, RIVALS["adam"])


# Resuming


def test_what_was_trained_is_not_trained_again(trained, tmp_path, capsys):
    out = tmp_path / "new" / "results.jsonl"
    rows = run(out)
    before = len(trained)
    assert before == len(trainings(rows))
    again = run(out)
    assert len(trained) == before
    assert trainings(again) == trainings(rows)
    assert capsys.readouterr().out.count("| images, height | adam |") == 2


@pytest.mark.parametrize("kept", [1, SEARCH - 3, SEARCH, SEARCH + 6])
def test_a_kill_loses_the_training_that_it_ends(kept, trained, tmp_path):
    out = tmp_path / "results.jsonl"
    whole = trainings(run(out, "--optimizers", "adam"))
    lines = out.read_text().splitlines(keepends=True)
    assert len(lines) == 1 + len(whole)
    # A line more, of which the half was written.
    out.write_text("".join(lines[: 1 + kept]) + lines[1 + kept][:70])
    done = list(trained[:kept])
    del trained[:]
    optimizers.main(["--tasks", "images", "--optimizers", "adam", "--out", str(out)])
    assert len(trained) == len(whole) - kept
    assert not set(done) & set(trained)


def test_another_size_is_trained_anew(trained, tmp_path, monkeypatch):
    out = tmp_path / "results.jsonl"
    run(out, "--optimizers", "adam")
    before = len(trained)
    monkeypatch.setattr(
        optimizers, "TASKS", {"images": lambda _: task(steps=STEPS + 1)}
    )
    run(out, "--optimizers", "adam")
    assert len(trained) == 2 * before


# All of it


def test_the_smallest_size_runs(tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    optimizers.main(["--smoke", "--out", str(out), "--tasks", "images"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    of = Counter((row.get("optimizer"), row.get("part")) for row in rows)
    for optimizer in optimizers.SMOKE:
        assert of[optimizer, "validation"] == SEARCH
        assert of[optimizer, "test"] in (2, 4)
    assert all(math.isfinite(row["value"]) for row in trainings(rows))
    (about,) = [row for row in rows if row["kind"] == "run"]
    assert {"commit", "versions", "cpu", "date"} <= about.keys()
    assert {row["run"] for row in trainings(rows)} == {about["date"]}
    assert capsys.readouterr().out.count("| images, errors, % | adam |") == 1


@pytest.mark.slow
def test_the_smallest_size_of_every_task_runs(capsys):
    optimizers.main(["--smoke"])
    lines = capsys.readouterr().out.splitlines()
    assert len([x for x in lines if x.startswith("|")]) == 2 + 4 * len(optimizers.SMOKE)
