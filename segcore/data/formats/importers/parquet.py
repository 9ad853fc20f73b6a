"""Parquet tables with images and masks inside, as Hugging Face's ``datasets`` writes them.

Each image is a struct of ``bytes`` and ``path``, or plain bytes; splits come from the file names
(``data/train-00000-of-00002.parquet``, ``default/validation/0000.parquet``). The tables are
unpacked into files, a few rows at a time, so memory stays flat; rows whose bytes are elsewhere are
reported, their paths are never followed.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from segcore.data.files.archives import FREE_BYTES, MAX_RATIO
from segcore.data.files.scanning import Progress
from segcore.data.formats.importers.paired_folders import find_class_table, sample_id
from segcore.data.formats.importers.pairs.places import IMAGE_WORDS, MASK_WORDS
from segcore.data.formats.importers.pairs.roles import split_roles
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.errors import SegcoreError

BATCH_ROWS = 16
MAX_GROUP_BYTES = 4_000_000_000
"""Largest row group, unpacked: one group of 20 GB cannot be read in little memory."""

LISTING = "samples.json"
SUFFIXES = {
    b"\xff\xd8\xff": ".jpg",
    b"II*\x00": ".tif",
    b"MM\x00*": ".tif",
    b"BM": ".bmp",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
}
"""First bytes of a picture -> ending of its file; PNG for all others."""

_SHARD = re.compile(r"(.+?)-\d+-of-\d+(-[0-9a-f]+)?")
_PICTURE_WORDS = IMAGE_WORDS | {"pixel", "pixels"}


@dataclass(frozen=True)
class Columns:
    """Which columns hold the pictures."""

    image: str
    mask: str


def matches(source: Source) -> bool:
    """Whether a Parquet file lies there, and no masks next to it; a few pictures may."""
    return bool(_tables(source)) and not (source.images and split_roles(source)[1])


def _tables(source: Source) -> list[str]:
    return [name for name in source.files if name.lower().endswith(".parquet")]


def split_of(name: str) -> str:
    """Read the split from a table's name, else from its folders; "" where neither names one.

    A shard (``NAME-00000-of-00002``) of another name is a split of that name.
    """
    path = PurePosixPath(name)
    shard = _SHARD.fullmatch(path.stem)
    for part in (path.stem, *reversed(path.parts[:-1])):
        known = [
            SPLIT_NAMES[word] for word in re.split(r"[_\-. ]+", part.lower()) if word in SPLIT_NAMES
        ]
        if known:
            return known[0]
    return re.sub(r"[^A-Za-z0-9_-]", "_", shard[1])[:64] if shard else ""


def choose_columns(schema: pa.Schema, name: str) -> Columns:
    """Choose the columns of images and masks by type and by name.

    Raises:
        SegcoreError: There are not both.
    """
    pictures = [field.name for field in schema if _is_picture(field.type)]
    masks = [n for n in pictures if _words(n) & MASK_WORDS]
    images = [n for n in pictures if n not in masks and _words(n) & _PICTURE_WORDS] or [
        n for n in pictures if n not in masks
    ]
    if not masks and len(pictures) == 2 and len(images) == 1:
        masks = [n for n in pictures if n not in images]
    if not images or not masks:
        raise SegcoreError(
            "Expected a column of images and one of masks (bytes, or structs of bytes and "
            f"path) in {name}, received "
            f"{', '.join(schema.names)[:120] or 'none'}: name them 'image' and 'mask'."
        )
    return Columns(images[0], masks[0])


def _words(name: str) -> set[str]:
    return set(re.split(r"[_\-. ]+", name.lower()))


def _is_picture(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_bytes(field.type) for field in kind)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def unpack(
    source: Source, target: Path, limit: int | None = None, progress: Progress | None = None
) -> Source:
    """Write the pictures of every table into files, a few rows at a time.

    Args:
        source: A folder of tables, with a class table (``classes.csv``, ``id2label.json``) next to
            them or not.
        target: A folder for the files.
        limit: How many samples are wanted of all, evenly from the tables; None for every one.
        progress: Called with (done, total, what).

    Returns:
        The files: :data:`LISTING`, images, masks, class tables.

    Raises:
        SegcoreError: A table is damaged, has no columns of images and masks, or unpacks to far more
            than it holds.
    """
    names = _tables(source)
    rows = [_count_rows(source.root / name) for name in names]
    total = sum(rows) if limit is None else min(limit, sum(rows))
    wanted = rows if limit is None else [min(n, -(-limit // len(names))) for n in rows]
    allowed = FREE_BYTES + MAX_RATIO * sum((source.root / name).stat().st_size for name in names)
    target.mkdir(parents=True, exist_ok=True)
    listing: list[dict[str, Any]] = []
    totals: Counter[str] = Counter()
    for name, count, held in zip(names, wanted, rows, strict=True):
        split = split_of(name)
        totals[split] += held
        for number, (image, mask) in enumerate(_read_rows(source.root / name, count)):
            row: dict[str, Any] = {"table": name, "row": number, "split": split, "stem": image.stem}
            for part, picture in (("image", image), ("mask", mask)):
                if picture.data is not None:
                    allowed -= len(picture.data)
                    if allowed < 0:
                        raise SegcoreError(
                            f"{name} unpacks to more than {MAX_RATIO} times its size, as a "
                            "bomb does: do not trust it."
                        )
                    row[part] = f"{part}s/{len(listing):07d}{_suffix(picture.data)}"
                    place = target / row[part]
                    place.parent.mkdir(exist_ok=True)
                    place.write_bytes(picture.data)
            listing.append(row)
            if progress and (len(listing) % 64 == 0 or len(listing) == total):
                progress(len(listing), total, "unpacking")
    declared, table = find_class_table(source)
    if declared:
        (target / PurePosixPath(table).name).write_bytes((source.root / table).read_bytes())
    (target / LISTING).write_text(json.dumps({"rows": listing, "totals": totals}), "utf-8")
    return Source(target, (LISTING, *([PurePosixPath(table).name] if declared else [])))


@dataclass(frozen=True)
class _Picture:
    data: bytes | None
    stem: str


def _count_rows(file: Path) -> int:
    with _open(file) as table:
        for group in range(table.metadata.num_row_groups):
            size = table.metadata.row_group(group).total_byte_size
            if size > MAX_GROUP_BYTES:
                raise SegcoreError(
                    f"Expected row groups of at most {MAX_GROUP_BYTES // 10**9} GB in "
                    f"{file.name}, received one of {size / 1e9:.1f} GB: "
                    "write the table again with fewer rows a group."
                )
        return int(table.metadata.num_rows)


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SegcoreError(
            f"{file.name} cannot be read as Parquet, it is damaged or breaks off: download "
            "or write it again."
        ) from error


def _read_rows(file: Path, count: int) -> Iterator[tuple[_Picture, _Picture]]:
    with _open(file) as table:
        columns = choose_columns(table.schema_arrow, file.name)
        left = count
        batches = table.iter_batches(
            BATCH_ROWS, columns=[columns.image, columns.mask], use_threads=False
        )
        while left > 0:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise SegcoreError(
                    f"{file.name} is damaged after {count - left} rows: download or write it again."
                ) from error
            if batch is None:
                return
            for image, mask in zip(batch[columns.image], batch[columns.mask], strict=True):
                if left > 0:
                    yield _picture(image.as_py()), _picture(mask.as_py())
                left -= 1


def _picture(value: Any) -> _Picture:
    if isinstance(value, dict):
        return _Picture(
            value.get("bytes") or None,
            PurePosixPath(str(value.get("path") or "").replace("\\", "/")).stem,
        )
    return _Picture(value or None, "")


def _suffix(data: bytes) -> str:
    return next((suffix for magic, suffix in SUFFIXES.items() if data.startswith(magic)), ".png")


def read(source: Source) -> Layout:
    """Read what :func:`unpack` wrote; ids are the stems of the rows' paths, else running numbers.

    Raises:
        SegcoreError: A class table cannot be understood.
    """
    data = json.loads((source.root / LISTING).read_bytes())
    rows: Sequence[dict[str, Any]] = data["rows"]
    stems = [sample_id((), row["stem"]) if row["stem"] else "" for row in rows]
    named = all(stems) and len(set(stems)) == len(stems)
    pairs, problems = [], []
    for number, (row, stem) in enumerate(zip(rows, stems, strict=True)):
        if "image" not in row:
            what = f"row {row['row']} of {row['table']} holds no bytes of an image"
            problems.append(
                Problem(f"{number:07d}", what, "write the table with its images inside")
            )
            continue
        mask = source.root / row["mask"] if "mask" in row else None
        pairs.append(
            Pair(stem if named else f"{number:07d}", source.root / row["image"], mask, row["split"])
        )
    declared, declared_in = find_class_table(source)
    if [row.id for row in declared] == list(range(len(declared))) and not any(
        row.ignore or row.color for row in declared
    ):
        declared = tuple(
            replace(row, id=None) for row in declared
        )  # bare names, which leave 255 for void
    layout = Layout("Parquet", tuple(pairs), declared, declared_in, tuple(problems))
    return replace(layout, totals=data["totals"])
