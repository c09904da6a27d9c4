"""How well are spoken digits told apart, and how well in a voice never heard before?

    python -m benchmarks.speech --models lstm gru --seeds 5 [--speakers NAME ...]

With the task's default settings: trained and tested on the official parts of FSDD; and
trained on five of its speakers, tested on all 500 recordings of the sixth, for each of
`--speakers` ("none": the official parts only). Each run is a process of its own and
adds a line to `results/speech.jsonl`; `--table` sums them up.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import measure, receipts
from benchmarks.receipts import Row

RESULTS = receipts.file_of("speech")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
OFFICIAL = "none"


def trained(model: str, left_out: str, seed: int, smoke: bool) -> Row:
    """What one run reaches, in this process."""
    from rmsprop_jax.train.data import fsdd
    from rmsprop_jax.train.data.dataset import Dataset
    from rmsprop_jax.train.settings import check, resolve
    from rmsprop_jax.train.tasks import TASKS, spoken
    from rmsprop_jax.train.training import Training, means
    from rmsprop_jax.train.training_command import parse

    def load(_: Path | None) -> Dataset:
        parts: tuple[list, list] = [], []
        for one in fsdd.load():
            apart = one.tested if left_out == OFFICIAL else one.speaker == left_out
            parts[apart].append(one)
        train, test = (part[:: 20 if smoke else 1] for part in parts)
        return Dataset(spoken.arrays(train), spoken.arrays(test))

    began = time.perf_counter()
    asked = ["--task", "spoken-digits", "--model", model, "--seed", str(seed)]
    asked += ["--epochs", "1", "--hidden", "8"] if smoke else []
    config = parse([*asked, "--devices", "1"])
    check(config)
    task = dataclasses.replace(TASKS["spoken-digits"], load=load)
    one = Training(resolve(config, task.name, task.model), task)
    state, steps = one.start(), one.pace.steps_per_epoch
    for epoch in range(one.pace.epochs):
        state = one.advance(state, epoch * steps, (epoch + 1) * steps)
    reached = means(one.evaluate(state, "test").totals)
    return {
        "benchmark": "speech",
        "model": model,
        "left_out": left_out,
        "seed": seed,
        "epochs": one.pace.epochs,
        "tested": len(one.data["test"]["label"]),
        **{f"test/{name}": value for name, value in reached.items()},
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time(),
    }


def in_a_process(*run: object) -> Row:
    """The same in a process of its own, and what others took meanwhile."""
    with measure.other_programs() as others:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.speech", "--one", json.dumps(run)],
            cwd=measure.ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    return json.loads(done.stdout.splitlines()[-1]) | others


def table(rows: list[Row]) -> str:
    """By model: mean ± standard error over the seeds, for each speaker left out."""
    rows = receipts.last_of_each(receipts.full(rows), "model", "left_out", "seed")
    lines = ["| model | left out | seeds | tested | test accuracy, % | seconds |"]
    lines.append("|---|---|---|---|---|---|")
    for model in dict.fromkeys(row["model"] for row in rows):
        for left_out in (OFFICIAL, *SPEAKERS):
            of = [
                row
                for row in rows
                if (row["model"], row["left_out"]) == (model, left_out)
            ]
            if of:
                lines.append(f"| {model} | {left_out} | {_numbers(of)} |")
    return "\n".join(lines)


def _numbers(rows: list[Row]) -> str:
    reached = [100 * row["test/accuracy"] for row in rows]
    error = statistics.stdev(reached) / len(rows) ** 0.5 if len(rows) > 1 else 0
    seconds = statistics.median(row["seconds"] for row in rows)
    return (
        f"{len(rows)} | {rows[0]['tested']} | {statistics.mean(reached):.2f} "
        f"± {error:.2f} | {seconds:.0f}"
    )


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "an epoch of a few recordings")
    parser.add_argument("--models", nargs="+", default=["lstm"])
    parser.add_argument("--speakers", nargs="+", default=[OFFICIAL, *SPEAKERS])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure and record, or show what was recorded."""
    args = arguments(argv)
    if args.one:
        print(json.dumps(trained(*args.one)))
        return
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return
    out = receipts.kept_in(args, RESULTS)
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    runs = [
        (model, speaker, seed)
        for model in args.models
        for speaker in args.speakers
        for seed in range(args.seeds)
    ]
    for run in runs[:1] if args.smoke else runs:
        row = about | in_a_process(*run, args.smoke)
        receipts.append(out, row)
        print(*run, f"{row['test/accuracy']:.4f} {row['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
