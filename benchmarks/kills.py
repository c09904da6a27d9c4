"""Does a run survive SIGKILL at any moment? Kill it often, compare the end bit for bit.

    python -m benchmarks.kills --kills 30

One training without interruption; then the same one, killed at random moments, saves
included, and resumed until it ends, again and again until there were enough kills.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPTIONS = ["--task", "digits", "--model", "mlp", "--epochs", "12", "--batch-size", "32"]
OPTIONS += ["--checkpoint-every", "7", "--log-every", "10", "--no-pictures", "--quiet"]
RESULTS = Path(__file__).parent / "results" / "kills.jsonl"


def start(folder: Path) -> subprocess.Popen:
    """The trainer, going on in `folder` or beginning there."""
    line = [sys.executable, "-m", "rmsprop_jax.train", *OPTIONS, "--resume"]
    return subprocess.Popen([*line, "--run", str(folder)], stdout=subprocess.DEVNULL)


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


def killed_until_done(folder: Path, rng: random.Random, kills: int) -> list[int]:
    """Run to the end with up to `kills` kills; the newest step at each of them."""
    at = []
    while True:
        process = start(folder)
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


def measure(kills: int, seed: int, folder: Path) -> dict:
    """Kill that often; stop at the first run that ends in something else."""
    whole = folder / "whole"
    if start(whole).wait():
        raise SystemExit("the run without interruption failed")
    expected, rng, count, runs = outcome(whole), random.Random(seed), 0, 0
    while count < kills:
        runs += 1
        own = folder / str(runs)
        at = killed_until_done(own, rng, kills - count)
        count += len(at)
        if outcome(own) != expected:
            raise SystemExit(f"run {runs} ended differently after kills at {at}")
        print(
            f"{count:3} kills: as without (newest checkpoints then: {at})", flush=True
        )
    return {"benchmark": "kills", "kills": count, "runs": runs, "different": 0}


def main() -> None:
    """Measure, and append a line to the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="two kills, no record")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills"))
    kills = 2 if options.smoke else options.kills
    try:
        row = measure(kills, options.seed, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not options.smoke:
        row |= {"seed": options.seed, "date": time.strftime("%Y-%m-%d")}
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
    print(json.dumps(row))


if __name__ == "__main__":
    main()
