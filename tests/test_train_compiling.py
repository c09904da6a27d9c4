"""What a run compiles: three programs, and none that it finds in a cache."""

import subprocess
import sys

from train_runs import command, result, run

SHORT = ["--task", "digits", "--model", "mlp", "--batch-size", "64", "--epochs", "2"]
SHORT += ["--schedule", "plateau", "--log-every", "10", "--checkpoint-every", "15"]
SHORT += ["--no-pictures", "--quiet", "--warmup", "1", "--tensorboard"]
COUNTING = """
import sys
import jax
compiled = []
def note(name, seconds, **said):
    if name.endswith("backend_compile_duration"):
        compiled.append(said.get("fun_name"))
jax.monitoring.register_event_duration_secs_listener(note)
from rmsprop_jax.train.cli import main
status = main(["train", *sys.argv[1:]])
print(*sorted(compiled), sep="\\n")
sys.exit(status)
"""


def programs(folder, *arguments):
    """What a run in `folder` compiled."""
    line = command() | {"args": [sys.executable, "-c", COUNTING, *SHORT, *arguments]}
    done = subprocess.run(**line, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return [name for name in done.stdout.splitlines() if name.startswith("jit(")]


def test_a_run_compiles_three_programs_and_one_more_for_a_validation_set(tmp_path):
    three = ["jit(advance)", "jit(evaluate)", "jit(init)"]
    assert programs(tmp_path, "--run", "a") == three
    more = programs(tmp_path, "--run", "b", "--validation", "300")
    assert more == sorted([*three, "jit(evaluate)"])


def test_a_second_run_finds_its_programs_in_the_cache(tmp_path):
    cache = tmp_path / "cache"
    kept = []
    for name in ("a", "b"):
        cached = ["--compilation-cache", cache, "--run", name]
        done = run(*SHORT, *cached, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        files = list(cache.rglob("*-cache"))
        kept.append({path.name: path.stat().st_ino for path in files})
        assert any("jax-" in part for path in files for part in path.parts)
    assert kept[0] == kept[1]
    assert len(kept[0]) >= 3
    assert result(tmp_path / "a")["sha256"] == result(tmp_path / "b")["sha256"]
