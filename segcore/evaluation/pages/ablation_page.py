"""An ablation as one HTML file that opens offline: table, charts, how sure, and what was run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from segcore import formatting
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.pages.document import render
from segcore.evaluation.pages.report_charts import interval_chart

NOTHING = float("nan")
_MARKS = {
    "agrees": "as claimed",
    "contradicts": "contradicts the claim",
    "cannot tell": "undetermined",
    "": "",
}


def build_ablation_page(
    found: Mapping[str, Any],
    columns: Sequence[str],
    cells: Sequence[Sequence[str]],
    facts: Mapping[str, str] | None = None,
) -> str:
    """Write the page.

    Args:
        found: The table as a mapping: ``study``, ``datasets``, ``protocol``, ``sentences`` and
            ``rows``.
        columns: Titles of what a person sees of a row.
        cells: The cells of each row, in plain text.
        facts: Short facts by name: versions, device, fingerprint.

    Returns:
        A complete HTML document, UTF-8 text; every name from outside is escaped.
    """
    ablation, rows = found["study"], found["rows"]
    differences = [
        (row["row"], *_points(row["difference"], row["difference_interval"]))
        for row in rows
        if row["difference"] is not None
    ]
    return render(
        "ablation.html",
        title=ablation["title"] or ablation["name"],
        ablation=ablation,
        datasets=found["datasets"],
        protocol=found["protocol"],
        claims=_claims(rows),
        chart=interval_chart(
            "Differences with their intervals",
            differences,
            "points of mean IoU against what it is compared with",
        ),
        columns=columns,
        cells=cells,
        notes=[(r["row"], text) for r in rows for text in (r["cause"], r["note"]) if text],
        sentences=found["sentences"],
        pairs=_pairs(rows),
        facts=dict(facts or {}),
        file=json.dumps(_said(ablation), indent=1, ensure_ascii=False),
    )


def _claims(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return one line for each claim: what was claimed, and what was measured."""
    lines = []
    for row in rows:
        if not row["said"]:
            continue
        gain = ""
        if row["difference"] is not None:
            ends = {"difference": row["difference"], "interval": row["difference_interval"]}
            gain = Interval.from_difference(ends).points()
        verdict = row["verdict"] or row["state"]
        mark = _MARKS[row["agreement"]]
        lines.append([row["heading"], row["said"], row["row"], verdict, gain, mark])
    return lines


def _said(value: Any) -> Any:
    """Return what an ablation's file says, without what it leaves out."""
    if isinstance(value, Mapping):
        return {key: _said(part) for key, part in value.items() if part not in (None, "", [], {})}
    return [_said(part) for part in value] if isinstance(value, list) else value


def _points(value: float, ends: Sequence[float | None]) -> tuple[float, float, float]:
    low, high = (NOTHING if end is None else 100 * end for end in ends)
    return 100 * value, low, high


def _pairs(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    lines = []
    for row in rows:
        for number, ((dataset, seed), score, run) in enumerate(
            zip(row["pairs"], row["scores"], row["runs"], strict=True)
        ):
            gain = formatting.points(row["gains"][number], 2, unit="") if row["gains"] else ""
            lines.append(
                [
                    row["row"],
                    dataset,
                    seed,
                    f"{100 * score:.2f}",
                    gain,
                    run,
                ]
            )
    return lines
