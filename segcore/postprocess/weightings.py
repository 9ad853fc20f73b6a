"""Many ensembles of the same members, counted in one pass over the images.

A weighting is one row of weights; a subset of the members is a row of zeros and ones. Where all
members name the same class at a pixel, every weighted mean names it too, so such pixels (most of
them) are counted once for all weightings, and only the disputed ones are
averaged: the price of a weighting falls to that of a tenth of an image.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import resize_planes

FloatArray = npt.NDArray[np.float32]
Members = Sequence[FloatArray]
"""One image's members: arrays (h, w, C) float32, rows sum to 1; heights and widths may differ."""

MAX_MEMBERS = 10
_VALUES_AT_ONCE = 1 << 19
"""Floats averaged at a time: what a processor's cache holds, for any number of weightings."""


def subset_weights(num_members: int) -> FloatArray:
    """Return every non-empty subset of the members as rows of zeros and ones.

    Args:
        num_members: n, 1 to ``MAX_MEMBERS``.

    Returns:
        (2^n - 1, n) float32; row s holds the binary digits of s + 1, member 0 the lowest. The last
        row is the whole ensemble.

    Raises:
        SegcoreError: There are too few or too many members.
    """
    if not 1 <= num_members <= MAX_MEMBERS:
        raise SegcoreError(
            f"Expected 1 to {MAX_MEMBERS} members to try every subset, received "
            f"{num_members}: choose fewer."
        )
    codes = np.arange(1, 2**num_members)
    return (codes[:, None] >> np.arange(num_members) & 1).astype(np.float32)


def draw_weights(num_members: int, count: int, generator: np.random.Generator) -> FloatArray:
    """Draw weightings evenly from all that sum to 1 (a flat Dirichlet distribution).

    Args:
        num_members: n, at least 1.
        count: How many to draw.
        generator: Source of randomness.

    Returns:
        (count, n) float32, rows sum to 1.
    """
    return generator.dirichlet(np.ones(num_members), count).astype(np.float32)


def count_weightings(
    images: Iterable[tuple[Members, npt.NDArray[np.integer]]],
    weights: npt.NDArray[np.floating],
    num_classes: int,
) -> Iterator[npt.NDArray[np.int64]]:
    """Count the weighted mean of the members for many weightings, an image at a time.

    The counts are those of ``combine(members, "weighted", row)``, resized to the mask's size, for
    each row; they differ from it only at pixels whose two best classes are equal to within float32
    (about 1e-6).

    Args:
        images: Pairs of one image's members and its ground-truth mask (H, W); mask values of
            ``num_classes`` and above are ignored.
        weights: (K, n), at least 0, each row with a positive sum; scale does not matter.
        num_classes: C.

    Yields:
        (K, C, C) int64 pixels for each image, [weighting, true, predicted]; sum them, or keep them
        for a bootstrap.

    Raises:
        SegcoreError: Weights are refused, or an image has another number of members or classes.
    """
    table = np.asarray(weights, np.float32)
    if (
        table.ndim != 2
        or not np.isfinite(table).all()
        or (table < 0).any()
        or (table.sum(1) <= 0).any()
    ):
        raise SegcoreError(
            "Expected rows of weights of at least 0, each with a positive sum, received "
            "others: change the weights."
        )
    table = table / table.sum(1, keepdims=True)
    for members, mask in images:
        if len(members) != table.shape[1] or any(m.shape[2] != num_classes for m in members):
            raise SegcoreError(
                f"Expected {table.shape[1]} members of {num_classes} classes for each "
                "image, received "
                f"{[m.shape[2] for m in members]}: choose runs over the same classes."
            )
        yield _count_image(members, mask, table, num_classes)


def _count_image(
    members: Members, mask: npt.NDArray[np.integer], table: FloatArray, num_classes: int
) -> npt.NDArray[np.int64]:
    true = mask.reshape(-1).astype(np.int64)
    scored = true < num_classes
    size = (mask.shape[0], mask.shape[1])
    planes = [
        resize_planes(np.ascontiguousarray(m.transpose(2, 0, 1)), size).reshape(num_classes, -1)
        for m in members
    ]
    winners = [_argmax(p) for p in planes]
    agreed = scored.copy()
    for winner in winners[1:]:
        agreed &= winner == winners[0]
    square = num_classes * num_classes
    same = np.bincount(true[agreed] * num_classes + winners[0][agreed], minlength=square)
    counts = np.tile(same.astype(np.int64), (len(table), 1))
    disputed = np.flatnonzero(scored & ~agreed)
    at_once = max(64, _VALUES_AT_ONCE // (len(table) * num_classes))
    for start in range(0, len(disputed), at_once):
        pixels = disputed[start : start + at_once]
        values = np.stack([np.take(p, pixels, axis=1) for p in planes], axis=1)  # (C, n, P)
        code = true[pixels] * num_classes
        for row, winner in enumerate(_argmax(np.matmul(table, values))):  # (C, K, P) to (K, P)
            counts[row] += np.bincount(code + winner, minlength=square)
    return counts.reshape(len(table), num_classes, num_classes)


def _argmax(planes: FloatArray) -> npt.NDArray[np.integer]:
    """First maximum over classes, (C, ...) to (...), class by class: faster than along an axis."""
    index = np.zeros(planes.shape[1:], np.uint8 if len(planes) <= 256 else np.uint16)
    best = planes[0].copy()
    higher = np.empty(best.shape, bool)
    marked = np.empty(best.shape, index.dtype)
    for c in range(1, len(planes)):
        np.greater(planes[c], best, out=higher)
        np.multiply(higher, index.dtype.type(c), out=marked)
        np.maximum(index, marked, out=index)  # c only grows
        np.maximum(best, planes[c], out=best)
    return index


def first_subsets(num_members: int) -> FloatArray:
    """Return the subsets that a greedy search begins with, (K, n) float32, each once.

    They are the single members, the pairs, all members together, and all but one.
    """
    rows = [*np.eye(num_members)]
    rows += [a + b for number, a in enumerate(rows) for b in rows[:number]]
    whole = np.ones(num_members)
    rows += [whole, *(whole - one for one in np.eye(num_members))]
    return np.unique(np.array(rows, np.float32), axis=0)


def extended_subsets(best: FloatArray, tried: FloatArray) -> FloatArray:
    """Return the subsets that add one or two members to one, without those that were tried.

    Args:
        best: (n,) zeros and ones.
        tried: (K, n) zeros and ones.

    Returns:
        (L, n) float32; L is 0 where nothing is left to add.
    """
    known = {tuple(row) for row in tried.tolist()}
    absent = np.flatnonzero(best == 0)
    additions = [[int(a)] for a in absent]
    additions += [[int(a), int(b)] for a in absent for b in absent if a < b]
    rows = []
    for added in additions:
        row = best.copy()
        row[added] = 1
        if tuple(row.tolist()) not in known:
            rows.append(row)
    return np.array(rows, np.float32).reshape(-1, len(best))


def marginal_shares(subsets: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the linear map from scores of subsets to each member's mean gain.

    With every subset it is the Shapley value of the scores; with fewer, the mean goes over the
    pairs of subsets that differ in that member only.

    Args:
        subsets: (K, n) zeros and ones, each row once.

    Returns:
        (n, K) float64; each row sums to 0; zeros for a member without such a pair.
    """
    inside = np.asarray(subsets) > 0
    row_of = {tuple(row): number for number, row in enumerate(inside.tolist())}
    shares = np.zeros((inside.shape[1], len(inside)))
    for member in range(inside.shape[1]):
        pairs: dict[int, list[tuple[int, int]]] = {}
        for number, row in enumerate(inside.tolist()):
            added = (*row[:member], True, *row[member + 1 :])
            if not row[member] and added in row_of:
                pairs.setdefault(sum(row), []).append((number, row_of[added]))
        for same_size in pairs.values():
            for without, within in same_size:
                shares[member, without] -= 1 / (len(pairs) * len(same_size))
                shares[member, within] += 1 / (len(pairs) * len(same_size))
    return shares
