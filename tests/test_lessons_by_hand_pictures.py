import io

import numpy as np
import pytest
from pictures_seen import assert_legible, seen, words

from rmsprop_jax.lessons import by_hand, by_hand_pictures, ground_pictures, valleys
from rmsprop_jax.lessons.paths import Walk

__all__ = ["seen"]
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def shown(monkeypatch, seen):
    """`plt.show` saves into nothing, so that `seen` has the figure."""
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().savefig(io.BytesIO()))
    yield
    for figure in seen:
        assert_legible(figure)
    assert plt.get_fignums() == []


def legends(figure):
    return [text.get_text() for axes in figure.axes for text in axes.get_legend().texts]


def test_descents_have_a_panel_each(seen):
    paths = {name: [[-1.0, 0.5], [0.0, 0.0]] for name in ("α = 1", "α = 2", "α = 3")}
    ground_pictures.descents(valleys.valley(), paths)
    assert set(paths) <= set(words(seen[0]))


def test_walks_are_named_and_counted(seen):
    grounds = {"bowl": valleys.valley(1.0), "valley": valleys.valley()}
    path = np.array([[-1.0, 0.5], [0.0, 0.0]])
    walked = {
        "bowl": {"A": Walk(0.1, 7.0, path), "B": Walk(0.1, 11.0, path)},
        "valley": {"A": Walk(0.1, 123.0, path), "B": Walk(0.1, 5.0, path)},
    }
    ground_pictures.walks(grounds, walked, ours="B")
    found = words(seen[0])
    assert {"A", "B", "bowl", "valley", "7 steps", "11 steps", "123 steps"} <= {*found}
    colours = [axes.lines[1].get_color() for axes in seen[0].axes]
    assert colours[0] == colours[2] != colours[1] == colours[3]


def test_knees_have_a_line_for_each_denominator(seen):
    by_hand_pictures.knees(*by_hand.fading())
    assert legends(seen[0]) == [*by_hand.fading()[1]]


def test_memories_say_where_they_end_and_when_they_recover(seen):
    drifts = np.linspace([0, 0], [-3.25, -0.5], 400).T
    steps = np.ones((3, 600))
    steps[0, 100:110] = steps[1, 100:] = 0.01
    by_hand_pictures.memories(["short", "none", "long"], drifts, steps)
    assert legends(seen[0]) == [
        *("short: -3.25", "none: -0.50"),
        *("short: 10", "none: never", "long: 1"),
    ]


def test_where_a_centred_form_breaks_is_marked(seen):
    broken = np.where(np.arange(400) < 148, 10.0, np.nan)
    steps = {"one": broken, "other": np.full(400, 20.0)}
    by_hand_pictures.trace_and_centre({0.9: by_hand.TURNING}, steps)
    assert "NaN after 148 steps" in [text.strip() for text in words(seen[0])]
    by_hand_pictures.trace_and_centre({0.9: by_hand.TURNING}, {"other": [1.0] * 400})
    assert not [text for text in words(seen[1]) if "NaN" in text]
