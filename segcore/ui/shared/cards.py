"""Figures as cards: the value, its interval below in grey, its formula as the tooltip."""

from collections.abc import Sequence

from streamlit.delta_generator import DeltaGenerator

from segcore import formatting
from segcore.ui.shared import manual


def score(
    column: DeltaGenerator,
    label: str,
    value: float | None,
    about: str,
    section: str,
    *,
    interval: Sequence[float | None] = (None, None),
) -> None:
    """Draw a score as a card, in per cent.

    Args:
        column: Where it is drawn.
        label: What it is.
        value: The score, 0..1; None where it is not known.
        about: Its formula in words.
        section: The section of the manual that says more, "metrics#scores".
        interval: Its 95 % interval; (None, None) where there is none.
    """
    low, high = interval
    below = None if low is None else formatting.interval(low, high)
    _draw(column, label, formatting.percent(value), below, manual.see(about, section))


def gain(
    column: DeltaGenerator,
    label: str,
    value: float | None,
    about: str,
    section: str,
    *,
    interval: Sequence[float | None] = (None, None),
) -> None:
    """Draw the difference of two scores as a card, in percentage points.

    Args:
        column: Where it is drawn.
        label: What it is.
        value: The difference, -1..1; None where it is not known.
        about: What was subtracted.
        section: The section of the manual that says more.
        interval: Its 95 % interval; (None, None) where there is none.
    """
    low, high = interval
    below = None if low is None else formatting.points_interval(low, high)
    _draw(column, label, formatting.points(value), below, manual.see(about, section))


def _draw(column: DeltaGenerator, label: str, value: str, below: str | None, help: str) -> None:
    """Draw one card; cards in a row are equally high."""
    column.metric(
        label,
        value,
        below,
        delta_color="off",
        delta_arrow="off",
        border=True,
        height="stretch",
        help=help,
    )
