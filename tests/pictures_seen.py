"""Figures as their pixels will be: which texts there are, and whether any collide."""

import itertools

import pytest


@pytest.fixture
def seen(monkeypatch):
    """The figures saved during the test, at a quarter of the pixels: it is faster."""
    figure_module = pytest.importorskip("matplotlib.figure")
    figures, savefig = [], figure_module.Figure.savefig

    def keep(figure, *args, **options):
        figures.append(figure)
        figure.set_dpi(80)
        return savefig(figure, *args, dpi=80, **options)

    monkeypatch.setattr(figure_module.Figure, "savefig", keep)
    return figures


def texts(figure):
    found = list(figure.texts)
    for axes in figure.axes:
        found += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        found += [axes.title, axes._left_title]
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            low, high = sorted(axis.get_view_interval())
            found += [
                tick.label1
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high
            ]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def words(figure):
    return [text.get_text() for text in texts(figure)]


def assert_legible(figure):
    """No text lies on another or beyond the edge, none is smaller than 4 points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    boxes = [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in texts(figure)
    ]
    assert len(boxes) > 2
    assert min(text.get_fontsize() for text in texts(figure)) >= 4
    for name, box in boxes:
        inside = figure.bbox.padded(1)
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1, f"{name!r} is cut"
        assert inside.y0 <= box.y0 < box.y1 <= inside.y1, f"{name!r} is cut"
    for (name, box), (other, its_box) in itertools.combinations(boxes, 2):
        assert not box.padded(-1).overlaps(its_box.padded(-1)), (name, other)
