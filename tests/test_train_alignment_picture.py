import numpy as np
import pytest
from pictures_seen import assert_legible, seen, words

from rmsprop_jax.train.audio.alignment_picture import MOST, Aligned, alignments

__all__ = ["seen"]  # a fixture


def example(said, heard, confidence=0.9, frames=300):
    rng = np.random.default_rng(frames)
    return Aligned(
        features=rng.standard_normal((frames, 40)).astype(np.float32),
        said=list(said),
        said_at=0.1 + 0.4 * np.arange(len(said)),
        heard=list(heard),
        heard_at=0.2 + 0.4 * np.arange(len(heard)),
        confidence=confidence,
    )


def test_the_surest_mistakes_are_shown_first_and_then_what_is_right(seen, tmp_path):
    wrong = [example("314", "3159", 0.1 * k, 200 + k) for k in range(10)]
    right = [example("2718281", "2718281", 1.0, 400 + k) for k in range(10)]
    alignments([*right, *wrong], 0.01, tmp_path / "alignments.png")
    (figure,) = seen
    assert "A mistake or more in 10 of 20 recordings (50.0 %)" in words(figure)
    shown = [axes.images[0].get_array().shape[1] for axes in figure.axes]
    assert shown == [209, 208, 207, 400, 401, 402]
    assert words(figure).count("9") == 3
    assert_legible(figure)
    assert (tmp_path / "alignments.png").stat().st_size > 1000


@pytest.mark.parametrize(("wrong", "right"), [(0, 2), (1, 0), (9, 2), (1, 9)])
def test_no_place_is_empty_while_there_are_recordings(seen, tmp_path, wrong, right):
    examples = [example("1234567", "")] * wrong + [example("123", "123")] * right
    alignments(examples, 0.01, tmp_path / "a.png")
    (figure,) = seen
    assert len(figure.axes) == min(MOST, wrong + right)
    title = f"in {wrong} of {wrong + right}" if wrong else f"No mistake in {right}"
    assert any(title in text for text in words(figure))
    assert_legible(figure)


def test_of_nothing_there_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="there are none"):
        alignments([], 0.01, tmp_path / "a.png")
