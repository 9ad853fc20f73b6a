"""Grids: every combination of values of some fields; and an ablation with another base."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from segcore.config import TrainConfig
from segcore.config.ablation import Ablation, ablation_from_json
from segcore.config.schema import Setting, settings
from segcore.config.tuning import trial_config
from segcore.errors import SegcoreError, unknown

MOST_RUNS = 500

FIELDS: dict[str, Setting] = {
    name: one for name, one in settings(TrainConfig).items() if one.option.grid
}
"""Fields that a grid may vary, by name."""


def read_values(name: str, text: str) -> list[Any]:
    """Read values that a person listed: separated by commas, each as the field wants it.

    A size is written HEIGHTxWIDTH; an empty text between commas, or the word "none", means "" for a
    plan, map or split.

    Raises:
        SegcoreError: The field is unknown, nothing is listed, or a value does not fit the field.
    """
    if name not in FIELDS:
        raise unknown("field to vary", name, FIELDS)
    field = FIELDS[name]
    parts = [part.strip() for part in text.split(",")]
    values = [field.read(part) for part in parts if part or field.option.empty]
    if not text.strip() or not values:
        raise SegcoreError(
            f"Expected values for {name}, separated by commas, received none: list at least one."
        )
    return list(dict.fromkeys(values))


def combine(config: TrainConfig, choices: Mapping[str, Sequence[Any]]) -> list[TrainConfig]:
    """Return one config for each combination of values; the last field changes fastest.

    Args:
        config: What all have in common.
        choices: Values by name of a field in :data:`FIELDS`.

    Raises:
        SegcoreError: A field is unknown, a combination is refused, or there are more than 500.
    """
    for name in choices:
        if name not in FIELDS:
            raise unknown("field to vary", name, FIELDS)
    count = 1
    for values in choices.values():
        count *= len(values)
    if not 1 <= count <= MOST_RUNS:
        raise SegcoreError(
            f"Expected 1 to {MOST_RUNS} combinations, received {count}: list fewer values, "
            "or use a hyperparameter search."
        )
    return [
        trial_config(config, dict(zip(choices, values, strict=True)))
        for values in itertools.product(*choices.values())
    ]


def _put(data: dict[str, Any], name: str, value: Any) -> None:
    """Write a value at its field in the mapping of a config, which may leave out defaults."""
    *outer, last = FIELDS[name].path
    for part in outer:
        data = data.setdefault(part, {})
    data[last] = list(value) if isinstance(value, tuple) else value


def rebase(ablation: Ablation, words: Mapping[str, str]) -> Ablation:
    """Return an ablation with other base fields, named after them: ``deck-cpu-epochs-60``.

    Args:
        ablation: The ablation as its file has it.
        words: One value as a person writes it, by name of a field in :data:`FIELDS`.

    Raises:
        SegcoreError: A field is unknown, has more than one value, or a value is refused.
    """
    data = ablation.to_json()
    for name, text in words.items():
        values = read_values(name, text)
        if len(values) > 1:
            raise SegcoreError(
                f"Expected one value of {name} for the base, received {text!r}: an ablation "
                "has one base."
            )
        _put(data["base"], name, values[0])
        suffix = re.sub(r"[^a-z0-9]+", "-", f"{name}-{text}".lower()).strip("-")
        data["name"] = f"{data['name']}-{suffix}"
    return ablation_from_json(data)
