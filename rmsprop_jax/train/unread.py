"""Output that nobody reads any more, as behind `| head`."""

import os
import select
from typing import TextIO


def unread(stream: TextIO) -> bool:
    """Whether nobody reads it; from then on, what is printed to it is dropped."""
    try:
        stream.flush()
        broken = _is_broken(stream)
    except BrokenPipeError:
        broken = True
    if broken:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return broken


def _is_broken(stream: TextIO) -> bool:
    """What could not be written may be gone already: a flush need not fail again."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), 0)
    except (AttributeError, OSError):  # Windows; a stream that is no file.
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))
