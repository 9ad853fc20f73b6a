"""The proven best label map for each number of groups, by dynamic programming over label subsets.

Accuracy, entropy, ITCA and the sum of IoU are sums over groups, so with score(G) for a group G
f_k(S) = max over G in S that hold S's lowest label of f_{k-1}(S without G) + score(G); O(3**C)
transitions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.evaluation.compression.information import xlog2
from segcore.evaluation.counts.scores import ratio
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]

MAX_EXACT_CLASSES = 14

OBJECTIVES: dict[str, str] = {
    "accuracy": "Most pixels right; among equals the most entropy kept.",
    "entropy": "Most entropy kept, whatever the accuracy.",
    "trade_off": "Accuracy plus trade-off rate times retained entropy.",
    "itca": "Information-theoretic classification accuracy (Zhang et al., JMLR 2022).",
    "mean_iou": "Highest mean IoU over the groups that occur.",
}
"""What :func:`exact_maps` can maximise."""


def group_tables(
    confusion: npt.NDArray[Any], weights: Floats, forbidden: npt.NDArray[np.bool_] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Additive scores of every possible group of labels, indexed by bit mask (bit i: label i).

    Args:
        confusion: (C, C) pixel counts, rows true; C at most :data:`MAX_EXACT_CLASSES`.
        weights: (C,) prior of the entropy.
        forbidden: (C, C) classes that may not share a group.

    Returns:
        Arrays of length 2**C: "inside" int64 pixels right within the group; "entropy" bits, -p log2
        p; "itca" nats; "iou" float64, NaN where no pixel is; "allowed" bool.
    """
    counts = np.asarray(confusion, np.int64)
    size = len(counts)
    bits = (np.arange(1 << size)[:, None] >> np.arange(size)) & 1
    inside = ((bits @ counts) * bits).sum(1)
    rows, columns, total = bits @ counts.sum(1), bits @ counts.sum(0), counts.sum()
    share = np.nan_to_num(ratio(rows, np.asarray(total)))
    logs = np.log(share, out=np.zeros(share.shape), where=share > 0)
    banned = (
        np.zeros(1 << size, bool)
        if forbidden is None
        else ((bits @ forbidden.astype(np.int64)) * bits).sum(1) > 0
    )
    return {
        "inside": inside,
        "entropy": -xlog2(bits @ np.nan_to_num(weights)),
        "itca": -np.nan_to_num(ratio(inside, np.asarray(total))) * logs,
        "iou": ratio(inside, rows + columns - inside),
        "allowed": ~banned,
    }


def exact_maps(
    confusion: npt.NDArray[Any],
    weights: Floats,
    objective: str = "accuracy",
    *,
    trade_off_rate: float = 1.0,
    forbidden: npt.NDArray[np.bool_] | None = None,
) -> dict[int, LabelMap]:
    """Return the optimal map for every number of groups.

    Args:
        confusion: (C, C) pixel counts, rows true.
        weights: (C,) prior of the entropy, summing to 1.
        objective: A name of :data:`OBJECTIVES`.
        trade_off_rate: For "trade_off": points of accuracy that a point of retained entropy is
            worth.
        forbidden: (C, C) classes that may not share a group.

    Returns:
        Map by number of groups, C down to 1; numbers that forbidden pairs make impossible are left
        out.

    Raises:
        SegcoreError: Too many classes, or an unknown objective.
    """
    size = len(confusion)
    if objective not in OBJECTIVES:
        raise unknown("objective", objective, OBJECTIVES)
    if size > MAX_EXACT_CLASSES:
        raise SegcoreError(
            f"Expected at most {MAX_EXACT_CLASSES} classes for an exact search, received "
            f"{size}: use the greedy path or the dendrogram."
        )
    tables = group_tables(confusion, weights, forbidden)
    total, whole = (
        max(int(np.sum(confusion)), 1),
        max(float(-xlog2(np.nan_to_num(weights)).sum()), 1e-300),
    )
    kept = tables["entropy"] / whole
    value = {
        # one pixel is worth 1 / N, so a tie-break below 1 / (2 N) never outvotes it
        "accuracy": tables["inside"] / total + kept * (0.25 / total),
        "entropy": tables["entropy"],
        "trade_off": tables["inside"] / total + trade_off_rate * kept,
        "itca": tables["itca"],
        "mean_iou": np.nan_to_num(tables["iou"]),
    }[objective]
    value = np.where(tables["allowed"], value, -np.inf)
    unseen = np.isnan(tables["iou"]) if objective == "mean_iou" else np.zeros(len(value), bool)
    return _search(value, unseen, size)


def _submasks(mask: int) -> npt.NDArray[np.int64]:
    """All subsets of a bit mask, the empty one first."""
    subsets = np.zeros(1, np.int64)
    while mask:
        low = mask & -mask
        subsets = np.concatenate([subsets, subsets | low])
        mask ^= low
    return subsets


def _search(value: Floats, unseen: npt.NDArray[np.bool_], size: int) -> dict[int, LabelMap]:
    """Maximise the sum of group values; groups marked unseen do not count in the mean.

    A state is (labels left, groups made of them, unseen groups among those).
    """
    full = (1 << size) - 1
    ghosts = int(unseen[1 << np.arange(size)].sum())
    best = np.full((full + 1, size + 1, ghosts + 1), -np.inf)
    choice = np.zeros(best.shape, np.int32)
    best[0, 0, 0] = 0.0
    for labels in [*range(2, full, 2), full]:
        low = labels & -labels
        groups = _submasks(labels ^ low) | low
        groups = groups[value[groups] > -np.inf]
        for hidden in (False, True) if ghosts else (False,):
            chosen = groups[unseen[groups] == hidden]
            if not len(chosen):
                continue
            sums = best[labels ^ chosen] + value[chosen, None, None]
            pick = sums.argmax(0)
            top = np.take_along_axis(sums, pick[None], 0)[0]
            down = slice(0, ghosts) if hidden else slice(0, ghosts + 1)
            up = slice(1, ghosts + 1) if hidden else down
            better = top[:size, down] > best[labels, 1:, up]
            best[labels, 1:, up] = np.where(better, top[:size, down], best[labels, 1:, up])
            choice[labels, 1:, up] = np.where(
                better, chosen[pick[:size, down]], choice[labels, 1:, up]
            )
    found = {}
    for count in range(size, 0, -1):
        seen = count - np.arange(ghosts + 1)
        means = best[full, count] / np.where(seen > 0, seen, 1) if ghosts else best[full, count]
        if not np.isfinite(means).any():
            continue
        found[count] = _trace(choice, unseen, full, count, int(means.argmax()))
    return found


def _trace(
    choice: npt.NDArray[np.int32],
    unseen: npt.NDArray[np.bool_],
    labels: int,
    count: int,
    hidden: int,
) -> LabelMap:
    """Walk the choices back to the groups."""
    groups = []
    while labels:
        group = int(choice[labels, count, hidden])
        groups.append(tuple(i for i in range(group.bit_length()) if group >> i & 1))
        labels, count, hidden = labels ^ group, count - 1, hidden - int(unseen[group])
    return LabelMap(tuple(groups))
