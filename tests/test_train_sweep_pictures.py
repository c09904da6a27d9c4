"""The pictures of a sweep: what is marked, and that all of it can be read."""

import math

import numpy as np
import pytest
from pictures_seen import assert_legible, seen, words

from rmsprop_jax.sweeping.space import Range
from rmsprop_jax.sweeping.table import Point
from rmsprop_jax.train.status import loss_text, percent
from rmsprop_jax.train.sweeps import best_curves, heat_map, parallel
from rmsprop_jax.train.sweeps.best_curves import Course
from rmsprop_jax.train.sweeps.scales import best_first, scale, spread

__all__ = ["seen"]

RATES, DECAYS = Range(1e-4, 1e-1, 0.0), [0.9, 0.99, 0.999]
SHOWN = {
    "words": loss_text,
    "mode": "min",
    "title": "Best loss 0.1 at learning rate 0.01",
    "below": "digits, mlp, 9 epochs of 37 steps; loss on 239 held-out images.",
}


def point(number, rate, decay, value, steps=None, **more):
    diverged = int(math.isnan(value))
    chosen = {"learning_rate": rate, "decay": decay, **more}
    return Point(chosen, value, [value], [number], diverged, steps)


def points(count=40, lost=0.2, seed=0):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(count) < lost, np.nan, rng.lognormal(0, 3, count))
    return [
        point(i, float(RATES.at(rng.random())), DECAYS[i % 3], float(values[i]))
        for i in range(count)
    ]


def heat(of, path, decays=DECAYS, **more):
    scales = scale("learning_rate", RATES), scale("decay", decays)
    heat_map.draw(of, scales, path=path / "heat_map.png", **SHOWN | more)


def test_a_cell_has_its_best_and_how_many_diverged(seen, tmp_path):
    nan = math.nan
    heat(
        [
            point(0, 1.1e-4, 0.9, 0.5),
            point(1, 1.2e-4, 0.9, 0.25),
            point(2, 1.3e-4, 0.9, nan),
            point(3, 0.09, 0.99, nan),
            point(4, 0.09, 0.99, nan),
        ],
        tmp_path,
    )
    assert_legible(seen[0])
    texts = words(seen[0])
    assert "0.2500" in texts
    assert "0.5000" not in texts
    assert "× 1 of 3" in texts
    assert "× 2" in texts


def test_of_unequally_long_points_the_longest_is_shown():
    short, long = point(0, 1e-3, 0.9, 0.1, 37), point(1, 1e-3, 0.9, 0.2, 111)
    lost = point(2, 1e-3, 0.9, math.nan, 111)
    assert best_first([short, lost, long], "min") == [long, short]


@pytest.mark.parametrize("lost", [0.0, 0.3, 1.0])
def test_a_heat_map_is_legible(lost, seen, tmp_path):
    heat(points(lost=lost), tmp_path)
    decays = Range(0.9, 0.999, 1.0)
    heat(points(lost=lost), tmp_path, decays)
    heat(points(lost=lost), tmp_path, decays, words=percent, mode="max")
    for figure in seen:
        assert_legible(figure)


@pytest.mark.parametrize("lost", [0.0, 0.3, 1.0])
def test_parallel_coordinates_are_legible(lost, seen, tmp_path):
    scales = {"learning_rate": scale("learning_rate", RATES)}
    scales |= {"decay": scale("decay", DECAYS)}
    path = tmp_path / "parallel.png"
    parallel.draw(points(lost=lost), scales, metric="held-out loss", path=path, **SHOWN)
    assert_legible(seen[0])
    diverged = sum(one.diverged for one in points(lost=lost))
    assert (f"diverged: {diverged}" in words(seen[0])) == (lost > 0)


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_best_curves_are_legible(seeds, seen, tmp_path):
    rng = np.random.default_rng(0)
    courses = [
        Course(f"loss {i}, learning rate 0.00{i}", np.arange(1, 10), curves)
        for i, curves in enumerate(rng.lognormal(0, 2, (5, seeds, 9)))
    ]
    path = tmp_path / "best.png"
    best_curves.draw(
        courses, name="Held-out loss", title="The best", below="digits.", path=path
    )
    assert_legible(seen[0])
    assert {one.label for one in courses} <= set(words(seen[0]))
    assert any("bands" in text for text in words(seen[0])) == (seeds > 1)


@pytest.mark.parametrize("last", [1e31, 40.0, 0.11])
def test_few_judgements_of_any_size_are_told_by_their_axes(last, seen, tmp_path):
    courses = [
        Course("one", np.array([1.0]), np.array([[0.1]])),
        Course("other", np.array([1.0]), np.array([[last]])),
    ]
    path = tmp_path / "best.png"
    best_curves.draw(courses, name="Held-out loss", title="", below="", path=path)
    (axes,) = seen[0].axes
    low, high = axes.get_ylim()
    assert sum(low <= y <= high for y in axes.get_yticks()) >= 2
    left, right = axes.get_xlim()
    inside = [x for x in axes.get_xticks() if left <= x <= right]
    assert inside
    assert all(x == round(x) for x in inside)


def test_shades_go_from_the_worst_to_the_best():
    low = spread([0.1, 1.0, math.nan, 1e9], "min")
    assert low[0] == 1.0
    assert low[1] == pytest.approx(0.5)
    assert np.isnan(low[2])
    assert low[3] == 0.0
    np.testing.assert_allclose(spread([0.5, 0.9, 1.0], "max"), [0, 0.8, 1])
    assert spread([0.3, 0.3], "min").tolist() == [1.0, 1.0]


def test_a_scale_has_a_list_in_order_and_a_range_by_decades():
    listed = scale("decay", [0.99, 0.9])
    assert [text for _, text in listed.ticks()] == ["0.9", "0.99"]
    assert scale("learning_rate", RATES).at(1e-2) == pytest.approx(2 / 3)
    below = scale("decay", Range(0.9, 0.999, 1.0))
    assert below.at(0.99) == pytest.approx(0.5)
    words = scale("dialect", ["torch", "keras"])
    assert [text for _, text in words.ticks()] == ["torch", "keras"]
