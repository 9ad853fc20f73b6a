"""The import itself: look at the masks, agree on labels, write every sound sample, in threads."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.reading import has_values, read_values
from segcore.data.dataset.dataset import Sample
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.bands import RasterLook
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import Frame, frame_of, turn_upright, verify_image
from segcore.data.files.masks import (
    COLOR_MODES,
    HIDDEN,
    NO_DATA,
    holds_red_ids,
    is_grey,
    mask_mode,
    mask_size,
    may_lack_data,
    palette_colors,
    read_colors,
    read_ids,
    read_window_codes,
)
from segcore.data.files.png import decode_rgb
from segcore.data.files.scanning import Progress, scan
from segcore.data.files.windows import Window, data_in, read_window
from segcore.data.formats.importers.classes.codes import (
    COLOR_CODES,
    ID_CODES,
    UNKNOWN,
    VOID_CODES,
    Survey,
    code_color,
    color_code,
)
from segcore.data.formats.importers.classes.labelling import (
    Labelling,
    bears_out,
    label_colors,
    label_declared_ids,
    label_found_ids,
)
from segcore.data.formats.importers.classes.palettes import UsedColors, survey_palettes
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair
from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError
from segcore.labels import color_to_hex, list_names, plural

In = TypeVar("In")

MOSTLY_IGNORED = 0.4
PROBES = 16
"""Masks that are read to decide between ids and colours."""


@dataclass(frozen=True)
class MaskCodes:
    """One mask as codes, upright and at its image's size.

    Attributes:
        codes: (H, W): ids or 0xRRGGBB.
        note: What was done to make it fit its image, "" for nothing.
        turned: Whether its size shows that it was drawn on the image's pixels as stored (True) or
            as seen (False); None where that is undetermined or does not matter.
    """

    codes: npt.NDArray[Any]
    note: str = ""
    turned: bool | None = None


def read_codes(layout: Layout, pair: Pair, by: str, stored: bool = False) -> MaskCodes:
    """Read or draw one mask and fit it to its image.

    Args:
        layout: What a reader found.
        pair: One of its samples.
        by: "index" or "color".
        stored: Whether masks whose size does not tell were drawn on the image as stored.

    Raises:
        SegcoreError: There is no mask, it has another size than the image, or it cannot be read.
    """
    if pair.mask is None:
        raise SegcoreError(
            pair.reason
            or f"The image {pair.image.name} has no mask: add one under the same name, or "
            "remove the image."
        )
    if pair.part is not None:
        if layout.draw is not None:
            return MaskCodes(layout.draw(pair))
        return MaskCodes(read_window_codes(pair.mask, pair.part.mask, by))
    frame = frame_of(pair.image)
    if layout.draw is not None:
        with foreign_bytes(
            f"The annotation of {pair.image.name} is arranged otherwise or damaged: export it again."
        ):
            codes = layout.draw(pair)
        sized = getattr(pair.extra, "size", None) is not None or not hasattr(pair.extra, "size")
        if not sized and frame.orientation != 1:
            return MaskCodes(codes)
        found = set(np.unique(runs_of(codes)[0]).tolist())
        if pair.classes and not found & pair.classes:
            raise SegcoreError(
                f"Expected the shapes that the annotation of {pair.image.name} names, received "
                "none with an area: draw their outlines, or remove them."
            )
        return _fit(pair, frame, codes, stored, scale=True)
    masks = (pair.mask, *pair.more)
    for file in masks:
        size = mask_size(file)
        if size not in (frame.size, frame.stored):
            raise _other_size(pair, frame, size)
        if _orientation(file) not in (1, frame.orientation):
            raise SegcoreError(
                f"Expected a mask as upright as its image, {file.name} carries a note (EXIF) on how "
                f"to turn it that {pair.image.name} lacks: save the mask without the note."
            )
    read = read_colors if by == "color" else read_ids
    codes = read(pair.mask) if len(masks) == 1 else _unite(pair, [read(file) for file in masks])
    return _fit(pair, frame, codes, stored, scale=False)


def _orientation(mask: Path) -> int:
    try:
        return frame_of(mask).orientation
    except SegcoreError:
        return 1  # a raster that Pillow does not open


def _fit(pair: Pair, frame: Frame, codes: npt.NDArray[Any], stored: bool, scale: bool) -> MaskCodes:
    """Turn a mask with its image, or scale one that was drawn at another size by one factor."""
    size = (codes.shape[0], codes.shape[1])
    if size == frame.size != frame.stored:
        return MaskCodes(codes, turned=False)
    if size == frame.size and (frame.orientation == 1 or not stored):
        return MaskCodes(codes)
    if size == frame.stored:
        note = "its mask was drawn on the image as stored and is turned with it"
        evident = frame.size != frame.stored
        return MaskCodes(
            turn_upright(codes, frame.orientation),
            note if evident else "",
            True if evident else None,
        )
    if not scale or not _is_scaled(size, frame.size):
        raise _other_size(pair, frame, size)
    note = (
        f"its shapes were drawn at {size[0]} x {size[1]} pixels (height x width) and are scaled to "
        f"{frame.size[0]} x {frame.size[1]}"
    )
    rows, columns = (
        np.minimum((np.arange(f) + 0.5) * s / f, s - 1).astype(np.intp)
        for s, f in zip(size, frame.size, strict=True)
    )
    return MaskCodes(codes[np.ix_(rows, columns)], note)


def _is_scaled(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether one factor explains height and width, both rounded as tools do."""
    low = max((f - 1) / (s + 0.5) for s, f in zip(before, after, strict=True))
    high = min((f + 1) / (s - 0.5) for s, f in zip(before, after, strict=True))
    return low <= high


def _other_size(pair: Pair, frame: Frame, mask: tuple[int, int]) -> SegcoreError:
    image = frame.size
    return SegcoreError(
        f"Expected a mask of {image[0]} x {image[1]} pixels (height x width) like its "
        f"image {pair.image.name}, received "
        f"{mask[0]} x {mask[1]}: give both the same size."
    )


def _unite(pair: Pair, masks: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Unite masks of one image that each hold 0 and one other code, the same in all."""
    codes = {int(c) for mask in masks for c in np.unique(runs_of(mask)[0])} - {0}
    if len(codes) > 1 or len({mask.shape for mask in masks}) > 1:
        names = list_names([file.name for file in (pair.mask, *pair.more) if file], 4)
        raise SegcoreError(
            f"Expected one mask for {pair.image.name}, received {len(masks)} of several classes or "
            f"sizes ({names}): join them into one."
        )
    united = masks[0].copy()
    for mask in masks[1:]:
        np.maximum(united, mask, out=united)
    return united


@dataclass(frozen=True)
class ReadBy:
    """How mask files are read.

    Attributes:
        by: "index" or "color".
        problems: What was decided.
    """

    by: str
    problems: tuple[Problem, ...] = ()


def choose_by(layout: Layout, progress: Progress | None = None) -> ReadBy:
    """Return whether masks hold ids or colours: by their mode, palettes and what the classes fit.

    Raises:
        SegcoreError: Palettes disagree and neither indices nor colours can be trusted.
    """
    windows = any(pair.part for pair in layout.pairs)  # decided by the bands of the rasters
    if layout.draw is not None or layout.by == "color" or windows:
        return ReadBy("index" if layout.by == "auto" else layout.by)
    files = [pair.mask for pair in layout.pairs if pair.mask is not None]
    modes: dict[str, list[Path]] = {}
    for mode, file in zip(
        scan(_mode_or_none, files, None, progress, "telling ids from colours"), files, strict=True
    ):
        modes.setdefault(mode, []).append(file)
    colored = [f for mode in COLOR_MODES for f in modes.get(mode, ())]
    has_colors = any(row.color is not None for row in layout.declared)
    ids = {row.id for row in layout.declared if row.id is not None}
    colors = {color_code(row.color) for row in layout.declared if row.color is not None}
    _refuse_mixed_bits(modes)
    if colored and layout.by == "auto":
        probes = spread(colored, PROBES)
        if has_colors and all(_fits(read_colors, file, colors) for file in probes):
            return ReadBy("color")
        by_ids = all(_is(is_grey, file) for file in probes) and (
            not has_colors or (ids and all(_fits(read_ids, file, ids) for file in probes))
        )
        by_red = ids and all(_is(lambda f: holds_red_ids(f, ids), file) for file in probes)
        return ReadBy("index" if by_ids or by_red else "color")
    palettes = modes.get("P", [])
    used = survey_palettes(palettes, progress) if palettes else UsedColors()
    if used.disagreement:
        return _by_disagreeing(layout, used, colors, len(palettes) < len(files))
    if palettes and has_colors and layout.by == "auto":
        probes = spread(palettes, PROBES)
        if ids and all(_fits(read_ids, f, ids) for f in probes):
            return _by_table_or_palette(layout, probes, colors)
        if not ids or all(_fits(read_colors, f, colors) for f in probes):
            return ReadBy("color")
    return ReadBy("index")


def _by_disagreeing(layout: Layout, used: UsedColors, colors: set[int], mixed: bool) -> ReadBy:
    """Decide how palette masks are read whose palettes number colours differently."""
    what = f"the palettes of the masks number their colours differently: {used.disagreement}"
    fits = used.of_color.keys() <= colors if layout.declared else True
    if fits and not used.twins and not mixed:
        problem = Problem("", f"{what}; they are read by colour", "check the classes")
        return ReadBy("color", (problem,))
    if layout.declared:
        what += f"; they are read by index, as {layout.declared_in or 'the label set'} declares ids"
        return ReadBy("index", (Problem("", what, "declare colours if it is otherwise"),))
    raise SegcoreError(
        f"Expected palettes that number the classes alike, but {used.disagreement}, and "
        + ("some masks have no palette" if mixed else "two indices of a mask share a colour")
        + ": save all masks with one palette, or declare the ids in a classes.csv."
    )


def _by_table_or_palette(layout: Layout, palettes: Sequence[Path], colors: set[int]) -> ReadBy:
    """Decide between the ids and the colours of a table where palettes number these otherwise."""
    named = {row.id: color_code(row.color) for row in layout.declared if row.color and row.id}
    used: dict[int, int] = {}
    for file in palettes:
        used |= palette_colors(file)
    against = {i: c for i, c in used.items() if i in named and named[i] != c}
    if not against or not set(used.values()) <= colors or len(set(used.values())) < len(used):
        return ReadBy("index")
    index, color = next(iter(against.items()))
    what = (
        f"the palettes of the masks number the colours of {layout.declared_in or 'the label set'} "
        f"otherwise (index {index} is {color_to_hex(code_color(color))} there and "
        f"{color_to_hex(code_color(named[index]))} in the table); they are read by colour"
    )
    fix = "take the colours out of the table if the ids are right"
    return ReadBy("color", (Problem("", what, fix),))


def _refuse_mixed_bits(modes: dict[str, list[Path]]) -> None:
    """Refuse masks of 1 bit next to others in which white is 255: white would be two classes.

    Raises:
        SegcoreError: There are such.
    """
    if not modes.get("1") or not modes.get("L"):
        return
    held: set[int] = set()
    for file in spread(modes["L"], PROBES):
        with suppress(SegcoreError):
            held |= set(np.unique(read_ids(file)).tolist())
    if 255 in held and 1 not in held:
        raise SegcoreError(
            f"Expected masks of one kind, received {plural(len(modes['1']), 'mask')} of 1 bit, "
            f"whose white is 1 ({modes['1'][0].name}), and {len(modes['L'])} of 8 bits, whose white "
            f"is 255 ({modes['L'][0].name}): save all alike."
        )


def _mode_or_none(file: Path) -> str:
    try:
        return mask_mode(file)
    except SegcoreError:
        return ""


def _is(test: Callable[[Path], bool], file: Path) -> bool:
    try:
        return test(file)
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


def agree_on_labels(
    layout: Layout, progress: Progress | None = None, many: bool = False
) -> Labelling:
    """Decide what the classes are; masks are surveyed where the declaration does not say it.

    Args:
        layout: What a reader found.
        progress: Called with (done, total, what).
        many: Whether ids that look like instance numbers are classes, as the user says.

    Raises:
        SegcoreError: No mask can be read, the declared classes contradict themselves, or the ids
            look like instance numbers.
    """
    reading = choose_by(layout, progress)
    by = reading.by
    greatest = max((row.id or 0 for row in layout.declared), default=0)
    if layout.assumed and by == "index":
        return _label_assumed(layout, reading.problems, progress, many)
    if by == "index" and layout.declared and (layout.draw or greatest >= VOID_CODES[0]):
        labelling = label_declared_ids(layout.declared, None, layout.declared_in)
        empty = () if layout.draw else _survey_no_data(layout)
        return replace(labelling, problems=(*reading.problems, *labelling.problems, *empty))
    survey, problems = _survey(layout, by, progress)
    empty = _no_data_problem(survey, HIDDEN if by == "color" else NO_DATA)
    if empty and len(survey.pixels) == 1 and not layout.declared:
        raise SegcoreError(
            "Expected masks of two classes or more, received one and pixels that are no data "
            f"({empty[0].what.rpartition(': ')[2].partition(';')[0]}): if the foreground or the "
            "background is transparent or marked as nodata, give it an id of its own."
        )
    if by == "index" and layout.declared:
        labelling = label_declared_ids(
            layout.declared, survey if survey.pixels else None, layout.declared_in
        )
    elif not survey.pixels:
        raise SegcoreError(
            "Expected at least one sound mask, found none; the first problem is "
            f"{problems[0].sentence}"
        )
    elif by == "color":
        labelling = label_colors(layout.declared, layout.declared_in, survey, many)
    else:
        labelling = label_found_ids(survey, many)
    return replace(labelling, problems=(*reading.problems, *labelling.problems, *empty))


def _label_assumed(
    layout: Layout, decided: tuple[Problem, ...], progress: Progress | None, many: bool
) -> Labelling:
    """Label by the classes of a publication where the masks bear them out, else by their own ids.

    Raises:
        SegcoreError: No mask can be read, or their ids look like instance numbers.
    """
    survey, problems = _survey(layout, "index", progress)
    empty = _no_data_problem(survey, NO_DATA)
    if not survey.pixels:
        raise SegcoreError(
            "Expected at least one sound mask, found none; the first problem is "
            f"{problems[0].sentence}"
        )
    scored = sum(not row.ignore for row in layout.declared)
    name = f"the {scored} classes of {layout.declared_in}"
    if bears_out(survey, layout.declared):
        labelling = label_declared_ids(layout.declared, None, layout.declared_in)
        what = f"the source declares no classes; {name} are assumed"
    else:
        labelling = label_found_ids(survey, many)
        what = f"the masks' ids are not those of {layout.declared_in}, they are read as they are"
    assumed = Problem("", what, "add classes.csv if they differ")
    return replace(labelling, problems=(*decided, assumed, *labelling.problems, *empty))


def _survey(layout: Layout, by: str, progress: Progress | None) -> tuple[Survey, list[Problem]]:
    """Count the codes of every mask; a problem for each that cannot be read."""
    survey = Survey(COLOR_CODES if by == "color" else ID_CODES)

    def look(pair: Pair) -> Problem | None:
        try:
            survey.add(pair.id, read_codes(layout, pair, by).codes)
        except SegcoreError as error:
            return Problem.of(pair.id, error)
        return None

    looks = scan(look, layout.pairs, None, progress, "looking at masks")
    return survey, [problem for problem in looks if problem]


def _survey_no_data(layout: Layout) -> tuple[Problem, ...]:
    """Count pixels without data in masks of declared ids, where masks may hold any."""
    survey = Survey(ID_CODES)

    def look(pair: Pair) -> None:
        with suppress(SegcoreError):
            if pair.mask is not None and may_lack_data(pair.mask):
                survey.add(pair.id, read_codes(layout, pair, "index").codes)

    list(scan(look, layout.pairs))
    return _no_data_problem(survey, NO_DATA)


def _no_data_problem(survey: Survey, code: int) -> tuple[Problem, ...]:
    """Report the pixels without data in a survey, and take them out of it."""
    total = survey.total
    pixels, masks = survey.withdraw(code)
    if not pixels:
        return ()
    if code == HIDDEN:
        what = "transparent pixels hide several colours, or one that is seen elsewhere too"
        fix = "save the masks without transparency if these colours are classes"
    else:
        what = "masks hold pixels that are no data (nodata value, NaN, -1, or transparent)"
        fix = "give them a class id, or unset the files' nodata value, if they are a class"
    counted = f"{pixels / total:.2%} of the pixels in {plural(masks, 'mask')}"
    return (Problem("", f"{what}: {counted}; they are ignored", fix),)


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
                window = pair.part.window if pair.part else None
                sound = has_values(read_values(pair.image, bands, window))
                mask[~sound] = labelling.label_set.ignore_index
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
    return [r.sample for r in results if r.sample], problems


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
    names: dict[str, list[str]] = {}
    for one in labelling.label_set.classes:
        names.setdefault(" ".join(one.name.casefold().split()), []).append(one.name)
    twins = [repr(name) for own in names.values() if len(own) > 1 for name in own]
    what = f"classes differ in case or spaces only: {list_names(twins)}"
    fix = "give them one name where they were annotated, or merge them by a label map"
    return [Problem("", what, fix)] if twins else []


def _absent(labelling: Labelling, present: frozenset[int]) -> list[Problem]:
    """Name the declared classes that no mask holds."""
    names = [c.name for i, c in enumerate(labelling.label_set.classes) if i not in present]
    if not names:
        return []
    what = f"no mask holds {plural(len(names), 'declared class', 'es')}: {list_names(names)}"
    return [Problem("", what, "check the classes, or leave them; they are not scored")]


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
