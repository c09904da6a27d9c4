"""What the README says of the tasks of speech."""

from benchmarks.receipts import Row
from benchmarks.speech import OFFICIAL, SPEAKERS, by_group, mean_of


def single_digits(rows: list[Row]) -> str:
    """Of the official test recordings, those heard right."""
    of = by_group(rows)["spoken-digits", "lstm", OFFICIAL]
    return f"{mean_of(of, 'test/accuracy')} % of {of[0]['tested']}, {len(of)} seeds"


def unheard_voices(rows: list[Row]) -> str:
    """From the worst to the best of the voices, each left out of the training."""
    groups = by_group(rows)
    right = [
        100 * sum(row["test/accuracy"] for row in of) / len(of)
        for of in (groups["spoken-digits", "lstm", name] for name in SPEAKERS)
    ]
    return f"{min(right):.0f} to {max(right):.0f} %, by voice"


def strings(rows: list[Row]) -> str:
    """Digits wrong, and strings without a mistake."""
    of = by_group(rows)["digit-strings", "lstm", OFFICIAL]
    return (
        f"{mean_of(of, 'test/error')} % of the digits wrong, "
        f"{mean_of(of, 'test/accuracy')} % of {of[0]['tested']} strings without a "
        f"mistake, {len(of)} seeds"
    )
