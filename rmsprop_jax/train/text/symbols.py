"""Texts as symbols: words of a vocabulary, or bytes.

Symbol 0 stands for nothing, where a text has ended, and 1 for what is not known.
"""

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

NOTHING, UNKNOWN = 0, 1
_FIRST = 2
MOST_WORDS = 20_000
# With so many texts, what is said only once among them is left unknown.
MANY_TEXTS = 1000
# Scripts that set no blanks between words: each of their characters is one.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)


def words_of(text: str) -> list[str]:
    """In lower case: runs of letters and digits, and every other character alone.

    >>> words_of("Not GOOD, at all: ½ 映画!")
    ['not', 'good', ',', 'at', 'all', ':', '½', '映', '画', '!']
    """
    return _pattern().findall(unicodedata.normalize("NFC", text.lower()))


@cache
def _pattern() -> re.Pattern[str]:
    # To Python, accents that stand alone and the vowels of some scripts are no \w.
    marks = [
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)).startswith("M")
    ]
    runs = [
        [code for _, code in run]
        for _, run in groupby(enumerate(marks), lambda pair: pair[1] - pair[0])
    ]
    ranges = "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
    return re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w{ranges}])+|\S")


@dataclass(frozen=True)
class Words:
    """Words of a vocabulary, whose first is symbol 2.

    Attributes:
        vocabulary: The words that are known.
    """

    vocabulary: tuple[str, ...]
    kind = "words"
    most = 256

    @classmethod
    def among(cls, texts: Sequence[str]) -> "Words":
        """Those that are said most often, at most 20 000, and of equals the first.

        Among 1 000 texts or more, those that are said twice at least.
        """
        counts = Counter(word for text in texts for word in words_of(text))
        least = 2 if len(texts) >= MANY_TEXTS else 1
        known = [word for word, count in counts.items() if count >= least]
        known.sort(key=lambda word: (-counts[word], word))
        return cls(tuple(known[:MOST_WORDS]))

    @property
    def count(self) -> int:
        """How many symbols there are."""
        return _FIRST + len(self.vocabulary)

    def symbols(self, texts: Iterable[str]) -> list[list[int]]:
        """What each text is made of."""
        known = {word: _FIRST + place for place, word in enumerate(self.vocabulary)}
        return [[known.get(x, UNKNOWN) for x in words_of(text)] for text in texts]

    def text(self, symbols: Iterable[int]) -> str:
        """What they say, words that are not known as `□`."""
        names = ("", "□", *self.vocabulary)
        return " ".join(names[symbol] for symbol in symbols if symbol)


@dataclass(frozen=True)
class Bytes:
    """The bytes of UTF-8: byte b is symbol b + 1, since no text has a byte 0."""

    vocabulary: tuple[str, ...] = ()
    kind = "bytes"
    most = 1024
    count = 257

    @classmethod
    def among(cls, texts: Sequence[str]) -> "Bytes":
        """The same for all texts."""
        del texts
        return cls()

    def symbols(self, texts: Iterable[str]) -> list[list[int]]:
        """What each text is made of."""
        return [[byte + 1 for byte in text.encode()] for text in texts]

    def text(self, symbols: Iterable[int]) -> str:
        """What they say, `□` for what is cut in the middle of a character."""
        said = bytes(symbol - 1 for symbol in symbols if symbol)
        return said.decode(errors="replace").replace("\ufffd", "□")


Symbols = Words | Bytes
KINDS: dict[str, type[Symbols]] = {"words": Words, "bytes": Bytes}


def of(about: Mapping[str, Any]) -> Symbols:
    """The symbols of a run, as its data were told to be."""
    return KINDS[about["symbols"]](tuple(about["vocabulary"]))
