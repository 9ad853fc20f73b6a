"""A against B on the same images: by how much, how sure, in which classes, where each wins."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval, bootstrap, paired, swap_p_value
from segcore.evaluation.counts.verdicts import judge_difference, judge_many, many_of
from segcore.evaluation.metrics.report import Report, plain
from segcore.text_files import as_json

Floats = npt.NDArray[np.float64]

NOT_JUDGED = "not judged"
"""The verdict on a difference from a choice that was made on the same images."""

NOTHING = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class ClassDifference:
    """One class of A against B; None for what is undefined.

    Attributes:
        id: The user's id of the class.
        name: Its name.
        a: IoU of A, 0 to 1.
        b: IoU of B, 0 to 1.
        difference: IoU of A minus that of B, -1 to 1.
        interval: [low, high] of the difference, for this class alone.
        units: How many of the drawn images or groups hold the class.
        verdict: In one word, after correction for the number of classes.
    """

    id: int
    name: str
    a: float | None
    b: float | None
    difference: float | None
    interval: list[float | None]
    units: int
    verdict: str


@dataclass(frozen=True)
class ImageDifference:
    """One image of A against B, mean IoU 0 to 1; None for what is undefined.

    Attributes:
        id: Its id.
        a: Mean IoU of A.
        b: Mean IoU of B.
        difference: A minus B.
    """

    id: str
    a: float | None
    b: float | None
    difference: float | None


@dataclass(frozen=True)
class ComparisonSummary:
    """The numbers of a :class:`Comparison` as pages and files show them; None for the undefined.

    Attributes:
        reasons: Why the two may not be compared; () when they may.
        difference: Mean IoU of A minus that of B, -1 to 1.
        interval: [low, high] of it.
        how_sure: How the interval was made.
        verdict: In one word; "" where the two may not be compared.
        chosen: One sentence where A or B was chosen on these very images.
        p_value: Two-sided.
        classes: Each class, in index order.
        many: What the number of classes means for their verdicts.
        wins: Images that A wins, that B wins, and that neither does.
        images: Each image, those that A wins by most first.
    """

    reasons: tuple[str, ...]
    difference: float | None
    interval: list[float | None]
    how_sure: str
    verdict: str
    chosen: str
    p_value: float | None
    classes: tuple[ClassDifference, ...]
    many: str
    wins: tuple[int, int, int]
    images: tuple[ImageDifference, ...]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of A minus scores of B, from :func:`compare_reports`; NaN for what is undefined.

    Attributes:
        reasons: Why the two may not be compared, one sentence each; () when they may. All that
            follows is then empty.
        difference: Mean IoU of A minus that of B, each image's (or group's) pair kept together.
        p_value: Two-sided, by swapping A and B at random within each image or group.
        class_ids: The user's ids of the C classes.
        class_names: Their names.
        class_iou: (2, C) IoU of A and of B.
        class_difference: Difference of each class; each interval is for one class.
        sample_ids: Ids of the N images, those that A wins by most first, undefined ones last.
        image_iou: (2, N) mean IoU of A and of B in each of them.
        chosen: One sentence where A or B was chosen on these very images; nothing is judged then.
    """

    reasons: tuple[str, ...]
    difference: Interval = NOTHING
    p_value: float = float("nan")
    class_ids: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    class_iou: Floats = field(default_factory=lambda: np.empty((2, 0)))
    class_difference: tuple[Interval, ...] = ()
    sample_ids: tuple[str, ...] = ()
    image_iou: Floats = field(default_factory=lambda: np.empty((2, 0)))
    chosen: str = ""

    @property
    def wins(self) -> tuple[int, int, int]:
        """Images that A wins, that B wins, and that neither does."""
        a, b = self.image_iou
        return int((a > b).sum()), int((b > a).sum()), int((a == b).sum())

    def summary(self) -> ComparisonSummary:
        """Return the differences as plain numbers."""
        (a, b), verdicts = self.class_iou, judge_many(self.class_difference)
        if self.chosen:
            verdicts = [NOT_JUDGED] * len(verdicts)
        verdict = NOT_JUDGED if self.chosen else judge_difference(self.difference)
        return ComparisonSummary(
            reasons=self.reasons,
            difference=plain(self.difference.value),
            interval=self.difference.ends(),
            how_sure=self.difference.how(),
            verdict="" if self.reasons else verdict,
            chosen=self.chosen,
            p_value=plain(self.p_value),
            classes=tuple(
                ClassDifference(
                    id=self.class_ids[i],
                    name=self.class_names[i],
                    a=plain(a[i]),
                    b=plain(b[i]),
                    difference=plain(own.value),
                    interval=own.ends(),
                    units=own.groups,
                    verdict=verdicts[i],
                )
                for i, own in enumerate(self.class_difference)
            ),
            many="" if self.chosen else many_of(self.class_difference),
            wins=self.wins,
            images=tuple(
                ImageDifference(name, plain(x), plain(y), plain(x - y))
                for name, x, y in zip(self.sample_ids, *self.image_iou, strict=True)
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return :meth:`summary` as a JSON-ready mapping, with how the interval was made."""
        return {
            **as_json(self.summary()),
            **self.difference.origin(),
            "wins": dict(zip(("a", "b", "neither"), self.wins, strict=True)),
        }


def compare_reports(
    a: Report, b: Report, *, chosen: str = "", resamples: int = 1000, seed: int = 0
) -> Comparison:
    """Compare two reports on the same images, or say why their protocols do not allow it.

    Args:
        a: Report of A; its groups are drawn where it has some.
        b: Report of B; its images may are in another order.
        chosen: One sentence where A or B was chosen on these images; it is then not judged.
        resamples: Resamples of the intervals and of the p value.
        seed: Seed of the draws.
    """
    reasons = a.protocol.differences(b.protocol)
    places = {name: position for position, name in enumerate(b.sample_ids)}
    if not reasons and set(a.sample_ids) != set(places):
        reasons = ["Not comparable: the scored images are others."]
    if not reasons:
        theirs = b.counts[[places[name] for name in a.sample_ids]]
        if not np.array_equal(a.counts.true, theirs.true):
            reasons = ["Not comparable: the ground-truth masks differ."]
        elif a.groups is not None and b.groups is not None:
            ours = dict(zip(a.sample_ids, a.groups, strict=True))
            if any(ours[n] != g for n, g in zip(b.sample_ids, b.groups, strict=True)):
                reasons = ["Not comparable: the images are in different groups."]
    if reasons:
        return Comparison(tuple(reasons))
    mine, groups = a.counts, a.groups or _groups(a, b)
    held, parts = mine.held, (mine.margins(), theirs.margins())
    intervals = bootstrap(
        parts,
        {
            "mean_iou": paired(scores.mean_by_class(scores.iou, held)),
            "iou": paired(scores.by_class(scores.iou, held)),
        },
        groups=groups,
        resamples=resamples,
        seed=seed,
        held={"iou": mine.present},
    )
    images = np.stack([scores.mean_iou(mine), scores.mean_iou(theirs)])
    gain = images[0] - images[1]
    order = np.argsort(np.where(np.isnan(gain), np.inf, -gain), kind="stable")
    return Comparison(
        (),
        intervals["mean_iou"][0],
        swap_p_value(*parts, scores.mean_iou, groups=groups, resamples=resamples, seed=seed),
        tuple(a.label_set.class_ids),
        tuple(a.label_set.class_names),
        np.stack([scores.iou(mine.total), scores.iou(theirs.total)]),
        intervals["iou"],
        tuple(a.sample_ids[i] for i in order),
        images[:, order],
        chosen,
    )


def _groups(a: Report, b: Report) -> tuple[str, ...] | None:
    """The groups that only B knows, in the order of A's images."""
    if b.groups is None:
        return None
    known = dict(zip(b.sample_ids, b.groups, strict=True))
    return tuple(known[name] for name in a.sample_ids)
