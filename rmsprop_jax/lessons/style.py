"""How the pictures look: colours for every eye, a style a line, sizes.

The colours are those of Okabe and Ito, without the yellow that white paper swallows.
No two lines differ by colour only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COLOURS = {
    "black": "#000000",
    "vermilion": "#D55E00",
    "blue": "#0072B2",
    "green": "#009E73",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "purple": "#CC79A7",
}
# Arguments of `plot`: the first is for what the picture is about.
LOOKS = (
    {"color": COLOURS["vermilion"], "linestyle": "-", "marker": "o"},
    {"color": COLOURS["blue"], "linestyle": "--", "marker": "s"},
    {"color": COLOURS["green"], "linestyle": "-.", "marker": "^"},
    {"color": COLOURS["black"], "linestyle": ":", "marker": "D"},
    {"color": COLOURS["sky"], "linestyle": (0, (6, 2)), "marker": "v"},
    {"color": COLOURS["orange"], "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "P"},
    {"color": COLOURS["purple"], "linestyle": (0, (1, 1)), "marker": "X"},
)
COLOUR_MAP = "cividis"
WIDTH = 8.4  # inches: 756 pixels, what a page shows without shrinking it
SETTINGS: dict[Any, Any] = {
    "figure.dpi": 90,
    "figure.figsize": (WIDTH, 2.9),
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 3.2,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "image.cmap": COLOUR_MAP,
}


@contextmanager
def applied() -> Iterator[None]:
    """Pictures made within look alike: a context, or a decorator of what draws.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> @applied()
        ... def draw():
        ...     return plt.rcParams["font.size"]
        >>> draw(), plt.rcParams["font.size"]
        (9.0, 10.0)
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(SETTINGS):
        yield
