"""How far is each dialect from its framework, and how far is the nearest wrong rule?

`python -m benchmarks.dialects [--smoke]`, in a checkout, adds a line of JSON per
measurement to `results/dialects.jsonl` and prints the table; `--table` prints what was
measured last. A measurement is a dialect, a dtype and a variant; the difference is the
largest over its cases and along their paths, in tolerances (`tests/helpers.py`: 8
roundings a step). A wrong rule is the right one with one choice changed. A framework
that is not installed is compared as recorded.
"""

import sys
from argparse import Namespace
from importlib.metadata import version

import jax

from benchmarks import measure, receipts

RESULTS = receipts.file_of("dialects")
sys.path.insert(0, str(measure.ROOT / "tests"))

from golden import frameworks, live, parity  # noqa: E402, the line above finds it
from helpers import fine_probe  # noqa: E402

VARIANTS = {
    "momentum": lambda x: x["momentum"],
    "Nesterov": lambda x: x["nesterov"],
    "caution": lambda x: x["cautious"],
    "centered": lambda x: x["centered"],
    "bias correction": lambda x: x["bias_correction"],
    "weight decay": lambda x: x["weight_decay"],
}


def variant(right):
    """The switches that are on, in words."""
    return ", ".join(name for name, on in VARIANTS.items() if on(right)) or "plain"


def of_processes(smoke):
    """Runs of the installed frameworks: label, name, cases, how, versions, paths."""
    if not smoke:
        cases, problem = parity.LIVE["optax"], fine_probe()
        paths = {}
        for dtype in parity.BOTH:
            follow = parity.optax_paths(cases, problem, dtype)
            paths |= {(dtype, x): y for x, y in zip(cases, follow, strict=True)}
        yield "optax", "optax", cases, "live", frameworks.versions("optax"), paths
    for process, names in live.PROCESSES.items():
        found = [name for name in names if not live.missing(process, name)]
        if smoke or not found:
            continue
        asked = {name: parity.LIVE[name] for name in found}
        noted, arrays = live.follow(process, asked, *fine_probe())
        for name in found:
            paths = {
                (dtype, case): arrays[f"{name}/{dtype}/{case}"]
                for case, (_, _, dtypes) in asked[name].items()
                for dtype in dtypes
            }
            label = f"{name} on {process}" if name == "keras" else name
            yield label, name, asked[name], "live", noted[name]["versions"], paths


def of_records(names):
    """The same for what is recorded."""
    for name in names:
        meta, cases = parity.META[name], parity.RECORDED[name]
        paths = {
            (dtype, case): parity.GOLDEN[name][f"{case}/{dtype}/params"]
            for case, (_, _, dtypes) in cases.items()
            for dtype in dtypes
        }
        how = "transcribed" if "how" in meta else "recorded"
        made_by = {meta["framework"]: meta.get("version")}
        if how == "transcribed":
            made_by = {"from": meta["source"]}
        yield name, name, cases, how, made_by, paths


def measured(label, name, cases, how, versions, paths):
    """One measurement per dtype and variant."""
    problem = fine_probe() if how == "live" else parity.PROBLEM
    # The recordings of Keras were made on TensorFlow.
    backend = "jax" if label == "keras on jax" else "tensorflow"
    peak = float(problem[2][0])
    rights = {
        case: parity.textbook(**parity.ours(name, kind, args, peak=peak))
        for case, (kind, args, _) in cases.items()
    }
    for dtype in parity.BOTH:
        chosen = {case: x for case, x in cases.items() if dtype in x[2]}
        theirs = [paths[dtype, case] for case in chosen]
        gaps = parity.gaps(name, chosen, theirs, problem, dtype, backend=backend)
        by_variant = {}
        for case, gap in gaps.items():
            by_variant.setdefault(variant(rights[case]), {})[case] = float(gap)
        for words, its_gaps in by_variant.items():
            nearest = [
                parity.nearest_wrong(rights[case], dtype, fine_probe())
                for case in its_gaps
            ]
            yield {
                "dialect": parity.ROWS[name],
                "framework": label,
                "how": how,
                "versions": versions,
                "dtype": dtype,
                "variant": words,
                "cases": len(its_gaps),
                "tolerances": max(its_gaps.values()),
                "nearest_wrong_tolerances": float(min(nearest)[0]),
                "nearest_wrong": min(nearest)[1],
            }


def table(rows):
    """The rows as Markdown, both dtypes of a variant beside each other."""
    yield (
        "| dialect | compared with | variant | cases | float32 | nearest wrong "
        "| float64 | nearest wrong |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    pairs = {}
    for row in rows:
        key = row["dialect"], row["framework"], row["variant"]
        pairs.setdefault(key, {})[row["dtype"]] = row
    for (dialect, _, words), pair in pairs.items():
        row = next(iter(pair.values()))
        made_by = ", ".join(f"{x} {y}" for x, y in row["versions"].items())
        how = made_by if row["how"] == "live" else f"{made_by} ({row['how']})"
        cells = []
        for dtype in parity.BOTH:
            if dtype in pair:
                gap, wrong = (
                    pair[dtype][x] for x in ("tolerances", "nearest_wrong_tolerances")
                )
                cells += [f"{gap:.2g}", f"{wrong:.1e} ({pair[dtype]['nearest_wrong']})"]
            else:
                cells += ["", ""]
        yield f"| {dialect} | {how} | {words} | {row['cases']} | {' | '.join(cells)} |"


def last(rows):
    """The last measurement of each dialect, framework, dtype and variant."""
    return receipts.last_of_each(rows, "dialect", "framework", "dtype", "variant")


def extremes(rows):
    """The farthest of ours and the nearest wrong rule, in tolerances."""
    return (
        max(row["tolerances"] for row in rows),
        min(row["nearest_wrong_tolerances"] for row in rows),
    )


def shown(rows):
    """Print the table and what is farthest; whether that is as it must be."""
    print("\n".join(table(rows)))
    worst, nearest = extremes(rows)
    print(f"\nfarthest: {worst:.2g} tolerances; nearest wrong rule: {nearest:.3g}")
    return 0 if worst <= 1 and nearest >= 10 else 1


def arguments(argv: list[str] | None) -> Namespace:
    """What was asked for."""
    parser = receipts.arguments(__doc__.splitlines()[0], "two recordings")
    return parser.parse_args(argv)


def main(argv=None):
    """Measure, print, append."""
    args = arguments(argv)
    if args.table:
        return shown(last(receipts.read(args.out or RESULTS)))
    runs = list(of_processes(args.smoke))
    followed = {parity.ROWS[name] for _, name, *_ in runs}
    left = [
        name
        for name in parity.RECORDED.keys() - parity.WITHOUT_POWER
        if parity.ROWS[name] not in followed
    ]
    if args.smoke:
        left = ["chainer", "hinton"]
    about = receipts.about(__doc__.splitlines()[0], args.smoke)
    about |= {"jax": version("jax"), "device": jax.default_backend()}
    every = [*runs, *of_records(sorted(left))]
    rows = [about | row for run in every for row in measured(*run)]
    receipts.append(receipts.kept_in(args, RESULTS), *rows)
    return shown(rows)


if __name__ == "__main__":
    sys.exit(main())
