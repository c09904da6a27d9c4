import shutil

import pytest

from rmsprop_jax.lessons import running
from rmsprop_jax.train import Config, Learning, Optimizer, Running, Schedule, train
from rmsprop_jax.train import config as options

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from rmsprop_jax.lessons import running_pictures  # noqa: E402


def config(path, task="linear", epochs=30, **optimizer):
    return Config(
        Learning(task, epochs=epochs),
        Optimizer(**optimizer),
        Schedule("constant"),  # or the state would hold how far it is
        Running(path, quiet=True, pictures=False, log_every=10),
    )


def stopped_and_whole(folder, **optimizer):
    """The losses by weights alone, of the run gone on with, of one never stopped."""
    told = config(folder / "stopped", **optimizer)
    stop = running.stopped(told, after=200)
    by_hand = running.weights_only(folder / "stopped")
    train(options.replace(told, resume=True))
    whole = config(folder / "whole", **optimizer)
    train(whole)
    both = (running.losses(folder / name) for name in ("stopped", "whole"))
    return stop, by_hand, *both


@pytest.mark.slow
def test_weights_alone_are_a_run_of_what_remembers_nothing(tmp_path):
    """That they are none of RMSProp's, notebook 03 asserts."""
    stop, by_hand, resumed, whole = stopped_and_whole(tmp_path, optimizer="sgd")
    assert 200 <= stop < max(whole)
    assert resumed == whole
    assert by_hand == {step: whole[step] for step in by_hand}


def test_a_run_that_ends_before_it_is_stopped_says_so(tmp_path):
    with pytest.raises(ValueError, match="after=1000: the run ended with step 31"):
        running.stopped(config(tmp_path / "a", epochs=1), after=1000)


def test_a_run_that_saved_nothing_cannot_be_gone_on_with(tmp_path):
    train(config(tmp_path / "a", epochs=1))
    shutil.rmtree(tmp_path / "a" / "checkpoints")
    with pytest.raises(ValueError, match="expected a checkpoint there"):
        running.weights_only(tmp_path / "a")
    with pytest.raises(ValueError, match="expected the folder of a run"):
        running.weights_only(tmp_path / "b")


@pytest.mark.slow
def test_elsewhere_is_the_same_run_on_other_devices(tmp_path):
    told = config(tmp_path / "here", epochs=2)
    here = train(told)
    there = running.elsewhere(told, tmp_path / "there", devices=2)
    assert there["devices"] == "2 x cpu"
    assert there["steps"] == here["steps"]
    assert there["test/loss"] == pytest.approx(here["test/loss"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
def test_the_pictures_are_drawn(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    train(config(tmp_path / "a", task="digits", epochs=2))
    running_pictures.learned(tmp_path / "a")
    assert "mistakes in 360 test images" in plt.gcf().subfigs[1]._suptitle.get_text()
    whole = running.losses(tmp_path / "a")
    worse = {step: 2 * loss for step, loss in whole.items() if step > 40}
    same = {step: loss for step, loss in whole.items() if step > 40}
    running_pictures.compared(whole, worse | same, {"hand": worse, "kept": same}, 40)
    said = [text.get_text() for text in plt.gcf().axes[1].get_legend().texts]
    assert "kept: 0" in said
    assert "hand" in said
    plt.close("all")
