"""Every ensemble of some members, judged at once: which is best, by how much, how sure, and what each member adds.

A score of many ensembles needs no whole confusion matrices: mean IoU and pixel accuracy follow from
the true, the predicted and the right pixels of each class. Those are kept for each image, so all
ensembles are resampled with the same images by one matrix product, and the interval of any
difference keeps each image's pair together (the draws are those of
:mod:`segcore.evaluation.counts.bootstrap`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts.bootstrap import draw_weights
from segcore.evaluation.counts.scores import mean_present, ratio

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class Tallies:
    """Pixels of N images by K ensembles, for each of C classes; int64.

    Attributes:
        true: (N, C) true pixels.
        predicted: (N, K, C) predicted pixels.
        right: (N, K, C) pixels that are both.
    """

    true: Counts
    predicted: Counts
    right: Counts

    @staticmethod
    def of(counts: Counts) -> "Tallies":
        """Take the tallies of (N, K, C, C) confusion counts, [image, ensemble, true, predicted]; true pixels are those of the first."""
        return Tallies(
            counts[:, 0].sum(-1), counts.sum(-2), np.diagonal(counts, axis1=-2, axis2=-1).copy()
        )

    def mean_iou(self, weights: npt.NDArray[np.integer] | None = None) -> Floats:
        """Score each ensemble over the set, or over resamples of it.

        Args:
            weights: (R, N) how often each image counts in each resample; None counts each once.

        Returns:
            (K,), or (R, K): mean IoU 0..1 over the classes that occur in truth or prediction, NaN
            where none does.
        """
        drawn = np.ones((1, len(self.true)), np.int64) if weights is None else weights
        factor = drawn.astype(np.float64)
        true = factor @ self.true
        images, ensembles, classes = self.right.shape
        found = np.empty((len(drawn), ensembles))
        block = max(1, _BYTES // (8 * classes * len(drawn)))
        for start in range(0, ensembles, block):
            part = slice(start, start + block)
            right, predicted = (
                (factor @ a[:, part].reshape(images, -1).astype(np.float64)).reshape(
                    len(drawn), -1, classes
                )
                for a in (self.right, self.predicted)
            )
            found[:, part] = mean_present(ratio(right, true[:, None] + predicted - right))
        return found[0] if weights is None else found

    def pixel_accuracy(self) -> Floats:
        """Share of the pixels that are right, (K,) 0..1."""
        return ratio(self.right.sum((0, 2)), self.true.sum())


@dataclass(frozen=True)
class Gain:
    """One score less another, with the percentile interval over resampled images; points of 0..1."""

    difference: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict[str, Any]:
        """Return ``{"difference", "interval"}``, None for what is undefined."""
        return {
            "difference": plain(self.difference),
            "interval": [plain(self.low), plain(self.high)],
        }


def plain(value: float) -> float | None:
    """Return a number for JSON, None for NaN."""
    return None if np.isnan(value) else float(value)


def score_subsets(
    tallies: Tallies,
    table: npt.NDArray[np.floating],
    names: Sequence[str],
    shares: npt.NDArray[np.floating],
    split: str,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge every subset of some members, and further weightings of them.

    Args:
        tallies: Of K ensembles: first the 2^n - 1 subsets in binary order (member 0 the lowest
            digit), then the weightings.
        table: (K, n) weights of the members in each ensemble.
        names: n members.
        shares: (n, 2^n - 1), the linear map from the subsets' scores to each member's marginal
            value.
        split: Name of the split, for the sentences.
        resamples: How many times the images are drawn anew.
        level: Nominal coverage of the intervals.
        seed: Of the draws.

    Returns:
        A JSON-ready mapping; ``docs/formats.md`` lists its keys.

    Raises:
        SegcoreError: There is no image, or the table does not hold every subset.
    """
    number, images = len(names), len(tallies.true)
    subsets = 2**number - 1
    if images < 1 or len(table) < subsets:
        raise SegcoreError(
            f"Expected {subsets} subsets of at least one image, received {len(table)} of "
            f"{images}: choose a split with masks."
        )
    score, accuracy = tallies.mean_iou(), tallies.pixel_accuracy()
    sizes = (table > 0).sum(1)
    judge = _Judge(tallies, score, sizes, resamples, level, seed)
    single = np.array([(1 << m) - 1 for m in range(number)])
    everyone = subsets - 1
    best, best_single = judge.choose(score, np.arange(subsets)), judge.choose(score, single)
    rows = {"best": best, "best_single": best_single, "all": everyone}
    described = {
        name: {
            "members": [names[int(m)] for m in np.flatnonzero(table[row])],
            "mean_iou": plain(score[row]),
            "interval": judge.interval(row),
            "pixel_accuracy": plain(accuracy[row]),
        }
        for name, row in rows.items()
    }
    gains = {
        "best_over_single": judge.gain(best, best_single),
        "best_over_mean_member": judge.gain(best, single),
        "best_over_all": judge.gain(best, everyone),
        "all_over_single": judge.gain(everyone, best_single),
        "all_over_mean_member": judge.gain(everyone, single),
    }
    unseen = {
        "best_over_single": plain(judge.unseen(np.arange(subsets), single)),
        "best_over_all": plain(judge.unseen(np.arange(subsets), np.array([everyone]))),
    }
    values, low, high = judge.linear(shares, subsets)
    loss = [judge.gain(everyone, (everyone + 1 & ~(1 << m)) - 1) for m in range(number)]
    weights = _weights(judge, table, subsets, everyone, score) if len(table) > subsets else None
    document = {
        "split": split,
        "members": list(names),
        "num_samples": images,
        "resamples": resamples,
        "level": level,
        "subsets": [
            {
                "members": np.flatnonzero(table[k]).tolist(),
                "mean_iou": plain(score[k]),
                "pixel_accuracy": plain(accuracy[k]),
            }
            for k in range(subsets)
        ],
        **described,
        "mean_member": {"mean_iou": plain(float(np.mean(score[single])))},
        "chosen_share": plain(judge.share(best, np.arange(subsets))),
        "gains": {name: gain.to_json() for name, gain in gains.items()},
        "unseen": unseen,
        "values": [
            {
                "run": names[m],
                "mean_iou": plain(score[single[m]]),
                "interval": judge.interval(int(single[m])),
                "gain": plain(values[m]),
                "gain_interval": [plain(low[m]), plain(high[m])],
                "leaving": loss[m].to_json(),
            }
            for m in range(number)
        ],
        "weights": weights,
    }
    return {**document, "sentences": _sentences(document, gains, subsets)}


class _Judge:
    """Scores of all ensembles over the set and over the same resamples of it."""

    def __init__(
        self,
        tallies: Tallies,
        score: Floats,
        sizes: npt.NDArray[np.int64],
        resamples: int,
        level: float,
        seed: int,
    ) -> None:
        self._score, self._sizes = score, sizes
        self._ends = ((1 - level) / 2, (1 + level) / 2)
        images = len(tallies.true)
        drawn = (
            draw_weights(images, resamples, seed) if images > 1 else np.zeros((0, images), np.int64)
        )
        self._drawn = tallies.mean_iou(drawn) if images > 1 else np.zeros((0, len(score)))
        self._left_out = (
            tallies.mean_iou((drawn == 0).astype(np.int64)) if images > 1 else self._drawn
        )

    def _quantiles(self, values: Floats) -> tuple[float, float]:
        known = values[~np.isnan(values)]
        if not len(known):
            return float("nan"), float("nan")
        low, high = np.quantile(known, self._ends)
        return float(low), float(high)

    def choose(self, score: Floats, among: npt.NDArray[np.int64]) -> int:
        """The best of some rows; of equals the one of fewest members, then the first."""
        ranked = sorted(
            among.tolist(), key=lambda k: (-np.nan_to_num(score[k], nan=-1.0), self._sizes[k], k)
        )
        return int(ranked[0])

    def interval(self, row: int) -> list[float | None]:
        return [plain(v) for v in self._quantiles(self._drawn[:, row])]

    def gain(self, row: int, other: int | npt.NDArray[np.int64]) -> Gain:
        """A row less another, or less the mean of several."""
        rest = np.atleast_1d(other)
        ends = self._quantiles(self._drawn[:, row] - self._drawn[:, rest].mean(1))
        return Gain(float(self._score[row] - self._score[rest].mean()), *ends)

    def share(self, row: int, among: npt.NDArray[np.int64]) -> float:
        """Share of the resamples in which a row is the best, 0..1."""
        if not len(self._drawn):
            return float("nan")
        known = np.nan_to_num(self._drawn[:, among], nan=-1.0)
        return float(np.mean(known[:, among == row][:, 0] >= known.max(1)))

    def unseen(self, among: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> float:
        """Mean gain on images that took no part in the choice: both sides choose on a resample and are scored on what it left out."""
        if not len(self._drawn):
            return float("nan")
        known = np.nan_to_num(self._drawn, nan=-1.0)
        turns = np.arange(len(known))
        mine, theirs = (rows[known[:, rows].argmax(1)] for rows in (among, others))
        difference = self._left_out[turns, mine] - self._left_out[turns, theirs]
        return float(np.nanmean(difference)) if not np.isnan(difference).all() else float("nan")

    def linear(
        self, shares: npt.NDArray[np.floating], subsets: int
    ) -> tuple[Floats, Floats, Floats]:
        """Values that are linear in the subsets' scores, (n,), with the ends of their intervals."""
        drawn = self._drawn[:, :subsets] @ shares.T
        ends = np.array([self._quantiles(column) for column in drawn.T]).reshape(-1, 2)
        return shares @ self._score[:subsets], ends[:, 0], ends[:, 1]


def _weights(
    judge: _Judge, table: npt.NDArray[np.floating], subsets: int, everyone: int, score: Floats
) -> dict[str, Any]:
    drawn = np.arange(subsets, len(table))
    best = judge.choose(score, drawn)
    return {
        "tried": len(drawn),
        "weights": [round(float(v), 4) for v in table[best] / table[best].sum()],
        "mean_iou": plain(score[best]),
        "interval": judge.interval(best),
        "over_equal": judge.gain(best, everyone).to_json(),
        "unseen": plain(judge.unseen(drawn, np.array([everyone]))),
    }


def _sentences(document: dict[str, Any], gains: dict[str, Gain], subsets: int) -> list[str]:
    split, best = document["split"], document["best"]
    told = []
    alone = len(best["members"]) == 1
    if alone:
        told.append(f"A single member is best on {split}: averaging adds nothing here.")
    else:
        told.append(
            _tell(
                f"The best subset ({len(best['members'])} members) against the best single member",
                gains["best_over_single"],
                split,
            )
        )
    if best["members"] != document["all"]["members"]:
        told.append(
            _tell("The best subset against all members together", gains["best_over_all"], split)
        )
    told.append(
        _tell("All members together against the mean member", gains["all_over_mean_member"], split)
    )
    unseen = document["unseen"]["best_over_all"]
    if unseen is not None and best["members"] != document["all"]["members"]:
        told.append(
            f"Choosing the best of {subsets} and then scoring it on images that took no "
            "part in the choice changes the mean IoU by "
            f"{100 * unseen:+.2f} points against simply taking all members."
        )
    if split == "test":
        told.append(
            "Choosing the best subset on the test split is selection: its score there is "
            "too good. Choose on validation, report on test."
        )
    else:
        told.append(
            f"It was chosen on {split}, so its score there is too good: report it on a "
            "split where nothing was chosen."
        )
    return told


def _tell(what: str, gain: Gain, split: str) -> str:
    if np.isnan(gain.low):
        return (
            f"{what}: {100 * gain.difference:+.2f} points of mean IoU on {split}, from one "
            "image, which tells nothing about others."
        )
    ends = f"95 % interval {100 * gain.low:+.2f} to {100 * gain.high:+.2f}"
    word = "" if gain.is_sure else ": inside the noise of these images"
    return f"{what}: {100 * gain.difference:+.2f} points of mean IoU on {split} ({ends}){word}."
