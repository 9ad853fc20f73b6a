"""Results as text in aligned columns."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from segcore.formatting import plural
from segcore.text_files import plain_text

LISTED = 50
"""Problems that are listed."""

WIDTH = 100
"""Characters of a line of a table whose last column is wrapped."""

SENTENCE = 30
"""Characters that a sentence in the last column has at least, however wide the others are."""


def table(header: Sequence[str], rows: Iterable[Sequence[Any]], width: int | None = None) -> str:
    """Lay rows out in columns: text to the left, numbers and shares to the right.

    Args:
        header: Column titles.
        rows: One sequence a row, as long as the header.
        width: Characters of a line within which the last column's sentences are wrapped; None for
            one line a row.

    Returns:
        Lines joined by newlines, the header underlined.
    """
    cells = [[_cell(c) for c in row] for row in (header, *rows)]
    if width:
        taken = sum(max(map(len, column)) + 2 for column in [*zip(*cells, strict=True)][:-1])
        cells = _wrapped(cells, max(SENTENCE, width - taken))
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    right = [
        all(_numeric(row[i]) for row in cells[1:]) and len(cells) > 1 for i in range(len(header))
    ]
    lines = [
        "  ".join(
            c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def problem_list(problems: Sequence[str], more: str = "") -> list[str]:
    """Return the lines of a list of problems, the first fifty in full; none where there are none.

    Args:
        problems: A sentence each.
        more: What is said of the rest, such as where all are listed.
    """
    lines = [f"{plural(len(problems), 'problem')}:"] * bool(problems)
    lines += [f"  {problem}" for problem in problems[:LISTED]]
    if len(problems) > LISTED:
        lines.append(f"  ... and {len(problems) - LISTED} more{more}")
    return lines


def _wrapped(cells: Sequence[list[str]], width: int) -> list[list[str]]:
    """Return the rows with the last column in as many rows as it needs at a width."""
    return [
        [*(others if not number else [""] * len(others)), part]
        for *others, last in cells
        for number, part in enumerate(textwrap.wrap(last, width) or [""])
    ]


def _cell(value: Any) -> str:
    """A value as text of one line that a terminal does not obey."""
    return " ".join(plain_text(str(value)).splitlines())


def _numeric(text: str) -> bool:
    stripped = text.replace("%", "").replace(",", "").strip().lstrip("<> +-–")
    return not stripped or stripped.replace(".", "", 1).isdigit()
