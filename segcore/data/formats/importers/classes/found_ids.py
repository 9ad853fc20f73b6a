"""What the ids of masks mean where no table declares them.

Everything is decided by how many pixels and masks hold an id and how they lie, never by which ids
exist: one stray pixel among a thousand masks must not turn a foreground of 255 into void.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from segcore.data.formats.importers.classes.codes import VOID_CODES, Survey

MAX_GREY_STEPS = 17
STRAY_SHARE = 0.002
"""Ids that hold less of the pixels than this, all together, may be strays."""

FEW_MASKS = 0.05
RARE_SHARE = 0.005
MAX_RINGING_SHARE = 0.35
"""A grey mask that once was a JPEG, or was smoothed, keeps its true greys in more pixels than this."""

RINGING_WIDTH = 16
"""How far the greys of ringing lie from the grey that they surround, of 255."""

RINGING_GREYS = 4
SCATTERED_RUN = 2.0
"""Mean run, in pixels, of ids that lie scattered and form no regions."""

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
    """

    classes: tuple[int, ...]
    void: int | None = None
    strays: tuple[int, ...] = ()
    greys: bool = False
    doubtful: bool = False


def read_meaning(survey: Survey) -> Meaning:
    """Tell classes, void and strays apart among the ids that masks hold."""
    found = sorted(survey.pixels)
    levels = _even_levels(found, survey) or _ringed_levels(found, survey)
    if levels:
        strays = tuple(code for code in found if code not in levels)
        return Meaning(levels, None, strays, greys=levels[-1] in VOID_CODES)
    top = found[-1]
    if top not in VOID_CODES or len(found) == 1:
        return Meaning(tuple(found))
    if _is_void(top, found[:-1], survey):
        return Meaning(tuple(found[:-1]), top)
    return Meaning(tuple(found), doubtful=True)


def look_like_instances(survey: Survey) -> bool:
    """Whether ids number single objects: many, and nearly all in one mask each, or 1 to k in each mask."""
    ids = [code for code in survey.pixels if code and code not in VOID_CODES]
    if len(ids) <= MAX_CLASSES_ASKED:
        return False
    if survey.num_masks > 1 and sum(survey.masks[i] == 1 for i in ids) >= 0.9 * len(ids):
        return True
    if survey.counted_up < 0.8 * survey.num_masks:
        return False
    seldom = sum(2 * survey.masks[i] <= survey.num_masks for i in ids)
    return survey.num_masks == 1 or seldom >= 0.3 * len(ids)


def _even_levels(found: Sequence[int], survey: Survey) -> tuple[int, ...]:
    """Return even steps of grey from 0 to 255 (65535) that explain all ids but strays; () for none."""
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
        if not rest or _are_strays(rest, kept, unit, survey):
            return kept
    return ()


def _nearest(found: Sequence[int], wanted: float, unit: int, survey: Survey) -> int | None:
    near = [code for code in found if abs(code - wanted) <= unit]
    return max(near, key=survey.pixels.__getitem__, default=None)


def _are_strays(rest: Sequence[int], levels: Sequence[int], unit: int, survey: Survey) -> bool:
    """Whether ids beside even greys are strays, smoothed edges or ringing, by their pixels and how these lie."""
    share, smallest = survey.share(rest), min(survey.pixels[level] for level in levels)
    scattered = survey.mean_run(rest) <= SCATTERED_RUN
    if share <= STRAY_SHARE and 10 * sum(survey.pixels[c] for c in rest) <= smallest:
        in_few = all(survey.masks[c] <= max(1, FEW_MASKS * survey.num_masks) for c in rest)
        if scattered or (in_few and survey.num_masks > 2):
            return not _completes_greys(rest, levels)
    high = max(rest) > 200 * unit
    enough = len(rest) >= RINGING_GREYS and (high or scattered)
    if not enough and not (high and scattered and share <= 4 * RARE_SHARE):
        return False
    return share <= MAX_RINGING_SHARE and all(
        _is_ringing(code, levels, unit, survey)
        or survey.pixels[code] <= min(RARE_SHARE * survey.total, smallest)
        for code in rest
    )


def _completes_greys(rest: Sequence[int], levels: Sequence[int]) -> bool:
    """Whether an id in the middle of black and white could as well be a third class."""
    return len(rest) == 1 and len(levels) == 2 and abs(2 * rest[0] - levels[1]) <= 2


def _is_ringing(code: int, levels: Sequence[int], unit: int, survey: Survey) -> bool:
    near = min(levels, key=lambda level: abs(level - code))
    close = abs(near - code) <= RINGING_WIDTH * unit
    return close and 4 * survey.pixels[code] <= survey.pixels[near]


def _ringed_levels(found: Sequence[int], survey: Survey) -> tuple[int, ...]:
    """Return greys of any height with ringing round them, as of a mask of 0 and 200 that was a JPEG; () for none."""
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
    """Whether 255 (65535) is void: beside ids counted up from 0 that hold regions, in the same masks as they."""
    ground = 0 if 0 in others else max(others, key=survey.pixels.__getitem__)
    labelled = [code for code in others if code != ground]
    if not labelled or others[-1] > 4 * len(others) + 32:
        return False
    if stands_alone(top, labelled, survey):
        return False
    weighty = 20 * sum(survey.pixels[c] for c in labelled) >= survey.pixels[top]
    return weighty or any(
        2 * survey.masks[c] >= survey.num_masks and survey.mean_run([c]) >= 3 for c in labelled
    )


def stands_alone(top: int, labelled: Sequence[int], survey: Survey) -> bool:
    """Whether masks that hold an id hold hardly any of some others: then it is what they are, a foreground."""
    together = sum(survey.beside[top].get(code, 0) for code in labelled)
    return together < 0.2 * survey.masks[top]
