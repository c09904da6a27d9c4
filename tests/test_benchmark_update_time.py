"""The benchmark of the update: what it measures, divides and leaves out."""

import json
import math
import sys
from types import SimpleNamespace

import pytest

from benchmarks import measure, receipts, trees, update_time
from benchmarks.update_sides import SIDES
from rmsprop_jax.state_dtype import MIN_SIZE


@pytest.mark.parametrize(
    ("tree", "leaves", "numbers"),
    [
        ("matrix", 1, 2**26),
        ("resnet50", 161, 25_557_032),
        ("gpt2", 148, 124_439_808),
        ("thousand", 1000, 32_000),
    ],
)
def test_a_tree_has_the_published_number_of_arrays_and_parameters(
    tree, leaves, numbers
):
    shapes = trees.TREES[tree]()
    assert len(shapes) == leaves
    assert trees.count(shapes) == numbers


@pytest.mark.parametrize("tree", ["matrix", "resnet50", "gpt2"])
def test_a_cut_tree_still_has_an_array_that_rests_in_eight_bits(tree):
    sizes = [math.prod(x) for x in trees.cut(trees.TREES[tree]()).values()]
    assert MIN_SIZE <= max(sizes) <= 64**2 * 49


def test_a_summary_is_median_and_tenths():
    assert measure.summary([3.0, 1.0, 2.0, 11.0, 4.0]) == pytest.approx(
        {"median": 3.0, "p10": 1.4, "p90": 8.2, "n": 5}
    )
    assert measure.summary([2.0]) == {"median": 2.0, "p10": 2.0, "p90": 2.0, "n": 1}


def test_sides_take_turns_there_and_back():
    order = []

    def side(name):
        order.append(name)
        return len(order)

    sides = {name: lambda name=name: side(name) for name in "abc"}
    values = measure.in_turns(sides, 3, patience=60.0)
    assert "".join(order) == "abccbaabc"
    assert values == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_a_side_that_took_too_long_stays_out_of_later_rounds(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        measure, "time", SimpleNamespace(perf_counter=lambda: clock.now)
    )

    def lasting(seconds):
        def side():
            clock.now += seconds
            return seconds

        return side

    values = measure.in_turns({"slow": lasting(6), "fast": lasting(1)}, 5, patience=10)
    assert values == {"slow": [6, 6], "fast": [1] * 5}


@pytest.mark.parametrize("seconds", [0.5, 0.004])
def test_as_many_calls_as_last_long_enough_are_timed_and_one_goes_first(
    monkeypatch, seconds
):
    clock, calls, batches = SimpleNamespace(now=0.0), [], []
    fake = SimpleNamespace(perf_counter=lambda: clock.now, sleep=lambda _: None)
    monkeypatch.setattr(measure, "time", fake)

    def wait():
        # The very first call is slow, as one that fills a cache.
        clock.now += len(calls) * seconds + (7 if not clock.now else 0)
        batches.append(len(calls))
        calls.clear()

    measured = measure.seconds_of(lambda: calls.append(1), wait, lasting=0.1)
    assert measured == pytest.approx(seconds)
    assert batches[-2] == 1
    assert 0.1 <= batches[-1] * seconds <= max(0.2, seconds)


def test_other_programs_are_the_machine_less_this_process(monkeypatch):
    def monotone(*values):
        left = list(values)
        return lambda: left.pop(0)

    monkeypatch.setattr(measure, "_machine_seconds", monotone(10.0, 17.0))
    monkeypatch.setattr(measure, "_own_seconds", monotone(1.0, 4.0))
    monkeypatch.setattr(
        measure, "time", SimpleNamespace(monotonic=monotone(100.0, 102.0))
    )
    with measure.other_programs() as others:
        pass
    assert others == {"others_cores": 2.0}


SECONDS = {
    "step": {"floor": [1.0, 3.0, 2.0], "optax": [8.0, 10.0, 9.0], "int8": [4.0, 20.0]},
    "trace": {"int8": [3.0]},
}


def test_a_row_has_the_floor_and_the_ratios_within_rounds():
    moved = {"floor": 8_000_000_000, "optax": 20_000_000_000, "int8": 14_000_000_000}
    rows = list(update_time.rows_of(SECONDS, SIDES, moved, 1_000_000_000))
    of = {(row["side"], row["measured"]): row for row in rows}
    assert of["floor", "step"]["gigabytes_per_second"] == 4.0
    assert of["optax", "step"]["times_floor"] == pytest.approx(9 / 5)
    assert of["optax", "step"]["times_peer"] == 1.0
    # 4/8 and 20/10, and not 12/9.
    assert of["int8", "step"]["times_peer"] == 1.25
    assert of["int8", "step"]["n"] == 2
    assert of["int8", "step"]["bytes_per_parameter"] == 14.0
    assert of["int8", "trace"]["times_peer"] is None
    assert "bytes" not in of["int8", "trace"]


def table_of(others, left_out):
    moved = dict.fromkeys(SECONDS["step"], 10**9)
    about = {
        "tree": "matrix", "leaves": 1, "parameters": 10**9, "device": "a device",
        "commit": "c0ffee", "date": "today", "others_cores": others,
        "left_out": left_out,
    }  # fmt: skip
    rows = update_time.rows_of(SECONDS, SIDES, moved, 10**9)
    return list(update_time.table([about | row for row in rows]))


def test_the_table_has_a_line_for_each_side_and_as_many_cells_in_all():
    lines = [line for line in table_of(0.0, {}) if line.startswith("|")]
    assert len(lines) == 2 + len(SECONDS["step"])
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert any("| rmsprop, int8 state | 1.00 | 1.2e+04 (" in line for line in lines)


def test_the_table_says_when_the_machine_was_shared_and_what_is_missing():
    quiet = "\n".join(table_of(0.0, {}))
    assert "NOT A QUIET MACHINE" not in quiet
    assert "Without" not in quiet
    busy = "\n".join(table_of(2 * receipts.QUIET, {"a": "why", "b": "why"}))
    assert "NOT A QUIET MACHINE" in busy
    assert "Without a, b: why." in busy


def failing(framework):
    def make(*_):
        raise ValueError("it cannot\nand says more")

    return {"x": SIDES["torch-loop"]._replace(framework=framework, make=make)}


def test_a_peer_that_cannot_is_left_out_with_its_reason(monkeypatch):
    monkeypatch.setattr(update_time, "TorchArrays", lambda _: None)
    monkeypatch.setattr(update_time, "OnTorch", lambda side, _: side.make())
    running, left_out = update_time.at_work(failing("torch"), {"w": (64, 64)})
    assert running == {}
    assert left_out == {"x": "ValueError: it cannot"}


def test_one_on_jax_that_cannot_fails_the_run():
    with pytest.raises(ValueError, match="it cannot"):
        update_time.at_work(failing("jax"), {"w": (64, 64)})


def test_minutes_of_compilation_have_to_be_asked_for():
    assert "torch-compile" in update_time.chosen(None, "gpt2", smoke=False)
    assert "torch-compile" not in update_time.chosen(None, "gpt2", smoke=True)
    assert "torch-compile" not in update_time.chosen(None, "thousand", smoke=False)
    assert list(update_time.chosen(["torch-compile"], "thousand", smoke=True)) == [
        "torch-compile"
    ]


def smoke(out, *options):
    command = [sys.executable, "-m", "benchmarks.update_time", "--smoke", *options]
    command += ["--out", str(out)] if out else []
    done = measure.subprocess.run(
        command, cwd=measure.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_runs_and_a_line_says_where_it_comes_from(tmp_path):
    out = tmp_path / "new" / "update_time.jsonl"
    sides = ["optax", "float32", "int8"]
    printed = smoke(out, "--trees", "matrix", "thousand", "--sides", *sides)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert printed.count("| optax.rmsprop | 20.00 |") == 2
    measured = {(row["tree"], row["side"], row["measured"]) for row in rows}
    kinds = {"trace", "compile", "step", "dispatch"}
    steps = {("matrix", side, kind) for side in sides for kind in kinds}
    steps |= {("thousand", side, kind) for side in sides[:2] for kind in kinds}
    steps |= {(tree, "floor", "step") for tree in ("matrix", "thousand")}
    assert measured == steps
    said = {"commit", "cpu", "cores", "versions", "date", "others_cores", "device"}
    said |= {"question", "smoke", "leaves", "parameters", "left_out", "median", "n"}
    assert all(said <= row.keys() for row in rows)
    assert all(row["smoke"] for row in rows)


@pytest.mark.slow
def test_a_smoke_run_measures_all_sides_and_leaves_no_receipts():
    before = update_time.RESULTS.exists() and update_time.RESULTS.read_bytes()
    # Arrays of four axes and of one; of the other trees, see above.
    printed = smoke(None, "--trees", "resnet50")
    after = update_time.RESULTS.exists() and update_time.RESULTS.read_bytes()
    assert before == after
    for side in SIDES.values():
        if side.framework == "jax":
            assert f"| {side.label} |" in printed
