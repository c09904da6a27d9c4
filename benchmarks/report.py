"""From the receipts to the README.

    python -m benchmarks.report [--check]

Writes anew what stands between the README's markers, `<!-- begin NAME -->` and
`<!-- end NAME -->`, from the newest receipts that are neither of a smoke run nor of a
shared machine. `--check` writes nothing, and shows what would change. Either fails if
the page has a number elsewhere that is not listed as no measurement.
"""

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import measure, receipts
from benchmarks.contest.overview import overview
from benchmarks.receipts import Row
from benchmarks.reporting import (
    choosing_values,
    dialect_distances,
    fewer_bytes,
    hearing_digits,
    step_times,
    training_mnist,
)
from benchmarks.reporting.markers import fill
from benchmarks.reporting.not_measured import NOT_MEASURED
from benchmarks.reporting.numerals import unanswered

README = measure.ROOT / "README.md"
# What stands between the markers → whose receipts, and what is said of them.
TEXTS: dict[str, tuple[str, Callable[[list[Row]], str]]] = {
    "dialects": ("dialects", dialect_distances.sentence),
    "accuracy": ("accuracy", training_mnist.accuracy),
    "mnist": ("mnist", training_mnist.times),
    "mnist-processes": ("mnist", training_mnist.processes),
    "mnist-products": ("mnist", training_mnist.products),
    "kills": ("kills", training_mnist.kills),
    "sensitivity": ("sensitivity", choosing_values.distances_and_octaves),
    "tuned-rate": ("sensitivity", choosing_values.tuned_rate),
    "good-region": ("sensitivity", choosing_values.good_region),
    "larger-eps": ("sensitivity", choosing_values.larger_eps),
    "misled-search": ("sensitivity", choosing_values.misled_search),
    "sweep": ("sweep", choosing_values.sweep),
    "optimizers": ("optimizers", overview),
    "heard-digits": ("speech", hearing_digits.heard),
    "left-out-voices": ("speech", hearing_digits.voices),
    "speech-optimizers": ("speech_optimizers", hearing_digits.rivals),
    "lstm-steps": ("lstm", hearing_digits.steps),
    "deviceless": ("deviceless", fewer_bytes.bytes_and_kernels),
    "eight-bits": ("eight_bits", fewer_bytes.eight_bit_updates),
    "state-precision": ("state_precision", fewer_bytes.losses),
    "settings-apart": ("state_precision", fewer_bytes.settings_apart),
    "update-time": ("update_time", step_times.sentences),
}


def texts(folder: Path = receipts.FOLDER) -> dict[str, str]:
    """What stands between the markers of each name, from the receipts in `folder`.

    Raises:
        LookupError: If there are too few, naming the benchmark.
    """
    found = {}
    for place, (name, said) in TEXTS.items():
        rows = receipts.full(receipts.read(folder / f"{name}.jsonl"))
        error = None
        try:
            found[place] = said(rows)
        except (KeyError, IndexError, ValueError) as lacking:
            error = lacking
        if error or not rows:
            raise LookupError(
                f"{place}: {len(rows)} receipts in {name}.jsonl are too few, {error!r};"
                f" expected a whole run of python -m benchmarks.{name} on a quiet "
                "machine."
            ) from error
    return found


def main(argv: list[str] | None = None) -> int:
    """Write the page, or compare it; 1 if it is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    args = parser.parse_args(argv)
    page = README.read_text()
    wanted = fill(page, texts())
    if not args.check:
        README.write_text(wanted)
    changes = [
        *difflib.unified_diff(
            page.splitlines(), wanted.splitlines(), "README.md", "the receipts", n=0
        )
    ]
    alone = unanswered(wanted, NOT_MEASURED)
    print("\n".join(changes + [f"a number without a receipt: {x}" for x in alone]))
    if alone:
        print(
            "Expected between markers, from receipts; or, if it is no measurement, in "
            "benchmarks/reporting/not_measured.py."
        )
    return int(bool(alone or (args.check and changes)))


if __name__ == "__main__":
    sys.exit(main())
