"""Many runs from one config: every combination of some values of some fields; and a study whose base has other values."""

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from segcore.config import ModelConfig, RecipeConfig, TrainConfig, config_from_json, to_json
from segcore.config.ablation import Ablation, ablation_from_json
from segcore.errors import SegcoreError, unknown

MOST_RUNS = 500

FIELDS: dict[str, tuple[str, ...]] = {
    **{f.name: ("recipe", f.name) for f in dataclasses.fields(RecipeConfig)},
    **{f.name: ("model", f.name) for f in dataclasses.fields(ModelConfig)},
    **{
        name: (name,)
        for name in (
            "seed",
            "size",
            "label_map",
            "balance_plan",
            "train_split",
            "validation_split",
            "deterministic",
        )
    },
}
"""Fields that can be varied, by name, and where they stand in a config."""


def read_values(name: str, text: str) -> list[Any]:
    """Read values that a person listed: separated by commas, each as the field wants it.

    A size is written HEIGHTxWIDTH; an empty text between commas, or the word "none", means "" for a
    plan, map or split.

    Raises:
        SegcoreError: The field is unknown, nothing is listed, or a value does not fit the field.
    """
    if name not in FIELDS:
        raise unknown("field to vary", name, FIELDS)
    parts = [part.strip() for part in text.split(",")]
    values = [
        _value(name, part)
        for part in parts
        if part or name in ("label_map", "balance_plan", "validation_split")
    ]
    if not text.strip() or not values:
        raise SegcoreError(
            f"Expected values for {name}, separated by commas, received none: list at least one."
        )
    return list(dict.fromkeys(values))


def _value(name: str, text: str) -> Any:
    if name == "size":
        sides = text.lower().split("x")
        if len(sides) != 2 or not all(side.strip().isdigit() for side in sides):
            raise SegcoreError(
                f"Expected a size as HEIGHTxWIDTH, received {text!r}: write for example 96x128."
            )
        return (int(sides[0]), int(sides[1]))
    kind = type(
        getattr(
            RecipeConfig(), name, getattr(ModelConfig(), name, getattr(TrainConfig("-"), name, ""))
        )
    )
    if kind is str:
        return (
            ""
            if text == "none" and name in ("label_map", "balance_plan", "validation_split")
            else text
        )
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise SegcoreError(
            f"Expected {kind.__name__} for {name}, received {text!r}: change that value."
        )
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
        raise SegcoreError(
            f"Expected 1 to {MOST_RUNS} combinations, received {count}: list fewer values, "
            "or use the tune page."
        )
    return [
        _with(config, dict(zip(choices, values, strict=True)))
        for values in itertools.product(*choices.values())
    ]


def _with(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    data = to_json(config)
    for name, value in changes.items():
        _put(data, name, value)
    made = config_from_json(data)
    if not isinstance(made, TrainConfig):
        raise SegcoreError("Expected the config of a training run: give one.")
    return made


def _put(data: dict[str, Any], name: str, value: Any) -> None:
    """Write a value where its field stands in the mapping of a config, which may leave out what is as usual."""
    *outer, last = FIELDS[name]
    for part in outer:
        data = data.setdefault(part, {})
    data[last] = list(value) if isinstance(value, tuple) else value


def rebase(study: Ablation, words: Mapping[str, str]) -> Ablation:
    """Return a study whose base differs in some fields, under a name that tells them: ``deck-cpu-epochs-60``.

    Args:
        study: The study as its file has it.
        words: One value as a person writes it, by name of a field in :data:`FIELDS`.

    Raises:
        SegcoreError: A field is unknown, has more than one value, or a value is refused.
    """
    data = study.to_json()
    for name, text in words.items():
        values = read_values(name, text)
        if len(values) > 1:
            raise SegcoreError(
                f"Expected one value of {name} for the base, received {text!r}: a study "
                "has one base."
            )
        _put(data["base"], name, values[0])
        told = re.sub(r"[^a-z0-9]+", "-", f"{name}-{text}".lower()).strip("-")
        data["name"] = f"{data['name']}-{told}"
    return ablation_from_json(data)
