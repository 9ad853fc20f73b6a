"""Text that people and other programs wrote: any usual encoding, line ending and separator.

Class tables, hierarchies, confusion tables, tag tables and the JSON documents of other tools are
read here, so that each takes what a spreadsheet saves: UTF-8 with or without a byte order mark,
UTF-16, or Windows-1252, with a line ``sep=;`` at its beginning or none.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError

MAX_BYTES = 1 << 24
"""Largest table, in bytes."""

MAX_JSON_BYTES = 1 << 31
"""Largest JSON document: annotations of large datasets take hundreds of megabytes."""

MAX_CELL = 1 << 24
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True)
class Text:
    r"""A decoded file.

    Attributes:
        text: Its text; every line ends with ``\n``, there is no byte order mark.
        note: What a person should know of how it was decoded, as a sentence without full stop; ""
            for UTF-8 and UTF-16.
    """

    text: str
    note: str = ""


def decode_text(data: bytes, name: str, max_bytes: int = MAX_BYTES) -> Text:
    """Decode the bytes of a text file.

    A byte order mark decides; else UTF-8; else UTF-16 where every second byte is zero; else
    Windows-1252, which is noted.

    Args:
        data: The bytes.
        name: What the file is called, for messages.
        max_bytes: The most that is decoded.

    Raises:
        SegcoreError: It is too large, or holds bytes that are no text.
    """
    if len(data) > max_bytes:
        raise SegcoreError(
            f"Expected a text file of at most {max_bytes / 1e6:.0f} MB, received {name} with "
            f"{len(data) / 1e6:.0f} MB: is this the right file?"
        )
    text, note = _decoded(data, name)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise SegcoreError(f"Expected text in {name}, received binary data: save it as UTF-8 text.")
    return Text(_SURROGATE.sub("\ufffd", text), note)


def _decoded(data: bytes, name: str) -> tuple[str, str]:
    encoding = next((word for mark, word in _MARKS if data.startswith(mark)), "")
    if not encoding and len(data) >= 4 and len(data) % 2 == 0:
        zeros = (data[:400:2].count(0), data[1:400:2].count(0))
        half = len(data[:400]) // 2
        if zeros[1] > 0.7 * half and not zeros[0]:
            encoding = "utf-16-le"
        elif zeros[0] > 0.7 * half and not zeros[1]:
            encoding = "utf-16-be"
    try:
        return data.decode(encoding or "utf-8"), ""
    except UnicodeDecodeError as error:
        if encoding:
            raise SegcoreError(
                f"{name} begins like {encoding.upper().removesuffix('-SIG')} text but breaks "
                "off or is damaged: save it as UTF-8 text."
            ) from error
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        raise SegcoreError(
            f"Expected text in {name}, received bytes of no usual encoding: save it as UTF-8 text."
        ) from error
    return text, (
        f"{name} is not UTF-8 and was read as Windows-1252: if names look wrong, save it as UTF-8"
    )


def read_bytes(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file of another program whole.

    Raises:
        SegcoreError: It is absent, no file, cannot be read or is too large.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise SegcoreError(
            f"Expected a file at {path}, it cannot be read ({error.strerror or error}): check "
            "the path."
        ) from error
    except ValueError as error:  # a null character in the path
        raise SegcoreError(f"Expected a path, received {str(path)!r}: check it.") from error
    if len(data) > max_bytes:
        raise SegcoreError(
            f"Expected a file of at most {max_bytes / 1e6:.0f} MB, received {path.name}, which "
            "is larger: is this the right file?"
        )
    return data


def read_text(path: Path, max_bytes: int = MAX_BYTES) -> Text:
    """Read and decode a text file.

    Raises:
        SegcoreError: As :func:`read_bytes` and :func:`decode_text`.
    """
    return decode_text(read_bytes(path, max_bytes), path.name, max_bytes)


def split_rows(text: str, name: str, separators: str = ",;\t") -> list[list[str]]:
    """Split a CSV text into cells without the space around them.

    The separator is the one that a first line ``sep=;`` names, else that which stands most often
    outside quotes in the first line.

    Args:
        text: What :func:`decode_text` gave.
        name: What the file is called, for messages.
        separators: Those that may be.

    Returns:
        The rows with any text, in order.

    Raises:
        SegcoreError: The quotes do not match.
    """
    return [cells for _, cells in numbered_rows(text, name, separators)]


def numbered_rows(text: str, name: str, separators: str = ",;\t") -> list[tuple[int, list[str]]]:
    """Do as :func:`split_rows`, each row with the number of its last line in the file, from 1."""
    lines = text.lstrip("\n")
    skipped = len(text) - len(lines)
    first, _, rest = lines.partition("\n")
    named = re.fullmatch(r'\s*"?sep=(.)"?\s*', first, re.IGNORECASE)
    if named:
        separator, lines, skipped = named[1], rest, skipped + 1
    else:
        unquoted = re.sub(r'"[^"]*"', "", first)
        separator = max(separators, key=unquoted.count)
    csv.field_size_limit(MAX_CELL)
    rows: list[tuple[int, list[str]]] = []
    try:
        reader = csv.reader(io.StringIO(lines), delimiter=separator, skipinitialspace=True)
        for row in reader:
            cells = [unguard_cell(cell.strip()) for cell in row]
            if any(cells):
                rows.append((reader.line_num + skipped, cells))
    except csv.Error as error:
        raise SegcoreError(
            f"Expected a table in {name}, its quotation marks or separators do not match up: "
            "save it again as CSV."
        ) from error
    return rows


def plain_text(text: str) -> str:
    r"""Return a text that a terminal shows and does not obey.

    Control characters but line feed and tab, those that turn the direction of writing and halves of
    surrogate pairs are written out, as in ``\x1b[2J``; a carriage return becomes a line feed.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def guard_cell(value: Any) -> Any:
    """Return a cell of a CSV so that no spreadsheet takes its text for a formula.

    A text that begins with "=", "+", "-", "@" or a tab, and is no number, gets a "'" in front;
    :func:`split_rows` takes it off again. Source: OWASP, CSV Injection.
    """
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def unguard_cell(text: str) -> str:
    """Undo :func:`guard_cell`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def format_rows(rows: Iterable[Iterable[Any]], separator: str = ",") -> str:
    """Write a table as CSV whose text no spreadsheet takes for a formula.

    Args:
        rows: The rows, a header first where there is one.
        separator: What stands between cells.

    Returns:
        The text; :func:`split_rows` reads it back.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerows([guard_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def parse_json(
    data: bytes | str,
    name: str,
    pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    max_bytes: int = MAX_JSON_BYTES,
) -> Any:
    """Parse a JSON document of another program.

    Args:
        data: Its bytes, in any encoding of :func:`decode_text`, or its text.
        name: What the file is called, for messages.
        pairs_hook: As ``object_pairs_hook`` of :func:`json.loads`.
        max_bytes: The most that is parsed.

    Returns:
        Its values; half a surrogate pair in a text becomes U+FFFD.

    Raises:
        SegcoreError: It is no JSON, nests too deeply, or holds a number of thousands of digits.
    """
    text = decode_text(data, name, max_bytes).text if isinstance(data, bytes) else data
    try:
        value = json.loads(text, object_pairs_hook=pairs_hook)
        return _whole(value) if re.search(r"\\u[dD][89a-fA-F]", text) else value
    except json.JSONDecodeError as error:
        raise SegcoreError(
            f"Expected JSON in {name}, it is damaged in line {error.lineno}, column "
            f"{error.colno}: export it again or correct that place."
        ) from error
    except RecursionError as error:
        raise SegcoreError(
            f"Expected JSON in {name}, it nests too deeply to be read: is this the right file?"
        ) from error
    except ValueError as error:
        raise SegcoreError(
            f"Expected JSON in {name}, it holds a number that is too long to be read: correct it."
        ) from error


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read and parse a JSON document of another program.

    Raises:
        SegcoreError: As :func:`read_bytes` and :func:`parse_json`.
    """
    return parse_json(read_bytes(path, max_bytes), path.name, None, max_bytes)


def _whole(value: Any) -> Any:
    """Replace half surrogate pairs in every text of a JSON value: they cannot be written again."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def as_json(value: Any) -> Any:
    """Return a value ready for JSON: dataclasses become mappings, tuples lists, all the way down.

    A dataclass with a method ``to_mapping`` becomes what that returns.
    """
    if hasattr(value, "to_mapping"):
        return as_json(value.to_mapping())
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {key: as_json(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(own) for own in value]
    return value
