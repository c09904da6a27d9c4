"""A search goes on from its folder, whatever ended it, and nothing is done twice."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sweep_runs import CALL, HALVED, ONE, compiling, same, search, small_training, whole

from rmsprop_jax import halving, log_uniform, sweep
from rmsprop_jax.sweeping import trials
from rmsprop_jax.sweeping.folder import Folder
from rmsprop_jax.sweeping.training import TrainingRun


def counter(hyperparameters, carry, start, steps):
    """Adds what it is given at each step; the carry is odd on purpose."""
    key = carry["key"]
    at = start + jnp.arange(steps, dtype=jnp.int32)
    total = carry["total"] + (steps * hyperparameters["x"]).astype(jnp.bfloat16)
    count = carry["count"] + jnp.int8(1)
    drawn = jax.random.uniform(jax.random.fold_in(key, start))
    metrics = {"loss": total.astype(jnp.float32), "at": at, "low": total}
    metrics["drawn"] = drawn
    return {"key": key, "total": total, "count": count}, metrics


ODD = TrainingRun(
    lambda h, key: {
        "key": key,
        "total": jnp.bfloat16(0) * h["x"].astype(jnp.bfloat16),
        "count": jnp.int8(0),
    },
    counter,
    4,
)


def test_any_carry_is_kept_keys_and_bfloat16_too(tmp_path):
    call = {"min_steps": 1, "factor": 2, "points": 4, "devices": ONE, "seeds": [5]}
    space = {"x": [1.0, 2.0, 3.0, 4.0]}

    def stop(rows):
        if rows[0]["steps"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        halving(ODD, space, **call, folder=tmp_path, report=stop)
    rungs = []
    table = halving(ODD, space, **call, folder=tmp_path, report=rungs.append)
    assert [rows[0]["steps"] for rows in rungs] == [4]
    same(table, halving(ODD, space, **call))
    assert table.curves[0]["at"].tolist() == [0, 1, 2, 3]
    drawn = jax.random.uniform(jax.random.fold_in(jax.random.key(5), 3))
    assert table.rows[0]["drawn"] == float(drawn)
    # 3.0 has less after a single step, but who went farthest is compared.
    assert table.best().hyperparameters == {"x": 1.0}


CHILD = """
import sys, time
sys.path[:0] = [{tests!r}]
import conftest
from sweep_runs import search
def report(rows):
    print(rows[0]["steps"], flush=True)
    if len(sys.argv) > 2:
        time.sleep(60)
table = search(folder=sys.argv[1], report=report)
"""


def child(folder, *arguments):
    code = CHILD.format(tests=str(Path(__file__).parent))
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )


def test_after_sigkill_no_finished_rung_is_repeated_and_the_end_is_the_same(tmp_path):
    with child(tmp_path, "and wait") as process:
        line = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert line == "3\n", process.stderr.read()
    assert process.wait(30) == -signal.SIGKILL
    rungs = []
    table = search(folder=tmp_path, report=rungs.append)
    assert [rows[0]["steps"] for rows in rungs] == [9, 27]
    same(table, whole()[0])
    with compiling() as compiled:
        same(search(folder=tmp_path, report=pytest.fail), whole()[0])
    assert compiled == []


@pytest.mark.slow
def test_after_sigkill_at_any_moment_the_end_is_the_same(tmp_path):
    for i in range(6):
        with child(tmp_path) as process:
            time.sleep(1 + 0.7 * i)
            process.kill()
    same(search(folder=tmp_path), whole()[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 1}, "seed=0, this one 1"),
        ({"points": 10}, "trials="),
        ({"max_steps": 9}, "brackets="),
        ({"seeds": 2}, "seeds="),
        ({"mode": "max"}, "mode='min', this one 'max'"),
        ({"batch_size": 2}, "batch_size="),
    ],
)
def test_a_folder_of_other_settings_is_refused(tmp_path, options, said):
    with pytest.raises(InterruptedError):
        search(folder=tmp_path, report=interrupt)
    kept = (tmp_path / "progress.npz").read_bytes()
    with compiling() as compiled, pytest.raises(ValueError, match=said):
        search(folder=tmp_path, **options)
    assert compiled == []
    assert (tmp_path / "progress.npz").read_bytes() == kept


def interrupt(rows):
    raise InterruptedError(len(rows))


def test_a_folder_of_another_run_is_refused(tmp_path):
    with pytest.raises(InterruptedError):
        search(folder=tmp_path, report=interrupt)
    other = small_training(steps=27, validation=lambda p: {"norm": p["a"].sum()})
    with pytest.raises(ValueError, match="run="):
        halving(other, HALVED, **CALL, metric="loss", folder=tmp_path)
    space = HALVED | {"learning_rate": log_uniform(1e-4, 1.0)}
    with pytest.raises(ValueError, match="space="):
        halving(small_training(steps=27), space, **CALL, folder=tmp_path)


def test_a_half_written_file_is_never_where_the_whole_one_is(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    folder.keep_progress({"rung": 1}, {"a": np.arange(3)})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.keep_progress({"rung": 2}, {"a": np.arange(9)})
    facts, arrays = folder.progress()
    assert facts == {"rung": 1}
    assert arrays["a"].tolist() == [0, 1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["progress.npz"]


def test_settings_are_readable(tmp_path):
    with pytest.raises(InterruptedError):
        search(folder=tmp_path, report=interrupt)
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert settings["brackets"] == [[[9, 3, 1], [3, 9, 27]]]


def double(hyperparameters, key):
    return 10 * hyperparameters["x"] + hyperparameters["y"] + jax.random.uniform(key)


@pytest.mark.parametrize(
    "other",
    [
        {"space": {"y": [3.0, 4.0], "x": [1.0, 2.0]}},
        {"space": {"x": [2.0, 1.0], "y": [3.0, 4.0]}},
        {"space": {"x": np.array([1.0, 2.0 + 1e-9]), "y": [3.0, 4.0]}},
        {"seeds": [1, 0]},
    ],
    ids=["other order of names", "of values", "nearly the same", "of seeds"],
)
def test_results_of_other_trials_are_not_taken(other, tmp_path):
    call = {"space": {"x": [1.0, 2.0], "y": [3.0, 4.0]}, "seeds": [0, 1]}
    first = sweep(double, **call, folder=tmp_path)
    same = call | {"space": {"x": np.array([1.0, 2.0]), "y": (3.0, 4.0)}}
    assert sweep(double, **same, folder=tmp_path).rows == first.rows
    with pytest.raises(ValueError, match="the search in it has"):
        sweep(double, **call | other, folder=tmp_path)


def test_progress_without_its_settings_is_no_start(tmp_path):
    space = {"x": [1.0], "y": [3.0]}
    sweep(double, space, folder=tmp_path)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ValueError, match=r"and not what was searched"):
        sweep(double, space, folder=tmp_path)


DAMAGED = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "something else": lambda _: b"results of another kind",
    "without what was kept": lambda _: npz(x=np.arange(3)),
    "without an array": lambda _: npz(
        facts=np.frombuffer(
            b'{"facts": {}, "arrays": {"0 loss": ["float32", []]}}', "u1"
        )
    ),
}


def npz(**arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_progress_is_named_and_the_way_out_is_one(damage, tmp_path):
    space, file = {"x": [1.0], "y": [3.0]}, tmp_path / "progress.npz"
    whole_one = sweep(double, space, folder=tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    with compiling() as compiled, pytest.raises(ValueError, match=r"folder=.*damaged"):
        sweep(double, space, folder=tmp_path)
    assert compiled == []
    file.unlink()
    assert sweep(double, space, folder=tmp_path).rows == whole_one.rows


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", '{"lr": 1}', '{"search": "sweep"}']
)
@pytest.mark.parametrize("search_", [sweep, halving], ids=["sweep", "halving"])
def test_settings_of_something_else_are_named(content, search_, tmp_path):
    (tmp_path / "settings.json").write_text(content)
    more = {} if search_ is sweep else {"points": 1, "min_steps": 8}
    with pytest.raises(ValueError, match=r"folder=.*settings\.json is not that of"):
        search_(small_training(), {"learning_rate": [0.1]}, **more, folder=tmp_path)
    assert (tmp_path / "settings.json").read_text() == content


def made_here():
    return lambda x: 2 * x


class Plain:
    """Two of these look alike but for where they lie in memory."""


UNKNOWABLE = {
    "a lambda": lambda x: x,
    "a closure": made_here(),
    "a partial one": functools.partial(made_here(), 1),
    "an object": Plain(),
    "in a tuple": ("word", made_here()),
}


@pytest.mark.parametrize("value", UNKNOWABLE.values(), ids=UNKNOWABLE)
def test_what_another_process_cannot_know_again_is_not_kept(value, tmp_path):
    def run(h, key):
        del key
        return 2 * h["x"] if h["how"] is not None else h["x"]

    space = {"x": [1.0], "how": [value]}
    assert len(sweep(run, space)) == 1
    with (
        compiling() as compiled,
        pytest.raises(ValueError, match=r"how=.*another proc"),
    ):
        sweep(run, space, folder=tmp_path)
    assert compiled == []
    space["how"] = [double, "a word at 0x1", np.float64, (1, "b")]
    assert len(sweep(run, space, folder=tmp_path)) == 4


def test_points_that_are_drawn_otherwise_than_they_were_are_noticed(
    tmp_path, monkeypatch
):
    call = {"space": {"x": log_uniform(1.0, 2.0), "y": [3.0]}, "points": 4}
    sweep(double, **call, folder=tmp_path)
    draw = trials.draw
    monkeypatch.setattr(trials, "draw", lambda *a, **k: draw(*a, **k)[::-1])
    with pytest.raises(ValueError, match="the search in it has digest="):
        sweep(double, **call, folder=tmp_path)
