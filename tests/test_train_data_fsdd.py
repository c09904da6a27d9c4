"""The spoken digits: found, checked, downloaded, and what is refused by name."""

import io
import re
import tarfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from loopback_mirror import isolate, mirror, refusing, send, serving, write
from waves_made import recordings, tone, wav

from rmsprop_jax.train.data import fsdd, places
from rmsprop_jax.train.data.fsdd import Corpus, load

FILES = recordings(count=2)
NAMES = sorted(FILES)


def corpus(mirrors=("http://127.0.0.1:9/",), files=FILES):
    digest, marks = fsdd.digest(files)
    return Corpus(tuple(sorted(files)), digest, marks, "tiny.tar.gz", tuple(mirrors))


def packed(files=FILES, folder="digits-1.0/recordings", beside=("README.md",)):
    """An archive as GitHub makes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, data in [
            *((f"digits-1.0/{name}", b"words") for name in beside),
            *((f"{folder}/{name}", data) for name, data in files.items()),
        ]:
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture(autouse=True)
def _isolated(monkeypatch, tmp_path):
    isolate(monkeypatch, tmp_path)


@contextmanager
def served(archive, requests=None):
    with mirror(serving({"tiny.tar.gz": archive}), requests) as address:
        yield corpus([address])


def names(found):
    return [one.name for one in found]


@pytest.mark.parametrize(
    "below",
    ["", "recordings", "fsdd", "fsdd/recordings",
     "free-spoken-digit-dataset/recordings"],
)  # fmt: skip
def test_recordings_are_found_in_and_below_the_folder_named(below, tmp_path):
    write(tmp_path / "here" / below, FILES)
    assert names(load(tmp_path / "here", corpus=corpus())) == NAMES


def test_a_name_says_what_was_said_by_whom_and_what_is_for_testing(tmp_path):
    files = recordings(("ann",), count=6)
    found = load(write(tmp_path / "here", files), corpus=corpus(files=files))
    one = next(x for x in found if x.name == "7_ann_5.wav")
    assert (one.digit, one.speaker, one.index, one.tested) == (7, "ann", 5, False)
    assert one.wave.dtype == np.float32
    assert [x.index for x in found if x.tested] == 10 * [0, 1, 2, 3, 4]


def test_the_folder_of_the_environment_is_looked_in(tmp_path, monkeypatch):
    write(tmp_path / "here" / "fsdd" / "recordings", FILES)
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "here"))
    assert names(load(corpus=corpus())) == NAMES


def with_one(name, data):
    return {**FILES, name: data}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (with_one("3_ann_1.wav", wav(tone())), "3_ann_1.wav is changed, found"),
        (with_one("3_ann_1.wav", FILES["3_bob_1.wav"]), "3_ann_1.wav is changed"),
        (with_one("3_eve_0.wav", FILES["3_bob_1.wav"]), "3_eve_0.wav is unknown"),
        (dict(list(FILES.items())[1:]), "0_ann_0.wav is missing"),
        (
            dict(list(FILES.items())[5:]),
            "0_ann_0.wav, 0_ann_1.wav, 1_ann_0.wav and 2 more are missing",
        ),
    ],
    ids=["damaged", "exchanged", "one too many", "missing", "several missing"],
)
def test_what_is_not_the_data_set_is_refused_by_name(files, words, tmp_path):
    write(tmp_path / "here", files)
    with pytest.raises(ValueError, match=re.escape(words)) as refused:
        load(tmp_path / "here", corpus=corpus())
    assert str(tmp_path / "here") in str(refused.value)


def test_a_renamed_recording_is_both_missing_and_unknown(tmp_path):
    folder = write(tmp_path / "here", FILES)
    (folder / "4_bob_0.wav").rename(folder / "4_bob_9.wav")
    with pytest.raises(
        ValueError, match=r"4_bob_0\.wav is missing and 4_bob_9\.wav is"
    ):
        load(folder, corpus=corpus())


def test_a_folder_without_any_and_no_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"such as 0_ann_0\.wav, there or in"):
        load(tmp_path, corpus=corpus())
    with pytest.raises(ValueError, match="there is none of that name"):
        load(tmp_path / "nowhere", corpus=corpus())


def test_what_is_nowhere_is_downloaded_once(tmp_path):
    said, asked = [], []
    with served(packed(), asked) as row:
        first = load(corpus=row, say=said.append)
        again = load(corpus=row, say=said.append)
    assert names(first) == names(again) == NAMES
    assert asked == ["/tiny.tar.gz"]
    assert len(said) == 1
    assert "neither in $RMSPROP_JAX_DATA (not set) nor in" in said[0]
    kept = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == ["tiny.tar.gz"]


def test_an_archive_of_something_else_is_no_download(tmp_path):
    with (
        mirror(serving({"tiny.tar.gz": packed(recordings(("eve",), 2))})) as wrong,
        mirror(serving({"tiny.tar.gz": packed()[:1000]})) as short,
        mirror(serving({"tiny.tar.gz": packed()})) as right,
    ):
        found = load(corpus=corpus([wrong, short, right]), say=lambda _: None)
        assert names(found) == NAMES
        (tmp_path / "cache/rmsprop_jax/fsdd/tiny.tar.gz").unlink()
        with pytest.raises(ConnectionError, match=r"0_ann_0\.wav, .* are missing"):
            load(corpus=corpus([wrong]), say=lambda _: None)


def test_a_damaged_archive_in_the_cache_is_downloaded_again(tmp_path):
    archive = tmp_path / "cache" / "rmsprop_jax" / "fsdd" / "tiny.tar.gz"
    write(archive.parent, {archive.name: packed()[:-200]})
    said = []
    with served(packed()) as row:
        assert names(load(corpus=row, say=said.append)) == NAMES
    assert "tiny.tar.gz: expected" in said[0]
    assert archive.read_bytes() == packed()


def test_without_a_network_it_says_what_to_do():
    with (
        refusing() as nobody,
        pytest.raises(ConnectionError, match=r"(?s)refused.*Pass --data-dir"),
    ):
        load(corpus=corpus([nobody]), say=lambda _: None)
    with pytest.raises(ValueError, match="Allow the download, or pass --data-dir"):
        load(corpus=corpus(), download=False)


def test_a_mirror_that_lies_about_a_path_writes_nowhere(tmp_path):
    """Archives are read where they are: nothing of them is unpacked."""
    bad = packed(folder="../../recordings")
    with mirror(lambda handler, _: send(handler, bad)) as address:
        load(corpus=corpus([address]), say=lambda _: None)
    assert list(tmp_path.rglob("*.wav")) == []


def test_the_real_rows_are_whole():
    assert len(fsdd.FSDD.names) == 3000
    assert len(fsdd.FSDD.marks) == 4 * 3000
    assert re.fullmatch("[0-9a-f]{64}", fsdd.FSDD.digest)
    assert all(address.endswith("/") for address in fsdd.FSDD.mirrors)


@pytest.mark.slow
def test_the_real_recordings_are_all_there(monkeypatch):
    # Asked for here, since the fixture took it away.
    monkeypatch.undo()
    given = places.from_environment()
    if given is None or fsdd.find(given) is None:
        pytest.skip("the recordings of FSDD are not in $RMSPROP_JAX_DATA")
    found = load(Path(given))
    assert sum(one.tested for one in found) == 300
    assert {one.speaker for one in found} == set(fsdd.SPEAKERS)
    assert all(1000 < len(one.wave) < 20000 for one in found)
