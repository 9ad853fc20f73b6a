"""What was measured of a run besides counts, as far as it was: for reports, which measure nothing themselves."""

import math
from typing import Any

from segcore.errors import SegcoreError
from segcore.workspace.measures import MeasureShelf
from segcore.workspace.robustness import RobustnessShelf

FIT = "validation"
"""Split that temperatures are fitted on."""


def depth_of(measures: MeasureShelf, robustness: RobustnessShelf, run: str, split: str, stage: str) -> dict[str, Any]:
    """Return the keys of :func:`segcore.evaluation.pages.report_charts.depth_sections` that were measured already; {} where nothing was.

    Args:
        measures: The shelf of pixel measures.
        robustness: The shelf of robustness runs.
        run: Id of a run that has counts of the split.
        split: Name of the split.
        stage: What was scored.
    """
    told: dict[str, Any] = {}
    found = measures.found(run, split, stage)
    if found is not None:
        told["borders"], told["confidence"] = found.measures.borders(), found.measures.confidence()
        temperature = measures.fitted(run, FIT) if split != FIT else math.nan
        scaled = None if math.isnan(temperature) else measures.found_scaled(run, split, temperature)
        if scaled is not None:
            told["temperature"], told["scaled"] = temperature, scaled
    for name in robustness.started(run, split):
        try:
            told["robustness"] = robustness.found(name)
        except SegcoreError:
            continue  # not finished yet: an older one may be
        break
    return {key: value for key, value in told.items() if value is not None}
