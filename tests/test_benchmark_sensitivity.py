"""The benchmark of sensitivity: it resumes, trains where it says, reads its map."""

import json
import math
from collections import Counter
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import data, loss

import rmsprop_jax as rj
from benchmarks.sensitivity import __main__ as sensitivity
from benchmarks.sensitivity import table as tables
from benchmarks.sensitivity import trials
from benchmarks.sensitivity.tasks import Trained

RATES = (0.0625, 0.25)


def small_run(make, judges):
    """A regression judged by its last batch, whatever the part is called."""
    params, batches = data()
    last = tuple(x[-1] for x in batches)
    return rj.training_run(
        loss,
        params,
        batches,
        make=make,
        validation=lambda params: dict.fromkeys(judges, loss(params, last)),
    )


SMALL = Trained(
    metric="squared error",
    of="a test",
    steps=8,
    first_steps=2,
    points=4,
    learning_rates=RATES,
    dampings=(1e-2,),
    run=small_run,
)


@pytest.fixture
def counted(monkeypatch):
    """Trainings instead of which only their points are kept."""
    seen = []

    def searched(trained, dialect, seeds):
        del trained, seeds
        seen.append((dialect, "search"))
        best = trials.default(dialect) | {"momentum": 0.5}
        return {"best": best, "points": []}

    def trained_at(trained, dialect, points, seeds, told):
        del trained, seeds
        for point in points:
            seen.append((dialect, tuple(point.values())))
            told(point, {"validation": [1.0], "test": [2.0, 3.0], "diverged": 0})

    monkeypatch.setattr(sensitivity, "searched", searched)
    monkeypatch.setattr(sensitivity, "trained_at", trained_at)
    monkeypatch.setattr(sensitivity, "TRAINED", {"linear": lambda _: SMALL})
    return seen


def measured(out, *more):
    sensitivity.main(["--tasks", "linear", "--out", str(out), *more])
    return [json.loads(line) for line in out.read_text().splitlines()]


def of_kind(rows, kind):
    return [row for row in rows if row["kind"] == kind]


def test_what_was_measured_is_not_measured_again(counted, tmp_path, capsys):
    out = tmp_path / "new" / "results.jsonl"
    rows = measured(out)
    # A search; its best, the defaults, two learning rates at two eps.
    assert Counter(dialect for dialect, _ in counted) == dict.fromkeys(
        sensitivity.DIALECTS, 1 + 1 + 1 + 4
    )
    before = len(counted)
    again = measured(out)
    assert len(counted) == before
    assert of_kind(again, "run") == of_kind(rows, "run") + again[-1:]
    assert "| linear, squared error | torch |" in capsys.readouterr().out


def test_an_interrupted_run_goes_on_row_by_row(counted, tmp_path):
    out = tmp_path / "results.jsonl"
    whole = measured(out, "--dialects", "torch")
    out.write_text("".join(json.dumps(row) + "\n" for row in whole[:-2]))
    del counted[:]
    again = measured(out, "--dialects", "torch")
    assert counted == [
        ("torch", tuple(row["at"].values())) for row in of_kind(whole, "point")[-2:]
    ]
    assert of_kind(again, "point") == of_kind(whole, "point")


def test_another_size_is_measured_anew_and_has_its_own_table(
    counted, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "results.jsonl"
    measured(out, "--dialects", "torch")
    before = len(counted)
    small = {"linear": lambda _: SMALL._replace(of="another")}
    monkeypatch.setattr(sensitivity, "TRAINED", small)
    capsys.readouterr()
    measured(out, "--dialects", "torch")
    assert len(counted) == 2 * before
    printed = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| linear, squared error") for line in printed) == 1


def test_points_are_trained_with_their_own_numbers():
    told = []
    points = [
        trials.default("torch") | {"momentum": 0.9, "eps": 1e-3},
        trials.default("torch") | {"learning_rate": 0.125, "decay": 0.5},
    ]
    trials.trained_at(SMALL, "torch", points, 2, lambda *x: told.append(x))
    assert [at for at, _ in told] == points
    make = partial(rj.rmsprop, dialect="torch")
    for point, metrics in told:
        space = {name: [value] for name, value in point.items()}
        direct = rj.sweep(small_run(make, ("test",)), space, metric="test")
        expected = direct.rows[0]["test"]
        np.testing.assert_allclose(metrics["test"], [expected] * 2, rtol=1e-4)
        assert metrics["diverged"] == 0
    first, second = (metrics["test"][0] for _, metrics in told)
    assert abs(first / second - 1) > 1e-2


def test_a_search_ends_with_the_point_that_went_farthest():
    found = trials.searched(SMALL, "torch", 1)
    steps = Counter(point["steps"] for point in found["points"])
    assert steps == {2: 3, 8: 1}
    (farthest,) = (point for point in found["points"] if point["steps"] == 8)
    for name, value in found["best"].items():
        assert math.isclose(farthest[name], value, rel_tol=1e-4)


def test_the_same_damping_is_the_square_of_itself_inside_the_root():
    assert trials.eps_of("torch", 1e-2) == 1e-2
    for dialect in ("optax", "keras", "tf1"):
        assert math.isclose(trials.eps_of(dialect, 1e-2), 1e-4)


def test_the_map_is_at_the_defaults_but_for_learning_rate_and_eps():
    first, *points = trials.mapped(SMALL, "keras")
    assert first == trials.default("keras")
    assert [(point["eps"], point["learning_rate"]) for point in points] == [
        (eps, rate) for eps in (1e-7, 1e-4) for rate in RATES
    ]
    assert {(point["decay"], point["momentum"]) for point in points} == {(0.9, 0.0)}


@pytest.mark.parametrize("width", [0.7, 1.9, 3.2])
def test_the_octaves_of_a_valley_are_found_between_the_rates(width):
    # As wide as that where it is 1.1 times as high as at its bottom.
    line = {2.0**k: 1 + 0.1 * abs(k + 5) / (width / 2) for k in range(-14, 1)}
    octaves, inside = tables.good_octaves(line, 1.1)
    assert inside
    assert abs(octaves - width) < 0.01


def test_a_valley_that_leaves_the_map_is_said_to():
    assert tables.good_octaves({0.25: 1.0, 0.5: 1.05, 1.0: 3.0}, 1.1)[1] is False
    assert tables.good_octaves({0.25: 9.0, 0.5: 1.05, 1.0: 1.0}, 1.1)[1] is False


def test_a_divergence_ends_the_valley_where_it_was_last_good():
    line = {0.25: math.inf, 0.5: 1.0, 1.0: 1.0, 2.0: math.inf}
    assert tables.good_octaves(line, 1.1) == (1.0, True)


def point(rate, validation, test, **more):
    usual = trials.default("optax")
    return {
        "kind": "point",
        "task": "mlp",
        "metric": "error, %",
        "dialect": "optax",
        "of": "a test",
        "at": usual | {"learning_rate": rate} | more,
        "validation": validation,
        "test": test,
    }


def test_the_test_data_choose_nothing():
    best = trials.default("optax") | {"momentum": 0.5}
    search = point(1e-3, [], []) | {"kind": "search", "best": best}
    rows = [
        search,
        point(1e-3, [3.0, 3.0], [3.0, 3.0]),
        point(0.5, [2.0, 2.0], [2.5, 2.5]),  # the best by validation
        point(0.25, [4.0, 4.0], [1.0, 1.0]),  # the best by the test data
        point(1e-3, [5.0, 5.0], [5.0, 5.0], momentum=0.5),
    ]
    line = tables.table(rows).splitlines()[2]
    assert "| 3 ± 0 at 0.001 | 1.2 | 2.5 ± 0 at 0.5 | 5 ± 0 at" in line
    assert line.endswith("| 2.5 ± 0 at α 0.5, ρ 0.9, ε 1e-08, β 0 |")


def test_what_was_measured_in_another_size_is_not_in_the_table():
    best = trials.default("optax")
    search = point(1e-3, [], []) | {"kind": "search", "best": best}
    rows = [point(1e-3, [x], [x, x]) | {"of": of} for of, x in (("old", 1), ("new", 7))]
    text = tables.table([search | {"of": "new"}, *rows])
    assert "| 7 ± 0 at 0.001 | 1 |" in text
    assert "1 ± 0" not in text


def test_a_seed_that_diverged_is_no_good_mean():
    assert tables.mean([1.0, None]) == math.inf
    assert tables.mean([1.0, 2.0]) == 1.5


@pytest.mark.slow
def test_the_smallest_size_runs(tmp_path, capsys):
    out = tmp_path / "results.jsonl"
    sensitivity.main(["--smoke", "--out", str(out), "--tasks", "linear", "mlp"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert Counter(row["kind"] for row in rows) == {"run": 1, "search": 2, "point": 16}
    for row in of_kind(rows, "point"):
        assert all(jnp.isfinite(jnp.asarray(row[part])).all() for part in trials.PARTS)
    assert capsys.readouterr().out.count("| mlp, error, % | torch |") == 1
