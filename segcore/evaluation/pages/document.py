"""HTML documents from templates: all values but charts are escaped, and nothing is fetched."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from segcore.formatting import number, percent, points


def ends(interval: Sequence[float | None]) -> str:
    """Write the ends of an interval of a share: "55.6 % to 67.1 %", or "no interval"."""
    low, high = interval
    return (
        "no interval"
        if low is None or not math.isfinite(low)
        else f"{percent(low)} to {percent(high)}"
    )


_TEMPLATES = Environment(
    loader=PackageLoader("segcore.evaluation.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "percent": percent,
    "points": partial(points, unit=""),
    "number": number,
    "ends": ends,
}


def render(template: str, **values: Any) -> str:
    """Return a template of ``pages/templates`` filled with values; text in them is escaped."""
    return _TEMPLATES.get_template(template).render(**values)
