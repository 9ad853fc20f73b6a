"""Verdicts in words from intervals: one, or many at once without too many false ones."""

from collections.abc import Sequence

import numpy as np

from segcore.evaluation.counts.bootstrap import (
    LEVEL,
    RESAMPLES,
    Interval,
    counted_units,
    zero_p_value,
)

UNDETERMINED = "cannot tell"


def judge_difference(interval: Interval) -> str:
    """Return "helps" where a whole interval lies above 0, "hurts" below, else "cannot tell"."""
    return "helps" if interval.low > 0 else "hurts" if interval.high < 0 else UNDETERMINED


def holm(p_values: Sequence[float], alpha: float = 1 - LEVEL) -> list[bool]:
    """Return which of several differences hold, with a chance of at most alpha that any is false.

    Of m p values in ascending order, the k-th holds while p <= alpha / (m - k + 1) (Holm 1979). NaN
    holds never and is not counted.

    Args:
        p_values: One for each difference.
        alpha: Chance of one or more false ones, 0..1.
    """
    known = sorted((p, i) for i, p in enumerate(p_values) if not np.isnan(p))
    holds = [False] * len(p_values)
    for rank, (p, i) in enumerate(known):
        if p > alpha / (len(known) - rank):
            break
        holds[i] = True
    return holds


def judge_many(intervals: Sequence[Interval]) -> list[str]:
    """Return one word for each of several differences that are looked at together, by Holm's rule.

    "helps" and "hurts" stand only where the difference holds among all of them; an interval itself
    stays that of one.
    """
    level = intervals[0].level if intervals else LEVEL
    holds = holm([one.p_value for one in intervals], 1 - level)
    return [
        judge_difference(one) if sure else UNDETERMINED
        for one, sure in zip(intervals, holds, strict=True)
    ]


def many_of(intervals: Sequence[Interval]) -> str:
    """Say :func:`many` of several differences, as :func:`judge_many` judges them."""
    known = [one for one in intervals if not np.isnan(one.p_value)]
    if not known:
        return ""
    most = max(known, key=lambda one: one.groups)
    return many(len(known), most.level, (most.unit, most.groups), most.resamples)


def many(
    verdicts: int,
    level: float = LEVEL,
    unit: tuple[str, int] = ("images", 0),
    resamples: int = RESAMPLES,
) -> str:
    """Say how many verdicts a table holds and what was done about it, or why none can hold.

    Args:
        verdicts: How many there are.
        level: Nominal coverage of each interval, 0..1.
        unit: What was drawn ("images" or "groups") and how many of them; 0 where it is not known.
        resamples: How often they were drawn again.
    """
    if verdicts < 2:
        return ""
    needed = (1 - level) / verdicts
    clearest = float(zero_p_value(np.ones((resamples, 1)), np.array([unit[1]]))[0])
    if unit[1] and clearest > needed:
        return (
            f"Nothing can be decided here: of {verdicts} verdicts the first needs p <= "
            f"{needed:.2g} (Holm's correction), and {resamples:,} resamples of "
            f"{counted_units(unit[1], unit[0])} reach {clearest:.2g} at best. Each interval is for "
            "one comparison."
        )
    return (
        f"{verdicts} verdicts stand here. Holm's correction keeps the chance that any of them is "
        f"false at {100 * (1 - level):g} %; each interval is for one comparison."
    )
