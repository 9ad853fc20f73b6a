"""Whether a merge is advised: only where the model, the classes and the scores can bear advice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from segcore import formatting
from segcore.evaluation.compression.chosen_map import MapReport
from segcore.evaluation.compression.compression import MapScore
from segcore.evaluation.compression.verdicts import MergeVerdict
from segcore.evaluation.counts.bootstrap import Interval
from segcore.palette import background
from segcore.ui.compress.queries import Groups
from segcore.ui.shared import session

WEAK_KAPPA = 0.2
"""Below this kappa a model agrees only slightly with the ground truth (Landis and Koch, 1977)."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a merge.

    Attributes:
        kind: "recommended", "undecided", "rejected", or "silent" where nothing can be said.
        sentence: Why; Markdown.
    """

    kind: str
    sentence: str


def judge(
    report: MapReport,
    groups: Groups,
    names: Mapping[int, str],
    split: str,
    pairs: Sequence[MergeVerdict] = (),
) -> Verdict:
    """Say whether a merge is advised on a split.

    It is recommended where the whole 95 % intervals of the lift over random merges and of the
    change in chance-adjusted accuracy lie above 0, and the advice on each pair that it joins is to
    merge; rejected where one interval lies below 0.

    Args:
        report: Scores of the merge on that split.
        groups: Groups of class ids.
        names: Class names by id, in index order.
        split: Name of the split.
        pairs: Advice on pairs of labels on the same split.
    """
    merged = [group for group in groups if len(group) > 1]
    reason = _why_silent(report, merged, names, split)
    if reason:
        return Verdict("silent", reason)
    before, after, lift = report.before, report.after, report.lift
    honest = report.intervals["honest_accuracy"]
    title = ", ".join(" + ".join(session.plain(names[i]) for i in group) for group in merged)
    change = " to ".join(formatting.number(one.honest_accuracy, 2) for one in (before, after))
    if lift.low > 0 and honest.low > 0:
        doubt = _doubt(merged, list(names), pairs)
        lead = f"**{doubt}** {title}" if doubt else f"**Merge {title}**"
        return Verdict("undecided" if doubt else "recommended", f"{lead}: {_figures(report)}.")
    if honest.high <= 0 or after.honest_accuracy <= before.honest_accuracy:
        return Verdict(
            "rejected",
            f"**Do not merge {title}**: chance-adjusted accuracy does not rise ({change}).",
        )
    if lift.high < 0:
        return Verdict("rejected", f"**Do not merge {title}**: a random merge gains more.")
    return Verdict(
        "undecided",
        f"**{title}: not significant.** The 95 % interval of the lift over random merges "
        f"({ends(lift)}) or of the change in chance-adjusted accuracy "
        f"({ends(honest, signed=True)}) contains 0.",
    )


DOUBTS = {
    "collect": "Too little data to advise a merge.",
    "train": "Not advised before the labels are learned.",
    "ensemble": "Not advised: only some members confuse these labels.",
    "keep": "Not advised: some of these labels are distinct.",
}
"""Why a merge is not recommended while the advice on one of its pairs is this action."""


def _doubt(
    merged: Sequence[Sequence[int]], ids: Sequence[int], pairs: Sequence[MergeVerdict]
) -> str:
    """Return why the advice on the pairs of a merge speaks against it; "" where none does."""
    inside = [p for p in pairs if any({ids[i] for i in p.pair} <= set(g) for g in merged)]
    against = {pair.action for pair in inside if not pair.green}
    return next((DOUBTS[action] for action in DOUBTS if action in against), "")


def _figures(report: MapReport) -> str:
    """Write what a merge gains and keeps, and how often resampled images choose it again."""
    gained = formatting.points(report.after.accuracy - report.before.accuracy)
    kept = formatting.percent(report.after.retained_entropy)
    same = report.stability.same
    again = f", chosen again in {formatting.percent(same)} of the resamples"
    return f"{gained} accuracy, keeps {kept} of the entropy{again if isfinite(same) else ''}"


def ends(interval: Interval, *, signed: bool = False) -> str:
    """Write the ends of an interval of a score between -1 and 1: "0.12 to 0.35"."""
    write = formatting.signed if signed else formatting.number
    return f"{write(interval.low, 2)} to {write(interval.high, 2)}"


def _why_silent(
    report: MapReport, merged: Sequence[Sequence[int]], names: Mapping[int, str], split: str
) -> str:
    """Say why a merge cannot be judged; "" where it can."""
    if not merged:
        return "No labels are merged."
    weak = too_weak(report.before.kappa)
    if weak:
        return weak
    pixels = dict(zip(names, report.class_pixels, strict=True))
    absent = [names[i] for group in merged for i in group if not pixels[i]]
    if absent:
        return (
            f"{session.plain(', '.join(absent))} {'does' if len(absent) == 1 else 'do'} not occur "
            f"in {session.plain(split)}, so this merge cannot be judged. Leave them out."
        )
    if not report.lift.is_known:
        return f"Not judged. {session.plain(report.lift.how())}"
    scores = (report.before.honest_accuracy, report.after.honest_accuracy)
    if not (report.intervals["honest_accuracy"].is_known and all(map(isfinite, scores))):
        return "Not judged: chance-adjusted accuracy is undefined here."
    return ""


def too_weak(kappa: float) -> str:
    """Return why a model bears no advice, or "" where it does.

    Args:
        kappa: Its kappa before any merge, -1..1, NaN where undefined.
    """
    if kappa >= WEAK_KAPPA:
        return ""
    value = formatting.number(kappa, 2) if isfinite(kappa) else "undefined"
    return (
        f"**No advice: the model is too weak.** Its kappa is {value}, where 0 is chance and 1 is "
        f"perfect; merges are judged from {WEAK_KAPPA} on."
    )


def suggestions(
    verdicts: Sequence[MergeVerdict], names: Sequence[str], pixels: Sequence[int]
) -> list[MergeVerdict]:
    """Return the advice on pairs of classes that occur and are no background.

    Args:
        verdicts: Advice on pairs.
        names: C class names.
        pixels: (C,) true pixels of each class in the split.
    """
    left_out = _not_judged(names, pixels)
    return [verdict for verdict in verdicts if not left_out & set(verdict.pair)]


def first_merge(path: Sequence[MapScore], names: Sequence[str], pixels: Sequence[int]) -> int:
    """Return the number of labels to start from: two merges, or fewer that can be judged.

    Args:
        path: Rows of the greedy path.
        names: C class names.
        pixels: (C,) true pixels of each class in the split.
    """
    left_out = _not_judged(names, pixels)
    maps = [row.label_map for row in path]
    fine = [
        one.num_groups
        for one in maps
        if one.num_groups >= len(names) - 2
        and not any(left_out & set(group) for group in one.groups if len(group) > 1)
    ]
    return min(fine, default=max(one.num_groups for one in maps))


def _not_judged(names: Sequence[str], pixels: Sequence[int]) -> set[int]:
    """Indices of the classes that are background or do not occur."""
    return {*background(names), *(i for i, count in enumerate(pixels) if not count)}
