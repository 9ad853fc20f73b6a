"""The trade-off between accuracy and detail: every label map that no other beats in both.

Up to 11 labels there are at most 678,570 partitions (the Bell number); all are scored at once and
the front is certified. Beyond that it is the front of the best candidates that greedy paths, the
dendrogram, exact sweeps and a beam find, and says so.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import fold, to_map
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.compression.exact import MAX_EXACT_CLASSES, exact_maps, group_tables
from segcore.evaluation.compression.information import entropy
from segcore.evaluation.compression.search import GAINS, beam_maps, greedy_path
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]

MAX_ENUMERATED_CLASSES = 11
MAX_TIES = 1000
_TOLERANCE = 1e-12
"""Entropies closer than this, in bits, count as equal: rounding makes equal sums differ."""


@dataclass(frozen=True)
class Front:
    """Label maps on the front, from most to least detail.

    Attributes:
        maps: The maps.
        certified: Whether every partition was compared.
        compared: How many partitions were.
        ties_left_out: Maps equal in both scores to one that is listed, left out because there were
            more than :data:`MAX_TIES`; only label sets with unseen labels have so many.
    """

    maps: tuple[LabelMap, ...]
    certified: bool
    compared: int
    ties_left_out: int = 0


@lru_cache(maxsize=4)
def all_partitions(num_classes: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """List every partition of C labels once.

    Args:
        num_classes: C, at most :data:`MAX_ENUMERATED_CLASSES`.

    Returns:
        Group of each label, (P, C) uint8, groups numbered by first member (restricted growth
        strings); and the groups as bit masks, (C, P) uint16, 0 where a partition has fewer groups.
        P is the Bell number. Read-only.

    Raises:
        SegcoreError: Too many labels.
    """
    if not 1 <= num_classes <= MAX_ENUMERATED_CLASSES:
        raise SegcoreError(
            f"Expected 1 to {MAX_ENUMERATED_CLASSES} labels to list all partitions, "
            f"received {num_classes}: search instead."
        )
    used = np.ones(1, np.int64)
    groups = np.zeros((1, 1), np.uint8)
    masks = np.ones((1, 1), np.uint16)
    for label in range(1, num_classes):
        width = used + 1
        parent = np.repeat(np.arange(len(used)), width)
        joins = np.arange(len(parent)) - np.repeat(np.cumsum(width) - width, width)
        groups = np.column_stack([groups[parent], joins.astype(np.uint8)])
        masks = np.vstack([masks[:, parent], np.zeros((1, len(parent)), np.uint16)])
        masks[joins, np.arange(len(parent))] |= np.uint16(1 << label)
        used = np.maximum(used[parent], joins + 1)
    groups.setflags(write=False)
    masks.setflags(write=False)
    return groups, masks


def pareto(accuracy: npt.NDArray[Any], kept: Floats) -> npt.NDArray[np.bool_]:
    """Mark the points that no other beats: none is at least as good in both and better in one.

    Args:
        accuracy: (P,) exact numbers, larger is better (pixels right).
        kept: (P,) bits, larger is better; nearer than 1e-12 counts as equal.

    Returns:
        (P,) bool; equal points are all marked.
    """
    order = np.lexsort((-kept, -accuracy))
    right, bits = accuracy[order], kept[order]
    starts = np.concatenate([[True], right[1:] != right[:-1]])
    first = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    best = np.maximum.accumulate(bits)
    before = np.where(first > 0, best[first - 1], -np.inf)
    keep = (bits >= bits[first] - _TOLERANCE) & (bits > before + _TOLERANCE)
    out = np.zeros(len(order), bool)
    out[order] = keep
    return out


def find_front(
    confusion: npt.NDArray[Any], weights: Floats, forbidden: npt.NDArray[np.bool_] | None = None
) -> Front:
    """Find the label maps that no other beats in both accuracy and entropy kept.

    Args:
        confusion: (C, C) pixel counts, rows true.
        weights: (C,) prior of the entropy, summing to 1.
        forbidden: (C, C) classes that may not share a group.
    """
    counts, weights = np.asarray(confusion, np.int64), np.nan_to_num(weights)
    if len(counts) > MAX_ENUMERATED_CLASSES:
        maps = _candidates(counts, weights, forbidden)
        right = np.array([int(np.trace(fold(counts, m))) for m in maps])
        kept = np.array([float(entropy(np.bincount(m.group_of, weights))) for m in maps])
        chosen = np.flatnonzero(pareto(right, kept))
        used = np.array([m.num_groups for m in maps])
        listed = _sift(chosen, right, used)
        return Front(tuple(maps[i] for i in listed), False, len(maps), len(chosen) - len(listed))
    groups, masks = all_partitions(len(counts))
    tables = group_tables(counts, weights, forbidden)
    right = np.zeros(len(groups), np.int64)
    kept = np.zeros(len(groups))
    for mask in masks:
        right += tables["inside"][mask]
        kept += tables["entropy"][mask]
    allowed = np.arange(len(groups))
    if forbidden is not None and forbidden.any():
        allowed = np.flatnonzero(np.logical_and.reduce([tables["allowed"][mask] for mask in masks]))
    chosen = allowed[pareto(right[allowed], kept[allowed])]
    listed = _sift(chosen, right, groups.max(1).astype(np.int64) + 1)
    return Front(
        tuple(to_map(groups[i]) for i in listed), True, len(allowed), len(chosen) - len(listed)
    )


def _sift(
    chosen: npt.NDArray[np.int64], right: npt.NDArray[np.int64], used: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Order from most to least detail; of too many ties, keep the one with most groups."""
    ordered = chosen[np.lexsort((chosen, -used[chosen], right[chosen]))]
    if len(ordered) <= MAX_TIES:
        return ordered
    first = np.concatenate([[True], right[ordered][1:] != right[ordered][:-1]])
    return ordered[first]


def _candidates(
    counts: npt.NDArray[np.int64], weights: Floats, forbidden: npt.NDArray[np.bool_] | None
) -> list[LabelMap]:
    """Gather good maps where they cannot all be listed."""
    found = {
        step.label_map
        for gain in GAINS
        for step in greedy_path(counts, weights, gain=gain, forbidden=forbidden)
    }
    tree = build_dendrogram(counts, forbidden)
    found.update(tree.cut(len(counts) - merges) for merges in range(len(tree.joints) + 1))
    found.update(beam_maps(counts, weights, forbidden=forbidden))
    if len(counts) <= MAX_EXACT_CLASSES:
        for rate in (0.01, 0.05, 0.2, 1.0):
            found.update(
                exact_maps(
                    counts, weights, "trade_off", trade_off_rate=rate, forbidden=forbidden
                ).values()
            )
    return sorted(found, key=lambda m: (-m.num_groups, m.groups))
