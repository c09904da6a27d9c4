"""How well are spoken digits heard: one, a string, or in a voice never heard before?

    python -m benchmarks.speech [--tasks NAME ...] [--models lstm gru] [--seeds N]
        [--speakers NAME ...]

With the default settings of `spoken-digits` and `digit-strings`: trained and tested on
the official parts of FSDD; and for single digits also trained on five of its speakers,
tested on all 500 recordings of the sixth, for each of `--speakers` ("none": the
official parts only). Each run is a process of its own and adds a line to
`results/speech.jsonl`; `--table` sums them up. The data are looked for where the
trainer looks, RMSPROP_JAX_DATA say.
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
TASKS = ("spoken-digits", "digit-strings")


def trained(task_name: str, model: str, left_out: str, seed: int, smoke: bool) -> Row:
    """What one run reaches, in this process."""
    from rmsprop_jax.train.checks import check
    from rmsprop_jax.train.data import fsdd
    from rmsprop_jax.train.data.dataset import Dataset
    from rmsprop_jax.train.settings import resolve
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
    asked = ["--task", task_name, "--model", model, "--seed", str(seed)]
    asked += ["--epochs", "1", "--hidden", "8"] if smoke else []
    config = parse([*asked, "--devices", "1"])
    check(config)
    task = TASKS[task_name]
    if task_name == "spoken-digits":
        task = dataclasses.replace(task, load=load)
    one = Training(resolve(config, task.name, task.model), task)
    state, steps = one.start(), one.pace.steps_per_epoch
    for epoch in range(one.pace.epochs):
        state = one.advance(state, epoch * steps, (epoch + 1) * steps)
    reached = means(one.evaluate(state, "test").totals)
    return {
        "task": task_name,
        "model": model,
        "left_out": left_out,
        "seed": seed,
        "epochs": one.pace.epochs,
        "tested": len(next(iter(one.data["test"].values()))),
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
    """Mean ± standard error over the seeds: by task, model and speaker left out."""
    groups = by_group(rows)
    lines = [
        "| task | model | left out | seeds | tested | right, % | wrong digits, % |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for group, of in groups.items():
        error = mean_of(of, "test/error") if "test/error" in of[0] else "—"
        cells = [*group, len(of), of[0]["tested"], mean_of(of, "test/accuracy"), error]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def by_group(rows: list[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Task, model, speaker left out → the last run of each seed."""
    names = ("task", "model", "left_out")
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in receipts.last_of_each(receipts.full(rows), *names, "seed"):
        groups.setdefault((row["task"], row["model"], row["left_out"]), []).append(row)
    return groups


def mean_of(rows: list[Row], name: str) -> str:
    """Per cent over the seeds, with its standard error if there are several."""
    values = [100 * row[name] for row in rows]
    if len(values) == 1:
        return f"{values[0]:.1f}"
    error = statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.mean(values):.2f} ± {error:.2f}"


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "an epoch of a few recordings")
    parser.add_argument("--tasks", nargs="+", default=[*TASKS], choices=TASKS)
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
        (task, model, speaker, seed)
        for task in args.tasks
        for model in args.models
        for speaker in (args.speakers if task == "spoken-digits" else [OFFICIAL])
        for seed in range(args.seeds)
    ]
    for run in runs[:1] if args.smoke else runs:
        row = about | in_a_process(*run, args.smoke)
        receipts.append(out, row)
        print(*run, f"{row['test/accuracy']:.4f} {row['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
