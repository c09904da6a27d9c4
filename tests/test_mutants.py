import ast
import os
import subprocess
import sys

import pytest
from mutants import MUTANTS, ROOT, edited


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_mutant_is_another_program(mutant):
    source = (ROOT / "rmsprop_jax" / mutant.file).read_text()
    assert ast.dump(ast.parse(edited(mutant))) != ast.dump(ast.parse(source))


@pytest.mark.slow
def test_every_mutant_is_killed():
    command = [sys.executable, ROOT / "tests" / "mutants.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    closing = f"{len(MUTANTS)} of {len(MUTANTS)} mutants killed"
    assert done.stdout.splitlines()[-1] == closing, done.stdout
    assert done.returncode == 0


OTHERS = """
import sys
import mutants
trace, test = "trace = beta * trace + move", "test_rule.py::test_opposite_gradients"
mutants.MUTANTS[:] = [
    mutants.Mutant("alike", "rule.py", trace, trace + " + 0", test + "_almost_cancel"),
    mutants.Mutant("no code", "rule.py", trace, "trace = =", test + "_almost_cancel"),
    mutants.Mutant("untested", "rule.py", trace, "trace = move", test + "_grow"),
]
sys.exit(not mutants.main([]))
"""


@pytest.mark.slow
def test_what_no_test_notices_survives_and_what_does_not_run_is_not_killed():
    done = subprocess.run(
        [sys.executable, "-c", OTHERS],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "alike: SURVIVED" in done.stdout, done.stderr
    assert "no code: BROKEN" in done.stdout
    assert "untested: BROKEN" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 of 3 mutants killed"
    assert done.returncode == 1
