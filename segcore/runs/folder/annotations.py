"""Annotations of a run, ``notes.json``: tags, a note, a star, archived. No worker touches them."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError, unknown
from segcore.runs.machine.disk import locked, read_json, write_json

FORMAT = 1
MAX_TAGS = 30
MAX_TAG = 40
MAX_TEXT = 20_000


@dataclass(frozen=True)
class Annotations:
    """What people say about a run.

    Attributes:
        tags: Short words, sorted, each once.
        text: Free text.
        star: Whether it is a favourite.
        archived: Whether it is archived: kept, but out of the usual lists.
    """

    tags: tuple[str, ...] = ()
    text: str = ""
    star: bool = False
    archived: bool = False


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags without surrounding blanks, sorted, each once.

    Raises:
        SegcoreError: One is longer than 40 characters or has a comma or line break, or there are
            more than 30.
    """
    cleaned = sorted({tag.strip() for tag in tags if tag.strip()})
    for tag in cleaned:
        if len(tag) > MAX_TAG or any(c in tag for c in ",\n\r"):
            raise SegcoreError(
                f"Expected a tag of at most {MAX_TAG} characters without a comma, received "
                f"{tag[:60]!r}: shorten it."
            )
    if len(cleaned) > MAX_TAGS:
        raise SegcoreError(
            f"Expected at most {MAX_TAGS} tags, received {len(cleaned)}: take some away."
        )
    return tuple(cleaned)


def read_annotations(path: Path) -> Annotations:
    """Read ``notes.json``; an absent, damaged or newer file counts as empty, and never raises."""
    try:
        data = read_json(path)
        tags = data.get("tags", ())
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            return Annotations()
        return Annotations(
            clean_tags(tags),
            str(data.get("text", "")),
            data.get("star") is True,
            data.get("archived") is True,
        )
    except SegcoreError:
        return Annotations()


def change_annotations(path: Path, changes: dict[str, Any]) -> Annotations:
    """Change some fields of ``notes.json`` under the lock of the status and return the whole.

    Args:
        path: The file ``notes.json`` in a run's folder.
        changes: New values by field name; ``tags`` are cleaned.

    Raises:
        SegcoreError: A name is unknown, a tag or the text is refused, a newer version wrote the
            file, or it cannot be written.
    """
    names = [field.name for field in dataclasses.fields(Annotations)]
    for name in changes:
        if name not in names:
            raise unknown("field of a run's notes", name, names)
    if len(str(changes.get("text", ""))) > MAX_TEXT:
        raise SegcoreError(
            f"Expected a note of at most {MAX_TEXT:,} characters, received "
            f"{len(changes['text']):,}: shorten it."
        )
    if "tags" in changes:
        changes = {**changes, "tags": clean_tags(changes["tags"])}
    with locked(path.with_name("status.lock")):
        if path.exists() and _version(path) > FORMAT:
            raise SegcoreError(
                f"Expected the notes of {path.parent.name!r} in format {FORMAT} or older, "
                "found a newer one: update."
            )
        after = dataclasses.replace(read_annotations(path), **changes)
        write_json(path, {"format": FORMAT, **dataclasses.asdict(after)})
    return after


def _version(path: Path) -> int:
    try:
        version = read_json(path).get("format")
    except SegcoreError:
        return FORMAT
    return version if isinstance(version, int) else FORMAT
