"""A report as one HTML file that a reviewer can open offline: no script, no link, nothing fetched."""

import base64
import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import paired_difference
from segcore.evaluation.metrics.report import Report
from segcore.evaluation.pages.report_charts import depth_sections
from segcore.labels import color_to_hex

MAX_CELLS = 40
"""Confusion matrices are drawn as a table up to this many classes; above it the largest confusions are listed."""

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--line:#d8dde3;--page:#fff;--heat:37,99,160}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--soft:#a2abb5;--line:#3a424b;--page:#14181c;--heat:110,170,230}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1080px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}h3{font-size:1rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right}
td:first-child,th:first-child{text-align:left}.wide{overflow-x:auto}.soft{color:var(--soft)}
.warn{border-left:4px solid #c2410c;padding-left:.8rem}
.heat td{border:0;min-width:2.2rem;text-align:center;font-size:.8rem}.heat td:first-child{text-align:left}
figure{display:inline-block;margin:0 1rem 1rem 0;max-width:320px}
.chart{max-width:480px}.chart svg{max-width:100%;height:auto;font-size:11px;fill:currentColor}
.whole{max-width:100%}.tight td{white-space:nowrap}
figure img{max-width:100%;image-rendering:pixelated}figcaption{font-size:.85rem;color:var(--soft)}pre{white-space:pre-wrap;font-size:.8rem}
.key{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border:1px solid var(--line)}
"""


@dataclass(frozen=True)
class Picture:
    """A picture to set into the page.

    Attributes:
        caption: What it shows.
        png: The encoded PNG file.
    """

    caption: str
    png: bytes


def build_page(
    reports: Mapping[str, Report],
    *,
    title: str = "Evaluation",
    facts: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    pictures: Sequence[Picture] = (),
    compression: Mapping[str, Any] | None = None,
    depth: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Write the page.

    Args:
        reports: Reports by the name of the run, the first being the one that others are compared
            with.
        title: Heading.
        facts: Short facts by name: library versions, fingerprint of the dataset, date, device.
        config: The run's config, printed as JSON.
        pictures: Pictures, embedded.
        depth: What was measured besides counts, by the name of the report; see
            :func:`segcore.evaluation.pages.report_charts.depth_sections`.
        compression: What ``WhatIf.to_json`` returned; its path and verdicts are shown.

    Returns:
        A complete HTML document, UTF-8 text; every name from outside is escaped.

    Raises:
        SegcoreError: No report.
    """
    if not reports:
        raise SegcoreError(
            "Expected at least one report for the page, received none: evaluate a run first."
        )
    body = [f"<h1>{html_text(title)}</h1>"]
    if facts:
        body.append(html_table(["", ""], [[html_text(k), html_text(v)] for k, v in facts.items()]))
    if len(reports) > 1:
        body.append(_comparison(reports))
    for name, report in reports.items():
        body.append(_one(name, report))
        if depth and name in depth:
            body.append(depth_sections(depth[name], report.label_set.class_names))
    if compression:
        body.append(_compression(compression, next(iter(reports.values()))))
    if pictures:
        body.append("<h2>Pictures</h2>" + "".join(_figure(picture) for picture in pictures))
    if config:
        body.append(
            f"<h2>Config</h2><pre>{html_text(json.dumps(config, indent=1, ensure_ascii=False, default=str))}</pre>"
        )
    return whole_page(title, body)


def whole_page(title: str, body: Sequence[str]) -> str:
    """Return a complete HTML document of some parts that are HTML already; its policy lets nothing be fetched and no script run.

    Args:
        title: Its title, plain text.
        body: The parts, in order.
    """
    policy = (
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src "
        "data:; style-src 'unsafe-inline'\">"
    )
    head = (
        f"<meta charset='utf-8'>{policy}<meta name='viewport' "
        f"content='width=device-width'><title>{html_text(title)}</title>"
    )
    return (
        "<!doctype html><html "
        f"lang='en'><head>{head}<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def html_text(value: object) -> str:
    """Return anything as text that is safe inside HTML."""
    return html.escape(str(value))


def _title(name: str) -> str:
    return html_text(
        name.replace("_", " ").replace("iou", "IoU").replace("dice", "Dice").replace("mcc", "MCC")
    )


def _number(value: float | None, digits: int = 3) -> str:
    return "&ndash;" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Return a table of cells that are HTML already; ``kind`` is its class."""
    top = "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>" if any(head) else ""
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table class='{kind}'>{top}{lines}</table></div>"


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    caption = html_text(picture.caption)
    return (
        f"<figure><img alt='{caption}' "
        f"src='data:image/png;base64,{data}'><figcaption>{caption}</figcaption></figure>"
    )


def _one(name: str, report: Report) -> str:
    """Write the section of one run."""
    data = report.to_json()
    low, high = data["interval"]["mean_iou"]
    parts = [
        f"<h2>{html_text(name)}</h2><p class='soft'>{html_text(data['statement'])}</p>",
        f"<p><b>Mean IoU {_number(data['mean_iou'])}</b> ({_number(low)} to "
        f"{_number(high)} at {report.level:.0%}, resampling "
        f"{data['protocol']['resampled']}); pixel accuracy {_number(data['pixel_accuracy'])}.</p>",
        html_table(
            ["score", "over the set", "mean over images"],
            [
                [_title(k), _number(v), _number(data["mean_over_images"][k])]
                for k, v in data["scores"].items()
            ],
        ),
        "<h3>Classes</h3>",
        html_table(
            ["class", "IoU", "", "Dice", "precision", "recall", "true pixels"],
            [
                [
                    "<span class='key' "
                    f"style='background:{color_to_hex(report.label_set.classes[i].color)}'></span>"
                    f"{html_text(row['name'])}",
                    _number(row["iou"]),
                    _bar(row["iou"], row["interval"]),
                    _number(row["dice"]),
                    _number(row["precision"]),
                    _number(row["recall"]),
                    f"{row['support']:,}",
                ]
                for i, row in enumerate(data["classes"])
            ],
        ),
        "<h3>Confusion: share of each true class, in percent</h3>",
        _confusion(report),
        "<h3>Hardest images</h3>",
        html_table(
            ["image", "mean IoU", "pixel accuracy"],
            [
                [html_text(row["id"]), _number(row["mean_iou"]), _number(row["pixel_accuracy"])]
                for row in data["images"][:12]
            ],
        ),
    ]
    return "".join(parts)


def _bar(value: float | None, ends: Sequence[float | None]) -> str:
    """Draw a value in 0..1 as a bar with its interval as a whisker."""
    if value is None:
        return ""
    whisker = ""
    if ends[0] is not None and ends[1] is not None:
        whisker = (
            f"<path d='M{160 * ends[0]:.1f} 6H{160 * ends[1]:.1f}' stroke='currentColor' "
            "stroke-width='2'/>"
        )
    bar = f"<rect width='{160 * value:.1f}' height='12' fill='rgba(var(--heat),.45)'/>"
    return f"<svg width='160' height='12' role='img' aria-label='{value:.3f}'>{bar}{whisker}</svg>"


def _confusion(report: Report) -> str:
    matrix = report.confusion
    names, share = report.label_set.class_names, matrix.normalized("row")
    if len(names) <= MAX_CELLS:
        rows = [
            [
                html_text(name),
                *(
                    f"<div style='background:rgba(var(--heat),{v / 2:.2f})'>{100 * v:.0f}</div>"
                    for v in np.nan_to_num(share[i])
                ),
            ]
            for i, name in enumerate(names)
        ]
        return html_table(["true \\ predicted", *(html_text(n[:8]) for n in names)], rows, "heat")
    wrong = np.where(np.eye(len(names), dtype=bool), 0, matrix.counts)
    largest = [
        divmod(int(i), len(names))
        for i in np.argsort(-wrong, axis=None, kind="stable")[:30]
        if wrong.flat[i]
    ]
    return html_table(
        ["true", "predicted as", "pixels", "of the true class"],
        [
            [
                html_text(names[a]),
                html_text(names[b]),
                f"{int(wrong[a, b]):,}",
                f"{100 * share[a, b]:.1f} %",
            ]
            for a, b in largest
        ],
    )


def _comparison(reports: Mapping[str, Report]) -> str:
    """Set runs side by side; where protocols differ, say so instead of a difference."""
    first_name, first = next(iter(reports.items()))
    rows, warnings = [], []
    for name, report in reports.items():
        mean = float(scores.mean_iou(report.counts.sum(0)))
        difference = "&ndash;" if report is first else "not comparable"
        p_value = ""
        reasons = first.protocol.differences(report.protocol)
        if report.sample_ids != first.sample_ids and not reasons:
            reasons = ["Not comparable: other images, or another order."]
        warnings += [
            f"{html_text(name)} and {html_text(first_name)}. {html_text(reason)}"
            for reason in reasons
        ]
        if report is not first and not reasons:
            found = paired_difference(
                report.counts, first.counts, scores.mean_iou, groups=first.groups
            )
            difference = f"{found.difference:+.3f} ({_number(found.low)} to {_number(found.high)})"
            p_value = _number(found.p_value)
        rows.append([html_text(name), _number(mean), difference, p_value])
    told = "".join(f"<p class='warn'>{warning}</p>" for warning in warnings)
    return f"<h2>Side by side</h2>{told}" + html_table(
        ["run", "mean IoU", f"against {html_text(first_name)}", "p"], rows
    )


def _compression(study: Mapping[str, Any], report: Report) -> str:
    """Show the path and the verdicts of a label-compression study."""
    names = {c.id: c.name for c in report.label_set.classes}

    def merged(row: Mapping[str, Any]) -> str:
        joined = [
            " + ".join(html_text(names.get(i, i)) for i in group)
            for group in row["groups"]
            if len(group) > 1
        ]
        return "; ".join(joined) or "no merge"

    shown = ("accuracy", "mean_iou", "retained_entropy", "honest_accuracy", "lift")
    rows = [
        [merged(row), str(row["num_groups"]), *(_number(row[key]) for key in shown)]
        for row in study["path"]
    ]
    told = [
        (
            f"<b>{html_text(v['action'])}</b>{' (green)' if v['green'] else ''}: "
            f"{html_text(v['reason'])}"
        )
        for v in study["verdicts"]
    ]
    verdicts = "".join(f"<li>{line}</li>" for line in told)
    head = [
        "merged",
        "labels",
        "accuracy",
        "mean IoU",
        f"detail kept ({html_text(study['prior'])})",
        "honest accuracy",
        "lift",
    ]
    return f"<h2>What if labels were merged?</h2>{html_table(head, rows)}<ul>{verdicts}</ul>"
