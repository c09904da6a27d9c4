import shutil
import time

import loopback_mirror as loopback
import pytest

from rmsprop_jax.train.data import download, mnist, places
from rmsprop_jax.train.data.choice import auto

FILES = loopback.tiny_files()
NOWHERE = ["http://127.0.0.1:9/"]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    loopback.isolate(monkeypatch, tmp_path)
    return tmp_path / "cache" / "rmsprop_jax" / "tiny"


@pytest.fixture
def nobody():
    """The set, on a mirror that does not exist."""
    with loopback.refusing() as address:
        yield loopback.tiny_set([address])


def test_auto_is_mnist_in_data_dir(tmp_path, nobody):
    folder = loopback.write(tmp_path / "data" / "tiny", FILES)
    choice = auto(tmp_path / "data", row=nobody)
    assert choice[:2] == ("mnist", tmp_path / "data")
    assert choice.line == f"task auto: mnist, from {folder}."
    mnist.load(nobody, choice.data_dir)


def test_auto_is_mnist_in_the_environment_or_the_cache(
    tmp_path, monkeypatch, nobody, cache
):
    loopback.write(cache, FILES)
    assert auto(row=nobody) == ("mnist", None, f"task auto: mnist, from {cache}.")
    folder = loopback.write(tmp_path / "data", FILES)
    monkeypatch.setenv("RMSPROP_JAX_DATA", str(folder))
    assert auto(row=nobody) == ("mnist", None, f"task auto: mnist, from {folder}.")


def test_auto_goes_on_where_data_dir_has_none_and_says_so(tmp_path, nobody, cache):
    loopback.write(cache, FILES)
    (tmp_path / "empty").mkdir()
    line = f"task auto: mnist, from {cache}, not in {tmp_path / 'empty'}."
    assert auto(tmp_path / "empty", row=nobody) == ("mnist", None, line)


def test_auto_downloads_mnist_to_the_cache(cache):
    with loopback.mirror(loopback.serving(loopback.packed(FILES))) as address:
        row = loopback.tiny_set([address])
        assert auto(row=row) == ("mnist", None, f"task auto: mnist, from {cache}.")
    mnist.load(row, download=False)
    (cache / "t10k-labels-idx1-ubyte.gz").unlink()
    with loopback.mirror(loopback.serving(loopback.packed(FILES)), calls := []) as at:
        assert auto(row=loopback.tiny_set([at])).task == "mnist"
    assert calls == ["/t10k-labels-idx1-ubyte.gz"]


def test_auto_is_digits_where_mnist_is_nowhere_and_says_why_in_one_line(nobody):
    began = time.monotonic()
    task, data_dir, line = auto(row=nobody)
    assert time.monotonic() - began < download.PATIENCE
    assert (task, data_dir) == ("digits", None)
    assert line.startswith("task auto: digits, ")
    assert "Connection refused" in line
    assert "\n" not in line


@pytest.mark.slow
def test_auto_takes_less_than_five_seconds_where_every_mirror_is_silent():
    with loopback.black_hole() as one, loopback.black_hole() as two:

        def took():
            began = time.monotonic()
            assert auto(row=loopback.tiny_set([one, two])).task == "digits"
            return time.monotonic() - began

        # Once is enough: the machine may be busy.
        assert any(took() < 5 for _ in range(3))


def test_damaged_files_in_data_dir_are_an_error_and_no_reason_for_digits(
    tmp_path, nobody
):
    folder = loopback.write(tmp_path / "data", dict.fromkeys(FILES, b""))
    choice = auto(folder, row=nobody)
    assert choice.task == "mnist"
    with pytest.raises(ValueError, match="an empty file"):
        mnist.load(nobody, choice.data_dir)


def test_some_files_in_data_dir_are_an_error_and_no_reason_for_digits(tmp_path, nobody):
    folder = loopback.write(tmp_path / "data", FILES)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match="missing: t10k-labels-idx1-ubyte"):
        auto(folder, row=nobody)
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match="there is none of that name"):
        auto(folder, row=nobody)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache"),
        ("linux", {"XDG_CACHE_HOME": "{root}/xdg"}, "xdg"),
        ("darwin", {}, "home/Library/Caches"),
        ("win32", {"LOCALAPPDATA": "{root}/local"}, "local"),
        ("win32", {}, "home/AppData/Local"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(
    monkeypatch, tmp_path, platform, variables, expected
):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(root=tmp_path))
    assert places.cache("mnist") == tmp_path / expected / "rmsprop_jax" / "mnist"


def test_without_a_home_the_error_names_the_variable_to_set(monkeypatch, nobody):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("pathlib.Path.home", homeless)
    with pytest.raises(ValueError, match="XDG_CACHE_HOME=''"):
        places.cache("mnist")
    choice = auto(row=nobody)
    assert choice.task == "digits"
    assert "XDG_CACHE_HOME" in choice.line
