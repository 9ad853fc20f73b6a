"""What ``compress`` prints: the answer in sentences, then its tables with the classes' names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from segcore.cli.tables import WIDTH, table
from segcore.formatting import number, percent, points, points_interval, span

LEGEND = """\
Lift: share of the remaining error that the merge removes beyond a random merge of the same group sizes; 0 is chance.
Entropy kept: how much of the detail of the labels is left, weighted by {prior}.
Chance-adjusted accuracy: what the prediction says about the label, 0 is chance, 1 is perfect; it falls where unrelated
labels are merged, accuracy never does."""
"""What the columns of the tables say."""


def show(result: Mapping[str, Any]) -> str:
    """Return the result of ``compress`` as text.

    Args:
        result: The JSON-ready mapping that the command returns.
    """
    judged = _judged(result)
    parts = ["\n".join(result["answer"]), _path_table(result), LEGEND.format(prior=result["prior"])]
    if result.get("merged"):
        groups = "; ".join(_joined(group) for group in result["merged"])
        parts.append(f"Merged: {groups}")
    if judged:
        parts.append(_judged_table(judged))
    if "retraining" in result:
        parts.append("Queued: " + ", ".join(result["retraining"]["queued"]))
    if "tiers" in result:
        parts.append(_tiers_table(result["tiers"]))
    if judged:
        sentences = [f"{_capital(title)}: {one['verdict']['sentence']}" for title, one in judged]
        parts.append("\n".join(sentences))
    return "\n\n".join(parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined(names: Sequence[str]) -> str:
    return " + ".join(_written(name) for name in names)


def _written(name: str) -> str:
    """A name as it is, quoted where its signs could be read as those between names."""
    return name if re.fullmatch(r"[\w.()/-]+( [\w.()/-]+)*", name) else repr(name)


def _groups(row: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Write what a row of the path merges, by names; the shorter side where one group holds most."""
    merged = [[names[str(i)] for i in group] for group in row["groups"] if len(group) > 1]
    alone = [names[str(i)] for group in row["groups"] for i in group if len(group) == 1]
    if len(merged) == 1 and (not alone or len(merged[0]) > max(3, len(alone))):
        return f"all but {', '.join(map(_written, alone))}" if alone else "all"
    return "; ".join(map(_joined, merged)) or "no merge"


def _path_table(result: Mapping[str, Any]) -> str:
    rows = [
        [
            r["num_groups"],
            percent(r["accuracy"]),
            percent(r["mean_iou"]),
            number(r["lift"], 3),
            percent(r["retained_entropy"]),
            number(r["honest_accuracy"], 3),
            _groups(r, result["names"]),
        ]
        for r in result["path"]
    ]
    header = ["labels", "accuracy", "mean IoU", "lift", "entropy kept", "chance-adjusted"]
    return table([*header, "merged"], rows, WIDTH)


def _judged(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Each judged merge with its title: on the split that chose it, on another, by level."""
    judged = []
    if "judged" in result:
        judged.append((f"judged on {result['split']}", result["judged"]))
    if "reported" in result:
        judged.append((f"reported on {result['reported']['split']}", result["reported"]))
    levels = enumerate(result.get("hierarchy", []), 1)
    return judged + [(f"hierarchy, level {number}", level) for number, level in levels]


def _judged_table(judged: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    header = [
        "",
        "labels",
        "accuracy",
        "mean IoU",
        "resolved",
        "composition",
        "lift",
        "interval",
        "entropy kept",
        "chance-adjusted accuracy",
    ]
    return table(header, [_judged_row(title, one) for title, one in judged])


def _judged_row(title: str, judged_map: Mapping[str, Any]) -> list[Any]:
    after, (low, high) = judged_map["after"], judged_map["lift_interval"]
    return [
        title,
        after["num_groups"],
        percent(after["accuracy"]),
        percent(after["mean_iou"]),
        points(after["resolved_confusion"]),
        number(after["composition"]),
        number(after["lift"], 3),
        span(low, high, 3),
        percent(after["retained_entropy"]),
        number(after["honest_accuracy"], 3),
    ]


def _tiers_table(result: Mapping[str, Any]) -> str:
    rows = []
    for tier in result["tiers"]:
        over = tier["beyond"]
        ends = [None, None] if over is None else over["mean_iou"]["interval"]
        rows.append(
            [
                tier["tier"],
                tier["images"],
                percent(tier["scores"]["accuracy"]),
                percent(tier["scores"]["mean_iou"]),
                points(tier["gain"]["mean_iou"]["difference"]),
                points(None if over is None else over["mean_iou"]["difference"]),
                points_interval(*ends),
            ]
        )
    header = [
        "tier on " + result["split"],
        "images",
        "accuracy",
        "mean IoU",
        "gain",
        "gain over merged",
        "interval",
    ]
    return table(header, rows)
