import os

import numpy as np
import pytest
from pictures_seen import assert_legible, seen, words

from rmsprop_jax.train.pictures import confusion, fit, mistakes

__all__ = ["seen"]
pytest.importorskip("matplotlib")

CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Ankle boot"]


def guesses(n=1000, wrong=30, classes=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    predictions = labels.copy()
    predictions[:wrong] = (labels[:wrong] + rng.integers(1, classes, wrong)) % classes
    return labels, predictions, rng.uniform(0.3, 1, n)


def images(n=1000, shape=(8, 8), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


def test_the_confusion_has_every_count_and_colours_only_mistakes(seen, tmp_path):
    labels = np.array([0] * 90 + [1] * 5 + [2] * 5)
    predictions = np.array([0] * 87 + [1, 1, 2] + [1] * 5 + [0] * 2 + [2] * 3)
    confusion(labels, predictions, list("abc"), tmp_path / "a.png")
    (figure,) = seen
    (axes,) = figure.axes
    counts = {
        t.get_position(): t.get_text() for t in axes.texts if t.get_text().isdigit()
    }
    assert counts == {
        (0, 0): "87",
        (1, 0): "2",
        (2, 0): "1",
        (1, 1): "5",
        (0, 2): "2",
        (2, 2): "3",
    }
    shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown.mask, np.eye(3, dtype=bool))
    np.testing.assert_array_equal(shown.filled(0), [[0, 2, 1], [0, 0, 0], [2, 0, 0]])
    assert axes.images[0].norm.vmax < 3
    percents = [text for text in words(figure) if text.endswith(" %")]
    assert percents == ["96.7 %", "100.0 %", "60.0 %"]
    assert "5 of 100 wrong (5.00 %)" in words(figure)
    assert "Most often: a taken for b, 2 times." in "".join(words(figure))
    assert_legible(figure)


def test_dollars_in_names_make_no_formula(seen, tmp_path):
    names = ["$x_$", "under $10", "a\\b$"]
    confusion([0, 1, 2], [1, 1, 0], names, tmp_path / "a.png")
    (figure,) = seen
    (axes,) = figure.axes
    said = [label.get_text() for label in axes.get_xticklabels()]
    assert [text.replace(r"\$", "$") for text in said] == names


@pytest.mark.parametrize("names", [list("01234"), CLOTHES, ["x" * 20] * 5])
def test_names_of_any_length_fit_beside_the_confusion(seen, tmp_path, names):
    confusion(*guesses()[:2], names, tmp_path / "a.png")
    assert_legible(seen[0])


def test_a_confusion_of_many_classes_is_legible(seen, tmp_path):
    labels, predictions, _ = guesses(classes=20, n=5000, wrong=400)
    names = list("abcdefghijklmnopqrst")
    confusion(labels, predictions, names, tmp_path / "a.png")
    assert_legible(seen[0])


@pytest.mark.parametrize("n", [0, 7])
def test_a_confusion_without_mistakes_says_so(seen, tmp_path, n):
    labels = np.arange(n) % 3
    confusion(labels, labels, list("abc"), tmp_path / "a.png")
    assert f"All {n} right" in words(seen[0])


def test_the_surest_mistakes_come_first_with_what_they_are(seen, tmp_path):
    labels, predictions, confidences = guesses()
    confidences[:30] = 0.5 + 0.015 * np.arange(30)
    confidences[28:30] = 0.99996, 1.0
    pixels = images()
    mistakes(pixels, labels, predictions, confidences, tmp_path / "a.png")
    (figure,) = seen
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 24
    for axes, i in zip(shown, range(29, 5, -1), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), pixels[i])
        sure = {29: "100 %", 28: "99.9 %"}.get(i, f"{100 * confidences[i]:.0f} %")
        assert axes.get_title() == f"{labels[i]}, said {predictions[i]}, {sure}"
    assert "The 24 surest of 30 mistakes in 1\u202f000 images" in words(figure)
    assert_legible(figure)


@pytest.mark.parametrize(
    ("wrong", "names"), [(1, None), (6, CLOTHES), (7, None), (24, CLOTHES)]
)
def test_up_to_24_mistakes_are_all_shown(seen, tmp_path, wrong, names):
    labels, predictions, confidences = guesses(wrong=wrong)
    pixels = images(shape=(8, 8, 1))
    mistakes(pixels, labels, predictions, confidences, tmp_path / "a.png", names)
    assert sum(bool(axes.images) for axes in seen[0].axes) == wrong
    title = "The only mistake" if wrong == 1 else f"All {wrong} mistakes"
    assert f"{title} in 1\u202f000 images" in words(seen[0])
    assert_legible(seen[0])


def test_no_mistakes_are_said_to_be_none(seen, tmp_path):
    labels, _, confidences = guesses()
    mistakes(images(), labels, labels, confidences, tmp_path / "a.png")
    assert "No mistakes in 1\u202f000 images" in words(seen[0])
    assert (tmp_path / "a.png").exists()


def test_a_confidence_that_is_no_number_comes_last(seen, tmp_path):
    labels, predictions, confidences = guesses(wrong=3)
    confidences[0] = np.nan
    mistakes(images(), labels, predictions, confidences, tmp_path / "a.png")
    titles = [axes.get_title() for axes in seen[0].axes if axes.images]
    assert [title.endswith("nan %") for title in titles] == [False, False, True]


def test_a_fit_says_by_how_much_it_is_off(seen, tmp_path):
    y = np.array([[1.0], [-1.0], [1.0], [-1.0], [2.0]])
    predictions = np.array([1.5, -1.5, 0.5, -0.5, np.nan])
    fit(y, predictions, tmp_path / "a.png")
    text = " ".join(words(seen[0]))
    assert "off by 0.5 (root mean square)" in text
    assert "4 test examples whose values spread by 1. R² = 0.75. 1 more are not" in text
    assert_legible(seen[0])


@pytest.mark.parametrize("y", [[], [np.nan], [3.0, 3.0]])
def test_a_fit_of_next_to_nothing_is_a_picture_too(seen, tmp_path, y):
    fit(np.array(y), np.array(y), tmp_path / "a.png")
    assert "R²" not in " ".join(words(seen[0]))


def test_what_does_not_pair_is_refused(tmp_path):
    labels, predictions, confidences = guesses()
    path = tmp_path / "a.png"
    with pytest.raises(ValueError, match="labels, predictions: expected one for one"):
        confusion(labels, predictions[:-1], CLOTHES, path)
    with pytest.raises(ValueError, match=r"classes from 0 to 3, .* got 0 to 4"):
        confusion(labels, predictions, CLOTHES[:4], path)
    with pytest.raises(ValueError, match=r"predictions: expected .* got -1 to 4"):
        confusion(labels, predictions - (predictions == 0), CLOTHES, path)
    with pytest.raises(ValueError, match=r"expected shape \(1000, height, width\)"):
        mistakes(images(shape=(64,)), labels, predictions, confidences, path)
    with pytest.raises(ValueError, match="labels, confidences: expected one for one"):
        mistakes(images(), labels, predictions, confidences[1:], path)
    with pytest.raises(ValueError, match="y, predictions: expected one for one, got 2"):
        fit([1.0, 2.0], [1.0], path)
    assert not path.exists()


@pytest.mark.parametrize(
    "what", [lambda figure: (figure, "savefig"), lambda _: (os, "replace")]
)
def test_a_picture_that_fails_leaves_the_one_before(seen, tmp_path, monkeypatch, what):
    path = tmp_path / "new" / "a.png"
    fit([1.0], [1.0], path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("no")

    monkeypatch.setattr(*what(type(seen[0])), fail)
    with pytest.raises(OSError, match="no"):
        fit([2.0], [1.0], path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


def test_the_suffix_decides_the_format(tmp_path):
    fit([1.0], [1.0], tmp_path / "a.png")
    fit([1.0], [1.0], tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a.svg").read_bytes()
