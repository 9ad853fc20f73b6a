"""From declared classes and the codes in the masks to one label set, and the table from code to index."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from segcore.data.files.masks import HIDDEN, NO_DATA
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.codes import (
    COLOR_CODES,
    ID_CODES,
    Survey,
    build_lookup,
    code_color,
    color_code,
)
from segcore.data.formats.importers.report import Problem
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet, color_to_hex
from segcore.palette import default_colors

MAX_FOUND_COLORS = 64
"""More undeclared colours than this are taken for blurred edges, not for classes."""

MIN_COLOR_SHARE = 1e-3
MAX_GREY_STEPS = 17
MIN_EDGE_GREYS = 16
MIN_GREY_SHARE = 0.01
MAX_EDGE_SHARE = 0.15
"""More than 16 ids with under 1 % of the pixels each and at most 15 % together, between even greys, are smoothed edges."""

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
    """Number the rows that have no id: by position where no row has one, else with the next free id."""
    if all(row.id is None for row in rows):
        return [replace(row, id=position) for position, row in enumerate(rows)]
    free = max(row.id for row in rows if row.id is not None) + 1
    numbered = []
    for row in rows:
        numbered.append(row if row.id is not None else replace(row, id=free))
        free += row.id is None
    return numbered


def label_declared_ids(
    declared: Sequence[DeclaredClass], void: bool = False, declared_in: str = ""
) -> Labelling:
    """Label masks of ids by their declared classes; an undeclared id is a mistake in that mask.

    A table of bare names leaves room for the usual void, 255 (65535 in masks of 16 bits).

    Args:
        declared: The classes.
        void: Whether masks hold 255 (65535), which the table does not declare: then it is void, as
            everywhere.
        declared_in: File that declares them, for messages.

    Raises:
        SegcoreError: The table declares nothing that is scored.
    """
    rows = with_ids(declared)
    codes = [[row.id or 0] for row in rows]
    bare = all(row.id is None for row in declared) and len(rows) < 255
    problems = []
    if bare or void:
        name = next(
            n for n in ("void", "void 255", "void (255)") if n not in {row.name for row in rows}
        )
        rows.append(DeclaredClass(name, 255, (0, 0, 0), True))
        codes.append([255, 65535])
    if void and not bare:
        what = (
            f"the masks hold 255, which {declared_in or 'the label set'} does not declare; it "
            "is taken for void and ignored"
        )
        problems.append(Problem("", what, "declare it as a class if it is one"))
    return _finish(rows, codes, "index", problems)


def label_found_ids(survey: Survey) -> Labelling:
    """Label masks of ids that nobody declared: every id found is a class, 255 (65535) is void.

    Where the ids are even steps of grey from 0 to 255, as in binary masks, 255 is a class; where
    few pixels lie between such steps, they are smoothed edges and are ignored.
    """
    found = sorted(survey.pixels)
    kept = _without_smoothing(found, survey)
    grey = _are_even_greys(kept)
    void = -1 if grey else 65535 if found[-1] == 65535 else 255 if found[-1] == 255 else -1
    rows = [DeclaredClass(f"class {code}", code, None, False) for code in kept]
    if len(kept) > 1:
        rows = [
            replace(row, name="void", color=(0, 0, 0), ignore=True) if row.id == void else row
            for row in rows
        ]
    noted = [
        Problem(
            "",
            f"the source declares no classes; its masks hold the ids {_listed(kept)}",
            "name them on the dataset page",
        )
    ]
    if grey:
        held = (
            "only 0 and 255; both"
            if len(kept) == 2
            else f"even steps of grey, {_listed(kept)}; all"
        )
        noted.append(
            Problem(
                "",
                f"the masks hold {held} are taken for classes",
                "declare 255 as ignored if it is void",
            )
        )
    codes = [[code] for code in kept]
    edges = [code for code in found if code not in kept]
    if edges:
        share = sum(survey.pixels[code] for code in edges) / survey.total
        what = (
            f"{len(edges)} rare greys between ({share:.2%} of the pixels) belong to no class, "
            "as smoothed edges do; they are ignored"
        )
        noted.append(Problem("", what, "save the masks without smoothing"))
        rows.append(DeclaredClass("smoothed edges", max(kept) + 1, (0, 0, 0), True))
        codes.append(edges)
    return _finish(rows, codes, "index", noted)


def _are_even_greys(codes: Sequence[int]) -> bool:
    """Whether ids are 0 to 255 in two or more steps of one size, as grey pictures of masks are."""
    steps = len(codes) - 1
    return (
        1 <= steps <= MAX_GREY_STEPS
        and codes[-1] == 255
        and all(abs(code - 255 * i / steps) <= 1 for i, code in enumerate(codes))
    )


def _without_smoothing(found: Sequence[int], survey: Survey) -> Sequence[int]:
    """Return the even greys among many ids whose others are rare and lie all between them; else all ids."""
    common = [code for code in found if survey.pixels[code] >= MIN_GREY_SHARE * survey.total]
    rare = [code for code in found if code not in common]
    spread = len(rare) > MIN_EDGE_GREYS and max(rare, default=0) > 200
    few = sum(survey.pixels[code] for code in rare) <= MAX_EDGE_SHARE * survey.total
    return common if spread and few and _are_even_greys(common) else found


def label_colors(declared: Sequence[DeclaredClass], declared_in: str, survey: Survey) -> Labelling:
    """Label masks of colours. Where the declared colours and the masks disagree, the masks win.

    Colours that nobody declared become classes under provisional names (their hexadecimal colour);
    declared classes that then occur in no mask are left out. Very many undeclared colours are
    blurred edges and are ignored.

    Raises:
        SegcoreError: The masks look like photographs, or two declared classes share a colour.
    """
    rows = [row for row in declared if row.color is not None]
    by_code: dict[int, DeclaredClass] = {}
    for row in rows:
        other = by_code.setdefault(color_code(row.color or (0, 0, 0)), row)
        if other is not row:
            raise SegcoreError(
                f"Expected a colour for each class in {declared_in}, received "
                f"{color_to_hex(row.color or (0, 0, 0))} for both "
                f"{other.name!r} and {row.name!r}: give each its own."
            )
    order = sorted(survey.pixels, key=lambda code: (-survey.pixels[code], code))
    strange = [code for code in order if code not in by_code]
    problems: list[Problem] = []
    blurred: list[int] = []
    if len(strange) > MAX_FOUND_COLORS:
        blurred = [code for code in strange if survey.pixels[code] < MIN_COLOR_SHARE * survey.total]
        strange = [
            code for code in strange if survey.pixels[code] >= MIN_COLOR_SHARE * survey.total
        ]
        share = sum(survey.pixels[code] for code in blurred) / survey.total
        if share > 0.25 or len(strange) > MAX_FOUND_COLORS:
            raise SegcoreError(
                f"Expected masks with one colour for each class, received {len(order)} "
                "colours: save the masks as PNG without smoothing."
            )
        what = (
            f"{len(blurred)} rare colours ({share:.2%} of the pixels) belong to no class, as "
            "smoothed edges do; they are ignored"
        )
        problems.append(Problem("", what, "save the masks without smoothing"))
    if strange:
        absent = [row for code, row in by_code.items() if code not in survey.pixels]
        rows = [row for row in rows if row not in absent]
        problems.extend(_disagreement(strange, absent, declared_in, survey))
    names = {row.name for row in rows}
    found = [
        DeclaredClass(name, None, code_color(code))
        for code in strange
        if (name := color_to_hex(code_color(code))) not in names
    ]
    numbered = with_ids([*rows, *found])
    codes = [[color_code(row.color or (0, 0, 0))] for row in numbered]
    for row in numbered:
        if not row.ignore and row.name.lower() in VOID_NAMES:
            problems.append(
                Problem(
                    "",
                    f"{row.name!r} is scored like any class",
                    "set it to ignored if it marks what nobody labelled",
                )
            )
    if blurred:
        numbered.append(
            DeclaredClass(
                "off-palette colours",
                with_ids([*numbered, DeclaredClass("")])[-1].id,
                (0, 0, 0),
                True,
            )
        )
        codes.append(blurred)
    return _finish(numbered, codes, "color", problems)


def _disagreement(
    strange: Sequence[int], absent: Sequence[DeclaredClass], declared_in: str, survey: Survey
) -> list[Problem]:
    shown = ", ".join(
        (
            f"{color_to_hex(code_color(code))} ({survey.pixels[code] / survey.total:.2%} of "
            f"pixels, {survey.masks[code]} masks)"
        )
        for code in strange[:12]
    ) + (", ..." if len(strange) > 12 else "")
    if not declared_in:
        return [
            Problem(
                "",
                f"the source declares no classes; the masks hold the colours {shown}",
                "name them on the dataset page",
            )
        ]
    noted = [
        Problem(
            "",
            f"the masks hold colours that {declared_in} does not declare: {shown}; the masks win",
            "name or ignore each",
        )
    ]
    if absent:
        listed = ", ".join(f"{row.name} {color_to_hex(row.color or (0, 0, 0))}" for row in absent)
        what = (
            f"{declared_in} declares classes whose colour is in no mask, they are left out: "
            f"{listed}"
        )
        noted.append(Problem("", what, f"correct the colours in {declared_in}"))
    return noted


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:20])) + (", ..." if len(numbers) > 20 else "")
