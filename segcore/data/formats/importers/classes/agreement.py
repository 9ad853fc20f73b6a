"""What the classes of a source are: ids or colours, from its masks and what it declares."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from segcore.data.files.masks import (
    COLOR_MODES,
    HIDDEN,
    NO_DATA,
    holds_red_ids,
    is_grey,
    mask_mode,
    may_lack_data,
    palette_colors,
    read_colors,
    read_ids,
)
from segcore.data.files.scanning import Progress, scan
from segcore.data.formats.importers.classes.codes import (
    COLOR_CODES,
    ID_CODES,
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
from segcore.data.formats.importers.classes.mask_codes import read_codes
from segcore.data.formats.importers.classes.palettes import UsedColors, survey_palettes
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair
from segcore.errors import SegcoreError
from segcore.labels import color_to_hex, plural

In = TypeVar("In")

PROBES = 16
"""Masks that are read to decide between ids and colours."""


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
        raise found_none("at least one sound mask", problems)
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
        raise found_none("at least one sound mask", problems)
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
