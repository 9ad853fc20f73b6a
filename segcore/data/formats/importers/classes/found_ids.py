"""What the ids of masks mean where no table declares them.

Everything is decided by how many pixels and masks hold an id and how they lie, never by which ids
exist: one stray pixel among a thousand masks must not turn a foreground of 255 into void.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segcore.data.formats.importers.classes.codes import VOID_CODES, Survey
from segcore.labels import MAX_CLASSES

MAX_GREY_STEPS = 17
STRAY_SHARE = 0.002
"""Ids that hold less of the pixels than this, all together, may be strays."""

FEW_MASKS = 0.05
RARE_SHARE = 0.005
MAX_EDGE_SHARE = 0.6
"""Greys between levels hold less of what is not black than this, in masks that were smoothed."""

EDGE_RUN = 4.0
"""Mean run of greys along edges; those of regions are longer."""

RINGING_WIDTH = 16
"""How far the greys of ringing lie from the grey that they surround, of 255."""

RINGING_GREYS = 4
MANY_GREYS = 128
"""From so many ids on, those along edges must lie scattered: they could number objects."""

MANY_SCATTERED = 100
SCATTERED_RUN = 2.0
"""Mean run, in pixels, of ids that lie scattered and form no regions."""

MIN_SCATTERED_SHARE = 0.05
"""Ids that lie scattered are no proof of void next to them, unless they hold this much."""

MASKS_THAT_TELL = 6
FEW_CLASSES = 20
"""More ids than this, nearly all in one of so many masks, are asked about too."""

MAX_CLASSES_ASKED = 50
"""More ids than this, nearly all in one mask each, are taken for instance numbers."""


@dataclass(frozen=True)
class Meaning:
    """What the ids of masks stand for.

    Attributes:
        classes: Ids that are classes, ascending.
        void: The id that marks what nobody labelled, or None.
        strays: Ids of smoothed edges, ringing and stray pixels, ascending.
        greys: Whether the classes are steps of grey as in pictures of masks: 0 and 255.
        doubtful: Whether 255 (65535) is kept as a class though it could be void.
        rounded: Frequent greys of ringing, each with the class that it surrounds.
    """

    classes: tuple[int, ...]
    void: int | None = None
    strays: tuple[int, ...] = ()
    greys: bool = False
    doubtful: bool = False
    rounded: Mapping[int, int] = field(default_factory=dict)


def read_meaning(survey: Survey) -> Meaning:
    """Separate classes, void and strays among the ids in masks."""
    found = sorted(survey.pixels)
    levels = _even_levels(found, survey) or _ringed_levels(found, survey)
    if levels:
        rest = [code for code in found if code not in levels]
        rounded = _rounded(rest, levels, survey)
        strays = tuple(code for code in rest if code not in rounded)
        return Meaning(levels, None, strays, greys=levels[-1] in VOID_CODES, rounded=rounded)
    top = found[-1]
    if top not in VOID_CODES or len(found) == 1:
        return Meaning(tuple(found))
    if _is_void(top, found[:-1], survey):
        return Meaning(tuple(found[:-1]), top)
    return Meaning(tuple(found), doubtful=True)


def look_like_instances(survey: Survey) -> bool:
    """Whether ids number single objects.

    They are many and nearly all in one mask, or 1 to k in each mask, or a class times 1000 plus a
    number, as in Cityscapes' instanceIds.
    """
    ids = [code for code in survey.pixels if code and code not in VOID_CODES]
    if _number_within_classes(ids):
        return True
    once = sum(survey.masks[i] == 1 for i in ids)
    if survey.num_masks >= MASKS_THAT_TELL and len(ids) > FEW_CLASSES and once >= 0.9 * len(ids):
        return True
    if len(ids) <= MAX_CLASSES_ASKED:
        return False
    telling = survey.num_masks > 3 or len(ids) >= 0.8 * max(ids) or max(ids) > MAX_CLASSES
    if survey.num_masks > 1 and telling and once >= 0.9 * len(ids):
        return True
    if survey.counted_up < 0.8 * survey.num_masks:
        return False
    return survey.num_masks == 1 or min(survey.masks[i] for i in ids) < survey.num_masks


def _number_within_classes(ids: Sequence[int]) -> bool:
    """Whether ids from 1000 on are a class times 1000 plus numbers from 0 or 1 on."""
    groups: dict[int, list[int]] = defaultdict(list)
    for code in sorted(ids):
        if code >= 1000:
            groups[code // 1000].append(code % 1000)
    counted = [g for g in groups.values() if g[0] <= 1 and g == list(range(g[0], g[0] + len(g)))]
    return (
        bool(groups)
        and len(counted) == len(groups)
        and max(len(g) for g in counted) > 2
        and all(code < 100 for code in ids if code < 1000)
    )


def is_scattered(classes: Sequence[int], survey: Survey) -> bool:
    """Whether there are many ids that form no regions, as in photographs."""
    return len(classes) > MANY_SCATTERED and survey.mean_run(classes) <= EDGE_RUN


def count_up(survey: Survey) -> bool:
    """Whether ids are 1 to k in nearly every mask, with another k in some."""
    ids = [code for code in survey.pixels if code and code not in VOID_CODES]
    return (
        len(ids) > 3
        and survey.num_masks > 3
        and survey.counted_up >= 0.8 * survey.num_masks
        and len({survey.masks[code] for code in ids}) > 2
    )


def _even_levels(found: Sequence[int], survey: Survey) -> tuple[int, ...]:
    """Return even greys from 0 to 255 (65535) that explain all ids but strays; () for none."""
    top = found[-1]
    if top not in VOID_CODES or found[0] > top // 255:
        return ()
    unit = top // 255
    for steps in range(1, MAX_GREY_STEPS + 1):
        levels = [_nearest(found, top * i / steps, unit, survey) for i in range(steps + 1)]
        if None in levels:
            continue
        kept = tuple(sorted({level for level in levels if level is not None}))
        rest = [code for code in found if code not in kept]
        if not rest or _are_strays(rest, kept, survey) or _are_edges(rest, kept, survey):
            return kept
    return ()


def _nearest(found: Sequence[int], wanted: float, unit: int, survey: Survey) -> int | None:
    """Return the id at a grey step: black and white themselves, else the commonest near it."""
    near = [code for code in found if abs(code - wanted) <= unit]
    if int(wanted) in near and int(wanted) in (0, 255 * unit):
        return int(wanted)
    return max(near, key=survey.pixels.__getitem__, default=None)


def _are_strays(rest: Sequence[int], levels: Sequence[int], survey: Survey) -> bool:
    """Whether ids near even greys hold next to nothing: scattered pixels, or few masks."""
    pixels = sum(survey.pixels[code] for code in rest)
    smallest = min(survey.pixels[level] for level in levels)
    if survey.share(rest) > STRAY_SHARE or 10 * pixels > smallest:
        return False
    if len(rest) == 1 and len(levels) == 2 and abs(2 * rest[0] - levels[1]) <= 2:
        return False  # in the middle of black and white: as well a third class
    few = all(survey.masks[c] <= max(1, FEW_MASKS * survey.num_masks) for c in rest)
    return survey.mean_run(rest) <= SCATTERED_RUN or (few and survey.num_masks > 2)


def _are_edges(rest: Sequence[int], levels: Sequence[int], survey: Survey) -> bool:
    """Whether ids next to even greys are what a JPEG or a filter left of masks.

    Many greys lie close to a level, some of them close to white, where no ids are counted up to;
    those between the levels hold less than the regions, and lie along edges.
    """
    unit = levels[-1] // 255
    near = [code for code in rest if _level_of(code, levels, unit) is not None]
    between = [code for code in rest if code not in near]
    dark = survey.share([c for c in (*levels, *rest) if c <= RINGING_WIDTH * unit])
    white = survey.share([c for c in (*levels, *rest) if c >= levels[-1] - RINGING_WIDTH * unit])
    if len(rest) < RINGING_GREYS:
        rare = survey.share(rest) <= 4 * RARE_SHARE and 5 * survey.share(rest) <= white
        return rare and max(rest) > 200 * unit and survey.mean_run(rest) <= SCATTERED_RUN
    if sum(code > 200 * unit for code in rest) < 2:
        least = min(survey.share([level]) for level in levels)
        return survey.share(rest) <= least and survey.mean_run(rest) <= SCATTERED_RUN
    if not between:
        return True
    greatest = max(survey.share([code]) for code in between)
    few = survey.share(between) <= MAX_EDGE_SHARE * (1 - dark) and len(rest) < MANY_GREYS
    thin = few and 2 * greatest <= survey.share([levels[-1]])
    return greatest <= white and survey.mean_run(between) <= (EDGE_RUN if thin else SCATTERED_RUN)


def _level_of(code: int, levels: Sequence[int], unit: int) -> int | None:
    """Return the level that a grey surrounds, None where it lies between levels."""
    near = min(levels, key=lambda level: abs(level - code))
    return near if abs(near - code) <= RINGING_WIDTH * unit else None


def _rounded(strays: Sequence[int], levels: Sequence[int], survey: Survey) -> dict[int, int]:
    """Give greys that hold many pixels to the level that they surround; rare ones stay strays."""
    unit = levels[-1] // 255 or 1
    rounded = {}
    for code in strays:
        level = _level_of(code, levels, unit)
        if level is not None and survey.share([code]) > RARE_SHARE:
            rounded[code] = level
    return rounded


def _ringed_levels(found: Sequence[int], survey: Survey) -> tuple[int, ...]:
    """Return greys of any height with ringing round them, as 0 and 200 in a JPEG; else ()."""
    levels: list[int] = []
    rest: list[int] = []
    for code in sorted(found, key=lambda c: (-survey.pixels[c], c)):
        near = min(levels, key=lambda level: abs(level - code), default=None)
        if near is None or abs(near - code) > RINGING_WIDTH:
            levels.append(code)
        elif 10 * survey.pixels[code] <= survey.pixels[near]:
            rest.append(code)
        else:
            return ()
    round_greys = sum(
        any(level >= 2 * RINGING_WIDTH and abs(level - code) <= RINGING_WIDTH for level in levels)
        for code in rest
    )
    if round_greys < RINGING_GREYS - 1 or len(levels) > MAX_GREY_STEPS:
        return ()
    return tuple(sorted(levels)) if survey.mean_run(rest) <= SCATTERED_RUN else ()


def _is_void(top: int, others: Sequence[int], survey: Survey) -> bool:
    """Whether 255 (65535) is void: in the masks of ids that are counted up and hold regions."""
    ground = 0 if 0 in others else max(others, key=survey.pixels.__getitem__)
    labelled = [code for code in others if code != ground]
    if not labelled or others[-1] > 4 * len(others) + 32:
        return False
    if stands_alone(top, labelled, survey):
        return False
    if survey.mean_run(labelled) <= SCATTERED_RUN and survey.share(labelled) < MIN_SCATTERED_SHARE:
        return False
    weighty = 20 * sum(survey.pixels[c] for c in labelled) >= survey.pixels[top]
    return weighty or any(
        2 * survey.masks[c] >= survey.num_masks and survey.mean_run([c]) >= 3 for c in labelled
    )


def stands_alone(top: int, labelled: Sequence[int], survey: Survey) -> bool:
    """Whether masks that hold an id hold hardly any of the others: it is a foreground then."""
    pixels = sum(survey.pixels.get(code, 0) for code in labelled)
    if 20 * survey.pixels[top] <= pixels:
        return False  # too little to be what the masks are about
    together = sum(survey.beside[top].get(code, 0) for code in labelled)
    return together < 0.2 * survey.masks[top]
