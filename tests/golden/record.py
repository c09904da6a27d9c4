"""Records what the installed frameworks compute on the problem beside this file.

Run by hand, in `tests`: `python -m golden.record FOLDER [--compare]`. What is not
installed is left out.
"""

import argparse
import datetime
import json
from pathlib import Path

import numpy as np
from golden import cases, frameworks

HERE = Path(__file__).parent


def described(framework):
    """What of a recording is not an array."""
    name, *others = frameworks.versions(framework).items()
    meta = {"framework": name[0], "version": name[1]}
    if framework == "keras":
        meta["backend"] = others[0][0]
    meta |= {f"{other}_version": version for other, version in others}
    return meta | {"date": datetime.date.today().isoformat(), "cases": {}}


def note_signature(framework, folder):
    """Add the defaults of the framework's class to the file of all of them."""
    file = folder / "signatures.json"
    noted = json.loads(file.read_text()) if file.exists() else {}
    kind = next(iter(cases.CASES[framework].values()))[0]
    versions = frameworks.versions(framework)
    noted[kind] = {"versions": versions} | frameworks.signature(kind)
    file.write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n")


def record(framework, folder):
    """Write every case of a framework to a file in `folder`."""
    problem = np.load(HERE / "problem.npz")
    arrays, meta, dtypes = {}, described(framework), cases.DTYPES[framework]
    for case, (kind, args) in cases.CASES[framework].items():
        for dtype in dtypes:
            start, grads = (problem[x].astype(dtype) for x in ("params0", "grads"))
            path, slots = frameworks.run(kind, args, start, grads, problem["lrs"])
            for name, array in {"params": path, **slots}.items():
                arrays[f"{case}/{dtype}/{name}"] = array
        meta["cases"][case] = {
            "class": kind,
            "args": args,
            "dtypes": dtypes,
            "slots": sorted(slots),
        }
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{framework}.npz", meta=json.dumps(meta), **arrays)


def compare(framework, folder):
    """Print, per case and dtype, the largest difference to the committed file.

    Parameters are compared by the distance they travelled, slots by their size.
    """
    start = np.load(HERE / "problem.npz")["params0"]
    anew, committed = (np.load(x / f"{framework}.npz") for x in (folder, HERE))
    now, before = (json.loads(str(z["meta"])) for z in (anew, committed))
    print(f"{framework} {now['version']} against {before['version']}")
    for case, row in before["cases"].items():
        for dtype in row["dtypes"]:
            gaps = {}
            for name in ("params", *row["slots"]):
                key = f"{case}/{dtype}/{name}"
                if key not in anew:
                    gaps[f"no {name}"] = np.inf
                    continue
                old = committed[key].astype(np.float64)
                size = np.abs(old - start if name == "params" else old).max()
                gaps[name] = np.abs(anew[key] - old).max() / size
            worst = max(gaps, key=gaps.get)
            print(f"  {case:34}{dtype:9}{gaps[worst]:.1e}  {worst}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument(
        "--frameworks",
        nargs="+",
        choices=cases.CASES,
        default=[name for name in cases.CASES if not frameworks.missing(name)],
    )
    args = parser.parse_args()
    for framework in args.frameworks:
        record(framework, args.folder)
        note_signature(framework, args.folder)
        if args.compare and (HERE / f"{framework}.npz").exists():
            compare(framework, args.folder)


if __name__ == "__main__":
    main()
