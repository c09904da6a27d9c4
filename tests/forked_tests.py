"""Runs of pytest on copies of the package, forked from a process that imported much.

What others wrote is imported once; the package and its tests by each run for itself.
"""

import importlib
import os
import re
import shutil
import sys
import traceback
from importlib.util import cache_from_source
from pathlib import Path

ROOT = Path(__file__).parents[1]
_IMPORTED_ONCE = ["chex", "flax.serialization", "hypothesis.extra.numpy", "jax"]
_IMPORTED_ONCE += ["optax", "pytest", "scipy.special"]


def prepare():
    """Imports what all runs need. No device is looked for: that would start threads."""
    # A wrong formula is wrong however little its code is optimized.
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
    for name in _IMPORTED_ONCE:
        importlib.import_module(name)


def copy_to(folder):
    """What the tests of the package need, in `folder`."""
    without_bytecode = shutil.ignore_patterns("__pycache__")
    for name in ("rmsprop_jax", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=without_bytecode)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def write(file, source):
    """The file with another source, and without bytecode of the one before.

    Bytecode is found stale by second and size, and an edit may change neither.
    """
    file.write_text(source)
    Path(cache_from_source(file)).unlink(missing_ok=True)


def _tests_in(folder, arguments):
    """Runs pytest on the copy in `folder`, in this process; its exit status."""
    import pytest

    output = os.open(folder / "output.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(folder)
    sys.path[0] = str(folder)  # In place of that of this script.
    # What a test compiles is whole before the next one of this folder looks for it.
    compiled = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    os.environ |= {"PYTHONPATH": str(folder)} | compiled
    fixed = ["-q", "--tb=no", "-rf", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # The plugins of pytest are imported already, and assert little.
    fixed += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    fixed += ["-m", "not slow and not parity and not deviceless"]
    return pytest.main([*fixed, *arguments])


def start(folder, tests, *options):
    """The id of a process that runs the tests on the copy in `folder`."""
    arguments = [*options, *(f"tests/{test}" for test in tests)]
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        status = int(_tests_in(folder, arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def said(folder):
    """What failed in the copy in `folder`, and all that pytest printed."""
    output = (folder / "output.txt").read_text()
    return re.findall(r"^FAILED tests/(.+?)(?: - .*)?$", output, re.MULTILINE), output
