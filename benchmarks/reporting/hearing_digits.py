"""What the README says of the tasks of speech."""

from benchmarks.receipts import Row
from benchmarks.speech import OFFICIAL, by_group, mean_of


def single_digits(rows: list[Row]) -> str:
    """Of the official test recordings, those heard right."""
    of = by_group(rows)["spoken-digits", "lstm", OFFICIAL]
    return f"{mean_of(of, 'test/accuracy')} % of {of[0]['tested']}, {len(of)} seeds"
