"""One image of a CRF search: members combined, each step tried, everything counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.config import CRFSearchConfig
from segcore.data.dataset.dataset import Sample
from segcore.evaluation.comparison.crf_effect import Outcome
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.boundary import border_distances, boundary_iou, count_boundary
from segcore.evaluation.metrics.calibration import sample_pixels
from segcore.light_worker.members import Members
from segcore.postprocess.components import apply_filter
from segcore.postprocess.crf_gain import count_changes
from segcore.postprocess.crf_search import Choice
from segcore.postprocess.dense_crf import DenseCRF
from segcore.postprocess.ensemble import combine_to_size
from segcore.postprocess.parameters import DECODINGS, MaskFilter

FIT_PIXELS = 2000
"""Temperature is fitted on so many pixels of each image."""

COMPONENT_SHARES = (0.0002, 0.001, 0.004)
"""Sizes of small components that are tried, as shares of an image's pixels."""

Step = Choice | MaskFilter
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SearchTask:
    """One image and the steps to try on it.

    Attributes:
        members: The members, with a dataset cut down to this one sample.
        config: The search.
        steps: CRFs, filters, and None for neither.
    """

    members: Members
    config: CRFSearchConfig
    steps: tuple[Step, ...] = ()

    @property
    def sample(self) -> Sample:
        """The sample."""
        return self.members.dataset.samples[0]

    def combined(self) -> npt.NDArray[np.float32]:
        """Return the combination of the members at the sample's size, (H, W, C) float32."""
        size = (self.sample.height, self.sample.width)
        return combine_to_size(
            self.members.read(self.sample), size, self.config.rule, self.config.weights or None
        )


def draw_pixels(task: SearchTask) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Draw some scored pixels of one image: (n, C) probabilities and (n,) true indices."""
    seed = [task.config.seed, sum(task.sample.id.encode())]
    truth = task.members.truth(task.sample)
    return sample_pixels(
        task.combined(),
        truth,
        task.members.label_set.ignore_index,
        FIT_PIXELS,
        np.random.default_rng(seed),
    )


def count_steps(task: SearchTask) -> Counts:
    """Count one image after each step.

    Returns:
        (steps, C, C + 2 + 4 bands) int64: confusion, boundary intersection and union, and the
        changes against no step.

    Raises:
        SegcoreError: Something on disk is missing or damaged.
    """
    labels, truth, probabilities = (
        task.members.label_set,
        task.members.truth(task.sample),
        task.combined(),
    )
    size, before = labels.num_classes, probabilities.argmax(axis=-1)
    image, distances = (
        task.members.dataset.read_image(task.sample),
        border_distances(truth, labels.ignore_index),
    )
    rows = []
    for step in task.steps:
        if step is None:
            mask = before
        elif isinstance(step, MaskFilter):
            mask = apply_filter(step, probabilities)
        else:
            mask = DenseCRF(step).refine(probabilities, image).argmax(axis=-1)
        mask = mask.astype(labels.mask_dtype)
        changes = count_changes(truth, before, mask, distances, size)  # (bands, C, 4)
        parts = [
            count_confusion(truth, mask, size, labels.ignore_index),
            count_boundary(truth, mask, size, labels.ignore_index),
            changes.transpose(1, 0, 2).reshape(size, -1),
        ]
        rows.append(np.concatenate(parts, axis=1))
    return np.stack(rows)


@dataclass(frozen=True, eq=False)
class StepCounts:
    """What one image counted after one step, only numbers that are not 0.

    Attributes:
        places: Where they are in the flattened (C, C + 2 + 4 bands), ascending int32.
        values: The numbers, int64.
        shape: (C, C + 2 + 4 bands).
    """

    places: npt.NDArray[np.int32]
    values: Counts
    shape: tuple[int, int]

    @staticmethod
    def of(counts: Counts) -> "StepCounts":
        """Pack (C, C + 2 + 4 bands)."""
        flat = counts.reshape(-1)
        places = np.flatnonzero(flat)
        return StepCounts(places.astype(np.int32), flat[places], (len(counts), counts.shape[1]))

    def unpack(self) -> Counts:
        """Return the whole (C, C + 2 + 4 bands)."""
        out = np.zeros(self.shape, np.int64)
        out.reshape(-1)[self.places] = self.values
        return out


def outcome_of(counts: Sequence[StepCounts]) -> Outcome:
    """Put what N images counted after one step together."""
    images, (size, width) = len(counts), counts[0].shape
    bands = (width - size - 2) // 4
    confusion = []
    boundary = np.zeros((images, size, 2), np.int64)
    class_changes = np.zeros((size, 4), np.int64)
    band_changes = np.zeros((images, bands, 4), np.int64)
    for number, one in enumerate(counts):
        whole = one.unpack()
        confusion.append(SampleCounts.stack([whole[:, :size]]))
        boundary[number] = whole[:, size : size + 2]
        changes = whole[:, size + 2 :].reshape(size, bands, 4)
        class_changes += changes.sum(1)
        band_changes[number] = changes.sum(0)
    return Outcome(SampleCounts.join(confusion), boundary, class_changes, band_changes)


def objective_score(counts: Counts, objective: str) -> float:
    """Score summed counts, (C, C + 2 + 4 bands), by a name in ``catalog.CRF_OBJECTIVES``."""
    size = len(counts)
    values = {
        "mean_iou": float(scores.mean_iou(counts[:, :size])),
        "boundary_iou": float(scores.mean_present(boundary_iou(counts[:, size : size + 2]))),
    }
    return values[objective] if objective in values else sum(values.values()) / len(values)


def plain_filters(pixels: float) -> tuple[MaskFilter, ...]:
    """Return the filters that are compared with the CRF on images of so many pixels."""
    components = [
        MaskFilter("components", max(2, round(share * pixels))) for share in COMPONENT_SHARES
    ]
    windows = [
        MaskFilter(kind, size)
        for kind, size in (("median", 3), ("median", 5), ("majority", 5), ("majority", 9))
    ]
    decodings = [MaskFilter(kind) for kind in DECODINGS]
    return tuple(dict.fromkeys([*components, *windows, *decodings]))
