"""Advice on merges as the Compress page writes it: Markdown, with users' names escaped."""

from collections.abc import Sequence

from segcore.evaluation.compression import advice
from segcore.evaluation.compression.advice import Verdict, first_merge, suggestions, too_weak
from segcore.evaluation.compression.chosen_map import MapReport
from segcore.evaluation.compression.verdicts import MergeVerdict
from segcore.ui.shared import session

__all__ = ["emphasised", "first_merge", "judge", "suggestions", "too_weak"]


def judge(
    report: MapReport, names: Sequence[str], split: str, pairs: Sequence[MergeVerdict] = ()
) -> Verdict:
    """Return the verdict on a merge, for Markdown.

    Args:
        report: Scores of the merge on the split.
        names: C class names.
        split: Name of the split.
        pairs: Advice on pairs of classes on the same split.
    """
    plain = [session.plain(name) for name in names]
    return advice.judge(report, plain, session.plain(split), pairs)


def emphasised(verdict: Verdict) -> str:
    """Write a verdict as Markdown, its title bold."""
    return f"**{verdict.title}**{verdict.text}" if verdict.title else verdict.text
