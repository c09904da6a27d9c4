"""What a person sees of a sweep: lines that stay and, on a terminal, a live status."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rmsprop_jax.train.unread import unread

REDRAWS_PER_SECOND = 4


class Shown(Protocol):
    """What can be drawn."""

    def heading(self) -> tuple[str, str]:
        """What stands to the left and to the right of the bar."""
        ...

    def share(self) -> float:
        """How full the bar is, in [0, 1]."""
        ...

    def numbers(self, width: int) -> list[str]:
        """Lines below it."""
        ...


@contextmanager
def live(shown: Shown) -> Iterator[None]:
    """Draw `shown` below what is printed meanwhile, if this is a terminal."""
    if not _is_terminal():
        yield
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stdout, force_terminal=True, force_jupyter=False)
    with Live(
        _Renderable(shown),
        console=console,
        refresh_per_second=REDRAWS_PER_SECOND,
        transient=True,
    ):
        yield


def say(line: str) -> None:
    """Print a line at once, unless nobody reads on."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        unread(sys.stdout)  # The sweep goes on unseen.


def _is_terminal() -> bool:
    blind = ("dumb", "unknown", "") if os.name == "posix" else ("dumb", "unknown")
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in blind


class _Renderable:
    def __init__(self, shown: Shown):
        self._shown = shown

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        left, right = self._shown.heading()
        bar = ProgressBar(
            total=1.0, completed=self._shown.share(), complete_style="cyan"
        )
        line = Table.grid(padding=(0, 2), expand=True)
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        line.add_column(no_wrap=True)
        line.add_row(Text(left, "bold"), bar, right)
        yield line
        for text in self._shown.numbers(options.max_width):
            yield Text(text, "cyan", no_wrap=True, overflow="crop")
