"""Which merges are advised, in plain sentences: only where model, classes and scores can bear advice."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

from segcore import formatting
from segcore.evaluation.compression.chosen_map import MapReport
from segcore.evaluation.compression.compression import MapScore
from segcore.evaluation.compression.verdicts import ACTIONS, MergeVerdict
from segcore.evaluation.compression.what_if import WhatIf
from segcore.evaluation.counts.bootstrap import Interval
from segcore.palette import background

WEAK_KAPPA = 0.2
"""Below this kappa a model agrees only slightly with the ground truth (Landis and Koch, 1977)."""

STRONGEST = 3
"""Pairs that an answer describes at most."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a merge.

    Attributes:
        kind: "recommended", "undecided", "rejected", or "silent" where nothing can be said.
        title: What it comes to, to be emphasised; "" where nothing can be said.
        text: Why; continues the title.
    """

    kind: str
    title: str
    text: str

    @property
    def sentence(self) -> str:
        """The title and why."""
        return f"{self.title}{self.text}"


DOUBTS = {
    "collect": "Too little data to advise a merge.",
    "train": "Not advised before the labels are learned.",
    "ensemble": "Not advised: only some members confuse these labels.",
    "keep": "Not advised: some of these labels are distinct.",
}
"""Why a merge is not recommended while the advice on one of its pairs is this action."""


def judge(
    report: MapReport, names: Sequence[str], split: str, pairs: Sequence[MergeVerdict] = ()
) -> Verdict:
    """Say whether a merge is advised on a split.

    It is recommended where the whole 95 % intervals of the lift over random merges and of the
    change in chance-adjusted accuracy lie above 0, and the advice on each pair that it joins is to
    merge; rejected where one interval lies below 0.

    Args:
        report: Scores of the merge on that split.
        names: C class names, as they are to be written.
        split: Name of the split, as it is to be written.
        pairs: Advice on pairs of classes on the same split.
    """
    merged = [group for group in report.after.label_map.groups if len(group) > 1]
    silent = _why_silent(report, merged, names, split)
    if silent:
        return silent
    before, after, lift = report.before, report.after, report.lift
    honest = report.intervals["honest_accuracy"]
    title = ", ".join(" + ".join(names[i] for i in group) for group in merged)
    change = " to ".join(formatting.number(one.honest_accuracy, 2) for one in (before, after))
    if lift.low > 0 and honest.low > 0:
        doubt, figures = _doubt(merged, pairs), f"{_figures(report)}."
        if doubt:
            return Verdict("undecided", doubt, f" {title}: {figures}")
        return Verdict("recommended", f"Merge {title}", f": {figures}")
    if honest.high <= 0 or after.honest_accuracy <= before.honest_accuracy:
        why = f": chance-adjusted accuracy does not rise ({change})."
        return Verdict("rejected", f"Do not merge {title}", why)
    if lift.high < 0:
        return Verdict("rejected", f"Do not merge {title}", ": a random merge gains more.")
    unsure = [
        f"{what} ({ends(interval, signed=True)})"
        for what, interval in (
            ("the lift over random merges", lift),
            ("the change in chance-adjusted accuracy", honest),
        )
        if not interval.low > 0
    ]
    intervals, verb = ("interval", "contains") if len(unsure) == 1 else ("intervals", "contain")
    return Verdict(
        "undecided",
        f"{title}: not significant.",
        f" The 95 % {intervals} of {' and of '.join(unsure)} {verb} 0.",
    )


def _doubt(merged: Sequence[Sequence[int]], pairs: Sequence[MergeVerdict]) -> str:
    """Return why the advice on the pairs of a merge speaks against it; "" where none does."""
    inside = [pair for pair in pairs if any(set(pair.pair) <= set(group) for group in merged)]
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
    report: MapReport, merged: Sequence[Sequence[int]], names: Sequence[str], split: str
) -> Verdict | None:
    """Say why a merge cannot be judged; None where it can."""
    if not merged:
        return _silent("No labels are merged.")
    weak = too_weak(report.before.kappa)
    if weak:
        return weak
    absent = [names[i] for group in merged for i in group if not report.class_pixels[i]]
    if absent:
        return _silent(
            f"{', '.join(absent)} {'does' if len(absent) == 1 else 'do'} not occur in {split}, so "
            "this merge cannot be judged. Leave them out."
        )
    if not report.lift.is_known:
        return _silent(f"Not judged. {report.lift.how()}")
    scores = (report.before.honest_accuracy, report.after.honest_accuracy)
    if not (report.intervals["honest_accuracy"].is_known and all(map(isfinite, scores))):
        return _silent("Not judged: chance-adjusted accuracy is undefined here.")
    return None


def _silent(text: str) -> Verdict:
    return Verdict("silent", "", text)


def too_weak(kappa: float) -> Verdict | None:
    """Say why a model bears no advice; None where it does.

    Args:
        kappa: Its kappa before any merge, -1..1, NaN where undefined.
    """
    if kappa >= WEAK_KAPPA:
        return None
    value = formatting.number(kappa, 2) if isfinite(kappa) else "undefined"
    return Verdict(
        "silent",
        "No advice: the model is too weak.",
        f" Its kappa is {value}, where 0 is chance and 1 is perfect; merges are judged from "
        f"{WEAK_KAPPA} on.",
    )


def answer(what_if: WhatIf, names: Sequence[str], place: str) -> list[str]:
    """Answer the what-if in plain sentences: which pairs to merge, and what each gains and costs.

    Args:
        what_if: The merges and the verdicts on pairs.
        names: C class names.
        place: What was counted, as it is to be written: "on validation", "in this table".
    """
    weak = too_weak(what_if.baseline.kappa)
    if weak:
        return [weak.sentence]
    pairs = suggestions(what_if.verdicts, names, what_if.priors["pixel"].tolist())
    if not pairs:
        return [f"No two classes that occur are confused enough to merge {place}."]
    advised = [one for one in pairs if one.action == "merge"][:STRONGEST]
    if not advised:
        return [f"No merge is advised {place}.", *(one.reason for one in pairs[:2])]
    titles = "; ".join(_title(one, names) for one in advised)
    first = f"Merging is worthwhile {place} for {titles}."
    if not all(one.green for one in advised):
        first = (
            f"Merging looks worthwhile {place} for {titles}; without counts for each image there "
            "is no interval, so it is not certain."
        )
    lines = [first, *(_gains_and_costs(one, what_if, names) for one in advised), ACTIONS["merge"]]
    others = [one for one in pairs if one.action != "merge"][:STRONGEST]
    if others:
        listed = (f"{_title(one, names)} ({_short(one.action)})" for one in others)
        lines.append(f"Not advised: {', '.join(listed)}.")
    return lines


def _title(verdict: MergeVerdict, names: Sequence[str]) -> str:
    return " + ".join(names[i] for i in verdict.pair)


def _short(action: str) -> str:
    """What an action comes to, in two or three words."""
    return ACTIONS[action].partition(":")[0].lower()


def _gains_and_costs(verdict: MergeVerdict, what_if: WhatIf, names: Sequence[str]) -> str:
    """Say what merging a pair gains, with its interval, and what information it loses."""
    low, high = verdict.gain_interval or (nan, nan)
    known = f" (95 % interval {formatting.points_interval(low, high)})" if isfinite(low) else ""
    bits, lost = what_if.baseline.entropy_bits, verdict.lost_bits[what_if.prior]
    honest = " to ".join(formatting.number(one, 3) for one in verdict.honest_accuracy)
    return (
        f"{_title(verdict, names)}: accuracy {formatting.points(verdict.accuracy_gain)}{known}, "
        f"{formatting.percent(lost / bits if bits else None)} of the entropy lost, chance-adjusted "
        f"accuracy from {honest}."
    )


def suggestions(
    verdicts: Sequence[MergeVerdict], names: Sequence[str], pixels: Sequence[float]
) -> list[MergeVerdict]:
    """Return the advice on pairs of classes that occur and are no background.

    Args:
        verdicts: Advice on pairs.
        names: C class names.
        pixels: (C,) true pixels of each class in the split, or their shares.
    """
    left_out = _not_judged(names, pixels)
    return [verdict for verdict in verdicts if not left_out & set(verdict.pair)]


def first_merge(path: Sequence[MapScore], names: Sequence[str], pixels: Sequence[float]) -> int:
    """Return the number of labels to start from: two merges, or fewer that can be judged.

    Args:
        path: Rows of the greedy path.
        names: C class names.
        pixels: (C,) true pixels of each class in the split, or their shares.
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


def _not_judged(names: Sequence[str], pixels: Sequence[float]) -> set[int]:
    """Indices of the classes that are background or do not occur."""
    return {*background(names), *(i for i, count in enumerate(pixels) if not count)}
