"""Labels that back off: each pixel gets the finest label whose summed probability passes.

A pixel starts at its most probable class and climbs the tree of labels until the probability of the
node, the sum over its classes, reaches the threshold. The root always passes. Nodes of a path are
nested, so a higher threshold never makes a right answer wrong: the error falls from that of plain
argmax (threshold 0) to 0 (the root alone), which is what conformal risk control needs
(:mod:`segcore.evaluation.compression.risk_control`).

Probabilities are whole steps of 1 / 4095, as they are stored, so that sums are exact in any order
and thresholds are whole numbers 0 (plain argmax) to :data:`ROOT_ONLY`. One pass over an image gives
its errors and answers at every threshold: a wrong pixel is wrong up to the step of the last node on
its path that misses the truth, and an answer holds from the step of the node below to its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from segcore.errors import SegcoreError
from segcore.evaluation.compression.label_tree import LabelTree

Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

STEPS = 4095
"""Steps of probability 1, as in the files of probabilities."""

ROOT_ONLY = STEPS + 1
"""The threshold that only the root passes."""

_BITS = np.dtype(np.uint16)
_WORD = 8 * _BITS.itemsize

_BLOCK = 1 << 15
"""Pixels at once: what is computed of them stays in the processor's cache."""


class _Sums:
    """Summed steps of nodes for some pixels; only groups below the root are added up."""

    def __init__(self, tree: LabelTree, rows: Probabilities) -> None:
        """Add up (n, C) probabilities, which are changed; whole numbers below 2**24 are exact."""
        self._classes = tree.num_classes
        np.rint(np.multiply(rows, np.float32(STEPS), out=rows), out=rows)
        self._steps = rows
        holds = tree.contains[tree.num_classes : tree.root]
        spare = -len(holds) % _WORD
        self._holds = np.pad(holds, ((0, spare), (0, 0)))  # whole words of groups
        self._sums = rows @ self._holds.T.astype(np.float32)
        self._width = max(len(self._holds), 1)

    def of(self, rows: npt.NDArray[np.intp], nodes: npt.NDArray[np.intp]) -> Probabilities:
        """Return the steps of one node for each of some rows, (n,) whole float32; not the root."""
        groups = nodes - self._classes
        if (groups >= 0).all():
            return self._sums.take(rows * self._width + groups)
        out = self._steps.take(rows * self._classes + np.minimum(nodes, self._classes - 1))
        above = groups >= 0
        out[above] = self._sums.take(rows[above] * self._width + groups[above])
        return out

    def count_misses(
        self, leaf: npt.NDArray[np.intp], threshold: int
    ) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Return how many groups over each row's class miss a threshold, (n,); one bit a group."""
        words = len(self._holds) // _WORD
        misses = np.packbits(self._sums < threshold).view(_BITS).reshape(len(leaf), words)
        over = np.packbits(self._holds.T).view(_BITS).reshape(self._classes, words)
        count = np.zeros(len(leaf), np.uint16)
        for word in range(words):
            count += np.bitwise_count(misses[:, word] & over[:, word].take(leaf))
        return count


def _check(tree: LabelTree, probabilities: Probabilities) -> Probabilities:
    values = np.ascontiguousarray(probabilities, np.float32)
    if values.ndim != 3 or values.shape[2] != tree.num_classes:
        raise SegcoreError(
            f"Expected probabilities (height, width, {tree.num_classes}), received shape "
            f"{values.shape}: choose a hierarchy that was made for this run's classes."
        )
    return values.reshape(-1, tree.num_classes)


def back_off(
    tree: LabelTree, probabilities: Probabilities, threshold: int
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Return the finest node of each pixel whose summed probability passes the threshold.

    Args:
        tree: The labels.
        probabilities: (H, W, C) float32, 0..1, rows sum to 1.
        threshold: 0 (plain argmax) to :data:`ROOT_ONLY`, in steps of 1 / 4095.

    Returns:
        (H, W) numbers of nodes, uint8 or, of more than 256 nodes, uint16.

    Raises:
        SegcoreError: Probabilities over other classes than the tree's.
    """
    flat = _check(tree, probabilities)
    dtype = np.dtype(np.uint8 if len(tree.nodes) <= 256 else np.uint16)
    shape = probabilities.shape[:2]
    if threshold > STEPS:
        return np.full(shape, tree.root, dtype)
    out = np.empty(len(flat), dtype)
    for start in range(0, len(flat), _BLOCK):
        block = flat[start : start + _BLOCK]
        leaf = block.argmax(axis=1)
        answer = out[start : start + _BLOCK]
        answer[:] = leaf
        rising = np.flatnonzero(_top(block, leaf) < threshold)
        if len(rising):
            rows = block.take(rising, axis=0)
            answer[rising] = _climb(tree, rows, leaf.take(rising), threshold)
    return out.reshape(shape)


def _top(block: Probabilities, leaf: npt.NDArray[np.intp]) -> Probabilities:
    places = np.arange(len(block)) * block.shape[1] + leaf
    return np.rint(block.ravel().take(places) * np.float32(STEPS))


def _climb(
    tree: LabelTree, rows: Probabilities, leaf: npt.NDArray[np.intp], threshold: int
) -> npt.NDArray[np.intp]:
    """Return the first node that passes of pixels whose class does not, (n,).

    Sums grow along a path, so that the groups that miss are its first ones.
    """
    level = 1 + _Sums(tree, rows).count_misses(leaf, threshold)
    return tree.paths.ravel().take(leaf * tree.paths.shape[1] + level)


@dataclass(frozen=True, eq=False)
class ImageTally:
    """One image at every threshold.

    Attributes:
        true: (C,) scored pixels of each true class.
        places: Where :attr:`wrong` stands: true class * (STEPS + 1) + the highest threshold at
            which such pixels are wrong; ascending.
        wrong: Their pixels.
        answers: (2, nodes, ROOT_ONLY + 1) pixels that begin to get a node at a threshold less those
            that cease to: all of them, and those whose truth is in the node. None if not asked for.
    """

    true: Integers
    places: Integers
    wrong: Integers
    answers: Integers | None = None


def tally_image(
    tree: LabelTree,
    probabilities: Probabilities,
    truth: npt.NDArray[Any],
    answers: bool = False,
) -> ImageTally:
    """Count the errors of one image at every threshold, and on request its answers.

    Args:
        tree: The labels.
        probabilities: (H, W, C) float32, 0..1, rows sum to 1.
        truth: (H, W) class indices; others are ignored.
        answers: Whether to count the answers too, which takes several times longer.

    Raises:
        SegcoreError: Probabilities over other classes than the tree's, or of another size than the
            mask.
    """
    flat = _check(tree, probabilities)
    if truth.shape != probabilities.shape[:2]:
        raise SegcoreError(
            f"Expected a mask of {probabilities.shape[:2]}, received {truth.shape}: predict the "
            "image again."
        )
    labels, size = truth.reshape(-1), tree.num_classes
    true, wrong = np.zeros(size, np.int64), np.zeros(size * ROOT_ONLY, np.int64)
    changes = np.zeros((2, len(tree.nodes), ROOT_ONLY + 1), np.int64) if answers else None
    for start in range(0, len(flat), _BLOCK):
        block, mine = flat[start : start + _BLOCK], labels[start : start + _BLOCK].astype(np.intp)
        leaf = block.argmax(axis=1)
        true += np.bincount(mine[mine < size], minlength=size)
        rows = np.flatnonzero((leaf != mine) & (mine < size))
        if len(rows):
            c, y = leaf[rows], mine[rows]
            last = tree.paths[c, tree.meeting[c, y] - 1]
            steps = np.minimum(_Sums(tree, block[rows]).of(np.arange(len(rows)), last), STEPS)
            wrong += np.bincount(y * ROOT_ONLY + steps.astype(np.intp), minlength=len(wrong))
        if changes is not None:
            _add_answers(tree, block, leaf, mine, changes)
    places = np.flatnonzero(wrong)
    return ImageTally(true, places, wrong[places], changes)


def _add_answers(
    tree: LabelTree,
    block: Probabilities,
    leaf: npt.NDArray[np.intp],
    mine: npt.NDArray[np.intp],
    changes: Integers,
) -> None:
    """Add where each scored pixel of a block begins and ceases to get each node of its path."""
    rows = np.flatnonzero(mine < tree.num_classes)
    leaf, mine = leaf[rows], mine[rows]
    sums, at = _Sums(tree, block[rows]), np.arange(len(rows))
    meeting, begins = tree.meeting[leaf, mine], np.zeros(len(rows), np.intp)
    width = changes.shape[-1]
    planes = changes.reshape(2, -1)
    for step in range(tree.paths.shape[1]):
        nodes = tree.paths[:, step][leaf[at]]
        below = nodes != tree.root
        at, nodes = at[below], nodes[below]
        ends = 1 + np.minimum(sums.of(at, nodes), STEPS).astype(np.intp)
        used = begins[at] < ends
        for plane, kept in zip(planes, (used, used & (step >= meeting[at])), strict=True):
            np.add.at(plane, nodes[kept] * width + begins[at][kept], 1)
            np.add.at(plane, nodes[kept] * width + ends[kept], -1)
        begins[at] = ends
        at = at[ends < ROOT_ONLY]  # what ends there has only the root above it
        if not len(at):
            break
    for plane in planes:
        np.add.at(plane, tree.root * width + begins, 1)


@dataclass(frozen=True, eq=False)
class Tally:
    """Many images at every threshold.

    Attributes:
        sample_ids: Their N ids.
        true: (N, C) scored pixels by true class.
        wrong: (N, C * (STEPS + 1)) wrong pixels, as in :class:`ImageTally`.
        answers: (2, nodes, ROOT_ONLY + 1), the sum over images; None if not counted.
    """

    sample_ids: tuple[str, ...]
    true: Integers
    wrong: csr_array
    answers: Integers | None = None

    @staticmethod
    def join(sample_ids: Sequence[str], images: Iterable[ImageTally]) -> "Tally":
        """Put the tallies of images together, one at a time in memory.

        Raises:
            SegcoreError: There is none.
        """
        places, counts, true, answers = [], [], [], None
        for one in images:
            places.append(one.places)
            counts.append(one.wrong)
            true.append(one.true)
            if one.answers is not None:
                answers = one.answers.copy() if answers is None else answers
                answers += one.answers if len(true) > 1 else 0
        if not true:
            raise SegcoreError(
                "Expected at least one image with probabilities and a mask, received none: "
                "predict the split first."
            )
        ends = np.cumsum([0, *map(len, places)])
        cells = (np.concatenate(counts), np.concatenate(places), ends)
        wrong = csr_array(cells, shape=(len(true), true[0].size * ROOT_ONLY))
        return Tally(tuple(sample_ids), np.stack(true), wrong, answers)

    def errors(self, threshold: int) -> Integers:
        """Return the wrong pixels of each image by true class at a threshold, (N, C)."""
        classes, steps = np.divmod(self.wrong.indices, ROOT_ONLY)
        rows = np.repeat(np.arange(len(self.true)), np.diff(self.wrong.indptr))
        kept = steps >= threshold
        out = np.zeros(self.true.shape, np.int64)
        np.add.at(out, (rows[kept], classes[kept]), self.wrong.data[kept])
        return out

    def given(self, threshold: int) -> Integers:
        """Return the pixels that get each node, and those of them that are right, (2, nodes).

        Raises:
            SegcoreError: Answers were not counted.
        """
        if self.answers is None:
            raise SegcoreError(
                "Expected counts of the answers, received those of errors alone: count the split "
                "with its answers."
            )
        return np.asarray(self.answers[..., : threshold + 1].sum(-1), np.int64)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return arrays for :meth:`from_arrays`."""
        arrays = {
            "sample_ids": np.array(self.sample_ids, dtype=np.str_),
            "true": self.true,
            "places": self.wrong.indices.astype(np.int64),
            "wrong": self.wrong.data,
            "ends": self.wrong.indptr.astype(np.int64),
        }
        return arrays if self.answers is None else {**arrays, "answers": self.answers}

    @staticmethod
    def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> "Tally":
        """Rebuild what :meth:`to_arrays` returned."""
        shape = (len(arrays["true"]), arrays["true"].shape[1] * ROOT_ONLY)
        wrong = csr_array((arrays["wrong"], arrays["places"], arrays["ends"]), shape)
        ids = tuple(str(name) for name in arrays["sample_ids"])
        return Tally(ids, arrays["true"], wrong, arrays.get("answers"))


def kept_bits(right: npt.NDArray[Any], shares: npt.NDArray[Any], pixels: float) -> float:
    """Return the entropy kept: what the right answers say of the truth, bits a pixel.

    A right answer of a node (or group) with the share pi of the true pixels says log2(1 / pi) bits,
    the root says none, a wrong answer none. If all answers of one label map are right, this is the
    entropy of the merged labels.

    Args:
        right: (K,) right pixels of each node.
        shares: (K,) share of the true pixels that each node holds, 0..1.
        pixels: Scored pixels.
    """
    counted = np.asarray(right, np.float64)
    used = counted > 0
    if not pixels:
        return float("nan")
    return float((counted[used] * -np.log2(np.asarray(shares)[used])).sum() / pixels)
