"""The import itself: look at the masks, agree on labels, write every sound sample. Threads; memory stays flat."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Sample
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.images import image_size, verify_image
from segcore.data.files.masks import (
    COLOR_MODES,
    HIDDEN,
    NO_DATA,
    holds_red_ids,
    is_grey,
    mask_mode,
    mask_size,
    may_lack_data,
    read_colors,
    read_ids,
)
from segcore.data.files.png import decode_rgb
from segcore.data.files.scanning import Progress, scan
from segcore.data.formats.importers.codes import (
    COLOR_CODES,
    ID_CODES,
    UNKNOWN,
    Survey,
)
from segcore.data.formats.importers.labelling import (
    Labelling,
    label_colors,
    label_declared_ids,
    label_found_ids,
)
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair
from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError
from segcore.labels import color_to_hex

In = TypeVar("In")

PROBES = 16
"""Masks that are looked at to tell ids from colours."""

VOID_ID, WIDE_VOID_ID = 255, 65535
"""What masks of 8 and of 16 bits hold where nothing is labelled."""


def read_codes(layout: Layout, pair: Pair, by: str) -> npt.NDArray[Any]:
    """Read or draw one mask as codes, (H, W): ids or 0xRRGGBB.

    Raises:
        SegcoreError: There is no mask, it has another size than the image, or it cannot be read.
    """
    if pair.mask is None:
        raise SegcoreError(
            f"The image {pair.image.name} has no mask: add one under the same name, or "
            "remove the image."
        )
    size = image_size(pair.image)
    if layout.draw is None:
        if pair.mask.suffix.lower() in (".jpg", ".jpeg"):
            raise SegcoreError(
                f"Expected a mask without loss, received the JPEG {pair.mask.name}, which "
                "blurs labels: export it as PNG."
            )
        _same_size(pair, size, mask_size(pair.mask))
        return read_colors(pair.mask) if by == "color" else read_ids(pair.mask)
    mask = layout.draw(pair)
    _same_size(pair, size, (mask.shape[0], mask.shape[1]))
    return mask


def _same_size(pair: Pair, image: tuple[int, int], mask: tuple[int, int]) -> None:
    if image != mask:
        raise SegcoreError(
            f"Expected a mask of {image[0]} x {image[1]} pixels (height x width) like its "
            f"image {pair.image.name}, received "
            f"{mask[0]} x {mask[1]}: give both the same size."
        )


def choose_by(layout: Layout, progress: Progress | None = None) -> str:
    """Tell whether masks hold ids or colours: by their mode, and by what the declared classes fit."""
    if layout.draw is not None or layout.by != "auto":
        return "index" if layout.by == "auto" else layout.by
    files = [pair.mask for pair in layout.pairs if pair.mask is not None]
    modes: dict[str, list[Path]] = {}
    for mode, file in zip(
        scan(_mode_or_none, files, None, progress, "telling ids from colours"), files, strict=True
    ):
        modes.setdefault(mode, []).append(file)
    colored = [f for mode, group in modes.items() if mode in COLOR_MODES for f in group]
    has_colors = any(row.color is not None for row in layout.declared)
    if colored:
        ids = {row.id for row in layout.declared if row.id is not None}
        probes = spread(colored, PROBES)
        if not has_colors and all(map(_is_grey, probes)):
            return "index"
        return "index" if ids and all(_holds_red_ids(file, ids) for file in probes) else "color"
    if "P" in modes and has_colors:
        palettes = spread(modes["P"], PROBES)
        ids = {row.id for row in layout.declared if row.id is not None}
        if ids and all(_fits(read_ids, f, ids) for f in palettes):
            return "index"
        colors = {
            row.color[0] << 16 | row.color[1] << 8 | row.color[2]
            for row in layout.declared
            if row.color is not None
        }
        if not ids or all(_fits(read_colors, f, colors) for f in palettes):
            return "color"
    return "index"


def _mode_or_none(file: Path) -> str:
    try:
        return mask_mode(file)
    except SegcoreError:
        return ""


def _is_grey(file: Path) -> bool:
    try:
        return is_grey(file)
    except SegcoreError:
        return False


def _holds_red_ids(file: Path, ids: set[int]) -> bool:
    try:
        return holds_red_ids(file, ids)
    except SegcoreError:
        return False


def _fits(reader: Callable[[Path], npt.NDArray[Any]], file: Path, known: set[int]) -> bool:
    try:
        return set(np.unique(reader(file)).tolist()) <= known | {HIDDEN, NO_DATA}
    except SegcoreError:
        return True


def spread(items: Sequence[In], count: int) -> list[In]:
    """Return up to ``count`` items, evenly spaced."""
    step = max(1, len(items) // count)
    return list(items[::step][:count])


def agree_on_labels(layout: Layout, progress: Progress | None = None) -> Labelling:
    """Decide what the classes are; masks are surveyed only where the declaration does not settle it.

    Raises:
        SegcoreError: No mask can be read, or the declared classes contradict themselves.
    """
    by = choose_by(layout, progress)
    if by == "index" and layout.declared:
        labelling = label_declared_ids(layout.declared, _holds_void(layout), layout.declared_in)
        empty = () if layout.draw else _survey_no_data(layout)
        return replace(labelling, problems=(*labelling.problems, *empty))
    survey = Survey(COLOR_CODES if by == "color" else ID_CODES)

    def look(pair: Pair) -> Problem | None:
        try:
            survey.add(pair.id, read_codes(layout, pair, by))
        except SegcoreError as error:
            return Problem.of(pair.id, error)
        return None

    problems = [
        problem
        for problem in scan(look, layout.pairs, None, progress, "looking at masks")
        if problem
    ]
    if not survey.pixels:
        raise SegcoreError(
            "Expected at least one sound mask, found none; the first problem is "
            f"{problems[0].sentence}"
        )
    empty = _no_data_problem(survey, HIDDEN if by == "color" else NO_DATA)
    labelling = (
        label_colors(layout.declared, layout.declared_in, survey)
        if by == "color"
        else label_found_ids(survey)
    )
    return replace(labelling, problems=(*labelling.problems, *empty))


def _survey_no_data(layout: Layout) -> tuple[Problem, ...]:
    """Count what is no data in masks of ids whose classes are declared, where masks may hold any."""
    survey = Survey(ID_CODES)

    def look(pair: Pair) -> None:
        with suppress(SegcoreError):
            if pair.mask is not None and may_lack_data(pair.mask):
                survey.add(pair.id, read_codes(layout, pair, "index"))

    list(scan(look, layout.pairs))
    return _no_data_problem(survey, NO_DATA)


def _no_data_problem(survey: Survey, code: int) -> tuple[Problem, ...]:
    """Report the pixels without data in a survey, and take them out of it."""
    total = survey.total
    pixels, masks = survey.withdraw(code)
    if not pixels:
        return ()
    if code == HIDDEN:
        what = "transparent pixels hide several colours"
        fix = "save the masks without transparency if these colours are classes"
    else:
        what = "masks hold pixels that are no data (nodata value, NaN, -1, or transparent)"
        fix = "give them a class id, or unset the files' nodata value, if they are a class"
    counted = f"{pixels / total:.2%} of the pixels in {masks} mask{'s' * (masks != 1)}"
    return (Problem("", f"{what}: {counted}; they are ignored", fix),)


def _holds_void(layout: Layout) -> bool:
    """Whether some masks hold 255, or 65535, where every class has another id: nobody calls a class so."""
    ids = {row.id for row in layout.declared}
    if layout.draw is not None or None in ids or max(i or 0 for i in ids) >= VOID_ID:
        return False
    ids |= {VOID_ID, WIDE_VOID_ID}
    for pair in spread([pair for pair in layout.pairs if pair.mask is not None], 2 * PROBES):
        try:
            found = set(np.unique(runs_of(read_codes(layout, pair, "index"))[0]).tolist())
        except SegcoreError:
            continue
        if found <= ids and found & {VOID_ID, WIDE_VOID_ID}:
            return True
    return False


def to_indices(layout: Layout, labelling: Labelling, pair: Pair) -> npt.NDArray[Any]:
    """Read one mask as class indices.

    Returns:
        (H, W) of the label set's ``mask_dtype``.

    Raises:
        SegcoreError: The mask is missing, damaged, of another size, or holds an undeclared id or
            colour.
    """
    codes = read_codes(layout, pair, labelling.by)
    values, lengths = runs_of(codes)
    indices = labelling.lookup.take(values)
    unknown = indices == UNKNOWN
    if unknown.any():
        found = np.unique(values[unknown])[:6].tolist()
        shown = ", ".join(
            color_to_hex((c >> 16, c >> 8 & 255, c & 255)) if labelling.by == "color" else str(c)
            for c in found
        )
        what = "colours" if labelling.by == "color" else "ids"
        where = layout.declared_in or "the label set"
        raise SegcoreError(
            f"Expected only {what} that {where} declares, the mask holds {shown}: declare "
            "them there or correct the mask."
        )
    return np.repeat(indices.astype(labelling.label_set.mask_dtype), lengths).reshape(codes.shape)


def convert(
    layout: Layout,
    labelling: Labelling,
    writer: DatasetWriter,
    *,
    copy: bool,
    progress: Progress | None = None,
) -> tuple[list[Sample], list[Problem]]:
    """Write every sound sample; those that an import of the same files left when it was interrupted are taken as they are.

    Returns:
        The samples written, in the order of the source, and a problem for each that was left out.
    """

    def bring_in(pair: Pair) -> Sample | Problem:
        known = writer.known(pair.id, pair.split, pair.group)
        if known is not None:
            return known
        try:
            mask = to_indices(layout, labelling, pair)
            if decode_rgb(pair.image) is None:
                verify_image(pair.image)
            return writer.add(
                pair.id,
                pair.image,
                mask,
                pair.split,
                pair.group,
                copy=copy or writer.is_staged(pair.image),
            )
        except SegcoreError as error:
            return Problem.of(pair.id, error)

    results = list(scan(bring_in, layout.pairs, None, progress, "importing"))
    return [r for r in results if isinstance(r, Sample)], [
        r for r in results if isinstance(r, Problem)
    ]


def key_of(source: Path, layout: Layout, labelling: Labelling, staged: Path, copy: bool) -> str:
    """Return what tells two imports apart: their files, and how these become samples.

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
    seen: dict[Path, str] = {}
    for file in (
        *whole,
        *(f for pair in layout.pairs for f in (pair.image, pair.mask) if f is not None),
    ):
        if file not in seen:
            seen[file] = _stamp(file, staged)
    digest.update("".join(seen[file] for file in whole).encode())
    for pair in layout.pairs:
        digest.update(
            f"{pair.id}\n{seen[pair.image]}{seen.get(pair.mask, '') if pair.mask else ''}".encode()
        )
    return digest.hexdigest()


def _stamp(file: Path, staged: Path) -> str:
    try:
        about = file.stat()
    except OSError:
        return f"{file} is gone\n"
    if file.is_relative_to(staged):
        return f"{file.relative_to(staged)} {about.st_size}\n"
    return f"{file} {about.st_size} {about.st_mtime_ns}\n"
