"""Which kernels does a whole step become on an H200 and a TPU v5e, moving which bytes?

`python -m benchmarks.deviceless [--targets h200 v5e] [--programs NAME ...] [--smoke]`,
in a checkout with the extra `deviceless`, compiles `update` and `apply_updates`, jitted
and donated, on one parameter array of 4096 × 4096 in float32 (`device_programs`), with
the real compilers of both and without either. It prints a table and adds a line of JSON
per program to `results/deviceless.jsonl`; `--smoke` compiles one and adds nothing.

Bytes are the operands and outputs, in main memory, of every kernel in the compiled
program, each once, over the number of parameters: what has to move at least. No time is
measured, and a cache may save some of it. Kernels are those that touch more than a
hundredth of an array, without copies; the copies are a TPU's prefetches, whose bytes
count. A program over four devices is counted on one of them.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

from benchmarks import measure, receipts
from benchmarks.receipts import Row

RESULTS = receipts.file_of("deviceless")
TARGETS = {"h200": "NVIDIA H200", "v5e": "TPU v5e"}
# Module → the distribution whose version the receipt names.
NEEDED = {
    "h200": {
        "jax_plugins.xla_cuda13": "jax-cuda13-pjrt",
        "jax_cuda13_plugin": "jax-cuda13-plugin",
        "nvidia.cu13": "nvidia-cuda-nvcc",
    },
    "v5e": {"libtpu": "libtpu"},
}


def missing(target: str) -> list[str]:
    """What compiling for the target needs and is not installed."""
    return [name for name in NEEDED[target] if not _is_installed(name)]


def measured(target: str, programs: list[str]) -> list[Row]:
    """A row per program, compiled in a fresh process.

    Args:
        target: One of `TARGETS`.
        programs: Names in `device_programs.PROGRAMS`; none is all of them.

    Raises:
        RuntimeError: If the process failed, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.device_programs", target, *programs],
        cwd=measure.ROOT,
        env=os.environ | _environment(target),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[-15:])
        raise RuntimeError(f"{target}: exit status {done.returncode}\n{said}")
    return [json.loads(x) for x in done.stdout.splitlines() if x.startswith("{")]


def receipt(target: str, row: Row, about: Row) -> Row:
    """The row with what it comes from, but for the machine: nothing ran on it."""
    compilers = {name: version(name) for name in NEEDED[target].values()}
    kept = ("question", "smoke", "commit", "python", "date")
    return {
        "target": TARGETS[target],
        **row,
        **{name: about[name] for name in kept},
        "versions": about["versions"] | compilers,
    }


def by_target(rows: list[Row]) -> dict[str, dict[str, Row]]:
    """The latest row of every program, for each target."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row["target"], {})[row["program"]] = row
    return found


def table(rows: list[Row]) -> str:
    """Markdown: a line per program, and for each target kernels and bytes."""
    found = by_target(rows)
    heads = [f"{target}: kernels | bytes a parameter" for target in found]
    lines = [f"| program | {' | '.join(heads)} |", "|---|" + "--:|--:|" * len(found)]
    by_program: dict[str, list[str]] = {}
    for row in (row for of_target in found.values() for row in of_target.values()):
        cells = by_program.setdefault(row["program"], [])
        cells += [f"{row['kernels_a_leaf']:g}", f"{row['bytes_a_parameter']:.2f}"]
    lines += [f"| {name} | {' | '.join(x)} |" for name, x in by_program.items()]
    return "\n".join(lines)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    """What was asked for.

    Raises:
        SystemExit: If a compiler is missing, before anything is compiled.
    """
    parser = receipts.arguments(__doc__.splitlines()[0], "one program")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=[*TARGETS])
    parser.add_argument("--programs", nargs="+", default=[], metavar="NAME")
    args = parser.parse_args(argv)
    for target in () if args.table else args.targets:
        if absent := missing(target):
            parser.error(
                f"{target}: {', '.join(absent)} not installed; expected the extra: "
                "pip install 'rmsprop-jax[deviceless]'"
            )
    return args


def main(argv: list[str] | None = None) -> int:
    """Compile, print, append."""
    args = arguments(argv)
    if args.table:
        print(table(receipts.read(args.out or RESULTS)))
        return 0
    programs = ["float32"] if args.smoke else args.programs
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    rows = [
        receipt(target, row, about)
        for target in args.targets
        for row in measured(target, programs)
    ]
    receipts.append(receipts.kept_in(args, RESULTS), *rows)
    print(table(rows))
    return 0


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _environment(target: str) -> dict[str, str]:
    """What the compilers read when they are loaded."""
    environment = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if target == "v5e":
        # It would ask the network which TPU this is.
        return environment | {"TPU_SKIP_MDS_QUERY": "1"}
    (toolkit,) = find_spec("nvidia.cu13").submodule_search_locations
    flags = f"--xla_gpu_cuda_data_dir={toolkit} --xla_gpu_autotune_level=0"
    return environment | {"JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1", "XLA_FLAGS": flags}


if __name__ == "__main__":
    sys.exit(main())
