import math
import struct

import numpy as np
import pytest

from rmsprop_jax.train.tensorboard import EventFile, crc32c

ROWS = [
    {"step": 1, "epoch": 1, "kind": "train", "loss": 0.5, "skipped": 0, "ok": True},
    {"step": 300, "epoch": 1, "kind": "epoch", "test/loss": 0.1, "test/ünï": -1e9},
    {
        "step": 2**40,
        "epoch": 2,
        "loss": math.nan,
        "a": math.inf,
        "b": -1e300,
        "c": None,
    },
]


def bitwise_crc32c(data):
    """One bit at a time: not the way the library does it."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(8):
            crc ^= byte >> bit & 1
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = bitwise_crc32c(data)
    rotated = (crc >> 15) | ((crc & 0x7FFF) << 17)
    return (rotated + 0xA282EAD8) % 2**32


def records_of(path):
    data, out = path.read_bytes(), []
    while data:
        (length,) = struct.unpack_from("<Q", data)
        assert struct.unpack_from("<I", data, 8) == (masked(data[:8]),)
        body = data[12 : 12 + length]
        assert struct.unpack_from("<I", data, 12 + length) == (masked(body),)
        out.append(fields_of(body))
        data = data[16 + length :]
    return out


def fields_of(data):
    """Protocol buffers without their types: [(field number, raw value)]."""

    def varint():
        nonlocal data
        out = shift = 0
        while True:
            byte, data = data[0], data[1:]
            out |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return out

    out = []
    while data:
        number, kind = divmod(varint(), 8)
        if kind == 0:
            out.append((number, varint()))
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        value, data = data[:size], data[size:]
        assert len(value) == size
        out.append((number, value))
    return out


def scalars_of(event):
    (summary,) = [value for number, value in event if number == 5]
    out = {}
    for _, value in fields_of(summary):
        tag, number = dict(fields_of(value))[1], dict(fields_of(value))[2]
        out[tag.decode()] = struct.unpack("<f", number)[0]
    return out


def test_the_checksum_is_that_of_rfc_3720():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E
    data = np.random.default_rng(0).bytes(1000)
    assert crc32c(data) == bitwise_crc32c(data)


def test_every_number_of_a_row_is_an_event_at_its_step(tmp_path, monkeypatch):
    monkeypatch.setattr("rmsprop_jax.train.tensorboard.time.time", lambda: 1234.5)
    with EventFile(tmp_path) as events:
        for row in ROWS:
            events.add(row)
    first, *rest = records_of(events.path)
    assert first == [(1, struct.pack("<d", 1234.5)), (3, b"brain.Event:2")]
    assert [dict(event)[2] for event in rest] == [1, 300, 2**40]
    assert scalars_of(rest[0]) == {"loss": 0.5, "skipped": 0.0}
    assert scalars_of(rest[1]) == {"test/loss": np.float32(0.1), "test/ünï": -1e9}
    last = scalars_of(rest[2])
    assert math.isnan(last.pop("loss"))
    assert last == {"a": math.inf, "b": -math.inf}


def test_an_event_is_in_the_file_when_add_returns(tmp_path):
    with EventFile(tmp_path) as events:
        for k, row in enumerate(ROWS):
            events.add(row)
            assert len(records_of(events.path)) == k + 2
        events.flush()
    events.close()


def test_a_row_without_numbers_is_no_event(tmp_path):
    with EventFile(tmp_path) as events:
        events.add({"step": 3, "epoch": 1, "kind": "epoch", "test/loss": None})
    assert len(records_of(events.path)) == 1


def test_a_resumed_run_says_that_later_steps_are_void(tmp_path):
    with EventFile(tmp_path, resumed_at=300) as events:
        pass
    _, start = records_of(events.path)
    assert dict(start)[2] == 301
    assert fields_of(dict(start)[7]) == [(1, 1)]


def test_files_sort_in_the_order_of_their_runs_also_within_a_second(tmp_path):
    (tmp_path / "events.out.tfevents.4000000000.host.1.v2").touch()
    made = [EventFile(tmp_path, resumed_at=k) for k in range(3)]
    paths = [events.path for events in made]
    assert sorted(tmp_path.iterdir())[1:] == paths
    for events in made:
        events.close()


def test_what_has_no_step_is_refused(tmp_path):
    with EventFile(tmp_path) as events, pytest.raises(ValueError, match="a 'step'"):
        events.add({"loss": 1.0})
    with pytest.raises(ValueError, match="resumed_at=-1"):
        EventFile(tmp_path, resumed_at=-1)


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
def test_tensorboard_reads_the_rows_and_forgets_what_a_resume_voids(tmp_path):
    module = "tensorboard.backend.event_processing.event_accumulator"
    accumulator = pytest.importorskip(module)
    with EventFile(tmp_path) as events:
        for step in range(1, 11):
            events.add({"step": step, "loss": 1.0, "test/a": step / 8})
    with EventFile(tmp_path, resumed_at=4) as events:
        for step in range(5, 7):
            events.add({"step": step, "loss": 2.0})
    read = accumulator.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    read.Reload()
    assert sorted(read.Tags()["scalars"]) == ["loss", "test/a"]
    loss = [(event.step, event.value) for event in read.Scalars("loss")]
    assert loss == [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 2)]
    assert [event.value for event in read.Scalars("test/a")] == [
        k / 8 for k in (1, 2, 3, 4)
    ]


@pytest.mark.parity
@pytest.mark.filterwarnings("default")
def test_tensorflow_reads_the_events(tmp_path):
    tf = pytest.importorskip("tensorflow")
    with EventFile(tmp_path, resumed_at=7) as events:
        for row in ROWS:
            events.add(row)
    read = list(tf.compat.v1.train.summary_iterator(str(events.path)))
    assert read[0].file_version == "brain.Event:2"
    assert read[1].session_log.status == tf.compat.v1.SessionLog.START
    assert [event.step for event in read[1:]] == [8, 1, 300, 2**40]
    found = {value.tag: value.simple_value for value in read[3].summary.value}
    assert found == {"test/loss": np.float32(0.1), "test/ünï": -1e9}
