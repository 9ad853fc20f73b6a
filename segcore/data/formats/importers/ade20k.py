"""ADE20K (SceneParse150): ``images/``, ``annotations/``, ``objectInfo150.txt``; 0 is unlabelled."""

from dataclasses import replace

from segcore.data.formats.importers import paired_folders
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.source import Layout, Source
from segcore.errors import SegcoreError

_WHOLE = r"(.*/)?ADE_(train|val|frame)_\w*_seg\.png"


def matches(source: Source) -> bool:
    """Whether ``objectInfo150.txt`` lies there, or the whole ADE20K with its coloured masks."""
    return bool(source.named(r"(.*/)?objectInfo150\.txt") or source.named(_WHOLE))


def read(source: Source) -> Layout:
    """Read ADE20K: classes 1..150 by the first of their names in ``objectInfo150.txt``.

    Raises:
        SegcoreError: The table cannot be understood, images or masks are missing, or these are the
            masks of the whole ADE20K, whose colours mix classes with instances.
    """
    if source.named(_WHOLE):
        raise SegcoreError(
            "Expected ADE20K as of SceneParse (ADEChallengeData2016, 150 classes as ids), received "
            "the whole dataset, whose *_seg.png hold class and instance in their colours: take "
            "ADEChallengeData2016, or turn them into ids first (class = R // 10 * 256 + G)."
        )
    table = source.named(r"(.*/)?objectInfo150\.txt")[0]
    declared = [DeclaredClass("other", 0, (0, 0, 0), True)]
    names: set[str] = {"other"}
    for line in (source.root / table).read_text("utf-8", errors="replace").splitlines():
        cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
        if not cells or not cells[0].isdigit():
            continue
        name = cells[-1].split(",")[0].strip()
        declared.append(
            DeclaredClass(name if name not in names else f"{name} {cells[0]}", int(cells[0]))
        )
        names.add(name)
    if len(declared) < 2:
        raise SegcoreError(
            f"Expected lines 'Idx Ratio Train Val Name' in {table}, found none: take the "
            "file that came with the data."
        )
    return replace(
        paired_folders.read(source),
        title="ADE20K",
        declared=tuple(declared),
        declared_in=table,
        by="index",
    )
