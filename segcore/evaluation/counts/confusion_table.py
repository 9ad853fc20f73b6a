"""A confusion matrix as a CSV table: rows true, columns predicted, with or without names."""

import re
from pathlib import Path

import numpy as np

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import ConfusionMatrix, check_counts
from segcore.text_files import read_text, split_rows

_MAX_BYTES = 64 << 20


def read_confusion_csv(path: Path | str) -> ConfusionMatrix:
    """Read a CSV of pixel counts.

    A first row of names and a first column of names are both optional; so is a name in the corner.
    Cells are split at ``,``, ``;`` or tab, whichever the first row holds most of.

    Args:
        path: The file, in any encoding of :mod:`segcore.text_files`.

    Returns:
        The checked matrix, with class names where the table has them; rows that are named in
        another order than the columns are put into theirs.

    Raises:
        SegcoreError: No such file, or a table that is not square, names other classes in rows than
            in columns, holds totals, or a cell that is no pixel count.
    """
    path = Path(path)
    rows = split_rows(read_text(path, _MAX_BYTES).text, path.name)
    if not rows:
        raise SegcoreError(
            f"Expected rows of pixel counts in {path.name}, received an empty table: write "
            "one row for each true class."
        )
    names, rows = _split_names(rows)
    if any(len(row) != len(rows) for row in rows) or not rows:
        widths = sorted({len(row) for row in rows})
        received = " or ".join(str(w) for w in widths)
        raise SegcoreError(
            f"Expected a square confusion matrix in {path.name}, received {len(rows)} rows "
            f"of {received or 0} columns: "
            "write one row and one column for each class."
        )
    _refuse_thousands(rows, path.name)
    counts = [[_number(cell, path.name) for cell in row] for row in rows]
    _refuse_totals(counts, path.name)
    return ConfusionMatrix(check_counts(counts, f"confusion matrix in {path.name}"), tuple(names))


def _split_names(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Take a row and a column of names off the counts: (names or [], rows of counts as text).

    Text in the first row is a header, unless the table is square already (then it is a broken
    count). Names that are numbers (class ids) are known by standing both in the first row and the
    first column, or under an empty corner.
    """
    width = max(len(row) for row in rows)
    both = (
        len(rows) > 1 and not _is_number(rows[0][0]) and rows[0][1:] == [row[0] for row in rows[1:]]
    )
    text = not all(_is_number(cell) for cell in rows[0][1:])
    if len(rows) == 2 and len(rows[1]) == 1:
        text = not _is_number(rows[0][0])
    header = both or (text and not (len(rows) == width and _is_number(rows[0][0])))
    body = rows[1:] if header else rows
    if not body:
        return [], rows
    wide = len(body[0]) == len(body) + 1
    named = any(not _is_number(row[0]) for row in body) and len(body[0]) != len(body)
    column = both or named or (header and wide and (not rows[0][0] or len(rows[0]) < len(body[0])))
    counts = [row[1:] for row in body] if column else body
    own = [row[0] for row in body] if column else []
    names = own
    if header:
        names = rows[0][-len(counts) :] if len(rows[0]) >= len(counts) else own
    if len(names) != len(counts):
        return [], counts
    return names, _in_order(own, names, counts)


def _in_order(own: list[str], names: list[str], counts: list[list[str]]) -> list[list[str]]:
    """Put rows into the order of the columns where both have names.

    Raises:
        SegcoreError: They name different classes.
    """
    if own == names or len(set(names)) < len(names) or not set(own) & set(names):
        return counts  # rows without names, or named by ids
    if sorted(own) != sorted(names):
        strange = next((name for name in own if name not in names), own[0])
        raise SegcoreError(
            "Expected the same classes in rows and columns of the confusion matrix, received the "
            f"row {strange!r}, which is no column or stands twice: name both alike."
        )
    at = dict(zip(own, counts, strict=True))
    return [at[name] for name in names]


def _refuse_thousands(rows: list[list[str]], name: str) -> None:
    """Refuse points that may part thousands, 1.000, unless all counts have as many decimals.

    Raises:
        SegcoreError: Some cells have exactly three digits after a point.
    """
    cells = [cell.strip() for row in rows for cell in row]
    parted = [cell for cell in cells if re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+", cell)]
    if parted and not all("." in cell or cell == "0" for cell in cells):
        raise SegcoreError(
            f"Expected whole numbers in {name}, received {parted[0]!r}, in which the point may part "
            "thousands: write counts without points."
        )


def _refuse_totals(counts: list[list[float]], name: str) -> None:
    """Refuse a last row and column that sum up the others: they are no class.

    Raises:
        SegcoreError: They do.
    """
    table = np.array(counts)
    inner = table[:-1, :-1]
    if inner.size < 4 or not inner.any():
        return
    sums = np.append(inner.sum(0), inner.sum()), np.append(inner.sum(1), inner.sum())
    if np.array_equal(table[-1], sums[0]) and np.array_equal(table[:, -1], sums[1]):
        raise SegcoreError(
            f"Expected one row and column for each class in {name}, received totals in the last "
            "ones: remove them."
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(cell: str, name: str) -> float:
    if not _is_number(cell):
        raise SegcoreError(
            f"Expected a pixel count in every cell of {name}, received {cell!r}: write "
            "whole numbers."
        )
    return float(cell)
