"""From declared classes and the codes in masks to one label set and a table of codes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from segcore.data.files.masks import HIDDEN, NO_DATA
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.classes.codes import (
    COLOR_CODES,
    ID_CODES,
    MAX_COLORS_OF_A_MASK,
    VOID_CODES,
    Survey,
    build_lookup,
    code_color,
    color_code,
)
from segcore.data.formats.importers.classes.found_ids import (
    FEW_CLASSES,
    RARE_SHARE,
    SCATTERED_RUN,
    Meaning,
    count_up,
    is_scattered,
    look_like_instances,
    read_meaning,
    stands_alone,
)
from segcore.data.formats.importers.report import Problem
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet, color_to_hex, list_names, plural
from segcore.palette import default_colors

MAX_FOUND_COLORS = 64
"""More undeclared colours than this are taken for blurred edges, not for classes."""

MIN_COLOR_SHARE = 1e-3
MAX_BLURRED_SHARE = 0.25
NEAR_COLOR = 16
"""Largest difference in any channel between a colour and the one of which it is ringing."""

MOST_BASES = 256
"""Colours, most frequent first, that others may be ringing of."""

MAX_LISTED = 12
MOST_STRANGE = 0.05
"""Share of the masks that may hold an id which a publication's classes lack, by mistake."""

NAME_THEM = "name them (in the shell segscope classes NAME --rename)"

GROUND_NAMES = frozenset(("background", "_background_", "bg", "other", "unlabelled", "unlabeled"))
VOID_NAMES = frozenset(
    ("void", "unlabelled", "unlabeled", "ignore", "ignored", "unknown", "unlabelled area")
)


@dataclass(frozen=True)
class Labelling:
    """How the masks of a source become indices.

    Attributes:
        label_set: The classes.
        lookup: (65536,) for ids or (2**24,) for colours, uint16: code to index, ``codes.UNKNOWN``
            where undeclared.
        by: "index" or "color".
        problems: What did not fit.
    """

    label_set: LabelSet
    lookup: npt.NDArray[np.uint16]
    by: str
    problems: tuple[Problem, ...] = ()


def _finish(
    rows: Sequence[DeclaredClass],
    codes: Sequence[Sequence[int]],
    by: str,
    problems: Sequence[Problem],
) -> Labelling:
    """Make the label set of rows that all have ids, and the table from their codes."""
    scored = [row for row in rows if not row.ignore]
    problems = [
        *problems,
        *(
            Problem(
                "",
                f"{row.name!r} is scored like any class",
                "set it to ignored if it marks what nobody labelled",
                scored=(row.name,),
            )
            for row in scored
            if row.name.lower() in VOID_NAMES
        ),
    ]
    defaults = default_colors(len(scored))
    classes = [
        LabelClass(row.id or 0, row.name, row.color or default)
        for row, default in zip(scored, defaults, strict=True)
    ]
    ignored = [
        LabelClass(row.id or 0, row.name, row.color or (0, 0, 0)) for row in rows if row.ignore
    ]
    label_set = LabelSet(tuple(classes), tuple(ignored))
    indices: dict[int, int] = {}
    indices[HIDDEN if by == "color" else NO_DATA] = label_set.ignore_index
    position = 0
    for row, row_codes in zip(rows, codes, strict=True):
        indices.update(dict.fromkeys(row_codes, label_set.ignore_index if row.ignore else position))
        position += not row.ignore
    return Labelling(
        label_set,
        build_lookup(COLOR_CODES if by == "color" else ID_CODES, indices),
        by,
        tuple(problems),
    )


def with_ids(rows: Sequence[DeclaredClass]) -> list[DeclaredClass]:
    """Number the rows without id: by position where no row has one, else by the next free id."""
    if all(row.id is None for row in rows):
        return [replace(row, id=position) for position, row in enumerate(rows)]
    free = max(row.id for row in rows if row.id is not None) + 1
    numbered = []
    for row in rows:
        numbered.append(row if row.id is not None else replace(row, id=free))
        free += row.id is None
    return numbered


def label_declared_ids(
    declared: Sequence[DeclaredClass], survey: Survey | None = None, declared_in: str = ""
) -> Labelling:
    """Label masks of ids by their declared classes; an undeclared id is a mistake in that mask.

    A table of bare names leaves room for the usual void, 255 (65535 in masks of 16 bits). Where the
    masks hold 255 and the table does not declare it, it is void if the masks bear that out.

    Args:
        declared: The classes.
        survey: What the masks hold; None where the reader draws them itself.
        declared_in: File that declares them, for messages.

    Raises:
        SegcoreError: The table declares nothing that is scored, or 255 seems to be a foreground
            that the table leaves out.
    """
    rows = with_ids(declared)
    codes = [[row.id or 0] for row in rows]
    bare = all(row.id is None for row in declared) and len(rows) < 255
    if bare and survey:
        _refuse_one_more(rows, survey, declared_in)
    tops = [code for code in VOID_CODES if survey and code in survey.pixels]
    if max(row.id or 0 for row in rows) >= VOID_CODES[0]:
        tops = []
    problems = []
    if tops and survey:
        meaning = read_meaning(survey)
        held = [row.id for row in rows if row.id in meaning.classes]
        labelled = [i for i in held if i] if 0 in held else held[1:]
        alone = stands_alone(tops[-1], [i or 0 for i in labelled], survey)
        if meaning.greys and bare and len(meaning.classes) == len(rows):
            return _label_greys(rows, meaning, survey, declared_in)
        if meaning.greys or len(held) < 2 or alone:
            raise SegcoreError(_left_out(tops[-1], survey, declared_in))
        share = survey.share(tops)
        what = (
            f"the masks hold {tops[-1]}, which {declared_in or 'the label set'} does not declare; "
            f"by convention it is taken for void and ignored: {share:.2%} of the pixels, in "
            f"{plural(max(survey.masks[t] for t in tops), 'mask')}"
        )
        fix = "declare it as a class if it is one"
        problems.append(Problem("", what, fix, ignored=(_void_name(rows),)))
    if bare or tops:
        name = _void_name(rows)
        rows.append(DeclaredClass(name, 255, (0, 0, 0), True))
        codes.append(list(VOID_CODES))
    return _finish(rows, codes, "index", problems)


def _void_name(rows: Sequence[DeclaredClass]) -> str:
    known = {row.name for row in rows}
    return next(n for n in ("void", "void 255", "void (255)") if n not in known)


def bears_out(survey: Survey, assumed: Sequence[DeclaredClass]) -> bool:
    """Whether masks hold the ids of classes that a publication declares, and void beside them.

    They do not where other ids stand in more than a few masks, or where an id that would be ignored
    stands alone, as the foreground of binary masks does.
    """
    scored = {row.id for row in assumed if not row.ignore}
    known = {row.id for row in assumed}
    others = [code for code in survey.pixels if code not in known and code != NO_DATA]
    if any(survey.masks[code] > MOST_STRANGE * survey.num_masks for code in others):
        return False
    held = [code for code in survey.pixels if code and code in scored]
    tops = [code for code in VOID_CODES if code in survey.pixels]
    return not any(stands_alone(top, held, survey) for top in tops)


def _refuse_one_more(rows: Sequence[DeclaredClass], survey: Survey, declared_in: str) -> None:
    """Refuse bare names where masks hold one id more: then 0 may be a background without a name.

    Raises:
        SegcoreError: They do, in more than one mask, and the first name is no background.
    """
    found = sorted(code for code in survey.pixels if code not in (*VOID_CODES, NO_DATA))
    if not found or found[-1] != len(rows) or rows[0].name.lower() in GROUND_NAMES:
        return
    if survey.masks[found[-1]] > 1 or survey.num_masks < 3:
        raise SegcoreError(
            f"Expected ids that the {len(rows)} names of {declared_in or 'the label set'} number "
            f"from 0, received masks with {list_ids(found, survey)}: is 0 a background without a "
            "name? Give the ids in a classes.csv with the columns id and name."
        )


def _left_out(top: int, survey: Survey, declared_in: str) -> str:
    """Say that 255 may be a class which a table forgot."""
    others = sorted(set(survey.pixels) - {top})
    shown = f"{list_ids(others, survey)} and {list_ids([top], survey)}" if others else str(top)
    return (
        f"Expected masks of the ids that {declared_in or 'the label set'} declares, received "
        f"{shown}: declare {top} there, as a class if it is the foreground or as ignored if it "
        "is void."
    )


def _label_greys(
    rows: Sequence[DeclaredClass], meaning: Meaning, survey: Survey, declared_in: str
) -> Labelling:
    """Give the names of a table without ids to as many even greys, in order."""
    named = [
        replace(row, id=code, name=row.name)
        for row, code in zip(rows, meaning.classes, strict=True)
    ]
    shown = ", ".join(f"{row.id} is {row.name!r}" for row in named)
    what = f"{declared_in} names {len(rows)} classes and the masks hold as many greys: {shown}"
    problems = [Problem("", what, f"give the ids in {declared_in} if it is otherwise")]
    codes = _codes_of(meaning)
    _add_strays(named, codes, problems, meaning, survey)
    return _finish(named, codes, "index", problems)


def label_found_ids(survey: Survey, many: bool = False) -> Labelling:
    """Label masks of ids that nobody declared: each is a class but for void, edges and strays.

    Args:
        survey: What the masks hold.
        many: Whether ids that look like instance numbers are classes, as the user says.

    Raises:
        SegcoreError: The ids look like instance numbers.
    """
    numbered = look_like_instances(survey)
    if numbered and not many:
        raise SegcoreError(_instances_sentence(survey, "ids"))
    meaning = Meaning(tuple(sorted(survey.pixels))) if numbered else read_meaning(survey)
    if not many and is_scattered(meaning.classes, survey):
        raise SegcoreError(
            f"Expected masks of class ids, received {len(meaning.classes)} ids that change from "
            "pixel to pixel: are these photographs? Name the folder of the masks (--masks FOLDER)."
        )
    binary = meaning.greys and len(meaning.classes) == 2
    names = dict(zip(meaning.classes, ("background", "foreground"), strict=True)) if binary else {}
    rows = [
        DeclaredClass(names.get(code, f"class {code}"), code, None, False)
        for code in meaning.classes
    ]
    codes = _codes_of(meaning)
    listed = (*meaning.classes, *([] if meaning.void is None else [meaning.void]))
    shown = list_ids(listed, survey)
    what = f"the source declares no classes; its masks hold the ids {shown}"
    problems = [Problem("", what, NAME_THEM, scored=tuple(row.name for row in rows))]
    top = meaning.classes[-1]
    asked = (rows[-1].name,)
    if meaning.greys:
        held = f"only {meaning.classes[0]} and {top}" if binary else "steps of grey"
        what = (
            f"the masks hold {held} besides strays" if meaning.strays else f"the masks hold {held}"
        )
        what += f"; {'both' if binary else 'all'} are taken for classes"
        problems.append(Problem("", what, f"ignore {top} if it is void", scored=asked))
    elif meaning.doubtful:
        what = f"{list_ids([top], survey)} is taken for a class, though many sets mark void so"
        problems.append(Problem("", what, "ignore that class if it is void", scored=asked))
    problems.extend(_rare_ids(rows, survey))
    if {1, 255} <= set(survey.pixels) and not survey.beside[255].get(1):
        what = "no mask holds both 1 and 255: these may be two ways to write one foreground"
        problems.append(Problem("", what, "write all masks alike if they are"))
    if not numbered and count_up(survey):
        what = "ids count up from 1 in nearly every mask, as the numbers of single objects do"
        problems.append(Problem("", what, "give each class one number if they are such"))
    _add_strays(rows, codes, problems, meaning, survey)
    if meaning.void is not None:
        what = (
            f"{meaning.void} is taken for void by convention and ignored: "
            f"{survey.share([meaning.void]):.2%} of the pixels, in "
            f"{plural(survey.masks[meaning.void], 'mask')}"
        )
        fix = "declare it in a classes.csv if it is a class"
        problems.append(Problem("", what, fix, ignored=("void",)))
        rows.append(DeclaredClass("void", meaning.void, (0, 0, 0), True))
        codes.append([meaning.void])
    return _finish(rows, codes, "index", problems)


def _codes_of(meaning: Meaning) -> list[list[int]]:
    """Return the codes of each class: its id, and the greys that are rounded to it."""
    return [
        [code, *(grey for grey, level in meaning.rounded.items() if level == code)]
        for code in meaning.classes
    ]


def _rare_ids(rows: Sequence[DeclaredClass], survey: Survey) -> list[Problem]:
    """Name ids that are in very few pixels of very few masks, as mistakes do."""
    rare = [
        (code, row.name)
        for row in rows
        if (code := row.id) is not None
        and survey.share([code]) < MIN_COLOR_SHARE
        and survey.masks[code] <= max(1, 0.05 * survey.num_masks)
        and survey.num_masks > 2
    ]
    return [
        Problem(
            survey.example[code],
            f"the id {code} is rare: {plural(survey.pixels[code], 'pixel')} in "
            f"{plural(survey.masks[code], 'mask')}",
            "correct the mask if it is a mistake",
            scored=(name,),
        )
        for code, name in (rare if len(rare) <= MAX_LISTED else ())
    ]


def _instances_sentence(survey: Survey, what: str) -> str:
    ids = [code for code in survey.pixels if code]
    once = [code for code in ids if survey.masks[code] == 1]
    some = once[0] if once else ids[-1]
    shown = color_to_hex(code_color(some)) if what == "colours" else str(some)
    return (
        f"Expected one {what[:-1]} for each class, received {len(ids)} {what}, of which "
        f"{len(once)} are in one mask only ({shown} in {survey.example[some]}): they look like "
        "instance numbers; give each class one number, or say that each is a class "
        "(--many-classes)."
    )


def _add_strays(
    rows: list[DeclaredClass],
    codes: list[list[int]],
    problems: list[Problem],
    meaning: Meaning,
    survey: Survey,
) -> None:
    """Add an ignored class for the greys of edges, ringing and strays, and say what they hold."""
    if meaning.rounded:
        what = (
            f"{plural(len(meaning.rounded), 'grey')} close to those of the classes "
            f"({list_ids(sorted(meaning.rounded), survey)}) are counted as these, as a JPEG leaves "
            "them"
        )
        problems.append(Problem("", what, "save the masks as PNG from the start"))
    strays = meaning.strays
    if not strays:
        return
    what = (
        f"{plural(len(strays), 'rare grey')} ({', '.join(map(str, strays[:12]))}"
        f"{', ...' if len(strays) > 12 else ''}: {survey.share(strays):.2%} of the pixels, such as "
        f"in {survey.example[strays[0]]}) belong to no class, as smoothed edges and ringing do; "
        "they are ignored"
    )
    problems.append(Problem("", what, "save the masks as PNG without smoothing"))
    known = {row.id for row in rows}
    free = next(
        i
        for i in (max(i or 0 for i in known) + 1, *range(1, ID_CODES))
        if i not in known and i < ID_CODES
    )
    rows.append(DeclaredClass("smoothed edges", free, (0, 0, 0), True))
    codes.append(list(strays))


def list_ids(codes: Sequence[int], survey: Survey) -> str:
    """Write ids with their share of the pixels and their masks, up to :data:`MAX_LISTED`."""
    shown = [
        f"{code} ({survey.share([code]):.2%} of the pixels, {plural(survey.masks[code], 'mask')})"
        for code in codes[:MAX_LISTED]
    ]
    return ", ".join(shown) + (
        f" and {len(codes) - MAX_LISTED} more" if len(codes) > MAX_LISTED else ""
    )


def label_colors(
    declared: Sequence[DeclaredClass], declared_in: str, survey: Survey, many: bool = False
) -> Labelling:
    """Label masks of colours. Where the declared colours and the masks disagree, the masks win.

    Colours that nobody declared become classes under provisional names (their hexadecimal colour);
    declared classes that then occur in no mask are left out. Very many undeclared colours are
    blurred edges and are ignored.

    Raises:
        SegcoreError: The masks look like photographs, or two declared classes share a colour.
    """
    by_code = _by_color(declared, declared_in)
    rows = list(by_code.values())
    problems: list[Problem] = []
    without = [row.name for row in declared if row.color is None]
    if without:
        what = (
            f"{declared_in} gives no colours for {list_names(without)}, and the masks are coloured"
        )
        problems.append(Problem("", what, f"add their colours to {declared_in}"))
    strange, blurred, rounded = _sort_colors(by_code, survey, many)
    if blurred:
        what = (
            f"{plural(len(blurred), 'rare colour')} ({survey.share(blurred):.2%} of the pixels) "
            "belong to no class, as smoothed edges do; they are ignored"
        )
        problems.append(Problem("", what, "save the masks without smoothing"))
    if strange:
        absent = [row for code, row in by_code.items() if code not in survey.pixels]
        rows = [row for row in rows if row not in absent]
        problems.extend(_disagreement(strange, absent, declared_in, survey))
    names = {row.name for row in rows}
    provisional = [
        DeclaredClass(name, None, code_color(code))
        for code in strange
        if (name := color_to_hex(code_color(code))) not in names
    ]
    numbered = with_ids([*rows, *provisional])
    codes = []
    for row in numbered:
        own = color_code(row.color or (0, 0, 0))
        codes.append([own, *(code for code, base in rounded.items() if base == own)])
    if rounded:
        what = (
            f"{plural(len(rounded), 'colour')} close to those of the classes "
            f"({survey.share(rounded):.2%} of the pixels) count as these, as a JPEG leaves them"
        )
        problems.append(Problem("", what, "save the masks as PNG from the start"))
    if blurred:
        free = with_ids([*numbered, DeclaredClass("")])[-1].id
        numbered.append(DeclaredClass("off-palette colours", free, (0, 0, 0), True))
        codes.append(blurred)
    return _finish(numbered, codes, "color", problems)


def _by_color(declared: Sequence[DeclaredClass], declared_in: str) -> dict[int, DeclaredClass]:
    """Return the declared classes that have a colour, by its code; no two may share one."""
    by_code: dict[int, DeclaredClass] = {}
    for row in declared:
        if row.color is None:
            continue
        other = by_code.setdefault(color_code(row.color), row)
        if other is not row:
            raise SegcoreError(
                f"Expected a colour for each class in {declared_in}, received "
                f"{color_to_hex(row.color)} for both "
                f"{other.name!r} and {row.name!r}: give each its own."
            )
    return by_code


def _sort_colors(
    by_code: Mapping[int, DeclaredClass], survey: Survey, many: bool
) -> tuple[list[int], list[int], dict[int, int]]:
    """Part the undeclared colours: new classes, edges to ignore, and what rounds to a class."""
    order = sorted(survey.pixels, key=lambda code: (-survey.pixels[code], code))
    strange = [code for code in order if code not in by_code]
    ringing = _ringing_colors(by_code, order, strange, survey)
    rounded = {c: base for c, base in ringing.items() if survey.share([c]) > RARE_SHARE}
    rounded = {c: base for c, base in rounded.items() if base not in ringing}
    blurred = [code for code in ringing if code not in rounded]
    strange = [code for code in strange if code not in ringing]
    if not many and look_like_instances(survey) and len(strange) > FEW_CLASSES:
        raise SegcoreError(_instances_sentence(survey, "colours"))
    if len(strange) > MAX_FOUND_COLORS:
        rare = [code for code in strange if survey.pixels[code] < MIN_COLOR_SHARE * survey.total]
        strange = [code for code in strange if code not in set(rare)]
        blurred = [*blurred, *rare]
    if survey.share(blurred) > MAX_BLURRED_SHARE or len(strange) > MAX_FOUND_COLORS:
        raise SegcoreError(
            f"Expected masks with one colour for each class, received {len(order)} "
            "colours: save the masks as PNG without smoothing."
        )
    return strange, blurred, rounded


def _ringing_colors(
    declared: Collection[int], order: Sequence[int], strange: Sequence[int], survey: Survey
) -> dict[int, int]:
    """Return undeclared colours close to declared or far more frequent ones, each with that one.

    Each counts that lies scattered; all do where there are very many, as a JPEG leaves them.
    """
    near: dict[int, int] = {}
    common = np.array(order[:MOST_BASES])
    pixels = np.array([survey.pixels.get(code, 0) for code in common])
    for code in strange[-MAX_COLORS_OF_A_MASK:]:
        bases = np.union1d(list(declared), common[pixels >= 4 * survey.pixels[code]]).astype(
            np.int64
        )
        if not len(bases):
            continue
        gaps = _channels(bases) - _channels(np.array([code]))
        distance = np.abs(gaps).max(1)
        if distance.min() <= NEAR_COLOR:
            near[code] = int(bases[distance.argmin()])
    scattered = sum(survey.mean_run([code]) <= SCATTERED_RUN for code in strange)
    if len(strange) > MAX_FOUND_COLORS and scattered > 0.7 * len(strange):
        return near  # a JPEG's: palettes of as many classes form regions
    return {
        code: base
        for code, base in near.items()
        if 20 * survey.pixels[code] <= survey.pixels.get(base, 0)
        and survey.mean_run([code]) <= SCATTERED_RUN
    }


def _channels(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Red, green and blue of 0xRRGGBB, (N, 3)."""
    return np.stack([codes >> 16 & 255, codes >> 8 & 255, codes & 255], axis=1)


def _disagreement(
    strange: Sequence[int], absent: Sequence[DeclaredClass], declared_in: str, survey: Survey
) -> list[Problem]:
    shown = ", ".join(
        (
            f"{color_to_hex(code_color(code))} ({survey.share([code]):.2%} of the pixels, "
            f"{plural(survey.masks[code], 'mask')})"
        )
        for code in strange[:MAX_LISTED]
    ) + (f" and {len(strange) - MAX_LISTED} more" if len(strange) > MAX_LISTED else "")
    unnamed = tuple(color_to_hex(code_color(code)) for code in strange)
    if not declared_in:
        what = f"the source declares no classes; the masks hold the colours {shown}"
        return [Problem("", what, NAME_THEM, scored=unnamed)]
    fix = "name or ignore each"
    given = {row.color for row in absent}
    if all(code_color(code)[::-1] in given for code in strange):
        fix = "red and blue look swapped (OpenCV writes BGR): swap them in the masks or the table"
    what = f"the masks hold colours that {declared_in} does not declare: {shown}; the masks win"
    noted = [Problem("", what, fix, scored=unnamed)]
    if absent:
        listed = ", ".join(f"{row.name} {color_to_hex(row.color or (0, 0, 0))}" for row in absent)
        what = (
            f"{declared_in} declares classes whose colour is in no mask, they are left out: "
            f"{listed}"
        )
        fix = f"correct the colours in {declared_in}"
        noted.append(Problem("", what, fix, scored=unnamed))
    return noted
