"""Whether probabilities mean what they say: reliability, calibration error, risk, temperature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from segcore.errors import SegcoreError

Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[Any]
"""(H, W, C) float, 0..1, summing to 1 over the last axis."""

FINE_BINS = 900
"""Bins of confidence that are kept: 5, 9, 10, 12, 15, 18, 20, 30 ... can be drawn from one pass."""

_FLOOR = 1e-12


@dataclass(frozen=True, eq=False)
class Reliability:
    """Reliability by confidence; empty bins are NaN.

    Attributes:
        edges: (B + 1,) confidence edges, 0..1.
        confidence: (..., B) mean confidence in the bin.
        accuracy: (..., B) share of right pixels in the bin.
        pixels: (..., B) int64.
        ece: (...) expected calibration error, sum_b n_b / N |accuracy_b - confidence_b| (Naeini et
            al., AAAI 2015).
        mce: (...) largest gap of a bin that holds pixels.
    """

    edges: Floats
    confidence: Floats
    accuracy: Floats
    pixels: npt.NDArray[np.int64]
    ece: Floats
    mce: Floats


class Calibration:
    """Counts of confidence and correctness, gathered image by image in constant memory.

    Attributes:
        pixels: (C, 900) int64 scored pixels by predicted class and confidence.
        right: (C, 900) int64 of those, the right ones.
        confidence: (C, 900) float64 sum of confidence.
        surprise: Sum of -ln p(true class), nats.
        squared: Sum over pixels and classes of (p - truth)**2 (Brier 1950).
    """

    def __init__(self, num_classes: int) -> None:
        self.pixels = np.zeros((num_classes, FINE_BINS), np.int64)
        self.right = np.zeros((num_classes, FINE_BINS), np.int64)
        self.confidence = np.zeros((num_classes, FINE_BINS))
        self.surprise = 0.0
        self.squared = 0.0

    def observe(
        self, probabilities: Probabilities, mask: npt.NDArray[Any], ignore_index: int
    ) -> None:
        """Add one image.

        Args:
            probabilities: (H, W, C) float, 0..1.
            mask: (H, W) integer indices 0..C-1, or ``ignore_index``.
            ignore_index: The value that is not scored.

        Raises:
            SegcoreError: Sizes or classes that do not fit.
        """
        values, labels = scored_pixels(probabilities, mask, ignore_index)
        num_classes = len(self.pixels)
        if values.shape[1] != num_classes:
            raise SegcoreError(
                f"Expected probabilities over {num_classes} classes, received "
                f"{values.shape[1]}: use one label set."
            )
        if not len(values):
            return
        predicted = values.argmax(1)
        top = values[np.arange(len(values)), predicted].astype(np.float64)
        place = predicted * FINE_BINS + np.clip(
            (top * FINE_BINS).astype(np.int64), 0, FINE_BINS - 1
        )
        length, shape = self.pixels.size, self.pixels.shape
        hit = predicted == labels
        self.pixels += np.bincount(place, minlength=length).reshape(shape)
        self.right += np.bincount(place[hit], minlength=length).reshape(shape)
        self.confidence += np.bincount(place, top, minlength=length).reshape(shape)
        own = values[np.arange(len(values)), labels].astype(np.float64)
        self.surprise += float(-np.log(np.maximum(own, _FLOOR)).sum())
        self.squared += float(
            np.einsum("ij,ij->", values, values, dtype=np.float64) - 2 * own.sum() + len(own)
        )

    def add(self, other: "Calibration") -> None:
        """Take over what another one has seen, of the same classes."""
        self.pixels += other.pixels
        self.right += other.right
        self.confidence += other.confidence
        self.surprise += other.surprise
        self.squared += other.squared

    @property
    def total(self) -> int:
        """Scored pixels seen."""
        return int(self.pixels.sum())

    @property
    def log_loss(self) -> float:
        """Mean -ln p(true class), nats; NaN before any pixel."""
        return self.surprise / self.total if self.total else float("nan")

    @property
    def brier(self) -> float:
        """Mean squared distance to the one-hot truth, 0..2; NaN before any pixel."""
        return self.squared / self.total if self.total else float("nan")

    def reliability(self, bins: int = 15, *, by_class: bool = False) -> Reliability:
        """Draw the reliability diagram.

        Args:
            bins: Equal widths of confidence; a divisor of 900.
            by_class: One diagram for each predicted class, (C, B), instead of one for all, (B,).

        Raises:
            SegcoreError: Another number of bins.
        """
        if bins < 1 or FINE_BINS % bins:
            raise SegcoreError(
                f"Expected a number of bins that divides {FINE_BINS}, received {bins}: "
                "choose 10, 15 or 20."
            )
        pixels, right, confidence = (
            (a if by_class else a.sum(0))
            .reshape(*(a.shape[:1] if by_class else ()), bins, -1)
            .sum(-1)
            for a in (self.pixels, self.right, self.confidence)
        )
        filled = np.where(pixels > 0, pixels, 1)
        mean, share = (np.where(pixels > 0, a / filled, np.nan) for a in (confidence, right))
        gaps = np.nan_to_num(np.abs(mean - share))
        total = pixels.sum(-1)
        ece = np.where(total > 0, (gaps * pixels).sum(-1) / np.where(total > 0, total, 1), np.nan)
        return Reliability(
            np.linspace(0, 1, bins + 1),
            mean,
            share,
            pixels,
            ece,
            np.where(total > 0, gaps.max(-1), np.nan),
        )

    def risk_coverage(self) -> tuple[Floats, Floats]:
        """Error among the most confident pixels, against how many are kept.

        Returns:
            Coverage (900,) rising to 1, and the share of wrong pixels among those kept, (900,); NaN
            where none is kept.
        """
        pixels, right = self.pixels.sum(0)[::-1].cumsum(), self.right.sum(0)[::-1].cumsum()
        kept = np.where(pixels > 0, pixels, 1)
        return pixels / max(self.total, 1), np.where(pixels > 0, 1 - right / kept, np.nan)

    def risk_area(self) -> float:
        """Area under the risk-coverage curve, 0..1 (AURC; Geifman and El-Yaniv, NeurIPS 2017).

        0 is never wrong, NaN before any pixel. Pixels of one level of confidence cannot be ranked:
        they count in random order, so a level of m pixels, w of them wrong, after M with W wrong
        adds the integral over x in 0..1 of (W + w x) / (M + m x), times m over all pixels.
        """
        if not self.total:
            return float("nan")
        pixels = self.pixels.sum(0)[::-1].astype(np.float64)
        wrong = pixels - self.right.sum(0)[::-1]
        kept = pixels > 0
        m, w = pixels[kept], wrong[kept]
        before, errors = np.cumsum(m) - m, np.cumsum(w) - w
        rate = w / m
        inside = np.where(before > 0, before, 1.0)
        curved = (errors - rate * before) / m * np.log1p(m / inside)
        return float(((rate + np.where(before > 0, curved, 0.0)) * m).sum() / self.total)


def scored_pixels(
    probabilities: Probabilities, mask: npt.NDArray[Any], ignore_index: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return the scored pixels of an image: (n, C) float32 probabilities, (n,) int64 true indices.

    Raises:
        SegcoreError: Sizes that do not fit, or a true index that is no class.
    """
    probabilities, mask = np.asarray(probabilities), np.asarray(mask)
    if probabilities.ndim != 3 or probabilities.shape[:2] != mask.shape:
        raise SegcoreError(
            "Expected probabilities (height, width, classes) of the mask's size "
            f"{mask.shape}, received {probabilities.shape}: resize them."
        )
    scored = mask != ignore_index
    labels = mask[scored].astype(np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < probabilities.shape[2]:
        raise SegcoreError(
            f"Expected true indices 0..{probabilities.shape[2] - 1}, received "
            f"{int(labels.max())}: use the label set of the prediction."
        )
    return probabilities[scored].astype(np.float32), labels


def sample_pixels(
    probabilities: Probabilities,
    mask: npt.NDArray[Any],
    ignore_index: int,
    count: int,
    seed: int | np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Draw at most ``count`` scored pixels of an image, for :func:`fit_temperature`."""
    values, labels = scored_pixels(probabilities, mask, ignore_index)
    if len(values) <= count:
        return values, labels
    chosen = np.random.default_rng(seed).choice(len(values), count, replace=False)
    return values[chosen], labels[chosen]


def apply_temperature(probabilities: Probabilities, temperature: float) -> npt.NDArray[np.float32]:
    """Soften (T > 1) or sharpen (T < 1) probabilities: p**(1 / T), normalised (Guo et al. 2017).

    Args:
        probabilities: (..., C) float, 0..1.
        temperature: T above 0; the argmax never changes.

    Returns:
        (..., C) float32.

    Raises:
        SegcoreError: A temperature that is not above 0.
    """
    if not temperature > 0:
        raise SegcoreError(
            f"Expected a temperature above 0, received {temperature:g}: 1 changes nothing."
        )
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), _FLOOR)) / temperature
    scaled = np.exp(logs - logs.max(-1, keepdims=True))
    return (scaled / scaled.sum(-1, keepdims=True)).astype(np.float32)


def fit_temperature(probabilities: Probabilities, labels: npt.NDArray[Any]) -> float:
    """Fit the temperature with the least mean -ln p(true class); on validation, never on test.

    Args:
        probabilities: (n, C) float, 0..1.
        labels: (n,) true indices 0..C-1.

    Returns:
        T in 0.05..20.

    Raises:
        SegcoreError: No pixel.
    """
    if not len(labels):
        raise SegcoreError(
            "Expected scored pixels to fit a temperature, received none: choose a split "
            "that has masks."
        )
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), _FLOOR))
    own = logs[np.arange(len(labels)), labels]

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        scaled = logs * scale
        top = scaled.max(1)
        return float((np.log(np.exp(scaled - top[:, None]).sum(1)) + top - own * scale).mean())

    found = scipy.optimize.minimize_scalar(
        loss, bounds=(np.log(0.05), np.log(20.0)), method="bounded", options={"xatol": 1e-4}
    )
    return float(np.exp(found.x))
