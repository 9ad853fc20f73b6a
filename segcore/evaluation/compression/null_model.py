"""What a random merge would have scored: the null band against which a chosen merge is judged."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.compression.compression import measure_maps
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.counts.scores import ratio
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]

NULL_SCORES = ("accuracy", "mean_iou", "kappa", "mcc", "honest_accuracy", "retained_entropy")


def null_scores(
    confusion: npt.NDArray[Any],
    label_map: LabelMap,
    draws: int = 1000,
    seed: int | np.random.Generator = 0,
) -> dict[str, Floats]:
    """Score random maps with the same group sizes: labels are dealt again to the groups.

    Args:
        confusion: (C, C) pixel counts, rows true.
        label_map: The map whose group sizes are kept.
        draws: How many random maps.
        seed: Seed or generator.

    Returns:
        (draws,) float64 for each name of :data:`NULL_SCORES`; entropy under pixel weights.
    """
    draw = np.random.default_rng(seed)
    dealt = draw.permuted(np.tile(label_map.group_of, (draws, 1)), axis=1)
    return _named(confusion, dealt)


def percentiles(
    confusion: npt.NDArray[Any],
    label_map: LabelMap,
    draws: int = 1000,
    seed: int | np.random.Generator = 0,
) -> dict[str, float]:
    """Share of random maps of the same group sizes that score no better, 0..1, by score.

    NaN where the score is undefined for the map, as at one group. A map that random ones equal (as
    when all labels are alike) counts ties in full, so only a share near 1 together with a positive
    lift says much.
    """
    own = _named(confusion, label_map.group_of[None])
    found = {}
    for name, values in null_scores(confusion, label_map, draws, seed).items():
        known = values[~np.isnan(values)]
        mine = float(own[name][0])
        found[name] = (
            float((known <= mine + 1e-12).mean())
            if known.size and not np.isnan(mine)
            else float("nan")
        )
    return found


def null_band(
    confusion: npt.NDArray[Any],
    maps: Sequence[LabelMap],
    draws: int = 400,
    level: float = 0.95,
    seed: int | np.random.Generator = 0,
) -> Floats:
    """Where the accuracy of random maps of the same group sizes lies, for each of several maps.

    Args:
        confusion: (C, C) pixel counts, rows true.
        maps: Label maps over the C classes.
        draws: How many random maps for each.
        level: Share of them inside the band, 0..1.
        seed: Seed or generator.

    Returns:
        (M, 2) float64 low and high quantile of the accuracy, 0..1; NaN where no pixel is scored.
    """
    draw, counts = np.random.default_rng(seed), np.asarray(confusion, np.float64)
    total = np.asarray(counts.sum())
    ends = np.empty((len(maps), 2))
    for row, label_map in enumerate(maps):
        dealt = draw.permuted(np.tile(label_map.group_of, (draws, 1)), axis=1)
        together = dealt[:, :, None] == dealt[:, None, :]
        right = together.reshape(draws, -1) @ counts.ravel()
        ends[row] = np.quantile(ratio(right, total), [(1 - level) / 2, (1 + level) / 2])
    return ends


def _named(confusion: npt.NDArray[Any], assignments: npt.NDArray[np.int64]) -> dict[str, Floats]:
    priors = label_priors(confusion)
    identity = np.arange(len(confusion))[None]
    measured = measure_maps(
        confusion, np.concatenate([identity, assignments]), {"pixel": priors["pixel"]}
    )
    measured["honest_accuracy"] = np.minimum(
        ratio(measured["information"], measured["entropy pixel"]), 1.0
    )
    measured["retained_entropy"] = ratio(measured["entropy pixel"], measured["entropy pixel"][:1])
    return {name: measured[name][1:] for name in NULL_SCORES}
