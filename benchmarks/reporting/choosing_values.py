"""What the page says of choosing values: how much it matters, how long it takes."""

import math

from benchmarks import receipts
from benchmarks.peers.sweep_table import OURS
from benchmarks.receipts import Row
from benchmarks.reporting import markers
from benchmarks.reporting.training_mnist import median
from benchmarks.sensitivity.table import GOOD, distances, good_octaves, maps, mean
from benchmarks.sensitivity.table import metrics as metrics_of
from benchmarks.sensitivity.trials import default

TASKS = ("linear", "mlp", "cnn")
DIALECTS = ("optax", "torch", "keras", "tf1")
# Octaves that are called three.
FAR = 2.5
SIDES = (OURS, "closures", "loader", "slices", "command")


def distances_and_octaves(rows: list[Row]) -> str:
    """What the defaults cost, task by task, and how wide the good region is."""
    found = distances(rows)
    lines = [["", *(f"`{dialect}`" for dialect in DIALECTS)]]
    for task in TASKS:
        words = ": defaults → learning rate tuned → all tuned" * (task == TASKS[0])
        cells = [found[task, dialect] for dialect in DIALECTS]
        lines.append(
            [
                task + words,
                *(
                    " → ".join(_metric(x) for x in (of.defaults, of.rate, of.best))
                    for of in cells
                ),
            ]
        )
    within = ", ".join(f"{100 * (x - 1):.0f} %" for x in GOOD)
    octaves = [f"mlp: octaves of learning rate within {within} of the best"]
    for dialect in DIALECTS:
        octaves.append(", ".join(f"{x:.1f}" for x in _widths(rows, "mlp", dialect)))
    return markers.table(*lines, octaves)


def tuned_rate(rows: list[Row]) -> str:
    """Which share of the costs of the defaults a tuned learning rate makes up."""
    shares: dict[bool, list[float]] = {True: [], False: []}
    for of in distances(rows).values():
        usual, tuned, best = (mean(x["test"]) for x in (of.defaults, of.rate, of.best))
        octaves = math.log2(_rate(of.rate) / _rate(of.defaults))
        shares[abs(octaves) >= FAR].append(100 * (usual - tuned) / (usual - best))
    far, near = (
        f"{min(x):.0f} to {max(x):.0f} %".replace("-", "−") for x in shares.values()
    )
    return f"{far} where their rate is three octaves off, and {near} elsewhere"


def good_region(rows: list[Row]) -> str:
    """The least and the most octaves of the narrower region, at the dialects' ε."""
    widths = [_widths(rows, task, x)[0] for task in TASKS for x in DIALECTS]
    percent = 100 * (GOOD[0] - 1)
    return f"{min(widths):.1f} to {max(widths):.1f} octaves for {percent:.0f} %"


def larger_eps(rows: list[Row]) -> str:
    """How far the best rate of the mlp moves from the dialect's ε to the largest."""
    moved = []
    for dialect in DIALECTS:
        lines = {x: y for (*of, x), y in maps(rows).items() if of == ["mlp", dialect]}
        usual, largest = lines[default(dialect)["eps"]], lines[max(lines)]
        moved.append(math.log2(_best(largest) / _best(usual)))
    return f"{min(moved):.0f} to {max(moved):.0f} octaves"


def misled_search(rows: list[Row]) -> str:
    """What a search chose on the mlp in tf1, and what there was."""
    of = distances(rows)["mlp", "tf1"]
    return f"{_metric(of.search)} instead of {_metric(of.best)}"


def sweep(rows: list[Row]) -> str:
    """How long each way to try the configurations takes, in a sentence."""
    ((run),) = receipts.newest(rows, sides=SIDES).values()
    took = {
        side: median([row for row in run if row["side"] == side], "seconds")
        for side in SIDES
    }
    count, first = len(run) // len(SIDES), run[0]
    runs = "one run" if count == 1 else f"medians of {count} runs"
    return markers.paragraph(f"""
        {first["configurations"]} configurations of the 784-100-10 mlp, one epoch of
        MNIST each, everything included, on {first["cores"]} cores
        (`python -m benchmarks.sweep`, {runs}): `sweep` {took["sweep"]:.1f} s, a loop
        over `optax.rmsprop` with a compilation each {took["closures"]:.1f} s, Optuna
        around a PyTorch loop {took["loader"]:.1f} s with its DataLoader and
        {took["slices"]:.1f} s with tensors sliced, {first["configurations"]} processes
        of `rmsprop-jax train` {took["command"]:.0f} s.
    """)


def _widths(rows, task, dialect):
    line = metrics_of(maps(rows)[task, dialect, default(dialect)["eps"]])
    return [good_octaves(line, x)[0] for x in GOOD]


def _rate(row):
    return row["at"]["learning_rate"]


def _best(line):
    return min(line, key=lambda rate: mean(line[rate]["test"]))


def _metric(row):
    value = mean(row["test"])
    if row["metric"] == "squared error":
        return f"{value:.2f}" if value >= 1 else f"{value:.4f}"
    return f"{value:.1f}"
