"""Does a run end in the same bits, however often and whenever it is killed?

    python -m benchmarks.kills --kills 30

One training without interruption; then the same one, killed at random moments, saves
included, and resumed until it ends, again and again until there were enough kills. The
end is compared bit for bit; a line for all of them is added to `results/kills.jsonl`.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import receipts
from benchmarks.receipts import Row

OPTIONS = ["--task", "digits", "--model", "mlp", "--batch-size", "32"]
OPTIONS += ["--checkpoint-every", "7", "--log-every", "10", "--no-pictures", "--quiet"]
EPOCHS = 12
RESULTS = receipts.file_of("kills")


def start(folder: Path, epochs: int) -> subprocess.Popen:
    """The trainer, going on in `folder` or beginning there."""
    line = [sys.executable, "-m", "rmsprop_jax.train", *OPTIONS, "--resume"]
    line += ["--run", str(folder), "--epochs", str(epochs)]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL)


def outcome(folder: Path) -> tuple:
    """What must be the same: hashes, and rows but for what a clock measured."""
    clock = {"seconds", "examples_per_second"}
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    rows = [
        {k: v for k, v in json.loads(line).items() if k not in clock} for line in lines
    ]
    return json.loads((folder / "result.json").read_text())["sha256"], rows


def newest(folder: Path) -> int:
    """The newest committed step."""
    names = [path.name for path in (folder / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdigit()), default=-1)


def killed_until_done(
    folder: Path, rng: random.Random, kills: int, epochs: int
) -> list[int]:
    """Run to the end with up to `kills` kills; the newest step at each of them."""
    at = []
    while True:
        process = start(folder, epochs)
        before = newest(folder)
        # Past the start, where nothing is saved yet and so nothing can be broken.
        while process.poll() is None and newest(folder) == before:
            time.sleep(0.005)
        try:
            process.wait(rng.uniform(0, 0.6) if len(at) < kills else 300)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            at.append(newest(folder))
            continue
        if process.returncode:
            raise SystemExit(f"after kills at {at}: exit status {process.returncode}")
        return at


def measure(kills: int, seed: int, folder: Path, epochs: int = EPOCHS) -> Row:
    """Kill that often; stop at the first run that ends in something else."""
    whole = folder / "whole"
    if start(whole, epochs).wait():
        raise SystemExit("the run without interruption failed")
    expected, rng, count, runs = outcome(whole), random.Random(seed), 0, 0
    while count < kills:
        runs += 1
        own = folder / str(runs)
        at = killed_until_done(own, rng, kills - count, epochs)
        count += len(at)
        if outcome(own) != expected:
            raise SystemExit(f"run {runs} ended differently after kills at {at}")
        print(
            f"{count:3} kills: as without (newest checkpoints then: {at})", flush=True
        )
    return {"benchmark": "kills", "kills": count, "runs": runs, "different": 0}


def table(rows: list[Row]) -> str:
    """A line for each time it was asked, as Markdown."""
    lines = ["| date | kills | runs | ended differently |", "|---|---|---|---|"]
    names = ("date", "kills", "runs", "different")
    return "\n".join(
        [*lines, *(f"| {' | '.join(str(row[x]) for x in names)} |" for row in rows)]
    )


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "one kill")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Kill, and append a line to the results."""
    args = arguments(argv)
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return
    about = receipts.about(__doc__.splitlines()[0], args.smoke) | {"seed": args.seed}
    kills, epochs = (1, 2) if args.smoke else (args.kills, EPOCHS)
    with tempfile.TemporaryDirectory(prefix="kills") as folder:
        row = measure(kills, args.seed, Path(folder), epochs)
    receipts.append(receipts.kept_in(args, RESULTS), about | row)
    print(table([about | row]))


if __name__ == "__main__":
    main()
