"""The table of `benchmarks.lstm`: medians, spreads and the ratio of its latest run."""

from collections.abc import Iterator

from benchmarks import receipts
from benchmarks.measure import spread
from benchmarks.peers.table import sides_of
from benchmarks.receipts import Row


def table(rows: list[Row]) -> Iterator[str]:
    """The latest run, as Markdown."""
    rows = receipts.latest(rows)
    if not rows:
        yield "no results"
        return
    first, others = rows[0], max(row["others_cores"] for row in rows)
    yield (
        f"{first['cores']} cores ({first['cpu']}), of which other programs had "
        f"{others:.2f} at most, {first['date']}, {first['commit']}; median (least to "
        "greatest) of n processes"
    )
    if not receipts.is_quiet(rows):
        yield "\nNOT A QUIET MACHINE: these are no results."
    yield ""
    yield "| side | n | steps a second | test accuracy, % |"
    yield "|---|---|---|---|"
    for of in sides_of(rows).values():
        middle, least, greatest = spread(row["steps_per_second"] for row in of)
        right = spread(100 * row["epochs"][-1]["accuracy"] for row in of)[0]
        yield (
            f"| {of[0]['label']} | {len(of)} | {middle:.1f} ({least:.1f} to "
            f"{greatest:.1f}) | {right:.1f} |"
        )
    if "trainer" in sides_of(rows) and len(sides_of(rows)) > 1:
        peer, ratio = ratio_to_fastest(rows)
        yield f"\n{ratio:.2f} times the steps of {peer}, the fastest of the others"


def medians(rows: list[Row]) -> dict[str, float]:
    """Steps a second of each side."""
    return {
        side: spread(row["steps_per_second"] for row in of)[0]
        for side, of in sides_of(rows).items()
    }


def ratio_to_fastest(rows: list[Row]) -> tuple[str, float]:
    """The fastest of the others, and this trainer's steps over its."""
    found = medians(rows)
    ours = found.pop("trainer")
    fastest = max(found, key=lambda side: found[side])
    return sides_of(rows)[fastest][0]["label"], ours / found[fastest]
