"""Mapillary Vistas: ``training/images``, ``training/v2.0/labels``, ``config_v2.0.json``."""

import re
from pathlib import PurePosixPath

from segcore.data.formats.importers.annotations.shapes import broken
from segcore.data.formats.importers.class_tables import DeclaredClass, parse_color
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Layout, Pair, Source
from segcore.labels import plural
from segcore.text_files import read_json

_CONFIG = r"(.*/)?config(_v\d+\.\d+)?\.json"


def matches(source: Source) -> bool:
    """Whether there is a config of Vistas next to folders of images and labels."""
    return bool(source.named(_CONFIG)) and any(
        re.search(r"(^|/)(training|validation)/(v\d\.\d/)?labels/", name) for name in source.files
    )


def read(source: Source) -> Layout:
    """Read Mapillary Vistas; of several versions of its labels the newest that is there.

    Raises:
        SegcoreError: The config is damaged.
    """
    versions = sorted(
        {m[1] for name in source.files if (m := re.search(r"/(v\d\.\d)/labels/", f"/{name}"))}
    )
    configs = sorted(source.named(_CONFIG))
    version = next((v for v in reversed(versions) if any(v in c for c in configs)), "")
    config = next((c for c in configs if version and version in c), configs[-1])
    problems: list[Problem] = []
    pairs = _pairs(source, version)
    kept = [pair for pair in pairs if pair.mask is not None]
    if len(kept) < len(pairs):
        what = f"{plural(len(pairs) - len(kept), 'image')} without labels, as those of testing, left out"
        problems.append(Problem("", what, "nothing, unless you have labels for them"))
    if len(versions) > 1:
        what = f"labels of {' and '.join(versions)} are there; those of {version} are read"
        problems.append(Problem("", what, "remove the newer folder to read the older"))
    return Layout(
        "Mapillary Vistas",
        tuple(unique_ids(kept, problems)),
        tuple(_declared(source, config)),
        config,
        tuple(problems),
        by="auto",
    )


def _pairs(source: Source, version: str) -> list[Pair]:
    """Return every image with its labels of a version, None where it has none."""
    labels: dict[tuple[str, str], PurePosixPath] = {}
    images: dict[tuple[str, str], PurePosixPath] = {}
    for path in source.images:
        parts = path.parts
        split = next((part for part in parts[:-1] if part.lower() in SPLIT_NAMES), "")
        if parts[-2:-1] == ("images",):
            images[split, path.stem] = path
        elif parts[-2:-1] == ("labels",) and (not version or parts[-3:-2] == (version,)):
            labels[split, path.stem] = path
    pairs = []
    for (split, stem), path in images.items():
        mask = labels.get((split, stem))
        pairs.append(
            Pair(
                sample_id((), stem),
                source.root / path,
                None if mask is None else source.root / mask,
                SPLIT_NAMES.get(split.lower(), ""),
            )
        )
    return pairs


def _declared(source: Source, config: str) -> list[DeclaredClass]:
    """Return the classes of a config; names that occur twice bear their number.

    Raises:
        SegcoreError: The config is damaged.
    """
    declared = []
    with broken(config, "'labels' with name and color"):
        for number, row in enumerate(read_json(source.root / config)["labels"]):
            name = str(row.get("readable") or row["name"])
            color = parse_color(row["color"], f"{name} of {config}")
            ignore = row.get("evaluate") is False
            declared.append(DeclaredClass(name, number, color, ignore))
    names = [row.name for row in declared]
    if len(set(names)) == len(names):
        return declared
    return [
        DeclaredClass(f"{row.name} {row.id}", row.id, row.color, row.ignore) for row in declared
    ]
