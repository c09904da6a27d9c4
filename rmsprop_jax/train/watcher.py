"""A word from beyond: says so if a process of many ends without finishing.

When another process is lost, JAX's runtime aborts this one from C++, where Python can
say nothing any more. So a small child waits at a pipe: what it reads is either a
farewell or the end.
"""

import subprocess
import sys

_CHILD = """
import sys
if not sys.stdin.read():
    print(sys.argv[1], file=sys.stderr, flush=True)
"""


class Watcher:
    """A context that says `message` if the process dies in it, however it dies."""

    def __init__(self, message: str, expected: tuple[type[Exception], ...]):
        """Nothing is watched yet; `expected` exceptions speak for themselves."""
        self._message, self._expected = message, expected

    def __enter__(self) -> "Watcher":
        """Begin to watch."""
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CHILD, self._message],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is not for it.
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Say farewell, unless it ends by what nobody expected."""
        fine = kind is None or issubclass(kind, self._expected)
        self._child.communicate(b"farewell" if fine else None)
