import itertools

import numpy as np
import pytest

from rmsprop_jax.lessons import style

pytest.importorskip("matplotlib", reason="needs the extra `train`")

# Linear RGB as a person without green-sensitive cones sees it (Machado et al., 2009).
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def seen(colour):
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.clip(DEUTERANOPIA @ linear, 0, 1) ** (1 / 2.2)


def test_no_two_looks_share_colour_line_or_marker():
    for name in ("color", "linestyle", "marker"):
        values = [look[name] for look in style.LOOKS]
        assert len(set(values)) == len(values)


def test_colours_differ_without_green_sensitive_cones():
    for one, other in itertools.combinations(style.COLOURS.values(), 2):
        assert np.linalg.norm(seen(one) - seen(other)) > 0.15, (one, other)


def test_red_and_green_of_equal_lightness_would_not_do():
    assert np.linalg.norm(seen("#C07050") - seen("#8F8648")) < 0.15


def test_colours_stand_out_from_paper():
    for colour in style.COLOURS.values():
        assert np.linalg.norm(1 - seen(colour)) > 0.3, colour
