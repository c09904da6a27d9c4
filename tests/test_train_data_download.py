import contextlib
import socket
import threading
import time

import loopback_mirror as loopback
import pytest

from rmsprop_jax.train.data import download
from rmsprop_jax.train.data.download import fetch

NAME = "some-file.gz"
DATA = bytes(range(256)) * 8
FILES = {NAME: DATA}
# What is borne where silence is to end in something, and where nothing is to be borne:
# a busy machine may be silent for a while too.
PATIENCE, ENDLESS = 0.6, 20

DEAD = ["refusing", "silent", "black hole", "name server"]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    loopback.isolate(monkeypatch, tmp_path)
    monkeypatch.setattr(download, "_HEADSTART", 0.1)


@pytest.fixture
def until():
    """An event that is set at the end, so that no server waits for its timeout."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def dead(stack, until, monkeypatch):
    """Makes an address where no data come from, in the way that its name says."""

    def resolve(host, *args, **kwargs):
        if host == "hangs.invalid":
            until.wait(100)
        return real(host, *args, **kwargs)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def make(kind):
        if kind == "refusing":
            return stack.enter_context(loopback.refusing())
        if kind == "silent":
            return stack.enter_context(loopback.mirror(loopback.silent(until)))
        if kind == "black hole":
            return stack.enter_context(loopback.black_hole())
        return "http://hangs.invalid/"

    return make


def check(path):
    if path.read_bytes() != DATA:
        raise ValueError(f"{path}: expected DATA, found something else.")


def get(mirrors, folder, **options):
    """The mirror that had the file, and how long it took."""
    began = time.monotonic()
    options = {"patience": ENDLESS, "stalled": ENDLESS, **options}
    mirror = fetch(NAME, mirrors, check, folder, **options)
    assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [(NAME, DATA)]
    return mirror, time.monotonic() - began


def why_not(mirrors, folder, **options):
    """The error where no mirror has the file, and how long it took."""
    began = time.monotonic()
    with pytest.raises(ConnectionError) as caught:
        get(mirrors, folder, **options)
    assert list(folder.iterdir()) == []
    return str(caught.value), time.monotonic() - began


def bad_mirrors(until):
    return {
        "404 Not Found": loopback.status(404),
        "expected DATA, found something else": loopback.serving({NAME: DATA[:-1]}),
        "broke off after 1024 of 2048 bytes": loopback.breaking_off(FILES),
        "broke off after 1024 bytes, timed out": loopback.stalling(FILES, until),
        "no answer in time": loopback.silent(until),
        "timed out": loopback.stalling({NAME: b""}, until, length=2048),
        "Remote end closed connection without response": lambda *_: None,
        "BadStatusLine, SSH-2.0": lambda handler, _: handler.wfile.write(b"SSH-2.0\n"),
    }


REASONS = list(bad_mirrors(None))


def borne(reason):
    """Which silence is borne for how long, so that it ends in `reason`."""
    return {
        "patience": PATIENCE if reason == "no answer in time" else ENDLESS,
        "stalled": PATIENCE if "timed out" in reason else ENDLESS,
    }


def test_a_file_is_fetched_into_a_new_folder(tmp_path, stack):
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    mirror, _ = get([good], tmp_path / "a" / "b")
    assert mirror == good


@pytest.mark.parametrize("reason", REASONS)
def test_a_bad_mirror_is_named_with_its_reason(tmp_path, stack, until, reason):
    bad = stack.enter_context(loopback.mirror(bad_mirrors(until)[reason]))
    message, _ = why_not([bad], tmp_path, **borne(reason))
    host = bad.split("/")[2]
    assert message == f"{NAME} cannot be downloaded. {host}: {reason}."


@pytest.mark.parametrize("reason", REASONS)
def test_after_a_bad_mirror_the_next_is_asked(tmp_path, stack, until, reason):
    bad = stack.enter_context(loopback.mirror(bad_mirrors(until)[reason]))
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    options = borne(reason) | {"patience": ENDLESS}
    assert get([bad, good], tmp_path, **options)[0] == good


def test_a_redirection_is_followed(tmp_path, stack):
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    moved = stack.enter_context(loopback.mirror(loopback.redirecting(good)))
    assert get([moved], tmp_path)[0] == moved


@pytest.mark.parametrize("kind", DEAD)
def test_a_dead_mirror_costs_the_headstart_and_no_more(tmp_path, stack, dead, kind):
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    mirror, took = get([dead(kind), good], tmp_path)
    assert mirror == good
    assert took < ENDLESS / 4


def test_no_network_is_known_within_the_patience_for_all_mirrors(tmp_path, dead):
    mirrors = [dead(kind) for kind in DEAD]
    message, took = why_not(mirrors, tmp_path, patience=2)
    assert "Connection refused" in message
    assert "no answer in time" in message
    assert 1.9 < took < 2 * 2  # And not that for each of the three that are silent.


def test_mirrors_that_there_was_no_time_to_ask_are_named_too(
    tmp_path, dead, monkeypatch
):
    monkeypatch.setattr(download, "_HEADSTART", 1)
    mirrors = [dead("silent") for _ in range(3)]
    message, _ = why_not(mirrors, tmp_path, patience=1.5)
    hosts = [mirror.split("/")[2] for mirror in mirrors]
    assert f"{hosts[0]}, {hosts[1]}: no answer in time; {hosts[2]}: no time" in message


def test_mirrors_that_answer_badly_and_late_share_the_patience(
    tmp_path, stack, monkeypatch
):
    def late(handler, _):
        time.sleep(0.9)
        handler.send_error(404)

    monkeypatch.setattr(download, "_HEADSTART", 10)
    mirrors = [stack.enter_context(loopback.mirror(late)) for _ in range(3)]
    message, _ = why_not(mirrors, tmp_path, patience=1.5)
    first, second, third = (mirror.split("/")[2] for mirror in mirrors)
    assert f"{first}: 404 Not Found; {second}: no answer in time; {third}" in message


@pytest.mark.slow
def test_the_default_patience_ends_within_five_seconds(tmp_path, dead):
    mirrors = [dead(kind) for kind in DEAD]

    def took():
        return why_not(mirrors, tmp_path, patience=download.PATIENCE)[1]

    # Once is enough: the machine may be busy.
    assert any(took() < 5 for _ in range(3))


def test_a_slow_mirror_may_take_longer_than_the_patience(tmp_path, stack):
    slow = loopback.dripping({NAME: DATA[:320]}, pause=0.1)
    mirror = stack.enter_context(loopback.mirror(slow))
    began = time.monotonic()
    fetch(NAME, [mirror], lambda _: None, tmp_path, patience=1, stalled=1)
    assert time.monotonic() - began > 1.9
    assert (tmp_path / NAME).read_bytes() == DATA[:320]


def test_progress_is_told_up_to_the_whole(tmp_path, stack):
    good = stack.enter_context(loopback.mirror(loopback.dripping(FILES, pause=0)))
    told = []
    get([good], tmp_path, progress=lambda *now: told.append(now))
    sizes = [size for _, size, _ in told]
    assert sizes == sorted(set(sizes))
    assert {(name, whole) for name, _, whole in told} == {(NAME, len(DATA))}
    assert sizes[-1] == len(DATA)


def test_a_mirror_that_never_ends_is_left(tmp_path, stack, monkeypatch):
    monkeypatch.setattr(download, "_MOST_BYTES", 1000)
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    assert "sent more than 1000 bytes" in why_not([good], tmp_path)[0]


def test_a_proxy_in_the_environment_is_used(tmp_path, stack, monkeypatch):
    requests = []
    proxy = loopback.mirror(loopback.serving(FILES), requests)
    monkeypatch.setenv("http_proxy", stack.enter_context(proxy))
    get(["http://nowhere.invalid/here/"], tmp_path)
    assert requests == [f"http://nowhere.invalid/here/{NAME}"]


def test_a_folder_that_cannot_be_made_is_no_fault_of_the_mirrors(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        fetch(NAME, ["http://127.0.0.1:9/"], check, tmp_path / "file" / "folder")
    assert not isinstance(caught.value, ConnectionError)


def test_the_file_before_stays_until_the_new_one_is_whole(tmp_path, stack):
    (tmp_path / NAME).write_bytes(b"before")
    bad = stack.enter_context(loopback.mirror(loopback.breaking_off(FILES)))
    with pytest.raises(ConnectionError):
        get([bad], tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"before"


def test_an_interrupt_leaves_nothing_behind(tmp_path, stack):
    def interrupt(*_):
        assert len(list(tmp_path.iterdir())) == 1
        raise KeyboardInterrupt

    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    with pytest.raises(KeyboardInterrupt):
        get([good], tmp_path, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_the_part_of_a_process_that_may_live_is_left_alone(tmp_path, stack):
    part = tmp_path / f".{NAME}.0123.part"
    part.write_bytes(b"")
    good = stack.enter_context(loopback.mirror(loopback.serving(FILES)))
    fetch(NAME, [good], check, tmp_path)
    assert sorted(tmp_path.iterdir()) == [part, tmp_path / NAME]
