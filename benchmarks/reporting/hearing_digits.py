"""What the README says of the tasks of speech."""

import statistics

from benchmarks import receipts
from benchmarks.peers.lstm_table import medians, ratio_to_fastest
from benchmarks.receipts import Row
from benchmarks.reporting import markers
from benchmarks.speech import OFFICIAL, SPEAKERS, by_group, mean_of

LINES = {
    "`spoken-digits`": ("spoken-digits", "lstm"),
    "`spoken-digits --model gru`": ("spoken-digits", "gru"),
    "`digit-strings`": ("digit-strings", "lstm"),
}
RIVALS = {
    "adam": "Adam",
    "momentum": "SGD with momentum",
    "sgd": "SGD",
    **{name: f"RMSProp, `{name}`" for name in ("optax", "torch", "keras", "tf1")},
}


def heard(rows: list[Row]) -> str:
    """A line for each task and model, of the official test recordings."""
    groups = by_group(rows)
    lines = [["", "tested", "right, %", "wrong digits, %", "seeds"]]
    for words, (task, model) in LINES.items():
        of = groups[task, model, OFFICIAL]
        error = mean_of(of, "test/error") if "test/error" in of[0] else "—"
        right = mean_of(of, "test/accuracy")
        lines.append([words, str(of[0]["tested"]), right, error, str(len(of))])
    return markers.table(*lines)


def voices(rows: list[Row]) -> str:
    """Each speaker left out in turn: the mean, the worst and the best."""
    groups = by_group(rows)
    means = [
        100 * statistics.fmean(row["test/accuracy"] for row in of)
        for speaker in SPEAKERS
        for of in [groups["spoken-digits", "lstm", speaker]]
    ]
    worst, best = min(means), max(means)
    return f"{statistics.fmean(means):.0f} % ({worst:.0f} to {best:.0f})"


def rivals(rows: list[Row]) -> str:
    """A line for each optimizer, the best first."""
    lines = [["", "learning rate", "right, %", "loss"]]
    for row in receipts.latest(rows):
        right, error = (100 * row[f"test/accuracy{x}"] for x in _MEAN_AND_ERROR)
        loss, loss_error = (row[f"test/loss{x}"] for x in _MEAN_AND_ERROR)
        lines.append(
            [
                RIVALS[row["optimizer"]],
                f"{row['learning_rate']:g}{_EDGES[row['edge']]}",
                f"{right:.2f} ± {error:.2f}",
                f"{loss:.3f} ± {loss_error:.3f}",
            ]
        )
    return markers.table(*lines)


_EDGES = {None: "", "highest": ", the highest tried", "lowest": ", the lowest tried"}
_MEAN_AND_ERROR = ("", "/standard_error")


def steps(rows: list[Row]) -> str:
    """How many a second, beside each peer."""
    needed = ["trainer", "torch", "keras-jax", "keras-tensorflow"]
    (run,) = receipts.newest(rows, sides=needed).values()
    found = medians(run)
    peers = ", ".join(
        f"{found[side]:.0f} {words}" for side, words in _PEERS.items() if side in found
    )
    fastest, ratio = ratio_to_fastest(run)
    return (
        f"makes {found['trainer']:.0f} steps a second here, {peers}: {ratio:.2f} times "
        f"those of {fastest}, the fastest of the others"
    )


_PEERS = {
    "torch": "in PyTorch",
    "torch-trim": "in PyTorch with batches trimmed to their longest",
    "keras-jax": "in Keras 3 on JAX",
    "keras-tensorflow": "in Keras 3 on TensorFlow",
}
