"""Titles of what a search varies, and of the states of trials."""

from collections.abc import Mapping, Sequence
from typing import Any

from segcore.config.tuning import searchable

TRIAL_STATES = {
    "complete": "Finished",
    "pruned": "Pruned",
    "failed": "Failed",
    "running": "Running",
}


def setting(name: str) -> str:
    """Return the title of a field that a search varies."""
    known = searchable()
    return known[name].option.title if name in known else name


def choice(name: str, value: Any) -> str:
    """Return the title of a field's value."""
    known = searchable()
    table = known[name].option.table if name in known else None
    if table is not None and isinstance(value, str) and value in table:
        return table[value].title
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value) or "None"


def settings(values: Mapping[str, Any], names: Sequence[str] = ()) -> str:
    """Return the values of a trial in one line."""
    return ", ".join(
        f"{setting(name).lower()} {choice(name, values[name])}"
        for name in (names or values)
        if name in values
    )
