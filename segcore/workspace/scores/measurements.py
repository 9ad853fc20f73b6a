"""What was measured of a run besides counts, for reports, which measure nothing themselves."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.pixel_metrics import BorderScores, Confidence
from segcore.evaluation.pages.report_charts import Depth
from segcore.workspace.scores.pixel_metrics import RunPixelMetrics
from segcore.workspace.scores.robustness import RobustnessResult, RobustnessTests


@dataclass(frozen=True)
class Measurements:
    """What was measured of a run besides its counts; None for what was not.

    Attributes:
        borders: Scores near borders.
        confidence: Calibration.
        temperature: The temperature fitted on the validation split.
        scaled: Calibration at that temperature.
        robustness: Scores under corruptions.
    """

    borders: BorderScores | None = None
    confidence: Confidence | None = None
    temperature: float | None = None
    scaled: Confidence | None = None
    robustness: RobustnessResult | None = None

    def for_page(self) -> Depth:
        """Return what a page shows of it."""
        summary = self.robustness.summary if self.robustness else None
        return Depth(**{**vars(self), "robustness": summary})

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping of what was measured."""
        return {
            key: value.to_json() if hasattr(value, "to_json") else value
            for key, value in vars(self).items()
            if value is not None
        }


MeasurementsOf = Callable[[str, str, str], Measurements]
"""(run, split, stage) to measurements besides counts; see :func:`depth_of`."""

FIT = "validation"
"""Split that temperatures are fitted on."""


def depth_of(
    measures: RunPixelMetrics, robustness: RobustnessTests, run: str, split: str, stage: str
) -> Measurements:
    """Return what was measured already for a report; nothing is measured here.

    Args:
        measures: The pixel metrics of the workspace.
        robustness: The robustness tests of the workspace.
        run: Id of a run that has counts of the split.
        split: Name of the split.
        stage: What was scored.
    """
    result = None
    for name in robustness.started(run, split):
        try:
            result = robustness.result(name)
        except SegcoreError:
            continue  # not finished yet: an older one may be
        break
    measured = measures.cached(run, split, stage)
    if measured is None:
        return Measurements(robustness=result)
    temperature = measures.fitted(run, FIT) if split != FIT else math.nan
    scaled = None if math.isnan(temperature) else measures.cached_scaled(run, split, temperature)
    return Measurements(
        measures.borders(run, split, measured),
        measured.measures.confidence(),
        None if scaled is None else temperature,
        scaled,
        result,
    )
