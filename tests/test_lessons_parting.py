"""What notebook 02 shows: ways that part, and a run that goes on."""

import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest
from helpers import tolerances_apart

from rmsprop_jax import DIALECTS, interop, like, rmsprop
from rmsprop_jax.lessons import continuing, parting, parting_pictures, torch_run

GRADS = parting.gradients()[:40]
OPTIONS = {"lr": 1e-2, "alpha": 0.9, "eps": 1e-3, "momentum": 0.5}


@pytest.fixture(scope="module")
def own():
    return parting.ways(parting.family(0.01), GRADS)


@pytest.fixture
def shown(monkeypatch):
    """The figures that were shown; none is left open."""
    figures = []
    monkeypatch.setattr(plt, "show", lambda: figures.append(plt.gcf()))
    yield figures
    plt.close("all")


def test_a_family_is_every_dialect_that_takes_the_arguments():
    assert set(parting.family(0.01)) == set(DIALECTS)
    with pytest.raises(ValueError, match="momentum"):
        rmsprop(0.01, dialect="chainer", momentum=0.9)
    assert "chainer" not in parting.family(0.01, momentum=0.9)


def test_ways_are_those_of_a_loop_by_hand(own):
    tx, theta = rmsprop(0.01, dialect="timm"), np.zeros(2, np.float32)
    state = tx.init(theta)
    for g in GRADS:
        updates, state = tx.update(g, state, theta)
        theta = optax.apply_updates(theta, updates)
    np.testing.assert_allclose(own["timm"][-1], theta, rtol=1e-5)


def test_ways_begin_at_zero_wherever_the_parameters_are():
    sgd = {"sgd": optax.sgd(1.0)}
    way = parting.ways(sgd, np.ones((2, 1)), start=5.0)["sgd"]
    assert way.ravel().tolist() == [0, -1, -2]


def test_the_dialects_part_and_the_same_choices_bring_them_together(own):
    same = {"decay": 0.9, "eps": 1e-8, "momentum": False}
    numbers = parting.ways(parting.family(0.01, **same), GRADS)
    choices = {"nu_init": 0.0, "centered": False, "eps_placement": "inside"}
    alike = parting.ways(parting.family(0.01, **same, **choices), GRADS)
    counts = [len(parting.together(ways)) for ways in (own, numbers, alike)]
    assert counts[0] > counts[1] > counts[2] == 1


def test_apart_is_one_if_one_stands_still():
    assert parting.apart([[0.0], [2.0]], [[0.0], [0.0]]) == 1
    assert parting.apart([[0.0], [2.0]], [[0.0], [-2.0]]) == 2


def test_the_formula_is_what_pytorch_computes():
    pytest.importorskip("torch", reason="compares with PyTorch")
    rng = np.random.default_rng(0)
    grads, theta = rng.standard_normal((2, 30, 4), np.float32), np.ones(4, np.float32)
    runs = [
        make(lambda _, t: grads[0, t], theta, 30, 20, **OPTIONS)
        for make in (torch_run.by_torch, torch_run.by_formula)
    ]
    saved = [run.saved["state"][0] for run in runs]
    assert set(saved[0]) == set(saved[1])
    wrong = torch_run.by_formula(
        lambda _, t: grads[0, t], theta, 30, 20, **OPTIONS | {"alpha": 0.91}
    )
    one, other, wrong = (run.path[1:] for run in (*runs, wrong))
    assert tolerances_apart(one, other, theta, np.float32) < 1
    assert tolerances_apart(one, wrong, theta, np.float32) > 10


@pytest.mark.parametrize("make", [torch_run.by_torch, torch_run.by_formula])
def test_what_was_saved_goes_on_where_it_was(make):
    if make is torch_run.by_torch:
        pytest.importorskip("torch", reason="runs PyTorch")
    digits = continuing.problem()
    run = make(digits.gradient, digits.theta, 30, 20, **OPTIONS)
    theta, fresh = run.path[20], like("torch", **OPTIONS)
    on = continuing.paths(
        {
            "loaded": interop.torch.load(run.saved, theta),
            "fresh": (fresh, fresh.init(theta)),
        },
        theta,
        digits.gradient,
        first=20,
        steps=10,
    )
    gaps = {
        name: np.abs(path - run.path[20:])[-1].max() / np.ptp(run.path[20:], 0).max()
        for name, path in on.items()
    }
    assert gaps["loaded"] < 1e-4 < 1e-2 < gaps["fresh"]


def test_the_test_digits_are_not_those_of_the_batches():
    digits = continuing.problem()
    theta = digits.theta
    for t in range(60):
        theta = theta - 0.5 * np.asarray(digits.gradient(theta, t))
    assert 0.3 < float(digits.test_loss(theta)) < 1.2


def test_pictures_have_a_line_for_every_group(own, shown):
    parting_pictures.distances({"own": own, "again": own}, list(own))
    numbers = parting.family(0.01, decay=0.9, eps=1e-8, momentum=False)
    ways = parting.ways(numbers, GRADS)
    parting_pictures.forks(ways, ways, ways, ways)
    squares, forks = shown
    assert len(squares.axes) == 3
    assert [len(axes.lines) for axes in forks.axes] == [3, 4, 3, 3]


def test_the_picture_of_a_continuation_names_what_leaves_it(shown):
    digits = continuing.problem()
    whole = np.zeros((400, 64, 10), np.float32)
    far = whole[200:] + 100 * np.arange(10, dtype=np.float32)
    continuing.picture({"near": whole[200:] + 1e-6, "far": far}, whole, digits[2])
    left, right = shown[0].axes
    assert [text.get_text()[:5] for text in left.texts] == ["up to"] * 2
    assert len(right.lines) == 2
