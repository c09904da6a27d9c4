import math

import numpy as np
import pytest
from pictures_seen import assert_legible, seen, words

from rmsprop_jax.train.curves import curves

__all__ = ["seen"]
pytest.importorskip("matplotlib")

PER_EPOCH = 100


def loss_at(epoch):
    return 0.9 * math.exp(-3 * epoch) + 0.25 * math.exp(-epoch / 2) + 0.02


def run_of(epochs, reports=8, *, accuracy=True, effective=True, broken_from=math.inf):
    """Rows as a trainer writes them; losses are NaN from the epoch `broken_from`."""
    rows = []
    for epoch in range(1, epochs + 1):
        for k in range(1, reports + 1):
            at = epoch - 1 + k / reports
            row = {"kind": "train", "step": round(PER_EPOCH * at), "epoch": epoch}
            row["loss"] = loss_at(at) if at < broken_from else math.nan
            if accuracy:
                row["accuracy"] = 1 - 0.3 * loss_at(at)
            rows.append(row | {"learning_rate": 1e-3 * (1.01 - at / epochs)})
        train = loss_at(epoch) if epoch < broken_from else math.nan
        row = {"kind": "epoch", "step": PER_EPOCH * epoch, "epoch": epoch}
        row |= {"train/loss": train, "test/loss": 1.25 * train}
        if accuracy:
            better = 1 - 0.3 * loss_at(epoch)
            row |= {"train/accuracy": better, "test/accuracy": better - 0.01}
        row["learning_rate"] = 1e-3 * (1.01 - epoch / epochs)
        if effective:
            for q, value in (("05", 0.0), ("50", 0.3), ("95", 90.0)):
                row[f"effective_learning_rate/q{q}"] = value
        rows.append(row)
    return rows


RUNS = {
    "ten": run_of(10),
    "one": run_of(1),
    "one of one report": run_of(1, reports=1),
    "a thousand": run_of(1000, reports=2),
    "a regression": run_of(10, accuracy=False, effective=False),
    "no effective rate": run_of(10, effective=False),
    "broken": run_of(10, broken_from=4.4),
    "broken late": run_of(10, broken_from=9.4),
    "broken at once": run_of(10, broken_from=0),
    "epochs only": run_of(10, reports=0),
    "no epoch yet": run_of(2)[:5],
    "a single row": run_of(2)[:1],
}


@pytest.mark.parametrize("name", RUNS)
def test_curves_of_any_run_are_legible(seen, tmp_path, name):
    curves(RUNS[name], tmp_path / "curves.png")
    assert_legible(seen[0])


def test_each_panel_shows_its_numbers_over_epochs_and_ends_with_the_last(
    seen, tmp_path
):
    rows = run_of(10)
    curves(rows, tmp_path / "curves.png")
    loss, accuracy, rate = seen[0].axes
    ends = [row for row in rows if row["kind"] == "epoch"]
    for axes, name, text in (
        (loss, "loss", "{:.4f}"),
        (accuracy, "accuracy", "{:.2%}"),
    ):
        pale, train, test = axes.lines
        for line, key, of in (
            (pale, name, [row for row in rows if row["kind"] == "train"]),
            (train, f"train/{name}", ends),
            (test, f"test/{name}", ends),
        ):
            steps = [row["step"] / PER_EPOCH for row in of]
            np.testing.assert_allclose(line.get_xdata(), steps, rtol=1e-15)
            np.testing.assert_array_equal(line.get_ydata(), [row[key] for row in of])
        for part in ("train", "test"):
            last = text.format(ends[-1][f"{part}/{name}"]).replace("%", " %")
            assert f"{part} {last}" in words(seen[0])
    assert loss.get_yscale() == "log"
    assert rate.get_yscale() == "log"
    assert {"set: 1e-05", "median 0.3", "95 % below 90", "5 % below 0"} <= set(
        words(seen[0])
    )
    assert len(rate.collections) == 1


def test_the_title_says_how_good_the_run_was_and_how_good_it_had_been(seen, tmp_path):
    rows = run_of(3)
    rows[8]["test/accuracy"], rows[-1]["test/accuracy"] = 0.9912, 0.98124
    curves(rows, tmp_path / "curves.png")
    assert "Test accuracy 98.12 % after 3 epochs" in words(seen[0])
    assert "Best: 99.12 % after 1." in " ".join(words(seen[0]))
    rows[-1]["test/accuracy"] = 0.9912
    curves(rows, tmp_path / "curves.png")
    assert "Best" not in " ".join(words(seen[1]))


def test_a_regression_has_two_panels_and_its_best_loss_is_the_smallest(seen, tmp_path):
    rows = run_of(3, accuracy=False, effective=False)
    rows[8]["test/loss"] = 0.001
    curves(rows, tmp_path / "curves.png")
    assert len(seen[0].axes) == 2
    assert "Best: 0.0010 after 1." in " ".join(words(seen[0]))


def test_accuracies_near_all_are_spread_and_others_are_not(seen, tmp_path):
    near = run_of(5)
    curves(near, tmp_path / "curves.png")
    far = [{k: v for k, v in row.items() if "accuracy" not in k} for row in near]
    far = [row | {"accuracy": 0.3} for row in far]
    curves(far, tmp_path / "curves.png")
    ones = [row | {"test/accuracy": 1.0} for row in near]
    curves(ones, tmp_path / "curves.png")
    spread, linear, perfect = (figure.axes[1] for figure in seen)
    heights = spread.transData.transform([(0, 0.6), (0, 0.8), (0, 0.9)])[:, 1]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1])
    assert linear.get_yscale() == "linear"
    assert linear.get_ylim() == (0, 1)
    assert perfect.get_ylim()[1] == 1
    assert perfect.get_yticklabels()[-1].get_text() == "100 %"
    assert_legible(seen[2])


def test_a_label_stands_beside_the_end_of_its_line(seen, tmp_path):
    curves(run_of(10, effective=False), tmp_path / "curves.png")
    loss, accuracy, rate = seen[0].axes
    assert len(loss.texts) == 2
    for axes in (loss, accuracy, rate):
        for text in axes.texts:
            (line,) = [
                line
                for line in axes.lines
                if line.get_color() == text.get_color() and line.get_alpha() is None
            ]
            end = axes.transData.transform((0, line.get_ydata()[-1]))
            height = axes.transAxes.inverted().transform(end)[1]
            assert text.get_position()[1] == pytest.approx(height, abs=0.02)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_labels_stay_beside_their_panel_and_off_each_other(seen, tmp_path, accuracy):
    rows = [{k: v for k, v in row.items() if k != "accuracy"} for row in run_of(3)]
    for row in rows:
        for part in ("train", "validation", "test"):
            if row["kind"] == "epoch":
                row |= {f"{part}/loss": 0.5, f"{part}/accuracy": accuracy}
    curves(rows, tmp_path / "curves.png")
    for axes in seen[0].axes[:2]:
        labels = sorted(axes.texts, key=lambda text: text.get_position()[1])
        heights = [text.get_position()[1] for text in labels]
        assert heights[0] >= -1e-9
        assert heights[-1] <= 1 + 1e-9
        assert min(np.diff(heights)) > 0.08
        parts = {text.get_text().split()[0] for text in labels}
        assert parts == {"train", "validation", "test"}
        assert len({text.get_color() for text in labels}) == 3
    assert_legible(seen[0])


def test_where_a_loss_ceased_to_be_finite_is_marked_and_not_passed_over(seen, tmp_path):
    curves(run_of(10, broken_from=4.4), tmp_path / "curves.png")
    curves(run_of(10), tmp_path / "curves.png")
    mark = seen[0].axes[0].lines[-1].get_xdata()
    assert set(mark) == {4.5}
    assert {" not finite", "train nan", "test nan"} <= set(words(seen[0]))
    assert len(seen[1].axes[0].lines) == 3


def test_a_rate_that_ends_at_nothing_does_not_flatten_the_rest(seen, tmp_path):
    rows = run_of(10)
    rows[-1]["learning_rate"] = rows[-2]["learning_rate"] = 1e-30
    curves(rows, tmp_path / "curves.png")
    assert seen[0].axes[2].get_ylim()[0] > 1e-6
    assert "set: 1e-30" in words(seen[0])


def test_rows_without_a_loss_are_refused(tmp_path):
    for rows in ([], [{"step": 1, "kind": "train"}]):
        with pytest.raises(ValueError, match="rows: expected at least one with a loss"):
            curves(rows, tmp_path / "curves.png")
