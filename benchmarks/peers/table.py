"""The table of `benchmarks.mnist`: medians, spreads and ratios of its latest run."""

from collections.abc import Iterable, Iterator

from benchmarks import receipts
from benchmarks.measure import spread
from benchmarks.receipts import Row

PEERS = ("torch", "torch-loader", "keras-jax", "keras-tensorflow")


def table(rows: Iterable[Row], model: str) -> Iterator[str]:
    """The latest run of `model`, as Markdown."""
    rows = receipts.latest([row for row in rows if row["model"] == model])
    if not rows:
        yield f"no results of {model}"
        return
    by_side = sides_of(rows)
    first = rows[0]
    others = max(row["others_cores"] for row in rows)
    yield (
        f"{model}, {first['cores']} cores ({first['cpu']}), of which other programs "
        f"had {others:.2f} at most, {first['date']}, {first['commit']}; median (least "
        "to greatest) of n processes"
    )
    if not receipts.is_quiet(rows):
        yield "\nNOT A QUIET MACHINE: these are no results."
    yield ""
    yield f"| side | n | seconds to {first['target']:g} % | epoch | seconds an epoch |"
    yield "|---|---|---|---|---|"
    for side_rows in by_side.values():
        yield (
            f"| {side_rows[0]['label']} | {len(side_rows)} "
            f"| {_cell(side_rows, 'target_seconds')} | {_reached(side_rows)} "
            f"| {_cell(side_rows, 'epoch_seconds')} |"
        )
    yield ""
    yield from _ratios(by_side)


def sides_of(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each side."""
    by_side: dict[str, list[Row]] = {}
    for row in rows:
        by_side.setdefault(row["side"], []).append(row)
    return by_side


def _reached(rows: list[Row]) -> str:
    """The epochs at whose end the target was reached."""
    if rows[0]["side"] == "products":
        return ""
    epochs = {str(row["target_epoch"] or "not reached") for row in rows}
    return ", ".join(sorted(epochs))


def _cell(rows: list[Row], name: str) -> str:
    values = [row[name] for row in rows]
    if None in values:
        return ""
    middle, least, greatest = spread(values)
    return f"{middle:.3g} ({least:.3g} to {greatest:.3g})"


def _ratios(by_side: dict[str, list[Row]]) -> Iterator[str]:
    """The fastest peer over ours, and ours over its matrix products."""
    for name, words in (
        ("epoch_seconds", "an epoch"),
        ("target_seconds", "the target"),
    ):
        medians = {
            side: spread(row[name] for row in rows)[0]
            for side, rows in by_side.items()
            if all(row[name] is not None for row in rows)
        }
        peers = {side: medians[side] for side in PEERS if side in medians}
        for ours in ("trainer", "command"):
            if ours not in medians:
                continue
            if peers:
                best = min(peers, key=lambda side: peers[side])
                yield (
                    f"{words}: {ours} {peers[best] / medians[ours]:.2f} times as "
                    f"fast as {by_side[best][0]['label']}, the fastest of {len(peers)}"
                )
            if name == "epoch_seconds" and "products" in medians:
                yield (
                    f"{words}: {ours} takes {medians[ours] / medians['products']:.2f} "
                    "times as long as its matrix products alone"
                )
