"""Tables that declare classes: CSV, JSON and text files, as people and tools write them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from segcore.errors import SegcoreError
from segcore.labels import MAX_CLASSES, Color, hex_to_color
from segcore.text_files import Text, numbered_rows, parse_json, read_text

TABLE_NAMES = re.compile(
    r"(.*/)?(_?classes|(label_)?class_dict\w*|class_names|id2label|label_?map|labels|label_colou?rs|colou?r_?map|palette)\.(csv|json|txt)",
    re.IGNORECASE,
)
"""Files that are taken for a class table."""

COLUMNS = {
    "id": ("id", "index", "class_id", "label_id", "pixel value", "value"),
    "name": ("name", "class", "label", "class_name", "class name", "title", "category"),
    "color": ("color", "colour", "hex", "rgb"),
    "ignore": ("ignore", "ignored", "void"),
}
CHANNELS = (("r", "red"), ("g", "green"), ("b", "blue"))
MAX_ROWS = 2 * MAX_CLASSES
MAX_NAME = 200
"""Most classes in a table, those that are ignored included, and longest name of one."""

TRUTHS = {
    "true": True,
    "1": True,
    "yes": True,
    "y": True,
    "false": False,
    "0": False,
    "no": False,
    "n": False,
    "": False,
}
ANSWERS = "yes, no, true, false, y, n, 1, 0 or nothing"
"""The keys of :data:`TRUTHS` as an error names them."""


@dataclass(frozen=True)
class DeclaredClass:
    """One class as a table declares it.

    Attributes:
        name: Its name.
        id: Its number in masks, or None where the table gives none.
        color: Its colour in masks, or None where the table gives none.
        ignore: Whether it is never trained nor scored.
    """

    name: str
    id: int | None = None
    color: Color | None = None
    ignore: bool = False


def read_class_table(path: Path) -> tuple[DeclaredClass, ...]:
    """Read a class table.

    Args:
        path: A CSV (``id,name,color,ignore``; ``name,r,g,b``; ``Pixel Value, Class``; separated by
            ',', ';' or tab), a JSON list or mapping, or a text file with one class a line; in any
            encoding of :mod:`segcore.text_files`.

    Returns:
        The classes, in the order of the file.

    Raises:
        SegcoreError: A column or value is missing or wrong, or an id or name stands twice.
    """
    return parse_class_table(read_text(path), path.name)


def parse_class_table(text: Text, file: str) -> tuple[DeclaredClass, ...]:
    """Parse a class table that is already decoded, as :func:`read_class_table`."""
    parser = _PARSERS.get(PurePosixPath(file).suffix.lower(), _parse_text)
    rows: list[DeclaredClass] = []
    names: set[str] = set()
    ids: set[int] = set()
    for row in parser(text.text, file):
        if len(rows) >= MAX_ROWS:
            raise SegcoreError(
                f"Expected at most {MAX_ROWS} classes in {file}, received more: is this a "
                "class table?"
            )
        if len(row.name) > MAX_NAME:
            raise SegcoreError(
                f"Expected class names of at most {MAX_NAME} characters in {file}, received one "
                f"of {len(row.name)}: shorten it."
            )
        twice = ("name", row.name) if row.name in names else ("id", row.id)
        if twice[0] == "name" or (row.id is not None and row.id in ids):
            raise SegcoreError(
                f"Expected each class {twice[0]} once in {file}, received {twice[1]!r} "
                "twice: remove or rename one."
            )
        names.add(row.name)
        ids.update(() if row.id is None else (row.id,))
        rows.append(row)
    if not rows:
        raise SegcoreError(
            f"Expected at least one class in {file}, received none: add a row for each class."
        )
    return tuple(rows)


def parse_color(value: Any, where: str) -> Color:
    """Read a colour from '#rrggbb', 'r g b', 'r,g,b' or three numbers; 0..255 each.

    Raises:
        SegcoreError: It is none of these.
    """
    if isinstance(value, str):
        digits = re.fullmatch(
            r"\s*[\[(]?\s*(\d{1,4})[\s,;]+(\d{1,4})[\s,;]+(\d{1,4})\s*[\])]?\s*",
            value,
            re.ASCII,
        )
        if not digits:
            try:
                return hex_to_color(value)
            except SegcoreError as error:
                raise SegcoreError(
                    f"Expected a colour like '#8429f6' in {where}, received "
                    f"{shown(value)}: correct it."
                ) from error
        value = [int(d) for d in digits.groups()]
    if (
        isinstance(value, Sequence)
        and len(value) >= 3
        and all(isinstance(v, int) and 0 <= v <= 255 for v in value[:3])
    ):
        return (int(value[0]), int(value[1]), int(value[2]))
    raise SegcoreError(
        f"Expected a colour of three numbers from 0 to 255 in {where}, received "
        f"{shown(value)}: correct it."
    )


def shown(value: Any) -> str:
    """Return a received value short enough for a sentence, however long it is."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _parse_id(value: Any, where: str) -> int:
    try:
        text = str(value).strip()
    except ValueError:
        text = ""
    text = text.replace(",", ".")  # a spreadsheet's decimal comma
    if not re.fullmatch(r"\d{1,5}(\.0+)?", text, re.ASCII) or int(text.split(".")[0]) > 65535:
        raise SegcoreError(
            f"Expected a class id from 0 to 65535 in {where}, received {shown(value)}: correct it."
        )
    text = text.split(".")[0]
    return int(text)


def _parse_csv(text: str, file: str) -> Iterable[DeclaredClass]:
    rows = numbered_rows(text, file)
    header = [cell.lower() for cell in rows[0][1]] if rows else []
    at = {
        key: next((header.index(n) for n in names if n in header), None)
        for key, names in COLUMNS.items()
    }
    channels = [next((header.index(n) for n in names if n in header), None) for names in CHANNELS]
    colored = at["color"] is not None or None not in channels
    if at["name"] is None or (at["id"] is None and not colored):
        received = ", ".join(header)[:80]
        raise SegcoreError(
            f"Expected the columns id and name (or name and color) in {file}, received "
            f"{received!r}: add them, or rename the file if it "
            "lists no classes."
        )
    for number, row in rows[1:]:
        cells = dict(enumerate(row))
        where = f"line {number} of {file}"
        name = cells.get(at["name"], "")
        if not name:
            raise SegcoreError(f"Expected a class name in {where}, received none: fill it in.")
        color = cells.get(-1 if at["color"] is None else at["color"], "")
        if at["color"] is None and colored:
            color = " ".join(cells.get(c, "") for c in channels if c is not None)
        ignore = cells.get(-1 if at["ignore"] is None else at["ignore"], "").lower()
        if ignore not in TRUTHS:
            raise SegcoreError(
                f"Expected {ANSWERS} for ignore in {where}, received {shown(ignore)}: write one of "
                "them."
            )
        yield DeclaredClass(
            name,
            None if at["id"] is None else _parse_id(cells.get(at["id"], ""), where),
            parse_color(color, where) if color else None,
            TRUTHS[ignore],
        )


def _parse_json(text: str, file: str) -> Iterable[DeclaredClass]:
    data = parse_json(text, file)
    if isinstance(data, Mapping):
        lists = [
            data[k]
            for k in ("classes", "labels", "categories", "items")
            if isinstance(data.get(k), (list, Mapping))
        ]
        data = lists[0] if lists else data
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield _json_entry(key, value, f"entry {shown(key)} of {file}")
    elif isinstance(data, list):
        for position, value in enumerate(data):
            yield _json_entry(None, value, f"entry {position} of {file}")
    else:
        raise SegcoreError(
            f"Expected a list or a mapping of classes in {file}, received {shown(data)}: "
            "write one entry for each class."
        )


def _json_entry(key: str | None, value: Any, where: str) -> DeclaredClass:
    if isinstance(value, Mapping):
        name = next(
            (
                value[k]
                for k in ("name", "title", "label", "class")
                if isinstance(value.get(k), str)
            ),
            key,
        )
        number = next(
            (value[k] for k in ("id", "index", "value", "labelId") if value.get(k) is not None),
            None,
        )
        color = next(
            (value[k] for k in ("color", "colour", "rgb", "hex") if value.get(k) is not None), None
        )
        ignore = str(value.get("ignore", value.get("ignoreInEval", False))).lower()
        if name is None or ignore not in TRUTHS:
            raise SegcoreError(
                f"Expected a name, and for ignore {ANSWERS}, in {where}, received "
                f"{shown(dict(value))}: correct it."
            )
        return DeclaredClass(
            name,
            None if number is None else _parse_id(number, where),
            None if color is None else parse_color(color, where),
            TRUTHS[ignore],
        )
    if key is None and isinstance(value, str):
        return DeclaredClass(value)
    if key is not None and isinstance(value, str) and key.strip().isdigit():
        return DeclaredClass(value, _parse_id(key, where))
    if key is not None and isinstance(value, int) and not isinstance(value, bool):
        return DeclaredClass(key, _parse_id(value, where))
    if key is not None and isinstance(value, (str, list)):
        return DeclaredClass(key, None, parse_color(value, where))
    raise SegcoreError(
        f"Expected a name, an id or a colour in {where}, received {shown(value)}: correct it."
    )


def _parse_text(text: str, file: str) -> Iterable[DeclaredClass]:
    named = _names_before_ids(text)
    if named:
        yield from (DeclaredClass(name, number) for name, number in named.items())
        return
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        where = f"line {number} of {file}"
        if not line or (line.startswith("#") and not re.match(r"#[0-9a-fA-F]{6}\b", line)):
            continue
        first = re.fullmatch(r"(\d+[\s,]+\d+[\s,]+\d+|#[0-9a-fA-F]{6})[\s,;:]+(\S.*)", line)
        last = re.fullmatch(
            r"(.*?[^\s,;:])[\s,;:]+(\d+[\s,]+\d+[\s,]+\d+|#[0-9a-fA-F]{6})(:.*)?", line
        )
        numbered = re.fullmatch(r"(\d{1,5})[\s,;:]+(\S.*)", line)
        if first:
            yield DeclaredClass(first[2].strip(), None, parse_color(first[1], where))
        elif last:
            yield DeclaredClass(last[1].strip(), None, parse_color(last[2], where))
        elif numbered:
            yield DeclaredClass(numbered[2].strip(), _parse_id(numbered[1], where))
        else:
            yield DeclaredClass(
                line.rstrip(":") or line
            )  # "leaf:::" of a colour map without colours


def _names_before_ids(text: str) -> dict[str, int]:
    """Return name and id of lines like "tree 1", where that is what all are; else {}.

    The ids must be those of few classes, so that "Boeing 737" stays a name.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [re.fullmatch(r"(.*\D.*?)[\s,;:=]+(\d{1,5})", line, re.ASCII) for line in lines]
    named = {f[1]: int(f[2]) for f in found if f and not re.search(r"(^|[\s,;:=])\d+$", f[1])}
    whole = len(lines) > 1 and len(named) == len(lines) == len({*named.values()})
    return named if whole and max(named.values()) <= 2 * len(lines) else {}


_PARSERS: dict[str, Callable[[str, str], Iterable[DeclaredClass]]] = {
    ".csv": _parse_csv,
    ".json": _parse_json,
    ".txt": _parse_text,
}


def declare_alike(one: Sequence[DeclaredClass], other: Sequence[DeclaredClass]) -> bool:
    """Return whether two tables declare the same classes; ids count where both give them, as colours do."""

    def agree(a: DeclaredClass, b: DeclaredClass) -> bool:
        pairs = ((a.id, b.id), (a.color, b.color))
        known = all(x == y for x, y in pairs if x is not None and y is not None)
        return known and (a.name, a.ignore) == (b.name, b.ignore)

    return len(one) == len(other) and all(map(agree, one, other))
