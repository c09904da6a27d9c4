"""What a person sees of a run: a live view, a line per epoch, or a notebook's cell."""

import importlib
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from rmsprop_jax.train.screen import REDRAWS_PER_SECOND, is_terminal, live, say
from rmsprop_jax.train.status import Row, Status, flow

LINES_IN_A_CELL = 20
CELL_WIDTH = 88

Line = Callable[[int | None], str]


class Progress:
    """The view of a run that fits `stream`; a context manager.

    On a terminal the line of each finished epoch stays, and below them two or three
    lines live until the end. Elsewhere there is a line per epoch and nothing else. In
    a notebook the cell's output is one text, rewritten.

    Args:
        epochs: Epochs of the whole run.
        steps_per_epoch: Steps in each of them.
        start_step: Steps done before, by the run that this one resumes.
        quiet: Show nothing at all.
        stream: Where to; `sys.stdout` if None.
        unit: What an example is called, in the plural.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> with Progress(epochs=12, steps_per_epoch=100) as progress:
        ...     progress.update({"step": 50, "epoch": 1, "loss": 0.9})
        ...     progress.epoch({"step": 100, "epoch": 1, "train/loss": 0.5,
        ...                     "test/loss": 0.25, "test/accuracy": 0.975})
        epoch  1/12  loss 0.5000  test loss 0.2500  test accuracy 97.50 %
    """

    def __init__(
        self,
        *,
        epochs: int,
        steps_per_epoch: int,
        start_step: int = 0,
        quiet: bool = False,
        stream: TextIO | None = None,
        unit: str = "images",
    ):
        for name, value, least in (
            ("epochs", epochs, 0),
            ("steps_per_epoch", steps_per_epoch, 1),
            ("start_step", start_step, 0),
        ):
            if value < least:
                raise ValueError(f"{name}={value}: expected {least} or more.")
        shown = stream or sys.stdout
        self._status = Status(epochs, steps_per_epoch, start_step, unit)
        self._encoding = getattr(shown, "encoding", None) or "utf-8"
        if quiet:
            self._view = _Plain(lambda _: None)
        elif shown is sys.stdout and _in_notebook():
            self._view = _Cell(self._status)
        elif is_terminal(shown):
            self._view = _Terminal(self._status, shown)
        else:
            self._view = _Plain(lambda text: say(text, shown))

    def say(self, text: str) -> None:
        """Show a line above what lives."""
        sayable = text.encode(self._encoding, "replace").decode(self._encoding)
        self._view.keep(lambda _: sayable)

    def update(self, row: Row) -> None:
        """Show a row of kind "train", when it is next time to draw."""
        self._status.update(row)
        self._view.refresh()

    def epoch(self, row: Row) -> None:
        """Show a row of kind "epoch", and keep its line."""
        self._status.finish_epoch(row)
        self._view.keep(lambda width: self._status.epoch_line(row, width))

    def __enter__(self) -> "Progress":
        """Begin to show."""
        self._view.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and leave the terminal as it was, whatever happened."""
        self._view.stop()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class _Plain:
    """A line for what stays, and nothing else."""

    def __init__(self, show: Callable[[str], Any]):
        self._show = show

    def keep(self, line: Line) -> None:
        self._show(line(None))

    def refresh(self) -> None:
        pass

    start = stop = refresh


class _Terminal:
    """Lines that stay, and below them the status, redrawn by a thread of rich."""

    def __init__(self, status: Status, stream: TextIO):
        self._live = live(status, stream)
        self.stop = self._live.stop

    def start(self) -> None:
        self._live.start(refresh=True)

    def keep(self, line: Line) -> None:
        from rich.text import Text

        console = self._live.console
        console.print(Text(line(console.width)), soft_wrap=True)

    def refresh(self) -> None:
        pass


class _Cell:
    """The output of a notebook's cell: one text, of the latest lines and the status."""

    def __init__(self, status: Status):
        self._status, self._lines, self._dropped = status, deque(), 0
        self._handle, self._drawn, self._live = None, -1.0, True

    def start(self) -> None:
        self._draw()

    def stop(self) -> None:
        self._live = False
        self._draw()

    def keep(self, line: Line) -> None:
        self._lines.append(line(None))
        if len(self._lines) > LINES_IN_A_CELL:
            self._lines.popleft()
            self._dropped += 1
        self.refresh()

    def refresh(self) -> None:
        if time.monotonic() - self._drawn >= 1 / REDRAWS_PER_SECOND:
            self._draw()

    def _draw(self) -> None:
        display = importlib.import_module("IPython.display").display
        text = {"text/plain": "\n".join(self._text()) or " "}
        if self._handle is None:
            self._handle = display(text, raw=True, display_id=True)
        else:
            self._handle.update(text, raw=True)
        self._drawn = time.monotonic()

    def _text(self) -> Iterator[str]:
        if self._dropped:
            yield f"... {self._dropped} lines before"
        yield from self._lines
        if self._live:
            left, right = self._status.heading()
            room = CELL_WIDTH - len(left) - len(right) - 6
            full = round(room * self._status.share())
            yield f"{left}  [{'#' * full}{'-' * (room - full)}]  {right}"
            yield from flow(self._status.numbers(), CELL_WIDTH)
