"""Charts of reports as self-contained SVG: lines, intervals, and scores beyond counts."""

import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from segcore import formatting
from segcore.evaluation.metrics.pixel_metrics import BorderScores, Confidence, worth_drawing
from segcore.evaluation.metrics.robustness import RobustnessSummary

COLORS = ("#1b8f99", "#d55e00", "#8f63ad", "#b8860b", "#2f7fd0", "#cc79a7")
"""Colours of lines that are distinguishable on light and dark backgrounds."""

WIDTH, HEIGHT = 460, 260
LEFT, BOTTOM, TOP = 44, 36, 10

Line = Sequence[tuple[float, float | None]]


def line_chart(
    title: str,
    lines: Mapping[str, Line],
    x_title: str,
    x_ticks: Mapping[float, str],
    *,
    diagonal: bool = False,
) -> Markup:
    """Draw lines of shares against something as SVG.

    Args:
        title: What is drawn, for those who cannot see it.
        lines: (x, share 0..1 or None) by name.
        x_title: What is on the x axis.
        x_ticks: Text by x.
        diagonal: Whether the line x = y is drawn; x is then a share too.
    """
    points = [
        (x, y) for line in lines.values() for x, y in line if y is not None and math.isfinite(y)
    ]
    if not points:
        return Markup()
    xs = [*x_ticks, *(x for x, _ in points)]
    low, high = min(xs), max(max(xs), min(xs) + 1e-9)
    steps = 5 if diagonal else max(1, math.ceil(5 * max(y for _, y in points) - 1e-9))
    top = steps / 5

    def place(x: float, y: float) -> str:
        across = LEFT + (x - low) / (high - low) * (WIDTH - LEFT - 12)
        return f"{across:.1f},{HEIGHT - BOTTOM - y / top * (HEIGHT - BOTTOM - TOP):.1f}"

    drawn = _axes(place, (low, steps), x_title, x_ticks)
    if diagonal:
        drawn.append(
            f"<path d='M{place(0, 0)}L{place(1, 1)}' stroke='currentColor' opacity='.5' "
            "stroke-dasharray='3 3'/>"
        )
    legend = []
    colors = COLORS * (1 + len(lines) // len(COLORS))
    for color, (name, line) in zip(colors, lines.items(), strict=False):
        drawn += _line([place(x, y) for x, y in line if y is not None and math.isfinite(y)], color)
        legend.append(f"<span class='key' style='background:{color}'></span>{html.escape(name)}")
    label = html.escape(title, quote=True)
    picture = (
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' role='img' "
        f"aria-label='{label}'>{''.join(drawn)}</svg>"
    )
    caption = f"<figcaption>{' &nbsp; '.join(legend)}</figcaption>"
    return Markup(f"<figure class='chart'>{picture}{caption}</figure>")  # escaped above


def _axes(
    place: Callable[[float, float], str],
    corner: tuple[float, int],
    x_title: str,
    x_ticks: Mapping[float, str],
) -> list[str]:
    """Draw a line for each fifth from (lowest x, number of fifths), the ticks and the x title."""
    low, steps = corner
    drawn = []
    for step in range(steps + 1):
        share = step / 5
        height = place(low, share).split(",")[1]
        drawn.append(
            f"<path d='M{LEFT} {height}H{WIDTH - 12}' stroke='currentColor' opacity='.15'/>"
        )
        drawn.append(
            f"<text x='{LEFT - 6}' y='{height}' text-anchor='end' dy='4'>{100 * share:.0f}</text>"
        )
    for x, text in x_ticks.items():
        across = place(x, 0).split(",")[0]
        drawn.append(
            f"<text x='{across}' y='{HEIGHT - BOTTOM + 16}' "
            f"text-anchor='middle'>{html.escape(text)}</text>"
        )
    drawn.append(
        f"<text x='{(LEFT + WIDTH) / 2:.0f}' y='{HEIGHT - 4}' "
        f"text-anchor='middle'>{html.escape(x_title)}</text>"
    )
    return drawn


def _line(places: Sequence[str], color: str) -> list[str]:
    """Draw a line through "x,y" places, with dots on the first 60."""
    return [
        f"<polyline points='{' '.join(places)}' fill='none' stroke='{color}' stroke-width='2'/>",
        *(
            f"<circle cx='{p.split(',')[0]}' cy='{p.split(',')[1]}' r='2.5' fill='{color}'/>"
            for p in places[:60]
        ),
    ]


def interval_chart(
    title: str, rows: Sequence[tuple[str, float, float, float]], x_title: str
) -> Markup:
    """Draw one value a row with its interval and the line at 0; what excludes 0 is coloured.

    Args:
        title: What is drawn, for those who cannot see it.
        rows: (name, value, low, high), the first on top; ends that are no numbers are not drawn.
        x_title: What the axis says.
    """
    known = [row for row in rows if math.isfinite(row[1])]
    if not known:
        return Markup()
    ends = [0.0, *(end for row in known for end in row[1:] if math.isfinite(end))]
    low, high = min(ends), max(max(ends), min(ends) + 1e-9)
    left, width, step = 270, 720, 22
    height = step * len(known) + BOTTOM + TOP

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 24)

    zero = f"{across(0):.1f}"
    drawn = [f"<path d='M{zero} {TOP}V{height - BOTTOM}' stroke='currentColor' opacity='.5'/>"]
    for tick in (low, 0.0, high):
        drawn.append(
            f"<text x='{across(tick):.1f}' y='{height - BOTTOM + 14}' "
            f"text-anchor='middle'>{formatting.signed(tick) if tick else 0}</text>"
        )
    drawn.append(
        f"<text x='{(left + width) / 2:.0f}' y='{height - 4}' "
        f"text-anchor='middle'>{html.escape(x_title)}</text>"
    )
    for number, (name, value, bottom, top) in enumerate(known):
        y = TOP + step * (number + 0.5)
        color = COLORS[0] if bottom > 0 else COLORS[1] if top < 0 else "currentColor"
        drawn.append(
            f"<text x='{left - 10}' y='{y:.1f}' dy='4' text-anchor='end'>{html.escape(name)}</text>"
        )
        if math.isfinite(bottom) and math.isfinite(top):
            drawn.append(
                f"<path d='M{across(bottom):.1f} {y:.1f}H{across(top):.1f}' "
                f"stroke='{color}' stroke-width='2'/>"
            )
        drawn.append(f"<circle cx='{across(value):.1f}' cy='{y:.1f}' r='4' fill='{color}'/>")
    label = html.escape(title, quote=True)
    picture = (
        f"<svg viewBox='0 0 {width} {height}' width='{width}' role='img' "
        f"aria-label='{label}'>{''.join(drawn)}</svg>"
    )
    return Markup(f"<figure class='chart whole'>{picture}</figure>")  # escaped above


@dataclass(frozen=True)
class Depth:
    """What was measured of a run besides counts; None for what was not.

    Attributes:
        borders: Scores near borders.
        confidence: Scores of the probabilities.
        temperature: The temperature that was fitted on the validation split.
        scaled: Scores of the probabilities at that temperature.
        robustness: Scores under corruptions.
    """

    borders: BorderScores | None = None
    confidence: Confidence | None = None
    temperature: float | None = None
    scaled: Confidence | None = None
    robustness: RobustnessSummary | None = None

    def charts(self) -> dict[str, Any]:
        """Return the fields for the template, with a chart of each, "" where it was not measured."""
        return vars(self) | {
            "border_chart": _border_chart(self.borders) if self.borders else "",
            "confidence_chart": self._confidence_chart(),
            "robustness_chart": _robustness_chart(self.robustness) if self.robustness else "",
        }

    def _confidence_chart(self) -> Markup:
        if self.confidence is None:
            return Markup("")
        drawn = {"as it is": self.confidence}
        if self.scaled:
            drawn[f"at temperature {self.temperature:.2f}"] = self.scaled
        lines: dict[str, list[tuple[float, float | None]]] = {
            name: [(r.confidence, r.accuracy) for r in worth_drawing(one.bins)]
            for name, one in drawn.items()
        }
        ticks = {k / 5: f"{20 * k}" for k in range(6)}
        return line_chart("Reliability", lines, "confidence, %", ticks, diagonal=True)


def _border_chart(borders: BorderScores) -> Markup:
    band = borders.trimap
    lines = {
        "mean IoU": [(math.log2(r.width), r.mean_iou) for r in band],
        "pixel accuracy": [(math.log2(r.width), r.pixel_accuracy) for r in band],
    }
    ticks = {math.log2(r.width): str(r.width) for r in band}
    title = "within so many pixels of a true border"
    return line_chart("Scores near borders", lines, title, ticks)


def _robustness_chart(robustness: RobustnessSummary) -> Markup:
    lines: dict[str, list[tuple[float, float | None]]] = {}
    for row in robustness.curves:
        line = lines.setdefault(row.corruption, [(0.0, robustness.clean.mean_iou)])
        line.append((float(row.severity), row.mean_iou))
    ticks = {0.0: "as it is", **{float(k): str(k) for k in range(1, 6)}}
    return line_chart("Mean IoU under corruption", lines, "severity", ticks)
