"""Verdicts in words from intervals: one, or many at once without too many false ones."""

from collections.abc import Sequence

import numpy as np

from segcore.evaluation.counts.bootstrap import LEVEL, Interval

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


def many(verdicts: int, level: float = LEVEL) -> str:
    """Say how many verdicts a table holds and what was done about it."""
    if verdicts < 2:
        return ""
    return (
        f"{verdicts} verdicts stand here. Holm's correction keeps the chance that any of them is "
        f"false at {100 * (1 - level):g} %; each interval is for one comparison."
    )
