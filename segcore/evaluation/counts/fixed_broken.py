"""Pixels that one prediction fixes and breaks against another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts.sample_counts import SampleCounts

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FixedBroken:
    """Pixels that exactly one of A and B has right, by image and pair of classes.

    Attributes:
        sample_ids: Ids of the N images.
        fixed: (N, C, C) pixels that A has wrong and B right; rows the true class, columns the
            class A gave.
        broken: (N, C, C) pixels that A has right and B wrong; rows the true class, columns the
            class B gave.
        scored: Scored pixels in all.
    """

    sample_ids: tuple[str, ...]
    fixed: SampleCounts
    broken: SampleCounts
    scored: int

    @property
    def net(self) -> Counts:
        """(C, C) fixed minus broken pixels over all images: mistakes that B has fewer than A."""
        return self.fixed.total - self.broken.total

    @property
    def cells(self) -> int:
        """How many cells above 0 there are."""
        return int(self.fixed.cells.nnz + self.broken.cells.nnz)

    def pixels(self, what: str = "net") -> Counts:
        """Return the pixels of each image, (N,) int64: "fixed", "broken", or "net"."""
        fixed, broken = self.fixed.sum((1, 2)), self.broken.sum((1, 2))
        return {"fixed": fixed, "broken": broken}.get(what, fixed - broken)

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON; of the counts only cells above 0, as [image, true, other, pixels]."""
        return {
            "images": list(self.sample_ids),
            "classes": self.fixed.num_classes,
            "scored": self.scored,
            "fixed": _to_rows(self.fixed),
            "broken": _to_rows(self.broken),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "FixedBroken":
        """Return what :meth:`to_json` wrote.

        Raises:
            SegcoreError: It is another thing.
        """
        try:
            images, classes = tuple(data["images"]), int(data["classes"])
            fixed, broken = (
                _from_rows(data[name], len(images), classes) for name in ("fixed", "broken")
            )
            return FixedBroken(images, fixed, broken, int(data["scored"]))
        except (KeyError, TypeError, ValueError, OverflowError, SegcoreError) as error:
            raise SegcoreError(
                "Expected counts of fixed and broken pixels, received something else: "
                "they are counted again."
            ) from error

    def hardest(self, true: int, other: int, what: str = "net") -> list[tuple[str, int]]:
        """Return (id, pixels) of the images in which a pair of classes changes most, those first.

        Args:
            true: Index of the true class.
            other: Index of the class it was taken for.
            what: "fixed", "broken", or "net" (fixed minus broken).
        """
        fixed: Counts = self.fixed[:, true, other]
        broken: Counts = self.broken[:, true, other]
        values = {"fixed": fixed, "broken": broken}.get(what, fixed - broken)
        order = np.argsort(-np.abs(values), kind="stable")
        return [(self.sample_ids[i], int(values[i])) for i in order if values[i]]


def count_fixed_broken(
    true: npt.NDArray[Any],
    a: npt.NDArray[Any],
    b: npt.NDArray[Any],
    num_classes: int,
    ignore_index: int,
) -> tuple[Counts, Counts]:
    """Count the pixels that B fixes and breaks against A in one image.

    Args:
        true: (H, W) integer indices 0..C-1, or ``ignore_index``.
        a: (H, W) indices 0..C-1 that A gives.
        b: (H, W) indices 0..C-1 that B gives.
        num_classes: C.
        ignore_index: The value of ``true`` that is not scored.

    Returns:
        Fixed and broken, (C, C) int64 pixels each, as one image of :class:`FixedBroken`.

    Raises:
        SegcoreError: The shapes differ.
    """
    if not true.shape == a.shape == b.shape:
        raise SegcoreError(
            f"Expected masks of one size, received {true.shape}, {a.shape} and {b.shape}: "
            "take all three at the ground-truth mask's own size."
        )
    fixed = (b == true) & (a != true) & (true != ignore_index)
    broken = (a == true) & (b != true) & (true != ignore_index)
    return _pairs(true[fixed], a[fixed], num_classes), _pairs(true[broken], b[broken], num_classes)


def _pairs(true: npt.NDArray[Any], other: npt.NDArray[Any], num_classes: int) -> Counts:
    codes = true.astype(np.int64) * num_classes + other
    return np.bincount(codes, minlength=num_classes * num_classes).reshape(num_classes, num_classes)


def _to_rows(counts: SampleCounts) -> list[list[int]]:
    """Return [image, true, other, pixels] of every cell above 0."""
    cells = counts.cells.tocoo()
    true, other = np.divmod(cells.col, counts.num_classes)
    rows: list[list[int]] = np.stack([cells.row, true, other, cells.data], axis=1).tolist()
    return rows


def _from_rows(rows: Sequence[Sequence[int]], images: int, classes: int) -> SampleCounts:
    """Undo :func:`_to_rows`.

    Raises:
        SegcoreError: A row names an image or a class that there is not.
        ValueError: Rows are no rows.
    """
    image, true, other, pixels = np.array(rows, np.int64).reshape(-1, 4).T
    if len(image) and not (
        0 <= image.min() <= image.max() < images
        and 0 <= min(true.min(), other.min()) <= max(true.max(), other.max()) < classes
    ):
        raise ValueError(images, classes)
    order = np.lexsort((true * classes + other, image))
    ends = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=images))])
    places = (true * classes + other)[order]
    return SampleCounts.from_cells(pixels[order], places, ends, classes)
