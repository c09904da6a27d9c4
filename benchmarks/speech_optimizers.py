"""Which optimizer learns best which spoken digit is heard?

`python -m benchmarks.speech_optimizers [--smoke]`, in a checkout, makes one comparison
with `rmsprop-jax compare` and adds a line of JSON per optimizer to
`results/speech_optimizers.jsonl`; `--table` prints what was measured. RMSProp in four
dialects, Adam, SGD and momentum train the LSTM of `spoken-digits`, ten epochs, each at
seven learning rates a factor √10 apart; the one with the lowest loss on a sixth of the
training recordings, held out, is trained again with five seeds, which are tested once.
The data are looked for where the trainer looks, RMSPROP_JAX_DATA say.
"""

import json
import tempfile
from argparse import Namespace
from pathlib import Path

from benchmarks import receipts
from benchmarks.receipts import Row
from rmsprop_jax.train.compare import parse

RESULTS = receipts.file_of("speech_optimizers")
OPTIMIZERS = ("optax", "torch", "keras", "tf1", "adam", "momentum", "sgd")
ASKED = [
    "--task", "spoken-digits", "--epochs", "10", "--trials", "7", "--seeds", "5",
    "--optimizers", *OPTIMIZERS,
]  # fmt: skip
SMOKE = [
    "--task", "linear", "--epochs", "1", "--trials", "2", "--seeds", "2",
    "--optimizers", "torch", "momentum",
]  # fmt: skip


def compared(asked: list[str], folder: Path) -> list[Row]:
    """What the comparison came to, a row an optimizer."""
    from rmsprop_jax.train.comparing import compare

    quiet = ["--no-pictures", "--devices", "1", "--run", str(folder)]
    compare(parse([*asked, *quiet]))
    result = json.loads((folder / "result.json").read_text())
    return [
        {"task": result["task"], "steps": result["steps"], **row}
        for row in result["rows"]
    ]


def table(rows: list[Row]) -> str:
    """The latest comparison, the best first."""
    lines = ["| optimizer | learning rate | right, % | loss | seeds |"]
    lines.append("|---|---|---|---|---|")
    for row in receipts.latest(rows):
        right, loss = (_mean(row, name, scale) for name, scale in _MEASURES.items())
        cells = [row["optimizer"], f"{row['learning_rate']:g}", right, loss]
        lines.append(f"| {' | '.join([*cells, str(len(row['seeds']))])} |")
    return "\n".join(lines)


_MEASURES = {"accuracy": 100.0, "loss": 1.0}


def _mean(row: Row, name: str, scale: float) -> str:
    mean, error = row.get(f"test/{name}"), row.get(f"test/{name}/standard_error")
    if mean is None or error is None:
        return "—"
    digits = 2 if scale > 1 else 4
    return f"{scale * mean:.{digits}f} ± {scale * error:.{digits}f}"


def arguments(argv: list[str] | None) -> Namespace:
    """What was asked for."""
    words = "two optimizers on a line through points"
    return receipts.arguments(__doc__.splitlines()[0], words).parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure and record, or show what was recorded."""
    args = arguments(argv)
    if args.table:
        print(table(receipts.full(receipts.read(args.out or RESULTS))))
        return
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    with tempfile.TemporaryDirectory() as folder:
        found = compared(SMOKE if args.smoke else ASKED, Path(folder) / "compared")
    rows = [about | row for row in found]
    receipts.append(receipts.kept_in(args, RESULTS), *rows)
    print(table(rows))


if __name__ == "__main__":
    main()
