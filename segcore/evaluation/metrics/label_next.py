"""Which images to label next: orders of a pool of images, and batches without repetition.

An order takes what was measured of each image. A batch is taken from an order one by one, without
near-duplicates; "diversity" and "mix" look at what was taken before.

Sources: margin: Scheffer et al., IDA 2001; entropy: Settles, "Active Learning Literature Survey",
2009; disagreement (mutual information, BALD): Houlsby et al., arXiv 1112.5745; k-centre greedy:
Sener and Savarese, ICLR 2018, with the labelled images as first centres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown

Floats = npt.NDArray[np.float64]

ORDERS: dict[str, str] = {
    "mix": "Ranks of the informative orders, averaged, and of the distance to what is labelled or "
    "taken, in equal parts.",
    "disagreement": "Mutual information of class and member: how far the members contradict each "
    "other. Needs two runs or more.",
    "margin": "How near the second class comes to the first.",
    "entropy": "How evenly the probability is spread over the classes.",
    "rarity": "Share of the pixels predicted as rare classes, each weighted by how rare it is.",
    "diversity": "Distance to the nearest image that is labelled or taken (k-centre greedy).",
}
"""What an order looks at, by name."""

INFORMATIVE = ("disagreement", "margin", "entropy", "rarity")
"""Orders that look at one image alone."""

MOST_RARE = 10.0
"""Weight that no class exceeds, however rare it is."""


def rarity(pixels: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the weight of each class, (C,): 1 for the average share, more for rarer classes.

    Args:
        pixels: (C,) pixels of each class in the data set.
    """
    share = pixels / max(1, int(pixels.sum()))
    return np.minimum(MOST_RARE, 1 / np.maximum(share * len(pixels), 1e-12))


@dataclass(frozen=True, eq=False)
class PoolMeasures:
    """What was measured of N images.

    Attributes:
        ids: Their ids.
        scores: (N,) of each informative order by its name, larger is more informative; NaN where
            it is unknown.
        features: (N, D) what tells images from each other.
        centres: (L, D) the same of labelled images; (0, D) where it is not at hand.
        hashes: (N,) uint64 difference hashes.
        labelled_hashes: (M,) uint64 of the labelled images.
        near_bits: Images whose hashes differ in at most this many bits are near-duplicates.
    """

    ids: tuple[str, ...]
    scores: dict[str, Floats]
    features: Floats
    centres: Floats
    hashes: npt.NDArray[np.uint64]
    labelled_hashes: npt.NDArray[np.uint64]
    near_bits: int


@dataclass(frozen=True)
class Taken:
    """One image of a batch.

    Attributes:
        position: Its position among the measured images.
        value: What it was taken for: the order's score, or of "mix" the sum of two ranks, 0..2.
        away: Share of the other open images that were nearer to what was labelled or taken, 0..1;
            NaN for the first where no features of labelled images are at hand.
    """

    position: int
    value: float
    away: float


@dataclass(frozen=True)
class Choice:
    """A batch.

    Attributes:
        taken: Its images in the order of their choice.
        duplicates: (image left out, the image of the batch that it resembles, "" for a labelled
            one), by id.
    """

    taken: tuple[Taken, ...]
    duplicates: tuple[tuple[str, str], ...]


def choose_batch(measures: PoolMeasures, by: str, count: int) -> Choice:
    """Choose images to label next.

    Args:
        measures: What was measured.
        by: A name in :data:`ORDERS`.
        count: Largest size of the batch.

    Returns:
        Up to ``count`` images. One that resembles a labelled image or one of the batch is left out
        and does not count. Equal images are taken in the order of their ids.

    Raises:
        SegcoreError: There is no such order, the order's score is not known, or the count is none.
    """
    if by not in ORDERS:
        raise unknown("order", by, ORDERS)
    if count < 1:
        raise SegcoreError(f"Expected a batch of 1 image or more, received {count}: choose a size.")
    if by in INFORMATIVE and not np.isfinite(measures.scores[by]).all():
        raise SegcoreError(
            f"Expected two runs or more for {by!r}, received one: name more runs (the members of an "
            "ensemble), or order by margin, entropy, rarity, diversity or mix."
        )
    batch = _Batch(measures, by)
    while len(batch.taken) < count and batch.open.any():
        batch.take_next()
    return Choice(tuple(batch.taken), tuple(batch.duplicates))


def mean_rank(scores: Sequence[Floats]) -> Floats:
    """Average the ranks of several scores, each from 0 (least) to 1 (most); (N,) each.

    Scores that are not finite throughout are left out; ties share their mean rank.
    """
    known = [_rank(one) for one in scores if np.isfinite(one).all()]
    return np.asarray(np.mean(known, axis=0))


def _rank(values: Floats) -> Floats:
    if len(values) < 2:
        return np.ones(len(values))
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (counts.cumsum() - (counts + 1) / 2)[place]  # equal values share their mean rank
    return np.asarray(ranks / (len(values) - 1))


class _Batch:
    """A batch in the making.

    Attributes:
        open: (N,) bool: images that may be taken.
        taken: What was taken.
        duplicates: What was left out.
    """

    def __init__(self, measures: PoolMeasures, by: str) -> None:
        self.measures, self.by = measures, by
        size = len(measures.ids)
        self.open = np.ones(size, np.bool_)
        self.taken: list[Taken] = []
        self.duplicates: list[tuple[str, str]] = []
        self.informative = mean_rank([measures.scores[name] for name in INFORMATIVE])
        self.distances = np.full(size, np.inf)
        for centre in measures.centres:
            self._measure_from(centre)
        self._leave_out(measures.labelled_hashes, "")

    def take_next(self) -> None:
        """Take the best open image, and leave out what resembles it."""
        values = self._values()
        best = values[self.open].max()
        candidates = np.flatnonzero(self.open & (values == best))
        position = int(min(candidates, key=lambda n: self.measures.ids[n]))
        known = bool(np.isfinite(self.distances).all())
        away = float(self._away()[position]) if known else float("nan")
        self.taken.append(Taken(position, float(values[position]), away))
        self.open[position] = False
        self._measure_from(self.measures.features[position])
        self._leave_out(self.measures.hashes[position : position + 1], self.measures.ids[position])

    def _values(self) -> Floats:
        if self.by in INFORMATIVE:
            return self.measures.scores[self.by]
        if not np.isfinite(self.distances).all():  # no centre yet: the most informative is one
            return self.informative
        if self.by == "diversity":
            return self.distances
        return self.informative + self._away()

    def _away(self) -> Floats:
        """Rank of each open image's distance among them, 0..1; 0 of the others."""
        ranks = np.zeros(len(self.distances))
        ranks[self.open] = _rank(self.distances[self.open])
        return ranks

    def _measure_from(self, centre: Floats) -> None:
        steps = np.sqrt(((self.measures.features - centre) ** 2).sum(axis=1))
        self.distances = np.minimum(self.distances, steps)

    def _leave_out(self, hashes: npt.NDArray[np.uint64], name: str) -> None:
        """Close the open images that resemble one of some."""
        near = np.zeros(len(self.open), np.bool_)
        for one in hashes:
            near |= np.bitwise_count(self.measures.hashes ^ one) <= self.measures.near_bits
        for position in np.flatnonzero(near & self.open):
            self.duplicates.append((self.measures.ids[position], name))
        self.open &= ~near
