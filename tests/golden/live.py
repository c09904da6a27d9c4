"""Runs the installed frameworks, in processes of their own.

Paddle ends in a segmentation fault once TensorFlow is loaded, Keras reads its backend
once, and most of them warn when imported, which tests take for an error.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from golden import frameworks

# Process → whose optimizers run in it. Optax can run anywhere, and does.
PROCESSES = {
    "torch": ["torch", "timm", "sb3", "bitsandbytes"],
    "jax": ["keras"],
    "tensorflow": ["keras", "tf_keras", "tf_keras_legacy", "tf1"],
    "paddle": ["paddle"],
}


def missing(process, framework):
    """What has to be installed first, in words."""
    lacking = frameworks.missing(framework, backend=process)
    return f"needs {' and '.join(lacking)}: see .ci/run" if lacking else ""


def follow(process, cases, start, grads, rates):
    """Per dtype and case, the parameters after every step; defaults; versions.

    Args:
        process: A key of `PROCESSES`.
        cases: Framework → case → class, arguments, dtypes.
        start: Parameters before the first step, in float64.
        grads: A gradient per step, in float64.
        rates: A learning rate per step.
    """
    with tempfile.TemporaryDirectory() as folder:
        request, answer = Path(folder, "request.npz"), Path(folder, "answer.npz")
        np.savez(
            request, cases=json.dumps(cases), start=start, grads=grads, rates=rates
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "golden.live", request, answer],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"KERAS_BACKEND": process, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{process}: exit {done.returncode}\n{done.stderr}")
        with np.load(answer) as z:
            return json.loads(str(z["noted"])), {x: z[x] for x in z if x != "noted"}


def main(request, answer):
    with np.load(request) as z:
        problem = [z[x] for x in ("start", "grads", "rates")]
        asked = json.loads(str(z["cases"]))
    noted, arrays = {}, {}
    for framework, cases in asked.items():
        noted[framework] = {"versions": frameworks.versions(framework)}
        for case, (kind, args, dtypes) in cases.items():
            for dtype in dtypes:
                start, grads, rates = (x.astype(dtype) for x in problem)
                path, _ = frameworks.run(kind, args, start, grads, rates)
                arrays[f"{framework}/{dtype}/{case}"] = path
        noted[framework] |= frameworks.signature(kind)
    np.savez(answer, noted=json.dumps(noted), **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
