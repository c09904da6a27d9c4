"""Downloads of other processes: killed, or two of one file at once."""

import os
import re
import signal
import subprocess
import sys
import time

import loopback_mirror as loopback
from test_train_data_download import DATA, FILES, NAME, alone, get, stack, until

__all__ = ["alone", "stack", "until"]

FETCH = """
import sys
from pathlib import Path
from rmsprop_jax.train.data.download import fetch
def check(path):
    if len(path.read_bytes()) != 2048:
        raise ValueError("expected 2048 bytes")
fetch(sys.argv[1], [sys.argv[2]], check, Path(sys.argv[3]), stalled=100)
"""


def fetching(mirror, folder):
    return subprocess.Popen([sys.executable, "-c", FETCH, NAME, mirror, str(folder)])


def wait_for_parts(count, processes, folder):
    deadline = time.monotonic() + 100
    while len(list(folder.iterdir())) < count:
        assert time.monotonic() < deadline
        assert [process.poll() for process in processes] == [None] * count
        time.sleep(0.01)


def test_a_killed_download_is_no_file_and_the_next_one_succeeds(tmp_path, stack, until):
    stuck = stack.enter_context(loopback.mirror(loopback.stalling(FILES, until)))
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    process = fetching(stuck, tmp_path)
    wait_for_parts(1, [process], tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (part,) = tmp_path.iterdir()
    assert re.fullmatch(rf"\.{re.escape(NAME)}\.\w+\.part", part.name)
    os.utime(part, (time.time() - 7200,) * 2)
    get([good], tmp_path)


def test_two_processes_at_once_both_succeed(tmp_path, stack, until):
    def behave(handler, _):
        loopback.send(handler, DATA[:1024], len(DATA))
        until.wait(100)
        handler.wfile.write(DATA[1024:])

    mirror = stack.enter_context(loopback.mirror(behave))
    processes = [fetching(mirror, tmp_path) for _ in range(2)]
    wait_for_parts(2, processes, tmp_path)
    until.set()
    assert [process.wait(100) for process in processes] == [0, 0]
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(NAME, DATA)]
