"""What the page says of how near the dialects are to their frameworks."""

from benchmarks.dialects import extremes, last
from benchmarks.receipts import Row


def sentence(rows: list[Row]) -> str:
    """The farthest of ours and the nearest wrong rule."""
    farthest, wrong = extremes(last(rows))
    return (
        f"the farthest is {farthest:.2f} tolerances away, the nearest wrong rule "
        f"{wrong:.0f}"
    )
