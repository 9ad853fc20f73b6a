"""How settings and trials are called on the tune page: the catalogue's words, and a few of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from segcore.catalog import (
    ARCHITECTURES,
    AUGMENTATIONS,
    CLASS_WEIGHTS,
    ENCODERS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    SEARCHABLE,
    Choice,
)

TABLES: dict[str, Mapping[str, Choice]] = {
    "architecture": ARCHITECTURES,
    "encoder": ENCODERS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "class_weights": CLASS_WEIGHTS,
    "augmentation": AUGMENTATIONS,
}
"""The table of the catalogue that names the choices of a setting, where there is one."""

TRIAL_STATES = {
    "complete": "Finished",
    "pruned": "Ended early",
    "failed": "Failed",
    "running": "Running",
}


def setting(name: str) -> str:
    """Return the title of a setting."""
    return SEARCHABLE[name].title if name in SEARCHABLE else name


def choice(name: str, value: Any) -> str:
    """Return the title of a setting's value."""
    entry = TABLES.get(name, {}).get(value) if isinstance(value, str) else None
    if entry is not None:
        return entry.title
    if name == "learning_rate":
        return f"{value:.3g}"
    return str(value) or "none"


def settings(values: Mapping[str, Any], names: Sequence[str] = ()) -> str:
    """Return the values of a trial in one line."""
    return ", ".join(
        f"{setting(name).lower()} {choice(name, values[name])}"
        for name in (names or values)
        if name in values
    )
