"""Scores that need every pixel (boundaries, confidence, labels), gathered in constant memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import bootstrap
from segcore.evaluation.metrics.boundary import (
    boundary_iou,
    count_boundary,
    count_trimap,
    mean_boundary_iou,
)
from segcore.evaluation.metrics.calibration import (
    Calibration,
    Reliability,
    fit_temperature,
    sample_pixels,
)
from segcore.evaluation.metrics.label_errors import LabelErrors
from segcore.evaluation.metrics.report import plain
from segcore.text_files import as_json

Arrays = Mapping[str, npt.NDArray[Any]]

TRIMAP_WIDTHS = (1, 2, 4, 8, 16, 32)
"""Band widths of the trimap curve, pixels."""

FITTED_PIXELS = 200_000
"""About so many pixels are drawn to fit a temperature."""

BINS = 15


@dataclass(frozen=True)
class TrimapBand:
    """Scores within a distance of a true border, 0 to 1; None for what is undefined.

    Attributes:
        width: The distance, pixels; a band contains the narrower ones.
        pixels: How many pixels it holds.
        mean_iou: Mean IoU.
        pixel_accuracy: Share of correct pixels.
        iou: IoU of each of the C classes.
    """

    width: int
    pixels: int
    mean_iou: float | None
    pixel_accuracy: float | None
    iou: tuple[float | None, ...]


@dataclass(frozen=True)
class BorderScores:
    """Scores near borders, 0 to 1; None for what is undefined.

    Attributes:
        num_samples: Number of images.
        boundary: Boundary IoU of each of the C classes.
        mean_boundary: Their mean.
        interval: [low, high] of the mean.
        how_sure: How the interval was made, one sentence.
        trimap: One band for each of :data:`TRIMAP_WIDTHS`.
    """

    num_samples: int
    boundary: tuple[float | None, ...]
    mean_boundary: float | None
    interval: list[float | None]
    how_sure: str
    trimap: tuple[TrimapBand, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        data: dict[str, Any] = as_json(self)
        return data


@dataclass(frozen=True)
class ReliabilityBin:
    """The pixels of one bin of confidence; bins without pixels are left out.

    Attributes:
        start: Lower edge of the bin, 0 to 1; "from" in JSON.
        confidence: Mean confidence, 0 to 1.
        accuracy: Share of correct pixels, 0 to 1.
        pixels: How many pixels.
    """

    start: float
    confidence: float
    accuracy: float
    pixels: int

    def to_mapping(self) -> dict[str, float]:
        """Return the fields by their names in JSON."""
        own = dict(vars(self))
        return {"from": own.pop("start"), **own}


@dataclass(frozen=True)
class ClassConfidence:
    """The pixels that were predicted as one class.

    Attributes:
        ece: Expected calibration error, 0 to 1; None without pixels.
        pixels: How many pixels.
        bins: Its reliability diagram.
    """

    ece: float | None
    pixels: int
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True)
class Confidence:
    """Scores of the probabilities of N pixels; None for what is undefined.

    Attributes:
        ece: Expected calibration error, 0 to 1.
        mce: Largest gap of a bin that holds at least a thousandth of the pixels, 0 to 1.
        brier: Brier score, 0 to 2.
        log_loss: Mean negative natural logarithm of the true class's probability.
        aurc: Area under the risk-coverage curve, 0 to 1.
        pixel_accuracy: Share of correct pixels, 0 to 1.
        mean_confidence: Mean of the largest probability, 0 to 1.
        bins: Reliability diagram of all pixels.
        classes: The same by predicted class.
        coverage: Shares of the pixels that are kept, most confident first, thinned to 100 points.
        risk: Share of wrong pixels among those.
    """

    ece: float | None
    mce: float | None
    brier: float | None
    log_loss: float | None
    aurc: float | None
    pixel_accuracy: float | None
    mean_confidence: float | None
    bins: tuple[ReliabilityBin, ...]
    classes: tuple[ClassConfidence, ...]
    coverage: tuple[float, ...]
    risk: tuple[float | None, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        data: dict[str, Any] = as_json(self)
        return data


class PixelMetrics:
    """Counts of one pass over the images of a split.

    Args:
        num_classes: C.
        ignore_index: The mask value that is not scored.

    Attributes:
        sample_ids: Ids of the N images seen.
        boundary: N arrays (C, 2) int64: intersection and union of boundary regions.
        trimap: (W, C, C) int64 confusion within each of :data:`TRIMAP_WIDTHS` of a true border.
        calibration: Confidence and correctness; nothing where only masks were given.
        labels: Each class's own level of confidence, for label errors.
        drawn: Pixels to fit a temperature: (n, C) float32 probabilities and (n,) true indices each.
    """

    def __init__(self, num_classes: int, ignore_index: int) -> None:
        self.ignore_index = ignore_index
        self.sample_ids: list[str] = []
        self.boundary: list[npt.NDArray[np.int64]] = []
        self.trimap = np.zeros((len(TRIMAP_WIDTHS), num_classes, num_classes), np.int64)
        self.calibration = Calibration(num_classes)
        self.labels = LabelErrors(num_classes, ignore_index)
        self.drawn: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]] = []

    def observe(
        self,
        sample: str,
        mask: npt.NDArray[Any],
        predicted: npt.NDArray[Any],
        probabilities: npt.NDArray[np.float32] | None = None,
        draw: int = 0,
        seed: int = 0,
    ) -> None:
        """Add one image.

        Args:
            sample: Its id.
            mask: (H, W) true indices 0..C-1, or the ignored value.
            predicted: (H, W) indices 0..C-1.
            probabilities: (H, W, C) float32, or None where only masks exist.
            draw: How many of its pixels are kept to fit a temperature.
            seed: Of the draw.

        Raises:
            SegcoreError: Sizes or classes that do not fit.
        """
        number = len(self.calibration.pixels)
        self.sample_ids.append(sample)
        self.boundary.append(count_boundary(mask, predicted, number, self.ignore_index))
        self.trimap += count_trimap(mask, predicted, number, self.ignore_index, TRIMAP_WIDTHS)
        if probabilities is None:
            return
        self.calibration.observe(probabilities, mask, self.ignore_index)
        self.labels.observe(probabilities, mask)
        if draw:
            self.drawn.append(sample_pixels(probabilities, mask, self.ignore_index, draw, seed))

    def add(self, other: "PixelMetrics") -> None:
        """Add what another one has seen: images may be counted apart and joined in order."""
        self.sample_ids += other.sample_ids
        self.boundary += other.boundary
        self.trimap += other.trimap
        self.calibration.add(other.calibration)
        self.labels.add(other.labels)
        self.drawn += other.drawn

    def temperature(self) -> float:
        """Return the temperature with the least log loss on the drawn pixels; NaN without any."""
        kept = [pair for pair in self.drawn if len(pair[1])]
        if not kept:
            return float("nan")
        return fit_temperature(
            np.concatenate([p for p, _ in kept]), np.concatenate([y for _, y in kept])
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all but the drawn pixels (their temperature is kept), for :meth:`from_arrays`."""
        c = self.calibration
        return {
            "sample_ids": np.array(self.sample_ids, dtype=np.str_),
            "boundary": np.array(self.boundary, np.int64).reshape(
                len(self.boundary), len(c.pixels), 2
            ),
            "trimap": self.trimap,
            "pixels": c.pixels,
            "right": c.right,
            "confidence": c.confidence,
            "sums": np.array([c.surprise, c.squared]),
            "label_pixels": self.labels.pixels,
            "label_confidence": self.labels.confidence,
            "temperature": np.array(self.temperature()),
        }

    @staticmethod
    def from_arrays(arrays: Arrays, ignore_index: int) -> tuple["PixelMetrics", float]:
        """Rebuild what :meth:`to_arrays` returned, and the temperature that was fitted."""
        made = PixelMetrics(len(arrays["pixels"]), ignore_index)
        made.sample_ids = [str(name) for name in arrays["sample_ids"]]
        made.boundary = list(arrays["boundary"])
        made.trimap = arrays["trimap"]
        c = made.calibration
        c.pixels, c.right, c.confidence = arrays["pixels"], arrays["right"], arrays["confidence"]
        c.surprise, c.squared = (float(v) for v in arrays["sums"])
        made.labels.pixels, made.labels.confidence = (
            arrays["label_pixels"],
            arrays["label_confidence"],
        )
        return made, float(arrays["temperature"])

    def borders(
        self,
        groups: Sequence[str] | None = None,
        present: npt.NDArray[np.bool_] | None = None,
        resamples: int = 500,
        seed: int = 0,
    ) -> BorderScores:
        """Score the borders.

        Args:
            groups: Group of each image; the interval then draws whole groups.
            present: (N, C) whether the truth of each image holds each class; a class is then left
                out of a resample whose truth lacks it.
            resamples: Resamples of the interval.
            seed: Seed of the draws.
        """
        counts = np.array(self.boundary, np.int64).reshape(-1, len(self.trimap[0]), 2)
        own = boundary_iou(counts.sum(0))
        truth = np.ones(counts.shape[:2], np.int64) if present is None else present.astype(np.int64)
        held = np.asarray(truth.any(0))
        (mean,) = bootstrap(
            [counts, truth],
            {"mean": lambda c, images: mean_boundary_iou(c, images, held)},
            groups=groups,
            resamples=resamples,
            seed=seed,
        )["mean"]
        return BorderScores(
            num_samples=len(self.sample_ids),
            boundary=tuple(plain(v) for v in own),
            mean_boundary=plain(float(scores.mean_present(own))),
            interval=mean.ends(),
            how_sure=mean.how(),
            trimap=tuple(
                TrimapBand(
                    width=width,
                    pixels=int(band.sum()),
                    mean_iou=plain(float(scores.mean_iou(band))),
                    pixel_accuracy=plain(float(scores.pixel_accuracy(band))),
                    iou=tuple(plain(v) for v in scores.iou(band)),
                )
                for width, band in zip(TRIMAP_WIDTHS, self.trimap, strict=True)
            ),
        )

    def confidence(self, bins: int = BINS) -> Confidence | None:
        """Score the probabilities; None where only masks were given."""
        c = self.calibration
        if not c.total:
            return None
        whole, own = c.reliability(bins), c.reliability(bins, by_class=True)
        coverage, risk = c.risk_coverage()
        gaps = np.abs(whole.confidence - whole.accuracy)[1000 * whole.pixels >= c.total]
        keep = np.unique(
            np.searchsorted(coverage, np.linspace(max(coverage[0], 0.01), 1, 100)).clip(
                0, len(coverage) - 1
            )
        )
        return Confidence(
            ece=plain(float(whole.ece)),
            mce=plain(float(gaps.max())),
            brier=plain(c.brier),
            log_loss=plain(c.log_loss),
            aurc=plain(c.risk_area()),
            pixel_accuracy=plain(c.right.sum() / c.total),
            mean_confidence=plain(c.confidence.sum() / c.total),
            bins=_bins(whole, ...),
            classes=tuple(
                ClassConfidence(plain(own.ece[k]), int(c.pixels[k].sum()), _bins(own, k))
                for k in range(len(c.pixels))
            ),
            coverage=tuple(coverage[keep].tolist()),
            risk=tuple(plain(v) for v in risk[keep]),
        )


def worth_drawing(bins: Sequence[ReliabilityBin]) -> list[ReliabilityBin]:
    """Return the bins of a reliability diagram with at least a ten-thousandth of its pixels."""
    total = sum(one.pixels for one in bins)
    return [one for one in bins if 10_000 * one.pixels >= total]


def _bins(diagram: Reliability, which: Any) -> tuple[ReliabilityBin, ...]:
    """The bins of one diagram that hold pixels."""
    columns = zip(
        diagram.edges[:-1],
        diagram.confidence[which],
        diagram.accuracy[which],
        diagram.pixels[which],
        strict=True,
    )
    return tuple(
        ReliabilityBin(float(e), float(c), float(a), int(n)) for e, c, a, n in columns if n
    )
