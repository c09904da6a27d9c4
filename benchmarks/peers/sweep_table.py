"""The table of `benchmarks.sweep`: its latest run, against what is expected."""

from collections.abc import Iterator

from benchmarks import receipts
from benchmarks.measure import spread
from benchmarks.peers.table import sides_of
from benchmarks.receipts import Row

OURS = "sweep"
# How many times as long as ours, on two cores of a CPU.
EXPECTED = {"closures": 4.0, "loader": 6.0, "slices": 1.5, "command": 4.0}


def table(rows: list[Row]) -> str:
    """The latest run, as Markdown."""
    return "\n".join(_lines(receipts.latest(rows))) if rows else "no results"


def _lines(rows: list[Row]) -> Iterator[str]:
    first = rows[0]
    others = max(row["others_cores"] for row in rows)
    yield (
        f"{first['configurations']} configurations, {first['cores']} cores "
        f"({first['cpu']}), of which other programs had {others:.2f} at most, "
        f"{first['date']}, {first['commit']}; median of n (least to greatest)"
    )
    if not receipts.is_quiet(rows):
        yield "\nNOT A QUIET MACHINE: these are no results."
    for line in first["left_out"]:
        yield f"\n{line}"
    by_side = sides_of(rows)
    ours = [row["seconds"] for row in by_side.get(OURS, [])]
    yield ""
    yield "| side | n | ran | seconds | times ours | expected |"
    yield "|---|---|---|---|---|---|"
    for side, own in by_side.items():
        middle, least, greatest = spread(row["seconds"] for row in own)
        ran, times, expected = own[0]["ran"], "", ""
        if ours and side in EXPECTED:
            times = f"{middle / spread(ours)[0]:.1f}"
            expected = f"≥ {EXPECTED[side]:g}"
        scaled = ", scaled" if ran < own[0]["configurations"] else ""
        yield (
            f"| {own[0]['label']} | {len(own)} | {ran} of {own[0]['configurations']}"
            f"{scaled} | {middle:.1f} ({least:.1f} to {greatest:.1f}) | {times} "
            f"| {expected} |"
        )
