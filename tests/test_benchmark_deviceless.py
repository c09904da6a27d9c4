"""The command that compiles for absent accelerators, without compiling anything."""

import json

import pytest

from benchmarks import deviceless

ROW = {
    "program": "float32",
    "kernels_a_leaf": 1.0,
    "copies_a_leaf": 0.0,
    "bytes_a_parameter": 20.000001,
    "temp_bytes": 16,
    "outputs_in_place": 6,
    "collectives": [],
}


@pytest.fixture
def asked(monkeypatch):
    """What the command would have compiled; every compiler counts as installed."""
    calls = []

    def measured(target, programs):
        calls.append((target, programs))
        return [ROW]

    monkeypatch.setattr(deviceless, "missing", lambda _: [])
    monkeypatch.setattr(deviceless, "measured", measured)
    monkeypatch.setattr(deviceless, "version", lambda name: f"{name}'s")
    return calls


def test_what_is_not_installed_is_said_before_anything_is_compiled(monkeypatch, capsys):
    monkeypatch.setattr(deviceless, "missing", lambda _: ["libtpu"])
    monkeypatch.setattr(deviceless, "measured", None)
    with pytest.raises(SystemExit):
        deviceless.main(["--targets", "v5e"])
    assert "v5e: libtpu not installed; expected the extra" in capsys.readouterr().err


def test_a_package_of_no_such_name_is_missing(monkeypatch):
    monkeypatch.setitem(deviceless.NEEDED, "v5e", {"no_such.module": "x", "json": "y"})
    assert deviceless.missing("v5e") == ["no_such.module"]


def test_a_receipt_says_where_it_comes_from_and_names_no_folder(asked, tmp_path):
    out = tmp_path / "new" / "deviceless.jsonl"
    assert deviceless.main(["--out", str(out)]) == 0
    assert asked == [("h200", []), ("v5e", [])]
    gpu, tpu = (json.loads(line) for line in out.read_text().splitlines())
    said = {"question", "smoke", "target", "commit", "python", "versions", "date"}
    assert gpu.keys() == tpu.keys() == ROW.keys() | said
    assert (gpu["target"], tpu["target"]) == ("NVIDIA H200", "TPU v5e")
    assert {"jax", "jaxlib", "jax-cuda13-plugin"} <= gpu["versions"].keys()
    assert tpu["versions"]["libtpu"] == "libtpu's"
    assert "/" not in json.dumps({**gpu, "question": ""})


@pytest.mark.usefixtures("asked")
def test_a_smoke_run_leaves_no_receipt(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(deviceless, "RESULTS", tmp_path / "x.jsonl")
    deviceless.main(["--smoke"])
    assert not deviceless.RESULTS.exists()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "| float32 | 1 | 20.00 | 1 | 20.00 |"
    )


def test_a_process_that_fails_is_quoted():
    with pytest.raises(RuntimeError, match=r"v5e: exit status 1\n(.|\n)*Error"):
        deviceless.measured("v5e", ["no such program"])
