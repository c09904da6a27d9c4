"""Where a page is generated: what stands between its markers.

<!-- begin NAME -->            a block, on lines of its own, indented as they are
| a table |
<!-- end NAME -->

in <!-- begin NAME -->30 of 30<!-- end NAME --> cases
"""

import re
import textwrap
from collections.abc import Mapping

WIDTH = 118
GENERATED = re.compile(
    r"^(?P<indent> *)<!-- begin (?P<block>\S+) -->\n.*?^ *<!-- end (?P=block) -->$"
    r"|<!-- begin (?P<inline>\S+) -->.*?<!-- end (?P=inline) -->",
    re.MULTILINE | re.DOTALL,
)
# Unlike a no-break space, `textwrap` does not break at it.
_NO_BREAK = "\N{WORD JOINER}"
_BEGINS_A_LINE = re.compile(r"^ *<!-- begin \S+ -->(?=.)", re.MULTILINE)
_MARKER = re.compile(r"<!-- (?:begin|end) \S+ -->")


def fill(page: str, texts: Mapping[str, str]) -> str:
    """The page, with these texts between the markers of their names.

    >>> fill("in <!-- begin a -->?<!-- end a --> cases", {"a": "30 of 30"})
    'in <!-- begin a -->30 of 30<!-- end a --> cases'

    Raises:
        ValueError: If a marker has no partner, a text no place, a place no text, or if
            a marker within a line begins it.
    """
    if alone := _MARKER.findall(GENERATED.sub("", page)):
        raise ValueError(
            f"{', '.join(alone)} without a partner; expected both, on lines of their "
            "own or both within one."
        )
    if begins := _BEGINS_A_LINE.search(page):
        raise ValueError(
            f"{begins[0].strip()} begins a line, where Markdown ends the paragraph; "
            "expected a word before it, or a block."
        )
    places = [found["block"] or found["inline"] for found in GENERATED.finditer(page)]
    if sorted(places) != sorted(texts):
        raise ValueError(
            f"between markers are {', '.join(sorted(places))}; expected each of "
            f"{', '.join(sorted(texts))} once."
        )

    def filled(found):
        name = found["block"] or found["inline"]
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if found["inline"]:
            return begin + texts[name] + end
        return textwrap.indent("\n".join([begin, texts[name], end]), found["indent"])

    return GENERATED.sub(filled, page)


def paragraph(text: str) -> str:
    """`text` in lines of the page's width; code is not broken."""
    whole = re.sub("`[^`]*`", lambda code: code[0].replace(" ", _NO_BREAK), text)
    lines = textwrap.fill(
        re.sub(r"[ \n]+", " ", whole).strip(),
        WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace(_NO_BREAK, " ")


def table(*rows: list[str], right: bool = False) -> str:
    """Markdown, its first row the head.

    Args:
        rows: Cells.
        right: Whether all columns but the first are numbers, to be aligned so.
    """
    rule = ["---", *(["--:" if right else "---"] * (len(rows[0]) - 1))]
    head, *lines = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head.replace("|  |", "| |"), f"|{'|'.join(rule)}|", *lines])
