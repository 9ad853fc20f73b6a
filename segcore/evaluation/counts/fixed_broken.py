"""Pixels that one prediction fixes and breaks against another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FixedBroken:
    """Pixels that exactly one of A and B has right, by image and pair of classes.

    Attributes:
        sample_ids: Ids of the N images.
        fixed: (N, C, C) int64 pixels that A has wrong and B right; rows the true class, columns the
            class A gave.
        broken: (N, C, C) int64 pixels that A has right and B wrong; rows the true class, columns
            the class B gave.
        scored: Scored pixels in all.
    """

    sample_ids: tuple[str, ...]
    fixed: Counts
    broken: Counts
    scored: int

    @property
    def net(self) -> Counts:
        """(C, C) fixed minus broken pixels over all images: mistakes that B has fewer than A."""
        return self.fixed.sum(0) - self.broken.sum(0)

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON; of the counts only cells above 0, as [image, true, other, pixels]."""
        cells = {"fixed": self.fixed, "broken": self.broken}
        sparse = {
            name: [[*map(int, at), int(counts[tuple(at)])] for at in np.argwhere(counts)]
            for name, counts in cells.items()
        }
        return {
            "images": list(self.sample_ids),
            "classes": int(self.fixed.shape[-1]),
            "scored": self.scored,
            **sparse,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "FixedBroken":
        """Return what :meth:`to_json` wrote.

        Raises:
            SegcoreError: It is another thing.
        """
        try:
            shape = (len(data["images"]), data["classes"], data["classes"])
            counts = {name: np.zeros(shape, np.int64) for name in ("fixed", "broken")}
            for name, matrices in counts.items():
                cells = np.array(data[name], np.int64).reshape(-1, 4)
                matrices[tuple(cells[:, :3].T)] = cells[:, 3]
            return FixedBroken(
                tuple(data["images"]), counts["fixed"], counts["broken"], int(data["scored"])
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
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
        fixed, broken = self.fixed[:, true, other], self.broken[:, true, other]
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
        Fixed and broken, (C, C) int64 pixels each, as in :class:`FixedBroken`.

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
