"""Scores of a merge with given figures; all others are undefined."""

from dataclasses import fields

from segcore.evaluation.compression.compression import MapScore
from segcore.labels import LabelMap


def map_score(groups, **figures: float) -> MapScore:
    """Return a row for these groups of class indices."""
    names = {field.name for field in fields(MapScore)} - {"label_map", "retained"}
    undefined = dict.fromkeys(names, float("nan"))
    return MapScore(LabelMap(tuple(map(tuple, groups))), retained={}, **{**undefined, **figures})
