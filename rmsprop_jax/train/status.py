"""Where a run is, how fast and how good, and the words for it. All of it is ASCII."""

import math
import time
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]


class Status:
    """Where the run is, how fast, and how well it did so far."""

    def __init__(self, epochs: int, steps_per_epoch: int, step: int, unit: str):
        self.epochs, self.total = epochs, epochs * steps_per_epoch
        self.steps_per_epoch, self.unit = steps_per_epoch, unit
        self.step, self.row, self.best = step, {}, None
        self.began = time.monotonic()
        self._first = self._latest = None

    def update(self, row: Row) -> None:
        """Take over a row of kind "train"."""
        self.step, self.row = row["step"], dict(row)
        self._latest = (self.step, time.monotonic())
        # The first row has waited for the compiler: time counts from there.
        self._first = self._first or self._latest

    def finish_epoch(self, row: Row) -> None:
        """Take over a row of kind "epoch"."""
        self.step = row["step"]
        name, better = ("accuracy", max) if "test/accuracy" in row else ("loss", min)
        value = row.get(f"test/{name}")
        if value is not None and not math.isnan(value):
            best = value if self.best is None else better(value, self.best[1])
            self.best = (name, best)

    def seconds_left(self) -> float | None:
        """What remains at the mean pace since the first row, or None before a pace."""
        if self._first is None or self._latest is None or self._first == self._latest:
            return None
        (step, then), (latest_step, latest) = self._first, self._latest
        pace = (latest - then) / max(latest_step - step, 1)
        since = time.monotonic() - latest
        return max(0.0, (self.total - latest_step) * pace - since)

    def heading(self) -> tuple[str, str]:
        """What stands to the left and to the right of the bar."""
        epoch = min(self.step // self.steps_per_epoch + 1, self.epochs)
        left = self.seconds_left()
        eta = "" if left is None else f"  ETA {duration(left)}"
        return _epoch(epoch, self.epochs), f"{self.share():4.0%}{eta:17}"

    def share(self) -> float:
        """The share of the run that is done, in [0, 1]."""
        return min(1.0, self.step / self.total) if self.total else 1.0

    def numbers(self) -> list[str]:
        """The latest numbers, in words."""
        if not self.row:
            waited = duration(time.monotonic() - self.began)
            return [f"compiling and starting, {waited}"]
        words = measured(self.row, "", "")
        if "examples_per_second" in self.row:
            words.append(f"{quantity(self.row['examples_per_second'])} {self.unit}/s")
        if self.row.get("learning_rate") is not None:
            words.append(f"learning rate {self.row['learning_rate']:.1e}")
        if self.best:
            words += measured({self.best[0]: self.best[1]}, "", "best test ")
        return words

    def epoch_line(self, row: Row, width: int | None = None) -> str:
        """The line of a finished epoch, without what `width` columns cannot hold."""
        train, test = measured(row, "train/", ""), measured(row, "test/", "test ")
        validation = measured(row, "validation/", "validation ")
        speed = row.get("examples_per_second")
        rate = [] if speed is None else [f"{quantity(speed)} {self.unit}/s"]
        seconds = row.get("seconds")
        took = [] if seconds is None else [duration(seconds)]
        skipped = row.get("skipped")
        lost = [f"{skipped} skipped"] if skipped else []
        words = [_epoch(row["epoch"], self.epochs), *train, *validation, *test, *lost]
        words += [*rate, *took]
        for dispensable in (*rate, *took, *train[::-1], *validation, *test[:-1]):
            if width is None or len("  ".join(words)) <= width:
                break
            words.remove(dispensable)
        return "  ".join(words)


def percent(share: float) -> str:
    """A share as people read it: `98.12 %`."""
    return f"{100 * share:.2f} %"


def quantity(number: float) -> str:
    """A number with three digits or so: `112 k`."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """A time with two units at most: `4.2 s`, `12 s`, `3 min 05 s`, `2 h 07 min`."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def loss_text(loss: float) -> str:
    """A loss with four digits: `0.0812`, `12.34`, `3.2e-05`."""
    if loss == 0 or 1e-3 <= abs(loss) < 1e4:
        return f"{loss:.4f}" if abs(loss) < 10 else f"{loss:.4g}"
    return f"{loss:.1e}"


_WORDS = (
    ("loss", loss_text),
    ("error", percent),
    ("word_error", percent),
    ("accuracy", percent),
)


def measured(row: Row, prefix: str, called: str) -> list[str]:
    """What a row says, such as `test loss 0.0812` and `test accuracy 97.50 %`.

    Args:
        row: Numbers by their names.
        prefix: Of the names, such as `test/`.
        called: What stands in front of each.
    """
    words = []
    for name, word in _WORDS:
        if row.get(prefix + name) is not None:
            value = word(row[prefix + name])
            words.append(f"{called}{name.replace('_', ' ')} {value}")
    return words


def _epoch(epoch: int, epochs: int) -> str:
    return f"epoch {epoch:{len(str(epochs))}}/{epochs}"


def flow(words: list[str], width: int) -> list[str]:
    """The words in lines of at most `width` columns, broken between words only."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]}  {word}"
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], word]
    return lines
