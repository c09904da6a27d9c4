"""The table of the benchmark of optimizers, on receipts that are made up."""

import pytest

from benchmarks.contest.overview import overview
from benchmarks.contest.rivals import RIVALS
from benchmarks.contest.table import table


def line_of(rows, optimizer):
    (line,) = [x for x in table(rows).splitlines() if f"| {optimizer} |" in x]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def made_up(optimizer, at, value, part="test", seed=100, **changed):
    return {
        "kind": "training", "run": "then", "task": "images", "metric": "height",
        "of": "a test", "steps": 9, "optimizer": optimizer, "part": part, "at": at,
        "seed": seed, "value": value,
    } | changed  # fmt: skip


def searched(optimizer, best, value=1.0, worse=2.0, **changed):
    """A search that chooses the point of number `best`."""
    return [
        made_up(
            optimizer, at, value if i == best else worse, "validation", seed, **changed
        )
        for i, at in enumerate(RIVALS[optimizer].points)
        for seed in range(3)
    ]


def whole(optimizer, best, tuned, customary, **changed):
    rival = RIVALS[optimizer]
    rows = searched(optimizer, best, **changed)
    for at, values in ((rival.default, customary), (rival.points[best], tuned)):
        rows += [
            made_up(optimizer, at, value, seed=100 + i)
            for i, value in enumerate(values)
        ]
    return rows


def test_a_line_has_means_intervals_and_differences_by_seed():
    # 1 to 5: s = √2.5, t₀.₉₇₅(4) = 2.776445, 2.776445 √2.5 / √5 = 1.963243
    rows = whole("adam", 4, [1.0, 2.0, 3.0, 4.0, 5.0], [6.0] * 5)
    rows += whole("lion", 2, [2.0, 3.1, 4.0, 4.9, 6.0], [12.0] * 5)
    assert line_of(rows, "adam")[3:7] == ["3 ± 2", "", "6 ± 0", "2.00"]
    # Differences 1, 1.1, 1, 0.9, 1: s = √0.005, and 2.776445 √0.001 = 0.0878
    assert line_of(rows, "lion")[3:7] == ["4 ± 1.9", "**+1 ± 0.088**", "12 ± 0", "3.00"]


def test_a_difference_that_may_be_none_is_not_bold():
    rows = whole("adam", 4, [1.0, 2.0], [3.0] * 2)
    rows += whole("sgd", 4, [2.0, 1.0], [3.0] * 2)
    assert line_of(rows, "sgd")[4] == "+0 ± 13"


def test_the_best_is_first_and_what_is_customary_may_be_best():
    rows = whole("adam", 4, [2.0, 2.0], [3.0] * 2) + searched("sgd", 3)
    rows += [made_up("sgd", RIVALS["sgd"].default, 1.0, seed=100 + i) for i in (0, 1)]
    assert [x.split(" | ")[1] for x in table(rows).splitlines()[2:]] == ["sgd", "adam"]
    assert line_of(rows, "sgd")[3:7] == ["1 ± 0", "**-1 ± 0**", "1 ± 0", "1.00"]


def test_good_points_are_counted_beside_the_own_best_and_the_best_of_any():
    rows = whole("adam", 4, [1.0] * 2, [1.0] * 2, value=1.0, worse=1.09)
    rows += whole("sgd", 4, [1.0] * 2, [1.0] * 2, value=1.05, worse=1.15)
    rows += whole("lion", 4, [1.0] * 2, [1.0] * 2, value=3.0, worse=None)
    assert [line_of(rows, x)[7:9] for x in ("adam", "sgd", "lion")] == [
        ["24, 24", "0"], ["24, 1", "0"], ["1, 0", "23"],
    ]  # fmt: skip


def test_a_seed_that_diverged_is_told_and_no_mean():
    rows = whole("adam", 4, [1.0, 2.0], [1.0, None])
    rows += whole("sgd", 4, [1.0, None], [None, None])
    assert line_of(rows, "adam")[5:7] == ["1 of 2 diverged", "∞"]
    assert line_of(rows, "sgd")[3:7] == [
        "1 of 2 diverged", "", "2 of 2 diverged", "∞",
    ]  # fmt: skip


def test_who_diverged_everywhere_is_a_line_without_good_points():
    rows = whole("adam", 0, [None] * 2, [None] * 2, value=None, worse=None)
    assert line_of(rows, "adam")[7:9] == ["0, 0", "24"]


@pytest.mark.parametrize(("best", "said"), [(0, " (edge)"), (1, ""), (7, " (edge)")])
def test_a_rate_at_the_edge_is_said_to_be(best, said):
    rows = whole("adam", best, [1.0] * 2, [2.0] * 2)
    rate = RIVALS["adam"].points[best]["learning_rate"]
    assert line_of(rows, "adam")[-1] == f"α {rate:g}{said}, b2 0.999"


def test_who_has_not_ended_is_not_in_the_table():
    rows = whole("adam", 4, [1.0] * 2, [2.0] * 2)
    assert "adam" in table(rows).splitlines()[2]
    searches = [row for row in rows if row["part"] == "validation"]
    assert len(table(searches).splitlines()) == 2
    assert len(table(rows[1:]).splitlines()) == 2


def test_only_the_size_that_was_trained_last_is_in_the_table():
    rows = [row | {"steps": 8} for row in whole("sgd", 4, [7.0] * 2, [7.0] * 2)]
    rows += whole("adam", 4, [1.0] * 2, [2.0] * 2)
    assert "sgd" not in table(rows)
    assert "sgd" in table(rows[::-1])


def test_an_overview_has_a_line_for_each_and_says_who_is_better_than_adam():
    rows = []
    for name in RIVALS:
        tuned = {"adamw": [1.0, 1.1], "lion": [4.0, 4.1]}.get(name, [2.0, 2.1])
        rows += whole(name, 4, tuned, [5.0, 5.0])
    lines = overview(rows).splitlines()
    assert lines[0] == "|  | images, height |"
    assert len(lines) == 2 + len(RIVALS)
    assert "| adam | 2.05 (5.00) |" in lines
    assert "| adamw | **1.05** (5.00) |" in lines
    assert "| lion | *4.05* (5.00) |" in lines
    with pytest.raises(KeyError, match="lion"):
        overview([row for row in rows if row["optimizer"] != "lion"])
