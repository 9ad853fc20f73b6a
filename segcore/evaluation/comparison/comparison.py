"""A against B on the same images: by how much, how sure, in which classes, and where each one wins."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Statistic, bootstrap, paired_difference
from segcore.evaluation.metrics.report import Report, plain

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of A minus scores of B; made by :func:`compare_reports`. NaN for what is undefined.

    Attributes:
        reasons: Why the two may not be compared, one sentence each; () when they may. All that
            follows is then empty.
        difference: Mean IoU of A minus that of B over the set.
        interval: (low, high) of it over resampled images, each image's pair kept together.
        p_value: Two-sided, by exchanging A and B at random within each image.
        units: How many images or groups were drawn from.
        class_ids: The user's ids of the C classes.
        class_names: Their names.
        class_iou: (2, C) IoU of A and of B.
        class_interval: (2, C) low and high of the difference of each class; not corrected for
            looking at many.
        sample_ids: Ids of the N images, those that A wins by most first, undefined ones last.
        image_iou: (2, N) mean IoU of A and of B in each of them.
    """

    reasons: tuple[str, ...]
    difference: float = float("nan")
    interval: tuple[float, float] = (float("nan"), float("nan"))
    p_value: float = float("nan")
    units: int = 0
    class_ids: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    class_iou: Floats = field(default_factory=lambda: np.empty((2, 0)))
    class_interval: Floats = field(default_factory=lambda: np.empty((2, 0)))
    sample_ids: tuple[str, ...] = ()
    image_iou: Floats = field(default_factory=lambda: np.empty((2, 0)))

    @property
    def wins(self) -> tuple[int, int, int]:
        """Images that A wins, that B wins, and that neither does."""
        a, b = self.image_iou
        return int((a > b).sum()), int((b > a).sum()), int((a == b).sum())

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; what is undefined is None."""
        (a, b), (low, high) = self.class_iou, self.class_interval
        return {
            "reasons": list(self.reasons),
            "difference": plain(self.difference),
            "interval": [plain(v) for v in self.interval],
            "p_value": plain(self.p_value),
            "units": self.units,
            "classes": [
                {
                    "id": self.class_ids[i],
                    "name": self.class_names[i],
                    "a": plain(a[i]),
                    "b": plain(b[i]),
                    "difference": plain(a[i] - b[i]),
                    "interval": [plain(low[i]), plain(high[i])],
                }
                for i in range(len(self.class_ids))
            ],
            "wins": dict(zip(("a", "b", "neither"), self.wins, strict=True)),
            "images": [
                {"id": name, "a": plain(x), "b": plain(y), "difference": plain(x - y)}
                for name, x, y in zip(self.sample_ids, *self.image_iou, strict=True)
            ],
        }


def compare_reports(
    a: Report, b: Report, *, resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> Comparison:
    """Compare two reports on the same images; where their protocols differ, say how, and compare nothing.

    Args:
        a: Report of A; its groups are drawn where it has some.
        b: Report of B; its images may stand in another order.
        resamples: Resamples of the intervals and of the p value.
        level: Nominal coverage of the intervals.
        seed: Seed of the draws.
    """
    reasons = a.protocol.differences(b.protocol)
    places = {name: position for position, name in enumerate(b.sample_ids)}
    if not reasons and set(a.sample_ids) != set(places):
        reasons = ["Not comparable: the scored images are others."]
    if not reasons:
        mine, theirs = a.counts, b.counts[[places[name] for name in a.sample_ids]]
        if not np.array_equal(mine.sum(2), theirs.sum(2)):
            reasons = ["Not comparable: the true masks hold other pixels."]
    if reasons:
        return Comparison(tuple(reasons))
    found = paired_difference(
        mine, theirs, scores.mean_iou, groups=a.groups, resamples=resamples, level=level, seed=seed
    )
    size = mine.shape[-1]
    both = np.zeros(
        (len(mine), 2 * size, 2 * size), np.int64
    )  # side by side, so that one draw resamples both
    both[:, :size, :size], both[:, size:, size:] = mine, theirs
    ends = bootstrap(
        both,
        {"iou": _difference(scores.iou, size)},
        groups=a.groups,
        resamples=resamples,
        level=level,
        seed=seed,
    )["iou"]
    images = np.stack([scores.mean_iou(mine), scores.mean_iou(theirs)])
    gain = images[0] - images[1]
    order = np.argsort(np.where(np.isnan(gain), np.inf, -gain), kind="stable")
    return Comparison(
        (),
        found.difference,
        (found.low, found.high),
        found.p_value,
        found.units,
        tuple(a.label_set.class_ids),
        tuple(a.label_set.class_names),
        np.stack([scores.iou(mine.sum(0)), scores.iou(theirs.sum(0))]),
        np.stack(ends),
        tuple(a.sample_ids[i] for i in order),
        images[:, order],
    )


def _difference(statistic: Statistic, size: int) -> Statistic:
    """Score of the upper left block minus that of the lower right one."""
    return lambda counts: (
        statistic(counts[..., :size, :size]) - statistic(counts[..., size:, size:])
    )
