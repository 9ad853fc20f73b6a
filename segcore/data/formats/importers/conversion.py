"""The import itself: write every sound sample of a source, in threads."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.reading import has_values, read_values
from segcore.data.dataset.dataset import Sample
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.bands import RasterLook
from segcore.data.files.images import frame_of, verify_image
from segcore.data.files.png import decode_rgb
from segcore.data.files.scanning import Progress, scan
from segcore.data.files.windows import Window, data_in, read_window
from segcore.data.formats.importers.classes.codes import (
    UNKNOWN,
    code_color,
)
from segcore.data.formats.importers.classes.labelling import (
    Labelling,
)
from segcore.data.formats.importers.classes.mask_codes import read_codes
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair
from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError
from segcore.labels import color_to_hex, list_names, near_twins, plural

MOSTLY_IGNORED = 0.4


def to_indices(layout: Layout, labelling: Labelling, codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Turn a mask of codes into class indices.

    Args:
        layout: What a reader found.
        labelling: What the codes mean.
        codes: (H, W).

    Returns:
        (H, W) of the label set's ``mask_dtype``.

    Raises:
        SegcoreError: The mask holds an undeclared id or colour.
    """
    values, lengths = runs_of(codes)
    indices = labelling.lookup.take(values)
    unknown = indices == UNKNOWN
    if unknown.any():
        strange = np.unique(values[unknown])[:6].tolist()
        shown = ", ".join(
            color_to_hex(code_color(c)) if labelling.by == "color" else str(c) for c in strange
        )
        what = "colours" if labelling.by == "color" else "ids"
        where = layout.declared_in or "the label set"
        raise SegcoreError(
            f"Expected only {what} that {where} declares, the mask holds {shown}: declare "
            "them there or correct the mask."
        )
    return np.repeat(indices.astype(labelling.label_set.mask_dtype), lengths).reshape(codes.shape)


@dataclass(frozen=True)
class _Converted:
    """One sample imported, or what kept it out."""

    sample: Sample | None = None
    problem: Problem | None = None
    classes: frozenset[int] = frozenset()
    turned: bool | None = None
    undecided: bool = False
    ignored: int = 0
    pixels: int = 0
    skipped: bool = False


def convert(
    layout: Layout,
    labelling: Labelling,
    writer: DatasetWriter,
    *,
    copy: bool,
    bands: BandSet | None = None,
    progress: Progress | None = None,
) -> tuple[list[Sample], list[Problem]]:
    """Write every sound sample; those that an interrupted import of the same files left are kept.

    Where ``bands`` keep their values, pixels at which none has a value become void in the mask.

    Returns:
        The samples written, in the order of the source, and a problem for each that was left out
        or changed, for turned images that cannot be decided, for classes that no mask holds, and
        where most pixels are ignored.

    Raises:
        SegcoreError: All pixels are ignored.
    """

    def bring_in(pair: Pair, stored: bool = False) -> _Converted:
        try:
            read = read_codes(layout, pair, labelling.by, stored)
            mask = to_indices(layout, labelling, read.codes)
            if bands is not None:
                mask[~_valued(pair, bands)] = labelling.label_set.ignore_index
            if pair.part is not None:
                return _bring_in_window(pair, pair.part.window, mask, writer, copy)
            known = None if stored else writer.known(pair.id, pair.split, pair.group)
            if known is None:
                if bands is None and decode_rgb(pair.image) is None:
                    verify_image(pair.image)
                own = copy or writer.is_staged(pair.image)
                known = writer.add(pair.id, pair.image, mask, pair.split, pair.group, copy=own)
        except SegcoreError as error:
            return _Converted(problem=Problem.of(pair.id, error))
        turns = frame_of(pair.image).orientation != 1
        return _Converted(
            known,
            Problem(pair.id, read.note, "compare it with the image") if read.note else None,
            frozenset(np.unique(runs_of(mask)[0]).tolist()),
            read.turned,
            turns and read.turned is None,
            int(np.count_nonzero(mask == labelling.label_set.ignore_index)),
            mask.size,
        )

    results = list(scan(bring_in, layout.pairs, None, progress, "importing"))
    problems: list[Problem] = []
    undecided = [n for n, r in enumerate(results) if r.undecided]
    if undecided:
        stored = {r.turned for r in results} >= {True} and False not in {r.turned for r in results}
        problems.append(_undecided(len(undecided), stored))
        for n in undecided if stored else ():
            results[n] = bring_in(layout.pairs[n], stored=True)
    problems.extend(r.problem for r in results if r.problem)
    problems.extend(_problems_of_the_whole(layout, labelling, results))
    return [r.sample for r in results if r.sample], problems


def _valued(pair: Pair, bands: BandSet) -> npt.NDArray[np.bool_]:
    """Return at which pixels of a sample any band has a value, (H, W)."""
    window = pair.part.window if pair.part else None
    return has_values(read_values(pair.image, bands, window))


def _problems_of_the_whole(
    layout: Layout, labelling: Labelling, results: Sequence[_Converted]
) -> list[Problem]:
    """Say what no single sample shows: skipped windows, doubtful classes, mostly ignored pixels.

    Raises:
        SegcoreError: All pixels are ignored.
    """
    problems: list[Problem] = []
    skipped = sum(r.skipped for r in results)
    if skipped:
        what = f"{plural(skipped, 'window')} of {len(results):,} hold no data or no label"
        problems.append(Problem("", what, "nothing to do: they were left out"))
    problems.extend(_alike(labelling))
    if layout.declared:
        problems.extend(_absent(labelling, frozenset().union(*(r.classes for r in results))))
    ignored = sum(r.ignored for r in results) / max(1, sum(r.pixels for r in results))
    if ignored == 1:
        raise SegcoreError(
            f"Expected pixels of scored classes, received only ones that are ignored "
            f"({labelling.label_set.num_classes} classes are declared, in "
            f"{layout.declared_in or 'the label set'}): check the classes against the masks' ids."
        )
    if ignored > MOSTLY_IGNORED or (ignored and layout.assumed):
        what = f"{ignored:.2%} of the pixels are ignored, as void or unlabelled"
        problems.append(Problem("", what, "check the class table against the masks' ids"))
    return problems


def _bring_in_window(
    pair: Pair, window: Window, mask: npt.NDArray[Any], writer: DatasetWriter, copy: bool
) -> _Converted:
    """Write a sample that is a part of a scene, unless it holds no label; no data is ignored."""
    ignore = writer.label_set.ignore_index
    sound = data_in(pair.image, window)
    if sound is not None:
        mask[~sound] = ignore
    if (mask == ignore).all():
        return _Converted(skipped=True)
    known = writer.known(pair.id, pair.split, pair.group)
    if known is None:
        read_window(pair.image, window, RasterLook(bands=(1,)))  # to see whether it is whole
        place = (window.top, window.left)
        size = (window.height, window.width)
        draft = Sample(pair.id, "", None, pair.split, *size, pair.group, window=place)
        own = copy or writer.is_staged(pair.image)
        known = writer.add_window(draft, pair.image, mask, copy=own)
    held = frozenset(np.unique(runs_of(mask)[0]).tolist())
    return _Converted(
        known, classes=held, ignored=int(np.count_nonzero(mask == ignore)), pixels=mask.size
    )


def _undecided(number: int, stored: bool) -> Problem:
    """Say that sizes do not show how masks lie of images that a camera's note turns."""
    what = (
        f"{plural(number, 'image')} with a camera's note (EXIF) on how to turn them, and sizes do "
        "not tell whether their masks were drawn on the image as seen or as stored; taken as "
    )
    what += "stored, like the other masks of the set" if stored else "seen"
    return Problem("", what, "look at one of them; save such images upright if the masks lie wrong")


def _alike(labelling: Labelling) -> list[Problem]:
    """Name classes that differ in case or spaces only."""
    twins = [repr(name) for name in near_twins(labelling.label_set.class_names)]
    what = f"classes differ in case or spaces only: {list_names(twins)}"
    fix = "give them one name where they were annotated, or merge them by a label map"
    return [Problem("", what, fix)] if twins else []


def _absent(labelling: Labelling, present: frozenset[int]) -> list[Problem]:
    """Name the declared classes that no mask holds."""
    names = [c.name for i, c in enumerate(labelling.label_set.classes) if i not in present]
    if not names:
        return []
    what = f"no mask holds {plural(len(names), 'declared class', 'es')}: {list_names(names)}"
    return [
        Problem(
            "",
            what,
            "check the classes, or leave them; they are scored only where they are predicted",
        )
    ]


def key_of(source: Path, layout: Layout, labelling: Labelling, staged: Path, copy: bool) -> str:
    """Return what distinguishes two imports: their files, and how these become samples.

    Args:
        source: What is imported.
        layout: Its samples.
        labelling: What its masks mean.
        staged: The folder of files that were unpacked for this import: of these only names and
            sizes count, of all others the time too.
        copy: Whether images are copied.

    Returns:
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256(
        repr((str(source.resolve()), copy, layout.title, labelling.by)).encode()
    )
    digest.update(repr(labelling.label_set).encode())
    digest.update(labelling.lookup.data)
    whole = [source] if source.is_file() else []
    stamps: dict[Path, str] = {}
    for file in (
        *whole,
        *(f for pair in layout.pairs for f in (pair.image, pair.mask, *pair.more) if f is not None),
    ):
        if file not in stamps:
            stamps[file] = _stamp(file, staged)
    digest.update("".join(stamps[file] for file in whole).encode())
    for pair in layout.pairs:
        masks = [stamps[file] for file in (pair.mask, *pair.more) if file is not None]
        part = pair.part or ""
        digest.update(f"{pair.id}{part}\n{stamps[pair.image]}{''.join(masks)}".encode())
    return digest.hexdigest()


def _stamp(file: Path, staged: Path) -> str:
    try:
        about = file.stat()
    except OSError:
        return f"{file} is gone\n"
    if file.is_relative_to(staged):
        return f"{file.relative_to(staged)} {about.st_size}\n"
    return f"{file} {about.st_size} {about.st_mtime_ns}\n"
