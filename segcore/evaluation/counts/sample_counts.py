"""Confusion counts of many images, kept sparse: of C x C cells an image fills few."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import Matrix, check_counts
from segcore.evaluation.counts.scores import Margins

Integers = npt.NDArray[np.int64]
Positions = slice | Sequence[int] | npt.NDArray[np.integer] | npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SampleCounts:
    """One (C, C) confusion matrix an image, of which only cells that are not 0 take memory.

    It answers like an (N, C, C) int64 array where that is cheap (``sum``, ``len``, ``shape``,
    choosing images); ``numpy.asarray`` unpacks it whole.

    Attributes:
        cells: (N, C * C) int64 pixels, column ``true * C + predicted``.
        num_classes: C.
    """

    cells: csr_array
    num_classes: int

    @staticmethod
    def of(counts: "SampleCounts | npt.ArrayLike", name: str = "counts") -> "SampleCounts":
        """Return counts in this form, checked where they are an array.

        Args:
            counts: (N, C, C) whole non-negative numbers, or counts in this form already.
            name: What a message calls them.

        Raises:
            SegcoreError: Another shape, or a number that is no pixel count.
        """
        if isinstance(counts, SampleCounts):
            return counts
        array = check_counts(counts, name, images=True)
        return SampleCounts(
            csr_array(array.reshape(len(array), array.shape[-1] ** 2)), array.shape[-1]
        )

    @staticmethod
    def stack(matrices: Iterable[npt.NDArray[Any]]) -> "SampleCounts":
        """Put (C, C) matrices together, one at a time in memory.

        Raises:
            SegcoreError: No matrix, or matrices of different sizes.
        """
        indices, values, ends, size = [], [], [0], 0
        for matrix in matrices:
            flat = np.asarray(matrix, np.int64).reshape(-1)
            if size not in (0, flat.size):
                raise SegcoreError(
                    "Expected confusion matrices over the same classes, received different "
                    "sizes: count all images with one label set."
                )
            size = flat.size
            places = np.flatnonzero(flat)
            indices.append(places)
            values.append(flat[places])
            ends.append(ends[-1] + len(places))
        if not size:
            raise SegcoreError("Expected at least one confusion matrix, received none: count one.")
        return SampleCounts.from_cells(
            np.concatenate(values), np.concatenate(indices), np.array(ends), round(size**0.5)
        )

    @staticmethod
    def join(parts: Sequence["SampleCounts"]) -> "SampleCounts":
        """Put counts of images one after another.

        Raises:
            SegcoreError: None, or over different numbers of classes.
        """
        if len({part.num_classes for part in parts}) != 1:
            raise SegcoreError(
                "Expected counts over the same classes, received different numbers of classes or "
                "none: count all images with one label set."
            )
        cells = csr_array(vstack([part.cells for part in parts], format="csr"))
        return SampleCounts(cells, parts[0].num_classes)

    @staticmethod
    def from_cells(
        values: npt.NDArray[Any], indices: npt.NDArray[Any], ends: npt.NDArray[Any], classes: int
    ) -> "SampleCounts":
        """Build counts from their cells, image by image.

        Args:
            values: Pixels of the cells, whole and positive.
            indices: ``true * C + predicted`` of each, ascending within an image.
            ends: (N + 1,) where each image begins and the last one ends.
            classes: C.

        Raises:
            SegcoreError: The arrays do not describe such counts.
        """
        kind = np.int32 if len(values) < 2**31 else np.int64
        values, indices, ends = (np.asarray(a) for a in (values, indices, ends))
        sound = (
            all(a.ndim == 1 and a.dtype.kind in "iu" for a in (values, indices, ends))
            and classes > 0
            and len(ends) > 0
            and int(ends[0]) == 0
            and int(ends[-1]) == len(values) == len(indices)
            and bool((np.diff(ends.astype(np.int64)) >= 0).all())
            and (not len(values) or int(values.min()) >= 0)
            and (not len(indices) or 0 <= int(indices.min()) <= int(indices.max()) < classes**2)
        )
        if not sound:
            raise SegcoreError(
                "Expected cells of confusion matrices, received arrays that do not fit together: "
                "count the images again."
            )
        parts = (values.astype(np.int64), indices.astype(kind), ends.astype(kind))
        cells = csr_array(parts, shape=(len(ends) - 1, classes * classes))
        if not cells.has_canonical_format:
            cells.sum_duplicates()
        return SampleCounts(cells, classes)

    def __len__(self) -> int:
        """N, the number of images."""
        return int(self.cells.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, C, C)."""
        return len(self), self.num_classes, self.num_classes

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Unpack: (N, C, C), int64 unless another dtype is asked for."""
        dense = self.cells.toarray().reshape(self.shape)
        return dense if dtype is None else dense.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> Any:
        """One image's matrix, some images, or with a tuple of indices what an array would give.

        An integer gives (C, C); a slice, list or mask gives :class:`SampleCounts`; ``[:, t, p]``
        and ``[:, t]`` give (N,) and (N, C) without unpacking the rest.
        """
        size = self.num_classes
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                raise IndexError(key)
            return self.cells[[int(key)]].toarray().reshape(size, size)
        if not isinstance(key, tuple):
            return self.select(key)
        first, *rest = key
        if isinstance(first, (int, np.integer)):
            return self[first][tuple(rest)]
        if (
            isinstance(first, slice)
            and first == slice(None)
            and all(isinstance(k, (int, np.integer)) for k in rest)
        ):
            true = range(size)[rest[0]]
            if len(rest) == 2:
                return self.cells[:, [true * size + range(size)[rest[1]]]].toarray().reshape(-1)
            return self.cells[:, true * size : (true + 1) * size].toarray()
        return np.asarray(self)[key]

    def select(self, positions: Positions) -> "SampleCounts":
        """Some of the images, in the order given."""
        rows = np.arange(len(self))[
            positions if isinstance(positions, slice) else np.asarray(positions)
        ]
        return SampleCounts(self.cells[rows], self.num_classes)

    @cached_property
    def _rows(self) -> Integers:
        """The image of each cell."""
        return np.repeat(np.arange(len(self)), np.diff(self.cells.indptr))

    def _tally(self, classes: npt.NDArray[Any], keep: Any = slice(None)) -> Integers:
        """Pixels by image and class, (N, C), of cells that each have a class."""
        out = np.zeros(len(self) * self.num_classes, np.int64)
        places = self._rows[keep] * self.num_classes + classes[keep]
        np.add.at(out, places, self.cells.data[keep])
        return out.reshape(len(self), self.num_classes)

    @cached_property
    def true(self) -> Integers:
        """True pixels of each class, (N, C)."""
        return self._tally(self.cells.indices // self.num_classes)

    @cached_property
    def predicted(self) -> Integers:
        """Predicted pixels of each class, (N, C)."""
        return self._tally(self.cells.indices % self.num_classes)

    @cached_property
    def right(self) -> Integers:
        """Right pixels of each class, (N, C)."""
        true, predicted = np.divmod(self.cells.indices, self.num_classes)
        return self._tally(true, true == predicted)

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Whether the truth of an image holds a class, (N, C)."""
        return np.asarray(self.true > 0)

    @cached_property
    def held(self) -> npt.NDArray[np.bool_]:
        """Whether the truth of any image holds a class, (C,)."""
        return np.asarray(self.present.any(0))

    @cached_property
    def total(self) -> Matrix:
        """The counts of all images together, (C, C)."""
        out = np.zeros(self.num_classes**2, np.int64)
        np.add.at(out, self.cells.indices, self.cells.data)
        return out.reshape(self.num_classes, self.num_classes)

    def margins(self) -> Margins:
        """What scores need of each image: right, true and predicted pixels, (N, C) each."""
        return Margins(self.right, self.true, self.predicted)

    def sum(self, axis: int | tuple[int, ...] | None = None) -> Any:
        """Sum over axes as the array would: 0 images, 1 true classes, 2 (or -1) predicted ones."""
        axes = {0, 1, 2} if axis is None else {a % 3 for a in np.atleast_1d(axis).tolist()}
        if axes == {0, 1, 2}:
            return int(self.cells.data.sum())
        if 0 in axes:
            rest = tuple(a - 1 for a in axes if a)
            return self.total.sum(rest) if rest else self.total.copy()
        if axes == {1, 2}:
            return self.true.sum(1)
        return (self.predicted if axes == {1} else self.true).copy()
