"""Numbers of a page that nobody has answered for."""

import re
from collections.abc import Iterable

from benchmarks.reporting.markers import GENERATED

# What a page says beside its prose; the rows of the dialects have a test of their own.
_NOT_PROSE = [
    GENERATED,
    re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL),
    re.compile(r'^\| `"\w+"`.*$', re.MULTILINE),
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"\$\$.*?\$\$|\$[^$]+\$|`[^`]*`", re.DOTALL),
    re.compile(r"\]\([^)]*\)"),
    re.compile(r"^ *\d+\. ", re.MULTILINE),
]
_CUT = " ¦ "
_SAID = re.compile(
    r"(?<![\w.])[−+]?\d[\w.,]*"  # 3, 3x, 1e-3
    r"|\b(?:times|twice|half) as\b|\b(?:faster|slower)\b"
)


def unanswered(page: str, listed: Iterable[str]) -> list[str]:
    """Numbers and comparisons outside what is generated or listed, where they stand.

    >>> unanswered("With ρ = 0.9 it is 3x faster.", ["ρ = 0.9"])
    ['it is 3x faster.', 'it is 3x faster.']
    """
    for pattern in _NOT_PROSE:
        page = pattern.sub(_CUT, page)
    page = " ".join(page.split())
    # The longest first, lest it be cut by one that it contains.
    for phrase in sorted(listed, key=len, reverse=True):
        page = page.replace(phrase, _CUT)
    return [
        page[: found.start()][-40:].rpartition(_CUT)[2].lstrip()
        + page[found.start() :][:40].partition(_CUT)[0].rstrip()
        for found in _SAID.finditer(page)
    ]
