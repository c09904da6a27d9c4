"""Scalars for TensorBoard: event files, written here byte by byte.

A file is a sequence of TFRecords, each with one message `Event`. Of that message this
file knows five fields, so that nothing need be installed to write it.
"""

import os
import struct
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

_NOT_PLOTTED = ("step", "epoch")
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def _table() -> tuple[int, ...]:
    """The remainders of all bytes by Castagnoli's polynomial, lowest bit first."""
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


_TABLE = _table()


class EventFile:
    """An event file in `folder`, new with each start of the run.

    The tags are the keys of the rows. Each event is one write: a killed run loses
    none that `add` has returned from.

    Args:
        folder: What `tensorboard --logdir` is to show; made if it is not there.
        resumed_at: The step a run resumes from. TensorBoard then forgets what earlier
            files of the folder say of later steps.

    Raises:
        ValueError: If `resumed_at` is no step.
    """

    def __init__(self, folder: str | os.PathLike[str], resumed_at: int | None = None):
        if resumed_at is not None and resumed_at < 0:
            raise ValueError(
                f"resumed_at={resumed_at!r}: expected a step, 0 or larger, or None."
            )
        self.path = _next_path(Path(folder))
        # Unbuffered: one event is one write, and another process sees it whole.
        self._file = FileIO(self.path, "x")
        self._write(_field(3, _BYTES, b"brain.Event:2"))
        if resumed_at is not None:
            # TensorBoard forgets the step of this event, too.
            started = _field(1, _VARINT, 1)
            step = _field(2, _VARINT, resumed_at + 1)
            self._write(step + _field(7, _BYTES, started))

    def add(self, row: Mapping[str, Any]) -> None:
        """Write the numbers of a row, except its step and epoch, at its step.

        Raises:
            ValueError: If the row has no step.
        """
        if "step" not in row:
            raise ValueError(f"row={dict(row)!r:.120}: expected a 'step'.")
        values = b"".join(
            _field(1, _BYTES, _value(tag, number))
            for tag, number in row.items()
            if isinstance(number, int | float) and not isinstance(number, bool)
            if tag not in _NOT_PLOTTED
        )
        if values:
            step = _field(2, _VARINT, row["step"])
            self._write(step + _field(5, _BYTES, values))

    def flush(self) -> None:
        """Wait until every event is on the disk itself."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; again does nothing."""
        self._file.close()

    def __enter__(self) -> "EventFile":
        """Return this."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _write(self, message: bytes) -> None:
        self._file.write(_record(_field(1, _EIGHT_BYTES, time.time()) + message))


def crc32c(data: bytes) -> int:
    """CRC-32C of `data`: the checksum of iSCSI, RFC 3720, and of TFRecord.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _next_path(folder: Path) -> Path:
    """A name that sorts behind those that are there: in that order they are read."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = int(time.time())
    for other in folder.glob("events.out.tfevents.*"):
        stamp = other.name.split(".")[3]
        if stamp.isdecimal():
            seconds = max(seconds, int(stamp) + 1)
    return folder / f"events.out.tfevents.{seconds:010d}.rmsprop_jax"


def _record(data: bytes) -> bytes:
    """TFRecord: length, its checksum, data, its checksum."""
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _value(tag: str, number: float) -> bytes:
    """Summary.Value: tag = 1, simple_value = 2."""
    return _field(1, _BYTES, tag.encode()) + _field(2, _FOUR_BYTES, number)


def _field(number: int, kind: int, value: Any) -> bytes:
    """A field of a message, in the wire format of protocol buffers."""
    key = _varint(number << 3 | kind)
    if kind == _VARINT:
        return key + _varint(value)
    if kind == _EIGHT_BYTES:
        return key + struct.pack("<d", value)
    if kind == _FOUR_BYTES:
        return key + _float32(value)
    return key + _varint(len(value)) + value


def _float32(number: float) -> bytes:
    try:
        return struct.pack("<f", number)
    except OverflowError:
        return struct.pack("<f", float("inf") if number > 0 else float("-inf"))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])
