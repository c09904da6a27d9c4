"""Ctrl-C and SIGTERM as a wish to stop that the loop can grant between two steps."""

import signal
import threading
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """A context in which the first signal is remembered, and the second one acts."""

    def __init__(self):
        """Nothing asked yet."""
        self.asked: signal.Signals | None = None
        self._before: dict = {}

    def __enter__(self) -> "Interruption":
        """Take the signals over, where this is the main thread."""
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._remember) for s in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        self._give_back()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.asked = signal.Signals(number)
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
