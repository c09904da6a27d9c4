"""What lives on a terminal below the lines that stay, and the printing of those."""

import os
import sys
from collections.abc import Iterator
from typing import Any, Protocol, TextIO

from rmsprop_jax.train.status import flow
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

    def numbers(self) -> list[str]:
        """Words below it."""
        ...


def is_terminal(stream: Any) -> bool:
    """Whether something can live there."""
    blind = ("dumb", "unknown", "") if os.name == "posix" else ("dumb", "unknown")
    return (
        hasattr(stream, "isatty")
        and stream.isatty()
        and os.environ.get("TERM", "") not in blind
    )


def say(line: str, stream: TextIO | None = None) -> None:
    """Print a line at once; if nobody reads on, what runs goes on unseen."""
    where = stream or sys.stdout
    try:
        print(line, file=where, flush=True)
    except BrokenPipeError:
        unread(where)


def live(shown: Shown, stream: TextIO) -> Any:
    """The `rich.live.Live` that redraws `shown` below what is printed meanwhile."""
    from rich.console import Console
    from rich.live import Live

    ours = stream is sys.stdout
    return Live(
        _Renderable(shown),
        # What rich would ask the environment is decided already.
        console=Console(file=stream, force_terminal=True, force_jupyter=False),
        refresh_per_second=REDRAWS_PER_SECOND,
        transient=True,
        redirect_stdout=ours,
        redirect_stderr=ours,
    )


class _Renderable:
    """As rich draws it: the heading, a bar between its parts; below it the numbers."""

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
        for text in flow(self._shown.numbers(), options.max_width):
            yield Text(text, "cyan", no_wrap=True, overflow="crop")
