"""Whether a merge is advised: only where the model, the classes and the scores can bear advice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcore import formatting
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
    report: Mapping[str, Any], groups: Groups, names: Mapping[int, str], split: str
) -> Verdict:
    """Say whether a merge is advised on a split.

    It is recommended where the whole 95 % intervals of the lift over random merges and of the
    change in chance-adjusted accuracy lie above 0; rejected where one lies below 0.

    Args:
        report: Mapping of :class:`segcore.evaluation.compression.chosen_map.MapReport`.
        groups: Groups of class ids.
        names: Class names by id, in index order.
        split: Name of the split.
    """
    merged = [group for group in groups if len(group) > 1]
    if not merged:
        return Verdict("silent", "No labels are merged.")
    weak = too_weak(report["before"]["kappa"])
    if weak:
        return Verdict("silent", weak)
    pixels = dict(zip(names, report["class_pixels"], strict=True))
    absent = [names[i] for group in merged for i in group if not pixels[i]]
    if absent:
        return Verdict(
            "silent",
            f"{session.plain(', '.join(absent))} {'does' if len(absent) == 1 else 'do'} not occur "
            f"in {session.plain(split)}, so this merge cannot be judged. Leave them out.",
        )
    before, after = report["before"], report["after"]
    low, high = report["intervals"].get("honest_accuracy", (None, None))
    lift_low, lift_high = report["lift_interval"]
    if lift_low is None:
        return Verdict("silent", f"Not judged. {session.plain(report['how_sure'])}")
    if None in (low, before["honest_accuracy"], after["honest_accuracy"]):
        return Verdict("silent", "Not judged: chance-adjusted accuracy is undefined here.")
    title = ", ".join(" + ".join(session.plain(names[i]) for i in group) for group in merged)
    change = f"{before['honest_accuracy']:.2f} to {after['honest_accuracy']:.2f}"
    if lift_low > 0 and low > 0:
        stable = report["stability"]["pairs"]
        often = (
            "" if stable is None else f", stable in {formatting.percent(stable)} of the resamples"
        )
        gained = formatting.points(after["accuracy"] - before["accuracy"])
        kept = formatting.percent(after["retained_entropy"])
        return Verdict(
            "recommended",
            f"**Merge {title}**: {gained} accuracy, keeps {kept} of the entropy{often}.",
        )
    if high <= 0 or after["honest_accuracy"] <= before["honest_accuracy"]:
        return Verdict(
            "rejected",
            f"**Do not merge {title}**: chance-adjusted accuracy does not rise ({change}).",
        )
    if lift_high < 0:
        return Verdict("rejected", f"**Do not merge {title}**: a random merge gains more.")
    return Verdict(
        "undecided",
        f"**{title}: not significant.** The 95 % interval of the lift over random merges "
        f"({lift_low:.2f} to {lift_high:.2f}) or of the change in chance-adjusted accuracy "
        f"({low:+.2f} to {high:+.2f}) contains 0.",
    )


def too_weak(kappa: float | None) -> str:
    """Return why a model bears no advice, or "" where it does.

    Args:
        kappa: Its kappa before any merge, -1..1, None where undefined.
    """
    if kappa is not None and kappa >= WEAK_KAPPA:
        return ""
    value = "undefined" if kappa is None else f"{kappa:.2f}"
    return (
        f"**No advice: the model is too weak.** Its kappa is {value}, where 0 is chance and 1 is "
        f"perfect; merges are judged from {WEAK_KAPPA} on."
    )


def suggestions(
    verdicts: Sequence[Mapping[str, Any]], names: Mapping[int, str], pixels: Sequence[int]
) -> list[Mapping[str, Any]]:
    """Return the advice on pairs of classes that occur and are no background.

    Args:
        verdicts: Advice on pairs, each with "pair", "action" and "reason".
        names: Class names by id, in index order.
        pixels: (C,) true pixels of each class in the split.
    """
    ids = list(names)
    quiet = {ids[i] for i in background(list(names.values()))}
    known = {i for i, count in zip(ids, pixels, strict=True) if count and i not in quiet}
    return [verdict for verdict in verdicts if set(verdict["pair"]) <= known]


def first_merge(
    path: Sequence[Mapping[str, Any]], names: Mapping[int, str], pixels: Sequence[int]
) -> int:
    """Return the number of labels to start from: two merges, or fewer that can be judged.

    Args:
        path: Rows of the greedy path, each with "num_groups" and "groups".
        names: Class names by id, in index order.
        pixels: (C,) true pixels of each class in the split.
    """
    ids = list(names)
    quiet = {ids[i] for i in background(list(names.values()))}
    bad = quiet | {i for i, count in zip(ids, pixels, strict=True) if not count}
    fine = [
        row["num_groups"]
        for row in path
        if row["num_groups"] >= len(ids) - 2
        and not any(set(group) & bad for group in row["groups"] if len(group) > 1)
    ]
    return int(min(fine, default=max(row["num_groups"] for row in path)))
