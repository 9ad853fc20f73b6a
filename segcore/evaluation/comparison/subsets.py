"""Every ensemble of some members, judged at once: the best, how sure, and what each member adds.

A score of many ensembles needs no whole confusion matrices: mean IoU and pixel accuracy follow from
the true, the predicted and the right pixels of each class. Those are kept for each image, so all
ensembles are resampled with the same images (or groups) by one matrix product, and the interval of
any difference keeps each image's pair together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.counts.bootstrap import Interval, Resampling
from segcore.evaluation.counts.scores import mean_present, ratio
from segcore.evaluation.counts.verdicts import judge_many, many_of

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
        """Reduce (N, K, C, C) confusion counts, [image, ensemble, true, predicted], to tallies."""
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
        absent = (self.true.any(0) & (true == 0))[:, None]  # of a class that was not drawn
        images, ensembles, classes = self.right.shape
        scored = np.empty((len(drawn), ensembles))
        block = max(1, _BYTES // (8 * classes * len(drawn)))
        for start in range(0, ensembles, block):
            part = slice(start, start + block)
            right, predicted = (
                (factor @ a[:, part].reshape(images, -1).astype(np.float64)).reshape(
                    len(drawn), -1, classes
                )
                for a in (self.right, self.predicted)
            )
            iou = ratio(right, true[:, None] + predicted - right)
            scored[:, part] = mean_present(np.where(absent, np.nan, iou))
        return scored[0] if weights is None else scored

    def pixel_accuracy(self) -> Floats:
        """Share of the pixels that are right, (K,) 0..1."""
        return ratio(self.right.sum((0, 2)), self.true.sum())


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
    groups: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Judge every subset of some members, and further weightings of them.

    Args:
        tallies: Of K ensembles: first subsets of the members, among them each alone, all, and all
            but one; then weightings.
        table: (K, n) weights of the members in each ensemble; zeros and ones for subsets.
        names: n members.
        shares: (n, number of subsets), the linear map from the subsets' scores to each member's
            marginal value.
        split: Name of the split, for the sentences.
        groups: Draw whole groups of images; length N.

    Returns:
        A JSON-ready mapping; ``docs/formats.md`` lists its keys.

    Raises:
        SegcoreError: There is no image, or one of those subsets is missing.
    """
    subsets = shares.shape[1]
    row_of = _rows(table[:subsets], len(names), len(tallies.true))
    drawing = Resampling([tallies.true], groups)
    judge = _Judge(tallies, (table > 0).sum(1), drawing)
    every, everyone = np.arange(subsets), row_of[2 ** len(names) - 1]
    single = np.array([row_of[1 << m] for m in range(len(names))])
    best = judge.choose(every)
    gains = _gains(judge, best, everyone, single)
    document = {
        "split": split,
        "members": list(names),
        "num_samples": len(tallies.true),
        **judge.interval(best).origin(),
        "how_sure": judge.interval(best).how(),
        "subsets": [
            {"members": np.flatnonzero(table[k]).tolist(), **judge.scores(k)}
            for k in range(subsets)
        ],
        "best": judge.describe(best, names, table),
        "best_single": judge.describe(judge.choose(single), names, table),
        "all": judge.describe(everyone, names, table),
        "mean_member": {"mean_iou": plain(float(np.mean(judge.score[single])))},
        "chosen_share": plain(judge.share(best, every)),
        "gains": {name: gain.as_difference() for name, gain in gains.items()},
        "unseen": {
            "best_over_single": plain(judge.unseen(every, single)),
            "best_over_all": plain(judge.unseen(every, np.array([everyone]))),
        },
        **_values(judge, names, shares, row_of),
        "weights": _weights(judge, table, subsets, everyone) if len(table) > subsets else None,
    }
    return {**document, "sentences": _sentences(document, gains)}


def _rows(table: npt.NDArray[np.floating], number: int, images: int) -> dict[int, int]:
    """Return the row of each subset by its code (member 0 the lowest bit); refuse missing ones."""
    row_of = {int(code): row for row, code in enumerate((table > 0) @ (1 << np.arange(number)))}
    whole = 2**number - 1
    needed = [whole, *(1 << m for m in range(number)), *(whole ^ 1 << m for m in range(number))]
    if images < 1 or any(code and code not in row_of for code in needed):
        raise SegcoreError(
            f"Expected each member alone, all, and all but one, of at least one image, received "
            f"{len(table)} subsets of {images} images: choose a split with masks."
        )
    return row_of


def _gains(
    judge: "_Judge", best: int, everyone: int, single: npt.NDArray[np.int64]
) -> dict[str, Interval]:
    """Compare the best subset and all members with the single ones, and with each other."""
    best_single = judge.choose(single)
    return {
        "best_over_single": judge.gain(best, best_single),
        "best_over_mean_member": judge.gain(best, single),
        "best_over_all": judge.gain(best, everyone),
        "all_over_single": judge.gain(everyone, best_single),
        "all_over_mean_member": judge.gain(everyone, single),
    }


def _values(
    judge: "_Judge",
    names: Sequence[str],
    shares: npt.NDArray[np.floating],
    row_of: Mapping[int, int],
) -> dict[str, Any]:
    """Describe each member, alone, its marginal value, what all lose without it; and how many verdicts that is."""
    whole = 2 ** len(names) - 1
    values = judge.linear(shares, shares.shape[1])
    leaving = [
        judge.gain(row_of[whole], row_of.get(whole ^ 1 << m, row_of[whole]))
        for m in range(len(names))
    ]
    verdicts = judge_many([*values, *leaving])
    rows = [
        {
            "run": name,
            "mean_iou": plain(judge.score[row_of[1 << m]]),
            "interval": judge.interval(row_of[1 << m]).ends(),
            "gain": plain(values[m].value),
            "gain_interval": values[m].ends(),
            "gain_verdict": verdicts[m],
            "leaving": leaving[m].as_difference(),
            "leaving_verdict": verdicts[len(names) + m],
        }
        for m, name in enumerate(names)
    ]
    return {"values": rows, "many": many_of([*values, *leaving])}


class _Judge:
    """Scores of all ensembles over the set and over the same resamples of it."""

    def __init__(self, tallies: Tallies, sizes: npt.NDArray[np.int64], drawing: Resampling) -> None:
        self.score, self._accuracy = tallies.mean_iou(), tallies.pixel_accuracy()
        self._sizes, self._drawing = sizes, drawing
        self._drawn = self._left_out = np.zeros((0, len(self.score)))
        if drawing.units > 1:
            units = Tallies(
                *(drawing.by_unit(a) for a in (tallies.true, tallies.predicted, tallies.right))
            )
            self._drawn = units.mean_iou(drawing.weights)
            self._left_out = units.mean_iou((drawing.weights == 0).astype(np.int64))

    def scores(self, row: int) -> dict[str, float | None]:
        """Scores of a row over the set, for JSON."""
        return {
            "mean_iou": plain(self.score[row]),
            "pixel_accuracy": plain(self._accuracy[row]),
        }

    def describe(
        self, row: int, names: Sequence[str], table: npt.NDArray[np.floating]
    ) -> dict[str, Any]:
        """Members and scores of a row with its interval, for JSON."""
        return {
            "members": [names[int(m)] for m in np.flatnonzero(table[row])],
            "interval": self.interval(row).ends(),
            **self.scores(row),
        }

    def choose(self, among: npt.NDArray[np.int64]) -> int:
        """The best of some rows; of equals the one of fewest members, then the first."""
        known = np.nan_to_num(self.score, nan=-1.0)
        return int(min(among.tolist(), key=lambda k: (-known[k], self._sizes[k], k)))

    def _interval(self, value: float, draws: Floats) -> Interval:
        return self._drawing.intervals(value, draws)[0]

    def interval(self, row: int) -> Interval:
        """The score of a row."""
        return self._interval(float(self.score[row]), self._drawn[:, row])

    def gain(self, row: int, other: int | npt.NDArray[np.int64]) -> Interval:
        """A row less another, or less the mean of several."""
        rest = np.atleast_1d(other)
        draws = self._drawn[:, row] - self._drawn[:, rest].mean(1)
        return self._interval(float(self.score[row] - self.score[rest].mean()), draws)

    def share(self, row: int, among: npt.NDArray[np.int64]) -> float:
        """Share of the resamples in which a row is the best, 0..1."""
        if not len(self._drawn):
            return float("nan")
        known = np.nan_to_num(self._drawn[:, among], nan=-1.0)
        return float(np.mean(known[:, among == row][:, 0] >= known.max(1)))

    def unseen(self, among: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> float:
        """Mean gain on unseen images: both choose on a resample, scored on what it left out."""
        if not len(self._drawn):
            return float("nan")
        known = np.nan_to_num(self._drawn, nan=-1.0)
        turns = np.arange(len(known))
        mine, theirs = (rows[known[:, rows].argmax(1)] for rows in (among, others))
        difference = self._left_out[turns, mine] - self._left_out[turns, theirs]
        return float(np.nanmean(difference)) if not np.isnan(difference).all() else float("nan")

    def linear(self, shares: npt.NDArray[np.floating], subsets: int) -> tuple[Interval, ...]:
        """Values that are linear in the subsets' scores, n of them."""
        return self._drawing.intervals(
            shares @ self.score[:subsets], self._drawn[:, :subsets] @ shares.T
        )


def _weights(
    judge: _Judge, table: npt.NDArray[np.floating], subsets: int, everyone: int
) -> dict[str, Any]:
    drawn = np.arange(subsets, len(table))
    best = judge.choose(drawn)
    return {
        "tried": len(drawn),
        "weights": [round(float(v), 4) for v in table[best] / table[best].sum()],
        "mean_iou": plain(judge.score[best]),
        "interval": judge.interval(best).ends(),
        "over_equal": judge.gain(best, everyone).as_difference(),
        "unseen": plain(judge.unseen(drawn, np.array([everyone]))),
    }


def _sentences(document: dict[str, Any], gains: dict[str, Interval]) -> list[str]:
    split, best = document["split"], document["best"]
    sentences = []
    if len(best["members"]) == 1:
        sentences.append(f"A single member is best on {split}: averaging adds nothing here.")
    else:
        what = f"The best subset ({len(best['members'])} members) against the best single member"
        sentences.append(_chosen(what, gains["best_over_single"], split))
    everyone = document["all"]["members"]
    if best["members"] != everyone:
        what = "The best subset against all members together"
        sentences.append(_chosen(what, gains["best_over_all"], split))
    what = "All members together against the mean member"
    sentences.append(_fixed(what, gains["all_over_mean_member"], split))
    unseen = document["unseen"]["best_over_all"]
    if unseen is not None and best["members"] != everyone:
        sentences.append(
            f"Choosing the best of {len(document['subsets'])} and then scoring it on images that took no "
            "part in the choice changes the mean IoU by "
            f"{formatting.points(unseen, 2, unit=' points')} against simply using all members."
        )
    where = (
        "Choose on validation and report on test."
        if split == "test"
        else "Report it on a split where nothing was chosen."
    )
    sentences.append(
        f"The subset was chosen on {split}, so its score there is too good, and so is each "
        f"difference above that it takes part in. {where}"
    )
    return sentences


def _difference(what: str, gain: Interval, split: str) -> str:
    return f"{what}: {formatting.points(gain.value, 2, unit=' points')} of mean IoU on {split}"


def _fixed(what: str, gain: Interval, split: str) -> str:
    """Judge a difference of ensembles that were fixed beforehand."""
    if not gain.is_known:
        return f"{_difference(what, gain, split)}. {gain.reason()}"
    word = "" if gain.excludes_zero else ", within the noise of these images"
    ends = f"{100 * gain.level:g} % interval {gain.range(2, signed=True)}"
    return f"{_difference(what, gain, split)} ({ends}){word}."


def _chosen(what: str, gain: Interval, split: str) -> str:
    """State a difference of an ensemble that was chosen on these very images, without a verdict."""
    ends = (
        f" ({100 * gain.level:g} % interval {gain.range(2, signed=True)}, which ignores the choice)"
        if gain.is_known
        else ""
    )
    return f"{_difference(what, gain, split)}{ends}."
