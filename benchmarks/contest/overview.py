"""Who was best, in few words: a line for each optimizer, a column for each task."""

from collections.abc import Sequence

from benchmarks.contest.rivals import RIVALS
from benchmarks.contest.selection import mean
from benchmarks.contest.table import Line, apart, standings
from benchmarks.contest.tasks import TASKS
from benchmarks.receipts import Row


def overview(rows: Sequence[Row]) -> str:
    """The means of the tuned, and in parentheses of the customary values.

    Bold is better than Adam, italic worse, by an interval without 0.

    Raises:
        KeyError: If an optimizer has not ended a task.
    """
    found = standings(rows)
    titles = sorted(found, key=lambda title: [*TASKS].index(title.split(", ")[0]))
    shown = [["", *titles], ["---"] * (1 + len(titles))]
    for name in RIVALS:
        shown.append([name])
        for title in titles:
            by_name = {line.optimizer: line for line in found[title]}
            shown[-1].append(_cell(by_name[name], found[title]))
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def _cell(line: Line, lines: list[Line]) -> str:
    tuned, customary = (
        f"{mean([*losses.values()]):#.3g}" for losses in (line.tuned, line.customary)
    )
    difference = apart(line, lines)
    if difference is not None and not difference.holds_zero:
        tuned = f"**{tuned}**" if difference.mean < 0 else f"*{tuned}*"
    return f"{tuned} ({customary})"
