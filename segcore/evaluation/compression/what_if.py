"""The whole what-if of one confusion matrix: path, front, tree and verdicts, in one call."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import MapScore, score_maps
from segcore.evaluation.compression.dendrogram import Dendrogram, build_dendrogram
from segcore.evaluation.compression.evidence import Evidence
from segcore.evaluation.compression.exact import exact_maps
from segcore.evaluation.compression.front import Front, find_front
from segcore.evaluation.compression.information import choose_prior, label_priors
from segcore.evaluation.compression.null_model import percentiles
from segcore.evaluation.compression.search import forbidden_pairs, greedy_path
from segcore.evaluation.compression.verdicts import MergeVerdict, judge_pairs
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.confusion import ConfusionMatrix, check_counts
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What merging labels would change; made by :func:`compress`.

    Attributes:
        prior: The prior of entropy_bits, retained_entropy and rate.
        priors: Every known prior, (C,) weights by name.
        exact: Whether the path holds the proven optimum for each number of groups.
        baseline: Scores with no merge.
        path: Rows from no merge down to one group (or to the fewest that forbidden pairs allow).
        path_lift: Interval of each row's lift; None without counts for each image.
        merged: For each row of a greedy path the two groups that were joined; empty for an exact
            path.
        front: Rows that no other partition beats in both accuracy and retained entropy.
        front_source: How the front was found.
        dendrogram: The tree of labels by what the model answers.
        verdicts: One judgement for each suggested pair.
        chosen: The row with the number of groups that was asked for, if any.
        chosen_percentile: Share of random maps of the same sizes that score no better, by score.
        ids: The user's ids in index order.
        forbidden: Pairs of class indices that never meet.
    """

    prior: str
    priors: dict[str, npt.NDArray[np.float64]]
    exact: bool
    baseline: MapScore
    path: tuple[MapScore, ...]
    path_lift: tuple[Interval, ...] | None
    merged: tuple[tuple[tuple[int, ...], ...], ...]
    front: tuple[MapScore, ...]
    front_source: Front
    dendrogram: Dendrogram
    verdicts: tuple[MergeVerdict, ...]
    chosen: MapScore | None
    chosen_percentile: dict[str, float]
    ids: tuple[int, ...]
    forbidden: tuple[tuple[int, int], ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: groups in the user's ids, what is undefined None."""
        path = [row.to_json(self.ids) for row in self.path]
        for index, row in enumerate(path):
            joined = self.merged[index] if self.merged else ()
            row["merged"] = [[self.ids[i] for i in group] for group in joined]
            if self.path_lift is not None:
                row["lift_interval"] = self.path_lift[index].ends()
        return {
            "prior": self.prior,
            "priors": {
                name: [float(v) if np.isfinite(v) else None for v in weights]
                for name, weights in self.priors.items()
            },
            "exact": self.exact,
            "forbidden": [[self.ids[a], self.ids[b]] for a, b in self.forbidden],
            "baseline": self.baseline.to_json(self.ids),
            "path": path,
            "front": [row.to_json(self.ids) for row in self.front],
            "front_certified": self.front_source.certified,
            "front_compared": self.front_source.compared,
            "front_ties_left_out": self.front_source.ties_left_out,
            "dendrogram": self.dendrogram.to_json(list(self.ids)),
            "verdicts": [verdict.to_json(self.ids) for verdict in self.verdicts],
            "chosen": None
            if self.chosen is None
            else {
                **self.chosen.to_json(self.ids),
                "random_percentile": {
                    k: v if np.isfinite(v) else None for k, v in self.chosen_percentile.items()
                },
            },
        }


@dataclass(frozen=True, eq=False)
class WhatIfSettings:
    """How a what-if is answered.

    Attributes:
        prior: A name of :data:`segcore.evaluation.compression.information.PRIORS`; "image" needs
            counts of each image.
        importance: (C,) weights for the "importance" prior.
        forbidden: Pairs of class indices that may never share a group.
        gain: What the greedy path buys, a name of
            :data:`segcore.evaluation.compression.search.GAINS`.
        exact: Let the path hold the proven optimum of ``objective`` for each number of groups (up
            to 14 classes).
        objective: A name of :data:`segcore.evaluation.compression.exact.OBJECTIVES`, for ``exact``.
        num_groups: Single out the path's row with so many groups.
        trade_off_rate: Points of accuracy demanded for each point of retained entropy sold.
    """

    prior: str = "pixel"
    importance: npt.ArrayLike | None = None
    forbidden: Sequence[tuple[int, int]] = ()
    gain: str = "accuracy"
    exact: bool = False
    objective: str = "accuracy"
    num_groups: int | None = None
    trade_off_rate: float = 0.1

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The forbidden pairs as plain numbers."""
        return tuple((int(a), int(b)) for a, b in self.forbidden)


def compress(
    confusion: ConfusionMatrix | npt.NDArray[Any] | Sequence[Sequence[int]],
    *,
    class_ids: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
    settings: WhatIfSettings | None = None,
    evidence: Evidence | None = None,
) -> WhatIf:
    """Answer what merging labels gains and costs; choose on validation, report on test.

    Args:
        confusion: (C, C) pixel counts, rows true.
        class_ids: The user's ids in index order; indices by default.
        class_names: Display names in index order; the matrix's own, or ids, by default.
        settings: How to answer; None for the defaults.
        evidence: Counts of each image and of each member; None knows the total alone.

    Raises:
        SegcoreError: Counts, names, pairs or numbers do not fit, or ``exact`` has too many classes.
    """
    asked, known = settings or WhatIfSettings(), evidence or Evidence()
    counts, ids, names = _named(confusion, class_ids, class_names)
    size, known = len(counts), _packed(known, len(counts))
    apart = forbidden_pairs(size, asked.pairs)
    priors = label_priors(counts, known.image_counts, asked.importance)
    weights = choose_prior(priors, asked.prior)
    maps, merged = _path(counts, weights, apart, asked)
    front = find_front(counts, weights, apart)
    baseline, *rows = score_maps(
        counts, [LabelMap.identity(size), *maps, *front.maps], priors, asked.prior
    )
    path = rows[: len(maps)]
    chosen = _choose(path, asked.num_groups)
    judged = judge_pairs(
        counts,
        priors,
        prior=asked.prior,
        forbidden=apart,
        class_names=names,
        evidence=known,
        trade_off_rate=asked.trade_off_rate,
        path=maps,
    )
    return WhatIf(
        asked.prior,
        priors,
        asked.exact,
        baseline,
        tuple(path),
        judged.path_lift,
        merged,
        tuple(rows[len(maps) :]),
        front,
        build_dendrogram(counts, apart),
        tuple(judged.verdicts),
        chosen,
        {} if chosen is None else percentiles(counts, chosen.label_map, seed=known.seed),
        ids,
        asked.pairs,
    )


def _named(
    confusion: ConfusionMatrix | npt.NDArray[Any] | Sequence[Sequence[int]],
    class_ids: Sequence[int] | None,
    class_names: Sequence[str] | None,
) -> tuple[npt.NDArray[Any], tuple[int, ...], list[str]]:
    """Return the checked counts with the ids and the names of their classes."""
    matrix = confusion
    if not isinstance(matrix, ConfusionMatrix):
        matrix = ConfusionMatrix(np.asarray(check_counts(matrix)))
    size = matrix.num_classes
    ids = tuple(range(size)) if class_ids is None else tuple(int(i) for i in class_ids)
    names = list(class_names or matrix.class_names or [str(i) for i in ids])
    for what, given in (("class ids", ids), ("class names", names)):
        if len(given) != size:
            raise SegcoreError(
                f"Expected {size} {what} for this confusion matrix, received {len(given)}: "
                "give one for each class."
            )
    return matrix.counts, ids, names


def _packed(evidence: Evidence, size: int) -> Evidence:
    """Return the evidence with the counts of each image packed; refuse other classes."""
    if evidence.image_counts is None:
        return evidence
    image_counts = SampleCounts.of(evidence.image_counts, "counts for each image")
    if image_counts.num_classes != size:
        raise SegcoreError(
            f"Expected counts for each image over {size} classes, received "
            f"{image_counts.num_classes}: use one label set."
        )
    return replace(evidence, image_counts=image_counts)


def _path(
    counts: npt.NDArray[Any],
    weights: npt.NDArray[np.float64],
    apart: npt.NDArray[np.bool_],
    asked: WhatIfSettings,
) -> tuple[list[LabelMap], tuple[tuple[tuple[int, ...], ...], ...]]:
    """Return the maps from no merge down, and what each joined; nothing for an exact path."""
    if asked.exact:
        best = exact_maps(
            counts,
            weights,
            asked.objective,
            trade_off_rate=asked.trade_off_rate,
            forbidden=apart,
        )
        return [best[k] for k in sorted(best, reverse=True)], ()
    steps = greedy_path(counts, weights, gain=asked.gain, forbidden=apart)
    return [step.label_map for step in steps], tuple(step.merged for step in steps)


def _choose(path: Sequence[MapScore], num_groups: int | None) -> MapScore | None:
    """Find the row with so many groups."""
    if num_groups is None:
        return None
    for row in path:
        if row.label_map.num_groups == num_groups:
            return row
    least, most = path[-1].label_map.num_groups, path[0].label_map.num_groups
    raise SegcoreError(
        f"Expected {least} to {most} groups, received {num_groups}: choose one of these."
    )
