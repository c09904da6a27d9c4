import io
import os
import re
import subprocess
import sys
import threading
import time

import pytest
from progress_runs import EPOCH_LINE, Ears, epoch_row, run, train_row

from rmsprop_jax.train.progress import Progress

ESCAPE = "\x1b"


def test_elsewhere_there_is_one_plain_line_per_epoch_and_nothing_else():
    stream = Ears()
    run(stream)
    lines = [EPOCH_LINE.format(k) for k in (1, 2, 3)]
    assert stream.getvalue().splitlines() == ["on [2] images → here", *lines]


def test_a_plain_line_is_flushed_at_once():
    stream = Ears()
    with Progress(epochs=3, steps_per_epoch=100, stream=stream) as p:
        p.epoch(epoch_row(1))
        assert stream.flushed == len(EPOCH_LINE.format(1)) + 1


def test_the_stream_is_that_of_the_moment_unless_given(capsys):
    run(None, epochs=1)
    assert capsys.readouterr().out.count("\n") == 2


def test_a_quiet_run_shows_nothing():
    stream = Ears()
    run(stream, quiet=True)
    assert stream.getvalue() == ""


def test_the_unit_is_in_the_line():
    stream = Ears()
    with Progress(epochs=1, steps_per_epoch=9, stream=stream, unit="examples") as p:
        p.epoch(epoch_row(1) | {"examples_per_second": 1500.0})
    assert "1.5 k examples/s" in stream.getvalue()


def test_a_stream_of_ascii_gets_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    run(stream)
    assert raw.getvalue().startswith(b"on [2] images ? here\nepoch 1/3  loss")


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", -1), ("steps_per_epoch", 0), ("start_step", -1)]
)
def test_a_number_out_of_range_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}={value}: expected"):
        Progress(**{"epochs": 1, "steps_per_epoch": 1, name: value})


def test_no_terminal_means_no_rich():
    code = (
        "import sys; from rmsprop_jax.train.progress import Progress\n"
        "with Progress(epochs=1, steps_per_epoch=1): pass\n"
        "print({'rich', 'jax', 'IPython', 'matplotlib'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


class Terminal:
    """The slave of a pseudo terminal, and everything written to it."""

    def __init__(self, encoding):
        pty = pytest.importorskip("pty")
        self._master, slave = pty.openpty()
        self.stream = os.fdopen(slave, "w", encoding=encoding)
        self._seen = b""
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self):
        while True:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # Linux: the slave is closed.
                piece = b""
            if not piece:
                return
            self._seen += piece

    def text(self):
        self.stream.close()
        self._reader.join(timeout=10)
        os.close(self._master)
        return self._seen.decode(self.stream.encoding)


@pytest.fixture
def on_terminal(monkeypatch):
    """A function that runs `body(stream)` on a terminal and returns what it wrote."""
    pytest.importorskip("rich")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")

    def written(body, encoding="utf-8", keep=lambda _: None):
        terminal = Terminal(encoding)
        try:
            body(terminal.stream)
        finally:
            keep(text := terminal.text())
        return text

    return written


def plain(text):
    """The text without escapes; what overwrites a line is a line of its own."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r", "\n")


def colours(text):
    """The codes of colours in the escapes that set how text looks."""
    codes = [c for s in re.findall(r"\x1b\[([0-9;]*)m", text) for c in s.split(";")]
    return [code for code in codes if code and 30 <= int(code) < 48]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_on_a_terminal_the_live_view_fits_and_the_lines_of_epochs_stay(
    on_terminal, monkeypatch, width
):
    monkeypatch.setenv("COLUMNS", str(width))
    text = on_terminal(run)
    lines = plain(text).splitlines()
    assert max(map(len, lines)) <= width
    assert "on [2] images → here" in lines
    for epoch in (1, 2, 3):
        stays = rf"epoch {epoch}/3 .* test accuracy 98.12 %"
        assert sum(bool(re.fullmatch(stays, line)) for line in lines) == 1
    assert any(re.match(r"epoch \d/3  [━╸╺ ]+ +\d+%", line) for line in lines)
    everything = "  ".join(lines)
    for words in (
        "learning rate 3.2e-04",
        "112 k images/s",
        "best test accuracy 98.12 %",
    ):
        assert words in everything
    assert colours(text)


def test_a_terminal_gets_its_cursor_back_and_no_live_view_remains(on_terminal):
    text = on_terminal(run)
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    after = text[text.rindex("best test accuracy") :]
    assert after.count("\x1b[2K") >= 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_exception_leaves_the_terminal_sane(on_terminal, error):
    before = threading.active_count()

    def body(stream):
        with Progress(epochs=3, steps_per_epoch=100, stream=stream) as p:
            p.update(train_row(50))
            raise error

    texts = []
    with pytest.raises(error):
        on_terminal(body, keep=texts.append)
    (text,) = texts
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    until = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.01)
    # Fewer, where a thread of an earlier test has ended meanwhile.
    assert threading.active_count() <= before


def test_no_color_is_respected(on_terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    text = on_terminal(run)
    assert ESCAPE in text
    assert colours(text) == []


def test_a_terminal_of_ascii_gets_ascii(on_terminal):
    text = on_terminal(run, encoding="ascii")
    assert "on [2] images ? here" in plain(text)
    assert re.search(r"epoch 3/3  -+", plain(text))


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_gets_plain_lines(on_terminal, monkeypatch, term):
    monkeypatch.setenv("TERM", term)
    text = on_terminal(run)
    assert ESCAPE not in text
    assert text.count("\n") == 4
    assert EPOCH_LINE.format(2) in text


STRAY = """
import sys
from rmsprop_jax.train.progress import Progress
with Progress(epochs=1, steps_per_epoch=1):
    print("stray")
    print("astray", file=sys.stderr)
"""


def test_what_others_print_meanwhile_has_lines_of_its_own(on_terminal):
    def body(stream):
        command = [sys.executable, "-c", STRAY]
        subprocess.run(command, stdout=stream, stderr=stream, check=True)

    lines = plain(on_terminal(body)).splitlines()
    assert {"stray", "astray"} <= set(lines)


def test_a_terminal_is_drawn_at_most_five_times_a_second(on_terminal):
    took = []

    def body(stream):
        began = time.monotonic()
        with Progress(epochs=1, steps_per_epoch=10**6, stream=stream) as p:
            until = time.monotonic() + 1.5
            step = 0
            while time.monotonic() < until:
                step += 1
                p.update(train_row(step))
                time.sleep(0.001)
        took.append(time.monotonic() - began)

    redraws = on_terminal(body).count("epoch 1/1")
    # One at the start, one at the end, and the thread's.
    assert 2 <= redraws <= 5 * took[0] + 2


def test_an_update_costs_less_than_a_millisecond(on_terminal):
    took = []

    def body(stream):
        with Progress(epochs=1, steps_per_epoch=10**6, stream=stream) as p:
            for step in range(1000):
                began = time.perf_counter()
                p.update(train_row(step))
                took.append(time.perf_counter() - began)

    on_terminal(body)
    assert sorted(took)[500] < 1e-3
