"""HTML documents from templates: all values but charts are escaped, and nothing is fetched."""

import math
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def percent(value: float | None, digits: int = 1) -> str:
    """Write a share as "64.6 %", an en dash where it is undefined."""
    return "–" if _unknown(value) else f"{100 * float(value or 0):.{digits}f} %"


def points(value: float | None, digits: int = 1) -> str:
    """Write a difference of shares in points: "+1.3"."""
    return "–" if _unknown(value) else f"{100 * float(value or 0):+.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, an en dash where it is undefined."""
    return "–" if _unknown(value) else f"{float(value or 0):.{digits}f}"


def ends(interval: Sequence[float | None]) -> str:
    """Write the ends of an interval of a share: "55.6 % to 67.1 %", or "no interval"."""
    low, high = interval
    return "no interval" if _unknown(low) else f"{percent(low)} to {percent(high)}"


def _unknown(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


_TEMPLATES = Environment(
    loader=PackageLoader("segcore.evaluation.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"percent": percent, "points": points, "number": number, "ends": ends}


def render(template: str, **values: Any) -> str:
    """Return a template of ``pages/templates`` filled with values; text in them is escaped."""
    return _TEMPLATES.get_template(template).render(**values)
