"""Pictures of runs of the trainer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rmsprop_jax.lessons import style
from rmsprop_jax.train.folder import Folder
from rmsprop_jax.train.records import read
from rmsprop_jax.train.saved import SavedRun

_MISTAKES = 10


@style.applied()
def learned(path: Path) -> None:
    """Loss and errors by epochs, and the test images of which it was sure and wrong.

    Args:
        path: The folder of a run on images.
    """
    import matplotlib.pyplot as plt

    rows = [row for row in read(Folder(path).metrics) if row["kind"] == "epoch"]
    epochs = [row["epoch"] for row in rows]
    figure = plt.figure(figsize=(style.WIDTH, 4.1))
    halves: Any = figure.subfigures(2, 1, height_ratios=(2.7, 1.4))
    above, below = halves
    for axes, name in zip(above.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for part, look in zip(("test", "train"), style.LOOKS, strict=False):
            values = np.array([row[f"{part}/{name}"] for row in rows])
            axes.plot(epochs, values if name == "loss" else 100 * values, **look)
            axes.annotate(
                {"test": "test images", "train": "training images"}[part],
                (epochs[-1], axes.lines[-1].get_ydata()[-1]),
                xytext=(0, 6),
                textcoords="offset points",
                ha="right",
                color=look["color"],
            )
        axes.set_title({"loss": "loss", "accuracy": "right, per cent"}[name])
        axes.set_xlabel("epoch")
    _mistakes(below, SavedRun(path, "best"))
    plt.show()


def _mistakes(figure: Any, run: SavedRun) -> None:
    test = run.task.load(run.config.learning.data_dir).test
    said, confidence = map(np.asarray, run.judge(test).answers)
    wrong = np.flatnonzero(said != test["label"])
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    figure.suptitle(
        f"the surest of {len(wrong)} mistakes in {len(said):,} test images",
        x=0.01,
        ha="left",
        size=9.5,
        weight="bold",
    )
    for axes, i in zip(figure.subplots(1, _MISTAKES), surest, strict=False):
        axes.imshow(test["image"][i, ..., 0], cmap="gray_r")
        axes.set_title(f"{test['label'][i]}, said {said[i]}", size=8, weight="normal")
    for axes in figure.axes:
        axes.axis("off")


@style.applied()
def compared(
    whole: Mapping[int, float],
    elsewhere: Mapping[int, float],
    ways: Mapping[str, Mapping[int, float]],
    stop: int,
) -> None:
    """Losses around a stop, and how far each run's are from those of a whole one.

    Args:
        whole: Step → loss of the run that was not stopped.
        elsewhere: The same on other devices.
        ways: Name → losses, of the runs that went on after the stop.
        stop: The step after which they did.
    """
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(style.WIDTH, 3.0))
    left.plot(whole.keys(), whole.values(), color="#BBBBBB", lw=5)
    for losses, look in zip(ways.values(), style.LOOKS, strict=False):
        after = [step for step in losses if step > stop]
        left.plot(after, [losses[step] for step in after], **look)
    left.axvline(stop, color="black", lw=0.8)
    left.legend(["never stopped", *ways, "stopped here"])
    left.set(title="training loss", xlabel="step", yscale="log")
    runs = [*ways.items(), ("on other devices", elsewhere)]
    for (name, losses), look in zip(runs, style.LOOKS, strict=False):
        gaps = {step: abs(losses[step] - whole[step]) for step in losses}
        gaps = {step: gap / whole[step] for step, gap in gaps.items() if gap}
        label = name if gaps else f"{name}: 0"
        right.plot(gaps.keys(), gaps.values(), label=label, **look)
    right.axvline(stop, color="black", lw=0.8)
    right.set(title="distance from the run never stopped", xlabel="step", yscale="log")
    right.set_ylabel("of its loss")
    right.legend()
    plt.show()
