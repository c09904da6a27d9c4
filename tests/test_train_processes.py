"""Several processes train one model, as one process would; a lost one ends them all."""

import random
import socket
import subprocess
import time
from contextlib import ExitStack, suppress

import pytest
from train_runs import command, result, rows, run

pytestmark = pytest.mark.slow

SHORT = ["--task", "digits", "--model", "mlp", "--hidden", "16", "--batch-size", "64"]
SHORT += ["--epochs", "3", "--log-every", "10", "--checkpoint-every", "5"]
SHORT += ["--no-pictures", "--learning-rate", "0.01", "--heartbeat", "10"]


def free_port():
    """A port that nobody has, and that no one gets by asking for any."""
    while True:
        # Those above are handed out, to Gloo and to other tests' servers.
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("localhost", port))
            return port


def two(folder, stack, *arguments):
    """Two processes of two devices each, that train in `folder`."""
    address = f"localhost:{free_port()}"
    join = ["--coordinator", address, "--processes", "2", "--process-id"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = []
    for i in range(2):
        line = command(*SHORT, "--run", folder, *arguments, *join, str(i), devices=2)
        started.append(stack.enter_context(subprocess.Popen(**line, **pipes)))
        stack.callback(started[-1].kill)
    return started


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder of two processes' run, and what each printed."""
    folder = tmp_path_factory.mktemp("together") / "run"
    with ExitStack() as stack:
        said = [process.communicate(timeout=600) for process in two(folder, stack)]
        return folder, said


def test_two_processes_compute_what_one_does(together, tmp_path):
    done = run(*SHORT, "--run", "one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(*SHORT, "--run", "four", "--zero", cwd=tmp_path, devices=4)
    assert done.returncode == 0, done.stderr
    folder, said = together
    assert (folder / "result.json").exists(), said
    for other in ("one", "four"):
        pairs = zip(rows(folder), rows(tmp_path / other), strict=True)
        for ours, theirs in pairs:
            assert ours["step"] == theirs["step"]
            for name in ("loss", "train/loss", "test/loss"):
                assert ours.get(name) == pytest.approx(theirs.get(name), abs=1e-5)


def test_only_the_first_process_speaks(together):
    _, ((first, _), (second, second_errors)) = together
    assert "epoch 3/3" in first
    assert "2 processes" in first
    # Gloo's threads write of their peers too, here and there within each other's lines.
    ours = [line for line in first.splitlines() if line and "peer" not in line]
    assert len(ours) > 3
    assert [line for line in ours if line in second + second_errors] == []


def test_a_lost_process_ends_the_others_and_all_go_on_from_there(together, tmp_path):
    folder = tmp_path / "run"
    with ExitStack() as stack:
        first, second = two(folder, stack)
        deadline = time.monotonic() + 300
        while not any((folder / "checkpoints").glob("[0-9]*")):
            assert time.monotonic() < deadline
            assert first.poll() is None, first.communicate()
            time.sleep(0.02)
        second.kill()
        _, errors = first.communicate(timeout=600)
        assert first.returncode != 0
        assert "process 0 of 2 ended before the run did" in errors
        assert "--resume" in errors
    assert not (folder / "result.json").exists()
    with ExitStack() as stack:
        for process in two(folder, stack, "--resume"):
            said = process.communicate(timeout=600)
            assert process.returncode == 0, said
    assert result(folder)["sha256"] == result(together[0])["sha256"]
    assert rows(folder) == rows(together[0])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--processes", "2"], "expected --coordinator host:port too"),
        (["--coordinator", "localhost:1"], "expected --processes N and --process-id"),
    ],
)
def test_half_of_the_options_are_refused(arguments, words, tmp_path):
    done = run(*SHORT, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
