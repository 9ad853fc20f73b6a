"""The report of one evaluation: what was measured, by which protocol, how sure it is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import Interval, bootstrap
from segcore.evaluation.counts.confusion import ConfusionMatrix
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelSet, color_to_hex
from segcore.text_files import as_json, format_rows

ABSENT_CLASS_POLICY = (
    "A class absent from truth and prediction has no score and is left out of means."
)
COLUMNS = ("id", "name", "support", "iou", "dice", "precision", "recall", "iou_low", "iou_high")

HEADLINES = ("mean_iou", "mean_iou_in_truth", "pixel_accuracy")
"""Scores over the set that a report gives an interval of."""


def plain(value: float) -> float | None:
    """Return a JSON-ready number: None for NaN and infinity."""
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True)
class Protocol:
    """What two reports must share before their scores may be compared.

    Attributes:
        dataset: Name or fingerprint of the dataset; "" when unknown.
        split: Which split was scored.
        num_samples: How many images.
        size: (height, width) at which was counted, the mask's own size; None when images differ or
            it is unknown.
        ignore_index: The mask value that was not scored.
        class_names: The scored classes in index order.
        absent_class: What happens to a class that is in neither truth nor prediction.
        truth: Sum of true pixels of each class, in index order.
        seen: How many of the images training has seen, as a sentence; "" where none is known.
        ignored: Name and colour of the classes that are not scored.
    """

    dataset: str
    split: str
    num_samples: int
    size: tuple[int, int] | None
    ignore_index: int
    class_names: tuple[str, ...]
    absent_class: str = ABSENT_CLASS_POLICY
    truth: tuple[int, ...] = ()
    seen: str = ""
    ignored: tuple[str, ...] = ()

    def sentence(self) -> str:
        """State the protocol in words."""
        where = f"{self.size[0]} x {self.size[1]} pixels" if self.size else "each mask's own size"
        source = f" of {self.dataset}" if self.dataset else ""
        left_out = f"mask value {self.ignore_index} is not scored"
        if self.ignored:
            left_out = f"ignored: {', '.join(self.ignored)}"
        return (
            f"Counted on {self.num_samples} images of split {self.split or 'all'}{source} "
            f"at {where}; "
            f"{left_out}; {len(self.class_names)} "
            f"classes. {self.absent_class}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping that :meth:`from_json` reads."""
        data: dict[str, Any] = as_json(self)
        return data

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Protocol":
        """Rebuild what :meth:`to_json` returned; other keys are passed over."""
        kept = {key: data[key] for key in Protocol.__dataclass_fields__ if key in data}
        frozen: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()
        }
        return Protocol(**frozen)

    def differences(self, other: "Protocol") -> list[str]:
        """Return why scores under the two protocols are not comparable; [] when they are."""
        words = {
            "dataset": "datasets",
            "split": "splits",
            "num_samples": "numbers of images",
            "size": "sizes",
            "ignore_index": "ignored values",
            "class_names": "classes",
            "absent_class": "absent-class policies",
        }
        mine, theirs = asdict(self), asdict(other)
        found = [
            f"Not comparable: different {word} ({mine[key]} against {theirs[key]})."
            for key, word in words.items()
            if mine[key] != theirs[key]
        ]
        if not found and self.truth and other.truth and self.truth != other.truth:
            found.append("Not comparable: the ground-truth masks differ.")
        return found


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class over a set of images, 0 to 1; None for what is undefined.

    Attributes:
        id: The user's id of the class.
        name: Its name.
        iou: Intersection over union.
        dice: Dice score.
        precision: Share of the predicted pixels that are correct.
        recall: Share of the true pixels that are found.
        specificity: Share of the other pixels that are not predicted as the class.
        support: True pixels.
        interval: [low, high] of the IoU.
        units: How many of the drawn images or groups hold the class.
    """

    id: int
    name: str
    iou: float | None
    dice: float | None
    precision: float | None
    recall: float | None
    specificity: float | None
    support: int
    interval: list[float | None]
    units: int


@dataclass(frozen=True)
class ImageScores:
    """Scores of one image, 0 to 1; None for what is undefined.

    Attributes:
        id: Its id.
        mean_iou: Mean IoU.
        pixel_accuracy: Share of correct pixels.
        support: Scored pixels.
    """

    id: str
    mean_iou: float | None
    pixel_accuracy: float | None
    support: int


@dataclass(frozen=True)
class Summary:
    """The numbers of a :class:`Report` as pages and files show them; None for what is undefined.

    ``mean_iou`` and all scores are over the set (counts of all images added up);
    ``mean_over_images`` holds the means of the images' own scores.

    Attributes:
        split: Which split was scored.
        num_samples: How many images.
        ignored_share: Ignored pixels / all pixels, 0 to 1.
        mean_iou: Mean IoU, 0 to 1.
        pixel_accuracy: Share of correct pixels, 0 to 1.
        classes: The scores of each class, in index order.
        interval: [low, high] of each score in :data:`HEADLINES`.
        how_sure: How the intervals were made.
        scores: Each score of ``scores.SET_SCORES``.
        mean_over_images: The means of the same over images.
        statement: The protocol in words.
        images: The scores of each image, hardest first.
    """

    split: str
    num_samples: int
    ignored_share: float | None
    mean_iou: float | None
    pixel_accuracy: float | None
    classes: tuple[ClassScores, ...]
    interval: dict[str, list[float | None]]
    how_sure: str
    scores: dict[str, float | None]
    mean_over_images: dict[str, float | None]
    statement: str
    images: tuple[ImageScores, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """All scores of one set of images, as :func:`evaluate` returns them.

    Attributes:
        protocol: What was measured, and how.
        label_set: The classes.
        sample_ids: Ids of the images, length N.
        counts: (N, C, C) pixel counts of each image, rows true, columns predicted.
        ignored_share: Ignored pixels / all pixels, 0..1; NaN when sizes are unknown.
        intervals: By name: one for each of :data:`HEADLINES`, and of "iou" one for each class.
        groups: Group of each image when groups were drawn, else None.
        drawn: One sentence on why groups or images were drawn; "" where there is nothing to say.
    """

    protocol: Protocol
    label_set: LabelSet
    sample_ids: tuple[str, ...]
    counts: SampleCounts
    ignored_share: float
    intervals: dict[str, tuple[Interval, ...]]
    groups: tuple[str, ...] | None = None
    drawn: str = ""

    @property
    def confusion(self) -> ConfusionMatrix:
        """The counts of all images together."""
        return ConfusionMatrix(self.counts.total, tuple(self.label_set.class_names))

    def interval(self, name: str = "mean_iou") -> Interval:
        """The interval of a name in :data:`HEADLINES`."""
        return self.intervals[name][0]

    def image_scores(self) -> dict[str, npt.NDArray[np.float64]]:
        """Each score of ``scores.SET_SCORES`` for each image, (N,) float64."""
        return {name: function(self.counts) for name, function in scores.SET_SCORES.items()}

    def hardest(self, name: str = "mean_iou") -> list[int]:
        """Positions of the images from the lowest score to the highest; undefined ones last."""
        values = scores.SET_SCORES[name](self.counts)
        return [
            int(i) for i in np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")
        ]

    def summary(self) -> Summary:
        """Return the scores as plain numbers."""
        images = self.image_scores()
        support = self.counts.sum((1, 2))
        over_set = {
            name: plain(float(function(self.confusion.counts)))
            for name, function in scores.SET_SCORES.items()
        }
        return Summary(
            split=self.protocol.split,
            num_samples=len(self.sample_ids),
            ignored_share=plain(self.ignored_share),
            mean_iou=over_set["mean_iou"],
            pixel_accuracy=over_set["pixel_accuracy"],
            classes=self._classes(),
            interval={name: self.interval(name).ends() for name in HEADLINES},
            how_sure=" ".join(
                filter(None, (self.protocol.seen, self.interval().how(), self.drawn))
            ),
            scores=over_set,
            mean_over_images={
                name: plain(float(scores.mean_present(v))) for name, v in images.items()
            },
            statement=self.protocol.sentence(),
            images=tuple(
                ImageScores(
                    self.sample_ids[i],
                    plain(images["mean_iou"][i]),
                    plain(images["pixel_accuracy"][i]),
                    int(support[i]),
                )
                for i in self.hardest()
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Return :meth:`summary` as a JSON-ready mapping, with the confusion and the protocol."""
        mean = self.interval()
        return {
            **as_json(self.summary()),
            "size": as_json(self.protocol.size),
            "confusion": self.confusion.counts.tolist(),
            "protocol": {**self.protocol.to_json(), "resampled": mean.unit, **mean.origin()},
        }

    def _classes(self) -> tuple[ClassScores, ...]:
        total, support = self.confusion.counts, self.confusion.support
        table = {name: function(total) for name, function in scores.CLASS_SCORES.items()}
        own = self.intervals["iou"]
        return tuple(
            ClassScores(
                id=c.id,
                name=c.name,
                **{name: plain(values[i]) for name, values in table.items()},
                support=int(support[i]),
                interval=own[i].ends(),
                units=own[i].groups,
            )
            for i, c in enumerate(self.label_set.classes)
        )

    def label_scores(self) -> str:
        """Return the per-class table as CSV text, ``;`` between cells, undefined cells empty."""
        rows: list[Sequence[Any]] = [COLUMNS]
        for row in self._classes():
            cells = [getattr(row, name) for name in COLUMNS[:7]] + row.interval
            rows.append(
                ["" if v is None else f"{v:.6f}" if isinstance(v, float) else v for v in cells]
            )
        return format_rows(rows, ";")


def evaluate(
    counts: SampleCounts | npt.NDArray[Any],
    sample_ids: Sequence[str],
    label_set: LabelSet,
    split: str = "",
    *,
    sizes: Sequence[tuple[int, int]] | None = None,
    groups: Sequence[str] | None = None,
    dataset: str = "",
    resamples: int = 1000,
) -> Report:
    """Score a set of images from their confusion counts.

    Args:
        counts: (N, C, C) pixel counts at the masks' own size, one matrix for each image; rows true.
        sample_ids: Ids of the images, length N.
        label_set: The C classes.
        split: Name of the split, for the report.
        sizes: (height, width) of each mask, length N; gives the ignored share and the size of the
            report.
        groups: Group of each image; intervals then draw whole groups.
        dataset: Name or fingerprint, for the protocol.
        resamples: How often the images are drawn again for the intervals.

    Raises:
        SegcoreError: Counts that are none, or lengths or classes that do not fit.
    """
    counts = SampleCounts.of(counts)
    _check(counts, label_set, split, {"sample ids": sample_ids, "sizes": sizes, "groups": groups})
    pixels = sum(int(h) * int(w) for h, w in sizes) if sizes else 0
    ignored = (pixels - int(counts.sum())) / pixels if pixels else float("nan")
    if ignored < 0:
        raise SegcoreError(
            f"Expected at most {pixels} scored pixels, received {int(counts.sum())}: give "
            "each mask's own size."
        )
    distinct = {(int(h), int(w)) for h, w in sizes} if sizes else set()
    protocol = Protocol(
        dataset,
        split,
        len(counts),
        distinct.pop() if len(distinct) == 1 else None,
        label_set.ignore_index,
        tuple(label_set.class_names),
        truth=tuple(counts.sum((0, 2)).tolist()),
        ignored=tuple(
            c.name if c.name == (color := color_to_hex(c.color)) else f"{c.name} ({color})"
            for c in label_set.ignored
        ),
    )
    return Report(
        protocol,
        label_set,
        tuple(sample_ids),
        counts,
        ignored,
        _intervals(counts, groups, resamples),
        tuple(groups) if groups is not None else None,
    )


def _intervals(
    counts: SampleCounts, groups: Sequence[str] | None, resamples: int
) -> dict[str, tuple[Interval, ...]]:
    """The intervals of :data:`HEADLINES` and of each class's IoU, from the same resamples."""
    held = counts.held

    def together(block: scores.Counts) -> npt.NDArray[np.float64]:
        iou = scores.by_class(scores.iou, held)(block)
        in_truth = np.where(scores.parts(block)[1] > 0, iou, np.nan)
        head = (scores.mean_present(iou), scores.mean_present(in_truth))
        return np.column_stack([*head, scores.pixel_accuracy(block), iou])

    scored = np.repeat(np.asarray(counts.present.any(1))[:, None], len(HEADLINES), axis=1)
    intervals = bootstrap(
        [counts.margins()],
        {"all": together},
        groups=groups,
        resamples=resamples,
        held={"all": np.hstack([scored, counts.present])},
    )["all"]
    return {name: (intervals[i],) for i, name in enumerate(HEADLINES)} | {
        "iou": intervals[len(HEADLINES) :]
    }


def _check(
    counts: SampleCounts, label_set: LabelSet, split: str, lists: dict[str, Sequence[Any] | None]
) -> None:
    """Refuse counts, classes or lists by image that do not fit together."""
    if counts.shape[-1] != label_set.num_classes:
        raise SegcoreError(
            f"Expected counts over {label_set.num_classes} classes, received "
            f"{counts.shape[-1]}: choose the label set of the run."
        )
    for what, given in lists.items():
        if given is not None and len(given) != len(counts):
            raise SegcoreError(
                f"Expected {what} for {len(counts)} images, received {len(given)}: give "
                "one for each image."
            )
    if not len(counts):
        raise SegcoreError(
            f"Expected at least one image in split {split!r}, received none: choose a "
            "split that has masks."
        )
