import ast
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
