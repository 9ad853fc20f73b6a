"""Suspected labels as regions to be looked at one by one, the most worthwhile first.

A region is a connected set of pixels with one given label and one suggested label, both of confident
learning (:mod:`segcore.evaluation.metrics.label_errors`). Its gain is the sum, over its pixels, of
what the network puts above the given label, weighted by how rarely the network contradicts this
label with that one: a person's minute is best spent where many pixels are surely wrong, and a
confusion that the network makes in every image is its own fault rather than the label's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.evaluation.metrics.label_errors import Suspicion

SMALLEST = 24
"""Pixels of the smallest region that is worth a look."""

MOST = 8
"""Regions of an image that are asked about in one pass; another pass finds those after them."""

SAME = 0.5
"""Intersection over union from which two regions are the same one."""

Rows = tuple[tuple[int, int, int], ...]
"""Runs of pixels: (row, first column, column after the last)."""


@dataclass(frozen=True)
class SuspectedRegion:
    """A region whose label is probably wrong.

    Attributes:
        given: Class index of its label.
        suggested: Class index that the network gives it.
        pixels: Its size.
        gain: Expected gain of a look at it, see the module.
        rows: Its pixels.
    """

    given: int
    suggested: int
    pixels: int
    gain: float
    rows: Rows


def surprise(
    pairs: npt.NDArray[np.int64], pixels: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the weight of each pair of given and suggested label, (C, C): 1 plus its surprise, bits.

    The surprise is -log2 of the share of the given label's pixels that are suspected to be the
    suggested one. A network that confuses two classes everywhere contradicts right labels with
    them; what it says nowhere else speaks for a wrong one.

    Args:
        pairs: (C, C) suspected pixels by given label (row) and suggested label (column).
        pixels: (C,) pixels labelled with each class in the same images.
    """
    share = (pairs + 1) / (pixels[:, None] + 1)
    return 1 - np.log2(np.minimum(share, 1))


def suspected_regions(
    probabilities: npt.NDArray[Any],
    mask: npt.NDArray[Any],
    suspicion: Suspicion,
    weights: npt.NDArray[np.float64],
    smallest: int = SMALLEST,
) -> list[SuspectedRegion]:
    """Return all regions of one image, the largest gain first.

    Args:
        probabilities: (H, W, C), 0..1.
        mask: (H, W) class indices or an ignored value.
        suspicion: What is suspected in it.
        weights: (C, C) by given and suggested label, see :func:`surprise`.
        smallest: Pixels of the smallest region.
    """
    found = []
    number = probabilities.shape[-1]
    pairs = np.where(suspicion.suspected, mask.astype(np.int64) * number + suspicion.suggested, -1)
    for pair in np.unique(pairs[suspicion.suspected]).tolist():
        given, suggested = divmod(pair, number)
        _, parts, boxes, _ = cv2.connectedComponentsWithStats(
            (pairs == pair).astype(np.uint8), connectivity=8
        )
        for part in np.flatnonzero(boxes[1:, cv2.CC_STAT_AREA] >= smallest) + 1:
            left, top, width, height, pixels = boxes[part].tolist()
            inside = parts[top : top + height, left : left + width] == part
            cut = probabilities[top : top + height, left : left + width]
            margin = np.maximum(cut[..., suggested] - cut[..., given], 0)[inside].sum()
            gain = float(margin * weights[given, suggested])
            rows = _rows(inside, top, left)
            found.append(SuspectedRegion(given, suggested, pixels, gain, rows))
    return sorted(found, key=lambda region: (-region.gain, region.rows))


def _rows(inside: npt.NDArray[np.bool_], top: int, left: int) -> Rows:
    edges = np.diff(inside.astype(np.int8), axis=1, prepend=0, append=0)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return tuple(
        (int(row) + top, int(first) + left, int(last) + left)
        for (row, first), (_, last) in zip(starts, ends, strict=True)
    )


def is_same(one: Rows, other: Rows) -> bool:
    """Whether two regions overlap so much that a decision about one holds for the other."""
    by_row: dict[int, list[tuple[int, int]]] = {}
    for row, first, last in other:
        by_row.setdefault(row, []).append((first, last))
    common = sum(
        max(0, min(last, b) - max(first, a))
        for row, first, last in one
        for a, b in by_row.get(row, [])
    )
    return common >= SAME * (_size(one) + _size(other) - common)


def _size(rows: Iterable[tuple[int, int, int]]) -> int:
    return sum(last - first for _, first, last in rows)
