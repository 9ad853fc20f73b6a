"""Many runs from one config: every combination of some values of some fields."""

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from segcore.config import ModelConfig, RecipeConfig, TrainConfig, config_from_json, to_json
from segcore.errors import SegcoreError, unknown

MOST_RUNS = 500

FIELDS: dict[str, tuple[str, ...]] = {
    **{f.name: ("recipe", f.name) for f in dataclasses.fields(RecipeConfig)},
    **{f.name: ("model", f.name) for f in dataclasses.fields(ModelConfig)},
    **{name: (name,) for name in ("seed", "size", "label_map", "balance_plan", "train_split", "validation_split", "deterministic")},
}
"""Fields that can be varied, by name, and where they stand in a config."""


def read_values(name: str, text: str) -> list[Any]:
    """Read values that a person listed: separated by commas, each as the field wants it.

    A size is written HEIGHTxWIDTH; an empty text between commas, or the word "none", means "" for a plan, map or split.

    Raises:
        SegcoreError: The field is unknown, nothing is listed, or a value does not fit the field.
    """
    if name not in FIELDS:
        raise unknown("field to vary", name, FIELDS)
    parts = [part.strip() for part in text.split(",")]
    values = [_value(name, part) for part in parts if part or name in ("label_map", "balance_plan", "validation_split")]
    if not text.strip() or not values:
        raise SegcoreError(f"Expected values for {name}, separated by commas, received none: list at least one.")
    return list(dict.fromkeys(values))


def _value(name: str, text: str) -> Any:
    if name == "size":
        sides = text.lower().split("x")
        if len(sides) != 2 or not all(side.strip().isdigit() for side in sides):
            raise SegcoreError(f"Expected a size as HEIGHTxWIDTH, received {text!r}: write for example 96x128.")
        return (int(sides[0]), int(sides[1]))
    kind = type(getattr(RecipeConfig(), name, getattr(ModelConfig(), name, getattr(TrainConfig("-"), name, ""))))
    if kind is str:
        return "" if text == "none" and name in ("label_map", "balance_plan", "validation_split") else text
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise SegcoreError(f"Expected {kind.__name__} for {name}, received {text!r}: change that value.")
    return value


def combine(config: TrainConfig, choices: Mapping[str, Sequence[Any]]) -> list[TrainConfig]:
    """Return one config for each combination of values, in the order of a counter whose last field turns fastest.

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
        raise SegcoreError(f"Expected 1 to {MOST_RUNS} combinations, received {count}: list fewer values, or use the tune page.")
    return [_with(config, dict(zip(choices, values, strict=True))) for values in itertools.product(*choices.values())]


def _with(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    data = to_json(config)
    for name, value in changes.items():
        *outer, last = FIELDS[name]
        place = data
        for part in outer:
            place = place[part]
        place[last] = list(value) if isinstance(value, tuple) else value
    made = config_from_json(data)
    if not isinstance(made, TrainConfig):
        raise SegcoreError("Expected the config of a training run: give one.")
    return made
