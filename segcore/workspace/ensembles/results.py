"""What runs over subsets and CRF searches wrote, typed; ``docs/formats.md`` lists the files' keys.

Scores are 0 to 1, differences -1 to 1; None for what is undefined.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from segcore.catalog import CRF_OBJECTIVES
from segcore.config import from_json
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.crf_effect import verdict
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.verdicts import UNDETERMINED
from segcore.postprocess.parameters import CRFParameters, MaskFilter

Result = TypeVar("Result")


@dataclass(frozen=True)
class ScoredSubset:
    """The average of some members.

    Attributes:
        members: Positions in ``SubsetsResult.members``.
        mean_iou: Mean IoU.
        pixel_accuracy: Share of correct pixels.
    """

    members: tuple[int, ...]
    mean_iou: float | None
    pixel_accuracy: float | None


@dataclass(frozen=True)
class MemberValue:
    """What one member adds.

    Attributes:
        run: Its id.
        mean_iou: Its own mean IoU.
        contribution: Its marginal value over all subsets.
        is_undetermined: Whether the contribution does not hold among so many comparisons.
    """

    run: str
    mean_iou: Interval
    contribution: Interval
    is_undetermined: bool


@dataclass(frozen=True)
class Weighting:
    """The best of some random weightings of all members.

    Attributes:
        tried: How many were tried.
        weights: One a member, sum 1.
        over_equal: Mean IoU less that of equal weights.
        unseen: The same on images that took no part in the choice.
    """

    tried: int
    weights: tuple[float, ...]
    over_equal: Interval
    unseen: float | None


@dataclass(frozen=True)
class SubsetsResult:
    """Every subset of some members, scored on a split.

    Attributes:
        split: Name of the split.
        members: Ids of the members.
        subsets: Every subset.
        best: Positions of the members of the best one.
        best_score: Its mean IoU.
        gains: Differences in mean IoU by name ("best_over_all").
        chosen_share: Share of the resamples in which the best is the best.
        values: What each member adds.
        many: What the number of comparisons means, one sentence.
        weights: The best weighting; None where none was searched.
        sentences: The findings in words.
        is_stale: Whether predictions have changed since.
        document: The file as it was written, with "stale"; for ``--json``.
    """

    split: str
    members: tuple[str, ...]
    subsets: tuple[ScoredSubset, ...]
    best: tuple[int, ...]
    best_score: Interval
    gains: dict[str, Interval]
    chosen_share: float | None
    values: tuple[MemberValue, ...]
    many: str
    weights: Weighting | None
    sentences: tuple[str, ...]
    is_stale: bool
    document: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return dict(self.document)


@dataclass(frozen=True)
class StepScores:
    """Scores after a step (CRF, filter, none), and what it changed against no step.

    Attributes:
        mean_iou: Mean IoU.
        boundary_iou: Mean boundary IoU.
        mean_iou_gain: Of the mean IoU.
        boundary_iou_gain: Of the boundary IoU.
    """

    mean_iou: float | None
    boundary_iou: float | None
    mean_iou_gain: Interval
    boundary_iou_gain: Interval


@dataclass(frozen=True)
class FilterScores:
    """Scores after a plain filter.

    Attributes:
        filter: The filter.
        title: What it is called.
        scores: The scores.
    """

    filter: MaskFilter
    title: str
    scores: StepScores


@dataclass(frozen=True)
class ClassGain:
    """What the CRF changed in one class.

    Attributes:
        name: Name of the class.
        gain: Of its IoU.
    """

    name: str
    gain: Interval


@dataclass(frozen=True)
class DistanceGain:
    """What the CRF changed within a band of distances from a true boundary.

    Attributes:
        start: Nearer end, pixels.
        end: Farther end, pixels; None for the last band.
        pixels: How many pixels.
        fixed: Share of the pixels that were wrong and are correct.
        broken: Share of the pixels that were correct and are wrong.
        gain: Of the share of correct pixels.
    """

    start: float
    end: float | None
    pixels: int
    fixed: float | None
    broken: float | None
    gain: Interval


@dataclass(frozen=True)
class Candidate:
    """A choice that was tried, against no CRF on the same images.

    Attributes:
        parameters: The CRF; None for no CRF.
        images: How many images it was scored on.
        mean_iou_gain: Difference in mean IoU.
        boundary_iou_gain: Difference in boundary IoU.
    """

    parameters: CRFParameters | None
    images: int
    mean_iou_gain: float | None
    boundary_iou_gain: float | None


@dataclass(frozen=True)
class CRFSearchResult:
    """What a search for the parameters of a CRF came to.

    Attributes:
        split: Name of the split.
        members: Ids of the members.
        rule: How they are combined.
        weights: Their weights; () for equal ones.
        num_samples: How many images.
        temperature: What the logits are divided by, fitted first.
        recommends_off: Whether no CRF scored best.
        off: Scores without CRF.
        crf: Scores with the best one.
        parameters: Of the best one.
        classes: What it changed in each class.
        distances: What it changed by distance to a true boundary.
        alternatives: Plain filters.
        candidates: All that was tried.
        sentences: The findings in words.
        is_stale: Whether predictions have changed since.
        document: The file as it was written, with "verdict" and "stale"; for ``--json``.
    """

    split: str
    members: tuple[str, ...]
    rule: str
    weights: tuple[float, ...]
    num_samples: int
    temperature: float
    recommends_off: bool
    off: StepScores
    crf: StepScores
    parameters: CRFParameters
    classes: tuple[ClassGain, ...]
    distances: tuple[DistanceGain, ...]
    alternatives: tuple[FilterScores, ...]
    candidates: tuple[Candidate, ...]
    sentences: tuple[str, ...]
    is_stale: bool
    document: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return dict(self.document)


def read_subsets(document: Mapping[str, Any], is_stale: bool) -> SubsetsResult:
    """Return what a run over subsets wrote.

    Raises:
        SegcoreError: The document is damaged.
    """
    return _read(_subsets, {**document, "stale": is_stale}, "scores of subsets")


def read_search(document: Mapping[str, Any], is_stale: bool) -> CRFSearchResult:
    """Return what a CRF search wrote.

    Raises:
        SegcoreError: The document is damaged.
    """
    return _read(_search, {**document, "stale": is_stale}, "results of a CRF search")


def _read(build: Callable[[dict[str, Any]], Result], data: dict[str, Any], what: str) -> Result:
    try:
        return build(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SegcoreError(
            f"Expected {what}, received a damaged file ({error!r}): start the run again."
        ) from error


def _subsets(data: dict[str, Any]) -> SubsetsResult:
    members, best, weights = tuple(data["members"]), data["best"], data["weights"]
    origin: dict[str, Any] = {
        key: data[key] for key in ("level", "method", "unit", "resamples") if key in data
    }
    origin |= {"groups": data["units"]} if "units" in data else {}  # earlier versions: neither

    def interval(
        row: Mapping[str, Any], value: str = "difference", ends: str = "interval"
    ) -> Interval:
        return Interval.from_difference({"difference": row[value], "interval": row[ends]}, **origin)

    return SubsetsResult(
        split=data["split"],
        members=members,
        subsets=tuple(
            ScoredSubset(tuple(row["members"]), row["mean_iou"], row["pixel_accuracy"])
            for row in data["subsets"]
        ),
        best=tuple(members.index(name) for name in best["members"]),
        best_score=interval(best, "mean_iou"),
        gains={name: interval(row) for name, row in data["gains"].items()},
        chosen_share=data["chosen_share"],
        values=tuple(
            MemberValue(
                row["run"],
                interval(row, "mean_iou"),
                interval(row, "gain", "gain_interval"),
                row.get("gain_verdict") == UNDETERMINED,  # absent from files of earlier versions
            )
            for row in data["values"]
        ),
        many=data.get("many", ""),
        weights=None
        if weights is None
        else Weighting(
            weights["tried"],
            tuple(weights["weights"]),
            interval(weights["over_equal"]),
            weights["unseen"],
        ),
        sentences=tuple(data["sentences"]),
        is_stale=data["stale"],
        document=data,
    )


def _step(row: Mapping[str, Any]) -> StepScores:
    gain = row["gain"]
    return StepScores(
        row["mean_iou"],
        row["boundary_iou"],
        Interval.from_difference(gain["mean_iou"]),
        Interval.from_difference(gain["boundary_iou"]),
    )


def _search(data: dict[str, Any]) -> CRFSearchResult:
    crf = data["crf"]
    # judged again: earlier versions judged where they had chosen
    data["verdict"] = [
        verdict(
            CRF_OBJECTIVES[name].title, Interval.from_difference(crf["gain"][name]), data["split"]
        )
        for name in ("mean_iou", "boundary_iou")
        if crf["gain"][name]["difference"] is not None
    ]
    return CRFSearchResult(
        split=data["split"],
        members=tuple(data["members"]),
        rule=data["rule"],
        weights=tuple(data["weights"]),
        num_samples=data["num_samples"],
        temperature=data["temperature"],
        recommends_off=data["best"] is None,
        off=_step(data["off"]),
        crf=_step(crf),
        parameters=from_json(CRFParameters, crf["parameters"]),
        classes=tuple(
            ClassGain(row["name"], Interval.from_difference(row)) for row in crf["classes"]
        ),
        distances=tuple(
            DistanceGain(
                row["from"],
                row["to"],
                row["pixels"],
                row["fixed"],
                row["broken"],
                Interval.from_difference(row),
            )
            for row in crf["distances"]
        ),
        alternatives=tuple(
            FilterScores(MaskFilter(row["kind"], row["size"]), row["title"], _step(row))
            for row in data["alternatives"]
        ),
        candidates=tuple(
            Candidate(
                from_json(CRFParameters, row["parameters"]) if row["parameters"] else None,
                row["images"],
                row["over_off"]["mean_iou"],
                row["over_off"]["boundary_iou"],
            )
            for row in data["candidates"]
        ),
        sentences=tuple(data["verdict"]),
        is_stale=data["stale"],
        document=data,
    )
