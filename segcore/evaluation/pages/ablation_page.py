"""What a study of recipes found as one HTML file that opens offline: table, charts, how sure, and what was run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from segcore.evaluation.pages.report_charts import interval_chart
from segcore.evaluation.pages.report_page import html_table, html_text, whole_page

NOTHING = float("nan")
_MARKS = {
    "agrees": "as was said",
    "contradicts": "<b>contradicts what was said</b>",
    "cannot tell": "cannot tell",
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
    study, rows = found["study"], found["rows"]
    title = study["title"] or study["name"]
    body = [f"<h1>{html_text(title)}</h1>"]
    if study["about"]:
        body.append(f"<p>{html_text(study['about'])}</p>")
    body.append(
        f"<p class='soft'>Data: {html_text(', '.join(found['datasets']))}. "
        f"{html_text(found['protocol'])}</p>"
    )
    body.append(_answers(rows))
    body.append("<h2>By how much each recipe differs</h2>")
    gains = [
        (row["row"], *_points(row["difference"], row["difference_interval"]))
        for row in rows
        if row["difference"] is not None
    ]
    body.append(
        interval_chart(
            "Differences with their intervals",
            gains,
            "points of mean IoU against what it is compared with",
        )
    )
    body.append(
        "<h2>All rows</h2>"
        + html_table(columns, [[html_text(cell) for cell in row] for row in cells], "tight")
    )
    told = [
        f"<li><b>{html_text(row['row'])}</b>: {html_text(text)}</li>"
        for row in rows
        for text in (row["cause"], row["note"])
        if text
    ]
    body.append(f"<ul>{''.join(told)}</ul>" if told else "")
    body.append(
        "<h2>How sure</h2>"
        + "".join(f"<p>{html_text(sentence)}</p>" for sentence in found["sentences"])
    )
    body.append(
        "<h2>Each pair</h2>"
        + html_table(["row", "dataset", "seed", "mean IoU, %", "points", "run"], _pairs(rows))
    )
    if facts:
        body.append(
            "<h2>Made with</h2>"
            + html_table(["", ""], [[html_text(k), html_text(v)] for k, v in facts.items()])
        )
    body.append(
        "<h2>The study's "
        f"file</h2><pre>{html_text(json.dumps(_said(study), indent=1, ensure_ascii=False))}</pre>"
    )
    return whole_page(title, body)


def _answers(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write one line for each claim: what was said, and what was found."""
    lines = []
    for row in rows:
        if not row["said"]:
            continue
        found = row["verdict"] or row["state"]
        gain = (
            ""
            if row["difference"] is None
            else "{:+.1f} ({:+.1f} to {:+.1f})".format(
                *_points(row["difference"], row["difference_interval"])
            )
        )
        lines.append(
            [
                html_text(row["heading"]),
                html_text(row["said"]),
                html_text(row["row"]),
                html_text(found),
                gain,
                _MARKS[row["agreement"]],
            ]
        )
    head = ["", "was said", "row", "found: the row", "points", ""]
    return "<h2>What was said, and what was found</h2>" + html_table(head, lines) if lines else ""


def _said(value: Any) -> Any:
    """Return what a study's file says, without what it leaves out."""
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
            gain = f"{100 * row['gains'][number]:+.2f}" if row["gains"] else ""
            lines.append(
                [
                    html_text(row["row"]),
                    html_text(dataset),
                    html_text(seed),
                    f"{100 * score:.2f}",
                    gain,
                    html_text(run),
                ]
            )
    return lines
