import contextlib
import gzip
import hashlib

import loopback_mirror as loopback
import numpy as np
import pytest

from rmsprop_jax.train.data import mnist
from rmsprop_jax.train.data.rows import ROWS

FILES = loopback.tiny_files()
OTHERS = loopback.tiny_files(seed=1)
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, _ = FILES


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Where the cache of the set `tiny` will be."""
    loopback.isolate(monkeypatch, tmp_path)
    return tmp_path / "cache" / "rmsprop_jax" / "tiny"


@pytest.fixture
def serve():
    """Starts a mirror and returns its address."""
    with contextlib.ExitStack() as stack:
        yield lambda behave, requests=None: stack.enter_context(
            loopback.mirror(behave, requests)
        )


def refuse(line):
    raise AssertionError(f"said {line!r}, where there is nothing to say")


def load(row, data_dir=None, say=refuse, **options):
    """`mnist.load`, with the arrays compared with the files."""
    data = mnist.load(row, data_dir, say=say, patience=0.5, **options)
    found = [half[key] for half in data.parts for key in ("image", "label")]
    for array, (name, file) in zip(found, FILES.items(), strict=True):
        shape = loopback.SHAPES[name]
        elements = np.frombuffer(file[-array.size :], np.uint8).reshape(shape)
        np.testing.assert_array_equal(np.squeeze(array), elements)
    shapes = [(array.dtype, array.shape) for array in found]
    assert shapes[:2] == [(np.uint8, (6, 4, 4, 1)), (np.int32, (6,))]
    assert shapes[2:] == [(np.uint8, (3, 4, 4, 1)), (np.int32, (3,))]
    return data


HASHES = {
    "sha256": loopback.sha256,
    "md5": lambda data: hashlib.md5(data).hexdigest(),
    "gz_sha256": lambda data: loopback.sha256(gzip.compress(data, mtime=0)),
}


@pytest.mark.parametrize("place", [".", "tiny"])
@pytest.mark.parametrize("pack", [dict, loopback.packed], ids=["plain", "gz"])
def test_files_in_data_dir_are_loaded(tmp_path, pack, place):
    loopback.write(tmp_path / "data" / place, pack(FILES))
    load(loopback.tiny_set(), tmp_path / "data")
    load(loopback.tiny_set(), str(tmp_path / "data"))


def test_of_a_plain_and_a_packed_file_either_does(tmp_path):
    folder = loopback.write(tmp_path, {**FILES, **loopback.packed(FILES)})
    (folder / TRAIN_IMAGES).unlink()
    (folder / f"{TRAIN_LABELS}.gz").unlink()
    load(loopback.tiny_set(), folder)


@pytest.mark.parametrize("kind", HASHES)
def test_any_one_hash_is_enough_to_know_a_file_and_to_refuse_another(tmp_path, kind):
    row = loopback.tiny_set(**{kind: HASHES[kind]})
    load(row, loopback.write(tmp_path / "good", loopback.packed(FILES)))
    bad = {**loopback.packed(FILES), f"{TEST_IMAGES}.gz": b""}
    bad[f"{TEST_IMAGES}.gz"] = gzip.compress(OTHERS[TEST_IMAGES], mtime=0)
    algorithm = kind.removeprefix("gz_")
    with pytest.raises(ValueError, match=rf"{TEST_IMAGES}.*{algorithm} \w+.*found \w"):
        load(row, loopback.write(tmp_path / "bad", bad))


def test_a_file_packed_anew_is_known_by_its_content(tmp_path):
    row = loopback.tiny_set(gz_sha256=HASHES["gz_sha256"], md5=HASHES["md5"])
    anew = {f"{name}.gz": gzip.compress(data, 1) for name, data in FILES.items()}
    assert anew != loopback.packed(FILES)
    load(row, loopback.write(tmp_path / "anew", anew))
    load(row, loopback.write(tmp_path / "plain", FILES))


def altered(name, data):
    return {**FILES, name: data}


DAMAGED = {
    "one bit": altered(TRAIN_IMAGES, FILES[TRAIN_IMAGES][:-1] + b"\xff"),
    "cut off": altered(TEST_IMAGES, FILES[TEST_IMAGES][:-1]),
    "labels for images": altered(TRAIN_IMAGES, FILES[TRAIN_LABELS]),
    "test for training": altered(TRAIN_IMAGES, FILES[TEST_IMAGES]),
    "another set": OTHERS,
    "a page": altered(TRAIN_LABELS, b"<html>log in first</html>"),
    "gzip cut off": altered(TRAIN_LABELS, gzip.compress(FILES[TRAIN_LABELS])[:-4]),
}
MESSAGES = {
    "one bit": (TRAIN_IMAGES, "sha256", "found"),
    "cut off": (TEST_IMAGES, "48 bytes after the header", "only 47"),
    "labels for images": (TRAIN_IMAGES, "6 x 4 x 4", f"of 6. It is {TRAIN_LABELS} of"),
    "test for training": (TRAIN_IMAGES, "6 x 4 x 4", f"It is {TEST_IMAGES} of tiny."),
    "another set": (TRAIN_IMAGES, "sha256", f"It is {TRAIN_IMAGES} of others."),
    "a page": (TRAIN_LABELS, "IDX file", "a page of HTML"),
    "gzip cut off": (TRAIN_LABELS, "a whole gzip file", "end-of-stream"),
}


@pytest.mark.parametrize("variable", [False, True], ids=["data_dir", "environment"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_of_the_user_is_an_error_and_stays(
    tmp_path, monkeypatch, serve, damage, variable
):
    monkeypatch.setitem(ROWS, "others", loopback.tiny_set(seed=1, name="others"))
    requests = []
    good = serve(loopback.serving(loopback.packed(FILES)), requests)
    folder = loopback.write(tmp_path / "data", DAMAGED[damage])
    if variable:
        monkeypatch.setenv("RMSPROP_JAX_DATA", str(folder))
    name, expected, found = MESSAGES[damage]
    with pytest.raises(ValueError, match="expected") as caught:
        load(loopback.tiny_set([good]), None if variable else folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / name}: expected ")
    assert expected in message
    assert found in message
    assert f"Replace it by {good}{name}.gz" in message
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == DAMAGED[damage]
    assert requests == []


def test_missing_files_in_data_dir_are_named_with_what_was_looked_for(tmp_path):
    row = loopback.tiny_set(["http://127.0.0.1:9/far/"])
    folder = loopback.write(tmp_path / "data", FILES)
    (folder / TRAIN_LABELS).unlink()
    with pytest.raises(ValueError, match="missing") as caught:
        load(row, folder)
    message = str(caught.value)
    # As a function is told, and as one types it.
    said = f"data_dir (--data-dir) '{folder}': expected the four files of tiny"
    assert message.startswith(said)
    assert f"missing: {TRAIN_LABELS}." in message
    assert "http://127.0.0.1:9/far/ has them" in message
    with pytest.raises(ValueError, match=r"nowhere.*there is none of that name"):
        load(row, tmp_path / "nowhere")


def test_data_dir_is_the_only_place_if_it_is_given(tmp_path, monkeypatch, cache):
    loopback.write(cache, FILES)
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(loopback.write(tmp_path / "e", FILES)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"missing: {TRAIN_IMAGES}, {TRAIN_LABELS}"):
        load(loopback.tiny_set(), tmp_path / "empty")


def test_the_environment_comes_before_the_cache(tmp_path, monkeypatch, cache):
    loopback.write(cache, OTHERS)
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(loopback.write(tmp_path / "e", FILES)))
    load(loopback.tiny_set())


def test_the_subfolder_of_its_name_comes_before_the_folder_itself(tmp_path):
    loopback.write(tmp_path, OTHERS)
    loopback.write(tmp_path / "tiny", FILES)
    load(loopback.tiny_set(), tmp_path)


def test_the_cache_is_read_without_asking_anybody(cache, serve):
    requests = []
    loopback.write(cache, FILES)
    load(loopback.tiny_set([serve(loopback.status(404), requests)]))
    assert requests == []


def test_what_is_nowhere_is_downloaded_to_the_cache_once(
    tmp_path, monkeypatch, cache, serve
):
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(tmp_path))
    requests, lines, told = [], [], []
    row = loopback.tiny_set([serve(loopback.serving(loopback.packed(FILES)), requests)])
    load(row, say=lines.append, progress=lambda *now: told.append(now[0]))
    assert requests == [f"/{name}.gz" for name in FILES]
    assert {p.name: p.read_bytes() for p in cache.iterdir()} == loopback.packed(FILES)
    assert lines == [
        f"tiny: neither in $RMSPROP_JAX_DATA ({tmp_path}) nor in {cache}; "
        "downloading it there."
    ]
    assert set(told) == set(loopback.packed(FILES))
    load(row)
    assert len(requests) == 4


def test_the_mirror_that_answered_is_asked_first_for_the_next_file(serve):
    requests = []
    bad = serve(loopback.status(404), requests)
    good = serve(loopback.serving(loopback.packed(FILES)))
    load(loopback.tiny_set([bad, good]), say=lambda _: None)
    assert requests == [f"/{TRAIN_IMAGES}.gz"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_damaged_file_in_the_cache_is_downloaded_again_and_said(cache, serve, suffix):
    requests, lines = [], []
    row = loopback.tiny_set([serve(loopback.serving(loopback.packed(FILES)), requests)])
    loopback.write(cache, {**FILES, TEST_IMAGES + suffix: b"\0\0"})
    if suffix:
        (cache / TEST_IMAGES).unlink()
    load(row, say=lines.append)
    assert requests == [f"/{TEST_IMAGES}.gz"]
    (line,) = lines
    assert line.startswith(f"{cache / TEST_IMAGES}{suffix}: expected an IDX file")
    assert line.endswith("Downloading it again.")
    load(row)


def test_a_damaged_file_in_the_cache_is_an_error_where_nobody_answers(cache, serve):
    row = loopback.tiny_set([serve(loopback.status(503))])
    loopback.write(cache, DAMAGED["one bit"])
    with pytest.raises(ConnectionError) as caught:
        load(row, say=lambda _: None)
    message = str(caught.value)
    assert message.startswith(f"{cache / TRAIN_IMAGES}: expected {TRAIN_IMAGES}")
    assert "503 Service Unavailable" in message
    assert "Pass --data-dir" in message
    with pytest.raises(ValueError, match=rf"{TRAIN_IMAGES}.*Allow the download"):
        load(row, download=False)
    assert (cache / TRAIN_IMAGES).read_bytes() == DAMAGED["one bit"][TRAIN_IMAGES]


def test_a_mirror_with_files_of_another_set_is_refused(cache, serve):
    row = loopback.tiny_set([serve(loopback.serving(loopback.packed(OTHERS)))])
    with pytest.raises(ConnectionError, match=rf"127.*: expected {TRAIN_IMAGES}"):
        load(row, say=lambda _: None)
    assert list(cache.iterdir()) == []


def test_available_goes_by_the_headers(tmp_path, monkeypatch, cache):
    row = loopback.tiny_set()
    assert not mnist.available(row)
    assert not mnist.available(row, tmp_path)
    folder = loopback.write(tmp_path / "data", loopback.packed(FILES))
    assert mnist.available(row, folder)
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(folder))
    assert mnist.available(row)
    monkeypatch.delenv("RMSPROP_JAX_DATA")
    loopback.write(cache, DAMAGED["one bit"])
    assert mnist.available(row)
    assert not mnist.available(row, tmp_path)
    loopback.write(cache, DAMAGED["labels for images"])
    assert not mnist.available(row)


def test_an_unknown_set_is_refused():
    with pytest.raises(ValueError, match=r"'emnist': expected one of mnist, fashion"):
        mnist.load("emnist")
