"""Fetching one file from the first mirror that has it.

What is promised: the file is whole and checked or not there, whatever ends the process
and however many fetch it at once; and where no network is, that is known in seconds.
"""

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

Progress = Callable[[str, int, int | None], None]  # file, bytes so far, of how many

PATIENCE = 4.0
_HEADSTART = 1.0
_STALLED = 10.0
_ABANDONED = 3600.0
_MOST_BYTES = 2**28
_BLOCK = 2**16


class _Answer(NamedTuple):
    """The first bytes of a mirror's file, and where the rest comes from."""

    start: bytes
    response: Any
    length: int | None


def fetch(
    name: str,
    mirrors: Sequence[str],
    check: Callable[[Path], Any],
    folder: Path,
    *,
    patience: float = PATIENCE,
    stalled: float = _STALLED,
    progress: Progress | None = None,
) -> str:
    """Put the file `name` into `folder`, from the first mirror with a good one.

    A mirror that is silent gets company after a second: the next one is asked too, and
    whoever sends first is read. A proxy set in the environment is used.

    Args:
        name: The file, here and there.
        mirrors: Addresses that end in a slash, in the order of preference.
        check: Raises ValueError where the downloaded file is not the one expected.
        folder: Made if missing.
        patience: Seconds in which some mirror must send its first byte, over all of
            them: resolving, connecting and waiting. The download itself may take as
            long as it needs.
        stalled: Seconds of silence after which a download that began is given up.
        progress: Called with the name, the bytes so far and their number, if known.

    Returns:
        The mirror that had it.

    Raises:
        ConnectionError: If no mirror had it; says why, for each.
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(name, folder)
    part = folder / f".{name}.{secrets.token_hex(8)}.part"
    failures: dict[str, list[str]] = {}
    try:
        for mirror, answer in _answers(name, mirrors, patience, stalled):
            if isinstance(answer, _Answer):
                failure = _save(answer, part, name, progress) or _verdict(check, part)
                if failure is None:
                    part.replace(folder / name)
                    return mirror
            else:
                failure = answer
            failures.setdefault(failure, []).append(urlsplit(mirror).netloc)
    finally:
        part.unlink(missing_ok=True)
    reasons = (f"{', '.join(hosts)}: {why}" for why, hosts in failures.items())
    raise ConnectionError(f"{name} cannot be downloaded. {'; '.join(reasons)}.")


def _answers(
    name: str, mirrors: Sequence[str], patience: float, stalled: float
) -> Iterator[tuple[str, _Answer | str]]:
    """Each mirror with its answer, or with why there is none, as they come in.

    Only the time spent waiting in here counts against `patience`, not what the caller
    does with an answer.
    """
    arrived: queue.SimpleQueue[tuple[str, _Answer | str]] = queue.SimpleQueue()
    over = threading.Event()
    to_ask, silent = list(mirrors), []
    try:
        while to_ask or silent:
            if to_ask:
                silent.append(to_ask.pop(0))
                # A thread, since nothing else can leave a name server that hangs.
                threading.Thread(
                    target=_ask,
                    args=(silent[-1], name, stalled, arrived, over),
                    daemon=True,
                ).start()
            began = time.monotonic()
            wait = min(_HEADSTART, patience) if to_ask else patience
            try:
                mirror, answer = arrived.get(timeout=max(wait, 0))
            except queue.Empty:
                patience -= time.monotonic() - began
                if patience <= 0:
                    yield from ((mirror, "no answer in time") for mirror in silent)
                    yield from ((mirror, "no time left to ask") for mirror in to_ask)
                    return
                continue
            patience -= time.monotonic() - began
            silent.remove(mirror)
            yield mirror, answer
    finally:
        over.set()
        while not arrived.empty():
            _close(arrived.get()[1])


def _ask(
    mirror: str,
    name: str,
    stalled: float,
    arrived: queue.SimpleQueue[tuple[str, _Answer | str]],
    over: threading.Event,
) -> None:
    """Open one mirror's file and wait for its first bytes. Runs in a thread."""
    from http.client import HTTPException  # with urllib 60 ms, for downloads only
    from urllib.error import HTTPError
    from urllib.request import Request, build_opener

    request = Request(mirror + name, headers={"User-Agent": "rmsprop-jax"})
    try:
        response = build_opener().open(request, timeout=stalled)
        length = response.headers.get("Content-Length", "")
        length = int(length) if length.isdigit() else None
        answer = _Answer(response.read1(_BLOCK), response, length)
    except HTTPError as error:
        error.close()
        answer = f"{error.code} {error.reason}"
    except (OSError, ValueError) as error:
        answer = _reason(error)
    except HTTPException as error:
        answer = f"{type(error).__name__}, {_reason(error)}"
    arrived.put((mirror, answer))
    if over.is_set():
        _close(answer)


def _save(
    answer: _Answer, part: Path, name: str, progress: Progress | None
) -> str | None:
    """Write all that the mirror sends to `part`; say why it failed, if it did."""
    from http.client import HTTPException

    received = 0
    block = answer.start
    with part.open("wb") as file, answer.response as response:
        while block:
            file.write(block)
            received += len(block)
            if progress is not None:
                progress(name, received, answer.length)
            if received > _MOST_BYTES:
                return f"sent more than {_MOST_BYTES} bytes"
            try:
                block = response.read1(_BLOCK)
            except (OSError, HTTPException) as error:
                return f"broke off after {received} bytes, {_reason(error)}"
    if answer.length is not None and received != answer.length:
        return f"broke off after {received} of {answer.length} bytes"
    return None


def _verdict(check: Callable[[Path], Any], part: Path) -> str | None:
    try:
        check(part)
    except ValueError as error:
        return str(error).removeprefix(f"{part}: ").removesuffix(".")
    return None


def _sweep(name: str, folder: Path) -> None:
    """Remove what a killed process left behind; a living one writes all the time."""
    for part in folder.glob(f".{name}.*.part"):
        try:
            if time.time() - part.stat().st_mtime > _ABANDONED:
                part.unlink()
        except OSError:  # another process was faster
            continue


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error  # URLError wraps what happened
    return " ".join(str(reason).split()) or type(reason).__name__


def _close(answer: _Answer | str) -> None:
    if isinstance(answer, _Answer):
        answer.response.close()
