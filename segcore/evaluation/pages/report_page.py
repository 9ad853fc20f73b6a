"""A report as one HTML file for a reviewer that opens offline: no script, nothing fetched."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import compare_reports
from segcore.evaluation.metrics.report import Report
from segcore.evaluation.pages.document import render
from segcore.evaluation.pages.report_charts import Depth
from segcore.formatting import number, p_value, percent, points
from segcore.labels import LabelSet, color_to_hex

MAX_CELLS = 40
"""Confusion matrices up to this many classes are a table; above, the largest cells are listed."""

SCORE_TITLES = {
    "mean_iou": "mean IoU",
    "mean_iou_in_truth": "mean IoU, classes in the truth",
    "mean_dice": "mean Dice",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "IoU weighted by pixels",
    "kappa": "Cohen's kappa",
    "mcc": "MCC (Matthews correlation)",
}
"""What the scores are called."""

COEFFICIENTS = ("kappa", "mcc")
"""Scores from -1 to 1, written as plain numbers; all others are shares."""


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        caption: What it shows.
        png: The encoded PNG file.
    """

    caption: str
    png: bytes

    @property
    def data(self) -> str:
        """The file in base64."""
        return base64.b64encode(self.png).decode("ascii")


def build_page(
    reports: Mapping[str, Report],
    *,
    title: str = "Evaluation",
    output: str = "",
    facts: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    pictures: Sequence[Picture] = (),
    depth: Mapping[str, Depth] | None = None,
) -> str:
    """Write the page.

    Args:
        reports: Reports by the name of the run, the first being the one that others are compared
            with.
        title: Heading.
        output: What the first report scores: "Ensemble", "+ CRF".
        facts: Short facts by name: library versions, fingerprint of the dataset, date, device.
        config: The run's config, printed as JSON.
        pictures: Pictures, embedded.
        depth: What was measured besides counts, by the name of the report.

    Returns:
        A complete HTML document, UTF-8 text; every name from outside is escaped.

    Raises:
        SegcoreError: No report.
    """
    if not reports:
        raise SegcoreError(
            "Expected at least one report for the page, received none: evaluate a run first."
        )
    depths = depth or {}
    first = next(iter(reports.values()))
    return render(
        "report.html",
        title=title,
        output=output,
        first=first.to_json(),
        legend=_legend(first.label_set),
        facts=dict(facts or {}),
        comparison=_comparison(reports) if len(reports) > 1 else None,
        runs=[_one(name, report, depths.get(name, Depth())) for name, report in reports.items()],
        pictures=pictures,
        config=json.dumps(config, indent=1, ensure_ascii=False, default=str) if config else "",
    )


def _legend(labels: LabelSet) -> list[tuple[str, str]]:
    """Colour in the pictures and name of each class; ignored ones are painted black."""
    scored = [(color_to_hex(one.color), one.name) for one in labels.classes]
    return scored + [("#000000", f"{one.name} (ignored)") for one in labels.ignored]


def _one(name: str, report: Report, depth: Depth) -> dict[str, Any]:
    """What the section of one run shows."""
    data = report.to_json()
    return {
        "name": name,
        "names": report.label_set.class_names,
        "data": data,
        "colors": [color_to_hex(c.color) for c in report.label_set.classes],
        "scores": [
            (SCORE_TITLES.get(key, key), *(_score(key, v) for v in pair))
            for key, pair in (
                (key, (value, data["mean_over_images"][key]))
                for key, value in data["scores"].items()
            )
        ],
        "confusion": _confusion(report),
        "depth": depth.charts(),
    }


def _score(name: str, value: float | None) -> str:
    return number(value) if name in COEFFICIENTS else percent(value)


def _confusion(report: Report) -> dict[str, Any]:
    """Shares of all cells, or the largest confusions where there are many classes."""
    matrix, names = report.confusion, report.label_set.class_names
    share = matrix.normalized("row")
    if len(names) <= MAX_CELLS:
        return {"names": names, "cells": np.nan_to_num(share).tolist(), "largest": []}
    wrong = np.where(np.eye(len(names), dtype=bool), 0, matrix.counts)
    order = np.argsort(-wrong, axis=None, kind="stable")[:30]
    largest = [
        (names[a], names[b], f"{int(wrong[a, b]):,}", percent(float(share[a, b])))
        for a, b in (divmod(int(i), len(names)) for i in order if wrong.flat[i])
    ]
    return {"names": names, "cells": [], "largest": largest}


def _comparison(reports: Mapping[str, Report]) -> dict[str, Any]:
    """Set runs side by side; where protocols differ, say so instead of a difference."""
    first_name, first = next(iter(reports.items()))
    rows, warnings = [], []
    for name, report in reports.items():
        difference, chance = "–", ""
        if report is not first:
            found = compare_reports(report, first)
            warnings += [f"{name} and {first_name}. {reason}" for reason in found.reasons]
            difference = "not comparable"
            if not found.reasons:
                gain = found.difference
                difference = f"{points(gain.value, unit='')} ({gain.range(signed=True)})"
                chance = p_value(found.p_value)
        rows.append((name, percent(report.interval().value), difference, chance))
    return {"first": first_name, "warnings": warnings, "rows": rows}
