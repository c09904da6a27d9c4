import jax
import numpy as np
import pytest

from rmsprop_jax import halving, sweep, training_run
from rmsprop_jax.lessons import choosing
from rmsprop_jax.sweeping import Tuned

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from rmsprop_jax.lessons import choosing_pictures  # noqa: E402


@pytest.fixture(scope="module")
def problem():
    return choosing.problem()


@pytest.fixture(scope="module")
def run(problem):
    return training_run(
        problem.loss,
        problem.params,
        problem.batches,
        steps=8,
        validation=problem.validation,
    )


@pytest.fixture(scope="module")
def pairs(run):
    space = {"learning_rate": [1e-3, 1e-2], "decay": [0.9, 0.99]}
    return sweep(run, space, seeds=2, batch_size=1)


def rows(x):
    return {row.tobytes() for row in np.asarray(x)}


def test_what_is_learned_held_out_and_tested_has_no_digit_in_common(problem):
    keys = jax.random.split(jax.random.key(0), 40)
    drawn = [problem.batches(step, key)[0] for step, key in enumerate(keys)]
    learned = set.union(*map(rows, drawn))
    data = choosing.digits.load()
    train, _ = choosing._rows(data.train)
    test, _ = choosing._rows(data.test)
    assert learned <= rows(train[: -choosing.HELD_OUT])
    assert not learned & rows(train[-choosing.HELD_OUT :])
    assert not learned & rows(test)


def test_the_digits_can_be_learned(problem):
    run = training_run(
        problem.loss,
        problem.params,
        problem.batches,
        steps=200,
        validation=problem.validation,
    )
    metrics = jax.jit(run)({"learning_rate": 5e-3}, jax.random.key(0))
    assert metrics["loss"] < 0.4
    assert metrics["test_error"] < 20


def test_judged_is_the_run_by_each_seed(run):
    chosen = {"one": {"learning_rate": 1e-3}, "other": {"learning_rate": 1e-2}}
    errors = choosing.judged(run, chosen, [5, 7])
    alone_by = jax.jit(run)
    for name, numbers in chosen.items():
        for error, seed in zip(errors[name], (5, 7), strict=True):
            alone = alone_by(numbers, jax.random.key(seed))["test_error"]
            assert error == pytest.approx(float(alone), abs=0.3)
    assert (errors["one"] != errors["other"]).any()


def test_a_value_is_that_of_its_point(pairs):
    for point in pairs.points():
        assert choosing.value_at(pairs, point.hyperparameters) == point.value


def test_a_point_that_was_not_tried_is_refused_by_name(pairs):
    with pytest.raises(ValueError, match="expected a point of the sweep"):
        choosing.value_at(pairs, {"learning_rate": 1e-3, "decay": 0.5})


def test_the_best_with_a_decay_has_it_and_is_the_best_of_those(pairs):
    for decay in (0.9, 0.99):
        at = choosing.best_with(pairs, decay)
        others = [
            p.value for p in pairs.points() if p.hyperparameters["decay"] == decay
        ]
        assert at["decay"] == decay
        assert choosing.value_at(pairs, at) == min(others)


def test_steps_are_counted_over_all_trials(run):
    space = {"learning_rate": [1e-4, 1e-3, 1e-2, 1e-1]}
    table = halving(run, space, points=4, min_steps=4, factor=2, seeds=2, batch_size=1)
    assert choosing.steps_of(table) == 2 * (2 * 4 + 2 * 8)


def test_what_was_found_is_said_in_words(pairs):
    best = pairs.best().hyperparameters["learning_rate"]
    assert choosing.chosen(pairs).endswith(
        choosing.written(pairs.best().hyperparameters)
    )
    assert f"α = {best:.2g}" in choosing.losses(pairs)


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_pictures_are_drawn(pairs):
    plt = pytest.importorskip("matplotlib.pyplot")
    marked = {"here": {"learning_rate": 1e-2, "decay": 0.99}}
    choosing_pictures.heat(pairs, marked)
    assert "here" in [text.get_text() for text in plt.gcf().axes[0].texts]
    choosing_pictures.courses({"one": pairs, "two": pairs}, every=4)
    lines = plt.gcf().axes[0].lines
    assert len(lines) == len(pairs)
    assert sum(line.get_linewidth() > 1 for line in lines) == 2  # the winner's seeds
    slopes = [(1e-3, 2.0, -100.0), (1e-2, 1.0, float("inf")), (1e-2, 1.0, float("nan"))]
    path = [{"learning_rate": rate, "decay": 0.95} for rate in (1e-3, 3e-3)]
    choosing_pictures.descents(pairs, slopes, {"down": Tuned(path[-1], 0.0, path)})
    assert "inf" in [t.get_text() for t in plt.gcf().axes[0].get_legend().texts]
    plt.close("all")
