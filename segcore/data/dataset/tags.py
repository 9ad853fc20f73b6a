"""Tags of single images, such as "night" or "rain", to find images and part scores by.

Kept with the dataset in ``tags.json``. They are no part of its fingerprint: no pixel and no
split is another with them.
"""

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.documents import write_document
from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError, unknown
from segcore.text_files import format_rows, split_rows

FILE_NAME = "tags.json"
VERSION = 1
MAX_TAG = 40
MAX_TAGS = 30
"""Most tags of one image."""

Tags = dict[str, tuple[str, ...]]
"""Sample id to its tags, sorted; samples without a tag are left out."""


def check_tag(tag: str) -> str:
    """Return a tag without the blanks around it.

    Raises:
        SegcoreError: It is empty, longer than 40 characters, or has a comma, a semicolon or a
            control character.
    """
    text = tag.strip()
    if not text or len(text) > MAX_TAG or not text.isprintable() or "," in text or ";" in text:
        raise SegcoreError(
            f"Expected a tag of 1 to {MAX_TAG} characters without commas and semicolons, "
            f"received {tag!r}: use another."
        )
    return text


def read_tags(dataset: Dataset) -> Tags:
    """Return the tags of a dataset's samples, in the dataset's order.

    Raises:
        SegcoreError: The file is damaged, or a newer Segscope wrote it.
    """
    file = dataset.folder / FILE_NAME
    if not file.is_file():
        return {}
    with foreign_bytes(f"{file} is damaged: remove it; only the tags of the images are lost."):
        data = json.loads(file.read_bytes())
        if int(data["version"]) > VERSION:
            raise SegcoreError(
                f"{file} was written by a newer Segscope (format {data['version']}): "
                "update Segscope."
            )
        kept = {str(name): [str(tag) for tag in tags] for name, tags in data["samples"].items()}
    return {s.id: tuple(sorted(set(kept[s.id]))) for s in dataset.samples if kept.get(s.id)}


def write_tags(dataset: Dataset, tags: Mapping[str, Iterable[str]]) -> Tags:
    """Save the tags of all samples in the place of those before; return them as saved.

    Args:
        dataset: The dataset.
        tags: Sample id to its tags; samples that are not named have none.

    Raises:
        SegcoreError: A sample is unknown, a tag is refused, or an image has more than 30.
    """
    for name in tags:
        dataset.sample(name)
    cleaned = {
        s.id: tuple(sorted({check_tag(tag) for tag in tags.get(s.id, ())})) for s in dataset.samples
    }
    crowded = next((name for name, own in cleaned.items() if len(own) > MAX_TAGS), None)
    if crowded is not None:
        raise SegcoreError(
            f"Expected at most {MAX_TAGS} tags an image, received {len(cleaned[crowded])} "
            f"for {crowded!r}: remove some."
        )
    kept = {name: own for name, own in cleaned.items() if own}
    document = {"version": VERSION, "samples": {name: list(own) for name, own in kept.items()}}
    write_document(
        dataset.folder / FILE_NAME, json.dumps(document, indent=1, ensure_ascii=False).encode()
    )
    return kept


def change_tags(
    dataset: Dataset, samples: Iterable[str], *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> Tags:
    """Give samples tags and take others from them; return the tags of all samples as saved.

    Raises:
        SegcoreError: A sample is unknown, or a tag is refused.
    """
    tags, more, less = (
        read_tags(dataset),
        {check_tag(tag) for tag in add},
        {check_tag(tag) for tag in remove},
    )
    for name in samples:
        tags[name] = tuple((set(tags.get(name, ())) | more) - less)
    return write_tags(dataset, tags)


def matching(dataset: Dataset, pattern: str) -> list[str]:
    """Return the ids of the samples that a shell pattern fits ("0016*", "Tile 1/*"), case kept.

    Raises:
        SegcoreError: It fits none.
    """
    found = [sample.id for sample in dataset.samples if fnmatchcase(sample.id, pattern)]
    if not found:
        raise SegcoreError(
            f"Expected a pattern that fits an image of {dataset.name!r}, received "
            f"{pattern!r}: put * around a part of a name."
        )
    return found


def parse_tags(dataset: Dataset, text: str) -> Tags:
    """Read tags from a table with the columns ``sample`` and ``tags``.

    Several tags of an image stand with ";" between them, or in further rows.

    Raises:
        SegcoreError: A column is missing, or a sample is unknown.
    """
    header, *rows = split_rows(text, "the table of tags", ",\t;") or [[]]
    columns = [name.lower() for name in header]
    if "sample" not in columns or "tags" not in columns:
        raise SegcoreError(
            "Expected a CSV with the columns sample and tags, received "
            f"{', '.join(columns) or 'none'}: rename them."
        )
    known = {sample.id for sample in dataset.samples}
    found: dict[str, set[str]] = {}
    for cells in rows:
        row = dict(zip(columns, cells, strict=False))
        name = row.get("sample", "")
        if name not in known:
            raise unknown("sample", name, known)
        found.setdefault(name, set()).update(
            tag.strip() for tag in row.get("tags", "").split(";") if tag.strip()
        )
    return {name: tuple(sorted(tags)) for name, tags in found.items()}


def format_tags(tags: Mapping[str, Iterable[str]]) -> str:
    """Write tags as the table that :func:`parse_tags` reads."""
    return format_rows([["sample", "tags"], *([name, ";".join(own)] for name, own in tags.items())])
