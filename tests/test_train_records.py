import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from rmsprop_jax.train.records import Records, read


def rows_to(step):
    return [{"step": k, "kind": "train", "loss": 1 / k} for k in range(1, step + 1)]


def write(path, rows):
    with Records(path) as records:
        for row in rows:
            records.append(row)


def test_rows_come_back_as_they_were_in_order(tmp_path):
    rows = [
        {"step": 0, "kind": "train", "loss": 0.1, "skipped": None, "ok": True},
        {"step": 2**40, "loss": np.float64(1e-300), "accuracy": 0, "ü\n": "ü\n"},
    ]
    write(tmp_path / "a/b/metrics.jsonl", rows)
    assert read(tmp_path / "a/b/metrics.jsonl") == rows


def test_a_row_is_in_the_file_as_one_line_when_append_returns(tmp_path):
    path = tmp_path / "metrics.jsonl"
    records = Records(path)
    for k, row in enumerate(rows_to(3)):
        records.append(row)
        assert path.read_bytes().count(b"\n") == k + 1
        assert read(path) == rows_to(3)[: k + 1]
    records.sync()
    records.close()
    records.close()


def test_what_is_not_finite_is_json_of_the_strict_kind_and_comes_back(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [{"step": 1, "a": math.nan, "b": math.inf, "c": np.float64(-math.inf)}])

    def refuse(constant):
        raise AssertionError(constant)

    strict = json.loads(path.read_text(), parse_constant=refuse)
    assert strict == {"step": 1, "a": "NaN", "b": "Infinity", "c": "-Infinity"}
    (row,) = read(path)
    assert math.isnan(row["a"])
    assert (row["b"], row["c"]) == (math.inf, -math.inf)


@pytest.mark.parametrize("after", [0, 1, 3, 5, 9])
def test_resumed_rows_have_neither_gaps_nor_doubles(tmp_path, after):
    path = tmp_path / "metrics.jsonl"
    write(path, rows_to(5))
    whole = path.read_bytes()
    with Records(path, after=after) as records:
        assert read(path) == rows_to(min(after, 5))
        for row in rows_to(5)[after:]:
            records.append(row)
    assert path.read_bytes() == whole
    assert os.listdir(tmp_path) == ["metrics.jsonl"]


def test_both_kinds_of_row_of_the_step_resumed_from_stay(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": 4, "kind": kind} for kind in ("train", "epoch")]
    write(path, [*rows, {"step": 5, "kind": "train"}])
    Records(path, after=4).close()
    assert read(path) == rows


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_line_torn_anywhere_is_left_out_and_the_next_row_is_whole(tmp_path, cut):
    path = tmp_path / "metrics.jsonl"
    write(path, [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}])
    whole = path.read_bytes()
    line = len(whole) - whole.index(b"\n") - 1
    path.write_bytes(whole[:-cut])
    kept = [1, 2] if cut == 1 else [1]
    assert cut < line
    assert [row["step"] for row in read(path)] == kept
    with Records(path) as records:
        records.append({"step": 3})
    assert [row["step"] for row in read(path)] == [*kept, 3]
    assert path.read_bytes().endswith(b'{"step": 3}\n')


@pytest.mark.parametrize("middle", [b'{"step": 2, "lo', b"[2]", b'{"loss": 1}', b""])
@pytest.mark.parametrize("use", [read, Records])
def test_a_broken_line_before_the_last_is_an_error_with_its_place(
    tmp_path, middle, use
):
    path = tmp_path / "metrics.jsonl"
    content = b'{"step": 1}\n' + middle + b'\n{"step": 3}\n'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 2: expected a JSON"):
        use(path)
    assert path.read_bytes() == content


def test_a_last_line_that_has_its_end_and_is_no_row_is_not_taken_for_torn(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2, "lo\n')
    with pytest.raises(ValueError, match="line 2"):
        read(path)


def test_a_repair_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    write(path, rows_to(5))
    whole = path.read_bytes()

    def fail(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        Records(path, after=2)
    assert path.read_bytes() == whole


def test_a_file_with_nothing_to_drop_is_not_written_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, rows_to(3))
    before = path.stat().st_ino
    Records(path, after=3).close()
    assert path.stat().st_ino == before


@pytest.mark.parametrize(
    ("row", "error", "words"),
    [
        ({"loss": 1.0}, ValueError, "integer under 'step'"),
        ({"step": 1.0}, ValueError, "integer under 'step'"),
        ({"step": True}, ValueError, "integer under 'step'"),
        ({"step": 1, "loss": np.float32(1)}, TypeError, r"row\['loss'\]=np.float32"),
        ({"step": 1, "loss": [1.0]}, TypeError, r"row\['loss'\]=\[1.0\]"),
        ({"step": 1, "note": "NaN"}, ValueError, r"float\('nan'\)"),
        ({"step": 1, 2: 1.0}, TypeError, "strings as keys, got 2"),
    ],
)
def test_a_row_that_would_not_come_back_is_refused_and_not_written(
    tmp_path, row, error, words
):
    records = Records(tmp_path / "metrics.jsonl")
    with pytest.raises(error, match=words):
        records.append(row)
    assert read(records.path) == []
    records.close()


@pytest.mark.parametrize("after", [-1, 1.0, True])
def test_a_step_that_is_none_is_refused(tmp_path, after):
    with pytest.raises(ValueError, match="after="):
        Records(tmp_path / "metrics.jsonl", after=after)
    assert not (tmp_path / "metrics.jsonl").exists()


FILL = """
import resource, signal, sys
from rmsprop_jax.train.records import Records, read
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30, 30))
records = Records(sys.argv[1])
records.append({"step": 1, "loss": 0.5})
try:
    records.append({"step": 2, "loss": 0.5})
except OSError as error:
    print(open(sys.argv[1]).read(), end="")
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files")
def test_a_row_that_finds_no_room_is_an_error_and_leaves_no_half_line(tmp_path):
    command = [sys.executable, "-c", FILL, str(tmp_path / "metrics.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == '{"step": 1, "loss": 0.5}\n'
