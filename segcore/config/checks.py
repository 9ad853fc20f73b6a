"""Checks of config values that depend on other values."""

from typing import Any

from segcore.config.schema import count, shortened
from segcore.errors import SegcoreError, unknown


def check_name(kind: str, name: str, table: dict[str, Any]) -> None:
    """Refuse a name that is in no table, and suggest the nearest that is."""
    if name not in table:
        raise unknown(kind, name, table)


def check_range(what: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside low..high, both included."""
    if not low <= value <= high:
        raise SegcoreError(
            f"Expected {what} between {count(low)} and {count(high)}, received "
            f"{shortened(value)}: choose a value in that range."
        )
