"""The whole what-if of one confusion matrix: path, front, tree and verdicts, in one call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import MapScore, score_maps
from segcore.evaluation.compression.dendrogram import Dendrogram, build_dendrogram
from segcore.evaluation.compression.evidence import lift_intervals
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


def compress(
    confusion: ConfusionMatrix | npt.NDArray[Any] | Sequence[Sequence[int]],
    *,
    class_ids: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
    prior: str = "pixel",
    importance: Sequence[float] | npt.NDArray[np.float64] | None = None,
    forbidden: Iterable[tuple[int, int]] = (),
    gain: str = "accuracy",
    exact: bool = False,
    objective: str = "accuracy",
    num_groups: int | None = None,
    image_counts: SampleCounts | npt.NDArray[Any] | None = None,
    groups: Sequence[str] | None = None,
    member_counts: npt.NDArray[Any] | None = None,
    trade_off_rate: float = 0.1,
    resamples: int = 500,
    seed: int = 0,
) -> WhatIf:
    """Answer what merging labels gains and costs; choose on validation, report on test.

    Args:
        confusion: (C, C) pixel counts, rows true.
        class_ids: The user's ids in index order; indices by default.
        class_names: Display names in index order; the matrix's own, or ids, by default.
        prior: A name of :data:`segcore.evaluation.compression.information.PRIORS`; "image" needs
            ``image_counts``.
        importance: (C,) weights for the "importance" prior.
        forbidden: Pairs of class indices that may never share a group.
        gain: What the greedy path buys, a name of
            :data:`segcore.evaluation.compression.search.GAINS`.
        exact: Let the path hold the proven optimum of ``objective`` for each number of groups (up
            to 14 classes).
        objective: A name of :data:`segcore.evaluation.compression.exact.OBJECTIVES`, for ``exact``.
        num_groups: Single out the path's row with so many groups.
        image_counts: (N, C, C) counts of each image; gives intervals, stability and the image
            prior.
        groups: Group of each image (drive, tile); intervals then draw whole groups.
        member_counts: (R, C, C) counts of each ensemble member on the same images.
        trade_off_rate: Points of accuracy demanded for each point of retained entropy sold.
        resamples: Resamples for intervals and stability.
        seed: Seed of everything random.

    Raises:
        SegcoreError: Counts that are none, names, pairs or numbers that do not fit, or an exact
            search over too many classes.
    """
    matrix = (
        confusion
        if isinstance(confusion, ConfusionMatrix)
        else ConfusionMatrix(np.asarray(check_counts(confusion)))
    )
    counts, size = matrix.counts, matrix.num_classes
    ids = tuple(range(size)) if class_ids is None else tuple(int(i) for i in class_ids)
    names = list(class_names or matrix.class_names or [str(i) for i in ids])
    for what, given in (("class ids", ids), ("class names", names)):
        if len(given) != size:
            raise SegcoreError(
                f"Expected {size} {what} for this confusion matrix, received {len(given)}: "
                "give one for each class."
            )
    if image_counts is not None:
        image_counts = SampleCounts.of(image_counts, "counts for each image")
        if image_counts.num_classes != size:
            raise SegcoreError(
                f"Expected counts for each image over {size} classes, received "
                f"{image_counts.num_classes}: use one label set."
            )
    pairs = tuple((int(a), int(b)) for a, b in forbidden)
    apart = forbidden_pairs(size, pairs)
    priors = label_priors(
        counts, image_counts, None if importance is None else np.asarray(importance, np.float64)
    )
    weights = choose_prior(priors, prior)
    steps = [] if exact else greedy_path(counts, weights, gain=gain, forbidden=apart)
    if exact:
        found = exact_maps(
            counts, weights, objective, trade_off_rate=trade_off_rate, forbidden=apart
        )
        maps = [found[k] for k in sorted(found, reverse=True)]
    else:
        maps = [step.label_map for step in steps]
    front = find_front(counts, weights, apart)
    rows = score_maps(counts, [LabelMap.identity(size), *maps, *front.maps], priors, prior)
    baseline, path, front_rows = rows[0], rows[1 : 1 + len(maps)], rows[1 + len(maps) :]
    chosen = _choose(path, num_groups)
    return WhatIf(
        prior,
        priors,
        exact,
        baseline,
        tuple(path),
        None
        if image_counts is None
        else lift_intervals(image_counts, maps, groups=groups, resamples=resamples, seed=seed),
        tuple(step.merged for step in steps),
        tuple(front_rows),
        front,
        build_dendrogram(counts, apart),
        tuple(
            judge_pairs(
                counts,
                priors,
                prior=prior,
                forbidden=apart,
                class_names=names,
                image_counts=image_counts,
                groups=groups,
                member_counts=member_counts,
                trade_off_rate=trade_off_rate,
                resamples=resamples,
                seed=seed,
            )
        ),
        chosen,
        {} if chosen is None else percentiles(counts, chosen.label_map, seed=seed),
        ids,
        pairs,
    )


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
