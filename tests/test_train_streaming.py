"""Batches read from disk: which, in which order, and by whom."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from stream_made import LENGTHS, rows

from rmsprop_jax.train.data import buckets
from rmsprop_jax.train.data.streaming import batches

SOURCE = rows(30)
ALL = np.arange(4)


def plan_of(source):
    return buckets.of_epoch(source.bucket, 4, np.random.default_rng(0))


def read(source=SOURCE, rows=ALL, **options):
    with batches(source, plan_of(source), rows=rows, **options) as reading:
        return list(reading)


def test_they_are_those_of_the_plan_in_its_order():
    plan, found = plan_of(SOURCE), read()
    assert len(found) == 7
    for examples, bucket, batch in zip(*plan, found, strict=True):
        assert batch["x"].shape == (4, LENGTHS[bucket], 4)
        expected = [SOURCE.read(int(i), int(bucket))["x"] for i in examples]
        np.testing.assert_array_equal(batch["x"], expected)


def test_any_of_them_can_be_the_first_and_any_rows_alone():
    whole, later = read(), read(first=3, rows=np.array([1, 2]))
    assert len(later) == 4
    for one, other in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(one["x"][1:3], other["x"])


def test_what_cannot_be_read_is_named():
    with pytest.raises(ValueError, match=r"^row-11\.txt: it is cut off\.$"):
        read(rows(30, broken=11))


PROGRAM = """
import multiprocessing, sys, time
from test_train_streaming import SOURCE, plan_of, read, rows, ALL, batches
if __name__ == "__main__":
    what = sys.argv[1]
    if what == "all":
        for one, other in zip(read(), read(workers=2), strict=True):
            assert (one["x"] == other["x"]).all() and (one["y"] == other["y"]).all()
        later = read(first=3, workers=2)
        assert (later[0]["x"] == read()[3]["x"]).all() and len(later) == 4
    elif what == "broken":
        try:
            read(rows(30, broken=11), workers=2)
        except ValueError as error:
            assert str(error) == "row-11.txt: it is cut off.", error
        else:
            raise SystemExit("nothing was raised")
    elif what == "killed":
        source = rows(3000)
        try:
            with batches(source, plan_of(source), rows=ALL, workers=2) as reading:
                next(reading)
                multiprocessing.active_children()[0].kill()
                for _ in reading:
                    pass
        except ValueError as error:
            assert "--workers 2: a process that reads was ended" in str(error), error
            assert "exit code -9" in str(error), error
        else:
            raise SystemExit("nothing was raised")
    else:
        with batches(SOURCE, plan_of(SOURCE), rows=ALL, workers=2) as reading:
            next(reading)
            print("reading", flush=True)
            if what == "raise":
                raise SystemExit(7)
            time.sleep(60)
"""


@pytest.fixture
def start(tmp_path):
    """A program that reads with two processes, in a group of its own."""
    tests = Path(__file__).parent
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    path = os.pathsep.join([str(tests), str(tests.parent)])
    started = []

    def begin(what):
        one = subprocess.Popen(
            [sys.executable, "-W", "error", program, what],
            env={**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(one)
        return one

    yield begin
    for one in started:
        with suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def gone(group, seconds=60):
    """Whether no process of the group is left, after a while."""
    until = time.monotonic() + seconds
    while alive(group) and time.monotonic() < until:
        time.sleep(0.1)
    return not alive(group)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "status"), [("all", 0), ("broken", 0), ("killed", 0), ("raise", 7)]
)
def test_processes_read_the_same_say_what_is_wrong_and_leave_nothing(
    start, what, status
):
    one = start(what)
    _, errors = one.communicate(timeout=120)
    assert (one.returncode, errors) == (status, "")
    assert gone(one.pid)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_processes_that_read_end_when_the_run_is_killed(start, number):
    one = start("sleep")
    assert one.stdout.readline() == "reading\n"
    os.kill(one.pid, number)
    assert one.wait(timeout=120) == -number
    assert gone(one.pid)


@pytest.mark.slow
def test_ctrl_c_for_all_of_them_does_not_stop_those_that_read(start):
    one = start("sleep")
    assert one.stdout.readline() == "reading\n"
    os.killpg(one.pid, signal.SIGINT)
    _, errors = one.communicate(timeout=120)
    assert errors.count("Traceback") == 1
    assert "KeyboardInterrupt" in errors
    assert gone(one.pid)
