"""Editing the masks of a dataset: versions, who saved them, and which runs were trained on older ones."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore import acting
from segcore.data.editing.differences import ClassChange, class_changes
from segcore.data.editing.versions import (
    MaskVersion,
    current,
    edited_samples,
    mask_history,
    read_version,
    restore_version,
    save_mask,
)
from segcore.data.files.masks import read_ids
from segcore.errors import SegcoreError
from segcore.runs.folder.environment import read_environment
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes

PROPOSERS = ("train", "evaluate", "imported")
"""Kinds of runs whose predictions can be taken over into a mask."""


CONFIDENCE_SIDE = 1024
"""Longer side, in pixels, that confidence is kept at: it varies slowly, and 59 classes are many."""


@dataclass(frozen=True, eq=False)
class OpenedMask:
    """A mask as it was opened for editing.

    Attributes:
        mask: (H, W) of the label set's ``mask_dtype``; all ``ignore_index`` where there is none yet.
        digest: What a save is based on, see :meth:`MaskEdits.save`.
        version: Number of the version; 0 where there is no mask yet.
        class_ids: Ids of the classes that its indices stand for, by position.
    """

    mask: npt.NDArray[Any]
    digest: str
    version: int
    class_ids: tuple[int, ...]


@dataclass(frozen=True)
class MaskHistory:
    """The versions of one mask.

    Attributes:
        dataset: Name of the dataset.
        sample: Id of the image.
        versions: The oldest first.
        in_use: Number of the version in use; 0 for none.
    """

    dataset: str
    sample: str
    versions: tuple[MaskVersion, ...]
    in_use: int


@dataclass(frozen=True, eq=False)
class Proposal:
    """What a run or an ensemble would draw.

    Attributes:
        mask: (H, W) class indices.
        confidence: (h, w) float32, 0..1: the probability of the class shown, reduced to
            :data:`CONFIDENCE_SIDE` where the image is larger; None where only masks were kept.
    """

    mask: npt.NDArray[Any]
    confidence: npt.NDArray[np.float32] | None


class MaskEdits:
    """The masks of a workspace's datasets, edited."""

    def __init__(self, datasets: Datasets, runs: Runs, scenes: Scenes) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scenes = scenes

    def open(self, name: str, sample: str) -> OpenedMask:
        """Open a mask for editing.

        Raises:
            SegcoreError: There is no such dataset or sample, or its mask cannot be read.
        """
        dataset = self._datasets.open(name)
        row = dataset.sample(sample)
        used = current(mask_history(dataset, sample), row)
        mask = dataset.read_mask(row) if row.mask is not None else dataset.empty_mask(row)
        ids = tuple(dataset.label_set.class_ids)
        return OpenedMask(mask, row.mask_digest, used.number if used else 0, ids)

    @writes("change a mask", "Changed the mask of {sample} in the dataset {name}")
    def save(
        self,
        name: str,
        sample: str,
        mask: npt.NDArray[Any],
        *,
        based_on: str,
        author: str = "",
        origin: str = "editor",
        class_ids: tuple[int, ...] | None = None,
        split: str = "train",
    ) -> MaskVersion:
        """Save a mask as the version in use, see :func:`segcore.data.editing.versions.save_mask`.

        Args:
            name: Name of the dataset.
            sample: Id of the image.
            mask: (H, W) class indices or ``ignore_index``.
            based_on: ``digest`` of the mask as it was opened.
            author: Who saves it; "" for who acts.
            origin: What it was made from: "editor", "prediction of r003".
            class_ids: ``class_ids`` of the mask as it was opened; None for the classes of now.
            split: The split that an unlabelled image joins.

        Raises:
            MaskChanged: Somebody else saved it meanwhile; this one is kept aside.
            SegcoreError: The mask does not fit, or the folder cannot be written.
        """
        folder = self._datasets.open(name).folder
        return save_mask(
            folder,
            sample,
            mask,
            based_on=based_on,
            author=author or acting.person().name,
            origin=origin,
            class_ids=class_ids,
            split=split,
        )

    @writes("change a mask", "Changed the mask of {sample} in the dataset {name}")
    def save_file(
        self, name: str, sample: str, file: Path, author: str = "", split: str = "train"
    ) -> MaskVersion:
        """Save a file of class indices as the mask in use; an unlabelled image joins ``split``.

        Raises:
            SegcoreError: The file is no mask of this image's size and of this dataset's classes.
        """
        opened = self.open(name, sample)
        origin = f"file {file.name}"
        mask = read_ids(file)
        return self.save(
            name,
            sample,
            mask,
            based_on=opened.digest,
            author=author,
            origin=origin,
            split=split,
        )

    @writes(
        "restore a mask", "Restored version {number} of the mask of {sample} in the dataset {name}"
    )
    def restore(
        self, name: str, sample: str, number: int, *, based_on: str, author: str = ""
    ) -> MaskVersion:
        """Put an earlier version back in use, as a new version.

        Raises:
            MaskChanged: Somebody saved this mask since its history was shown.
            SegcoreError: There is no such version, or the folder cannot be written.
        """
        folder = self._datasets.open(name).folder
        return restore_version(
            folder, sample, number, based_on=based_on, author=author or acting.person().name
        )

    def proposers(self, name: str, sample: str) -> list[str]:
        """Return the runs and ensembles that predicted an image in its dataset's own classes.

        Raises:
            SegcoreError: There is no such dataset or sample.
        """
        split = self._datasets.open(name).sample(sample).split
        if not split:
            return []
        return [
            row.run
            for row in self._runs.rows()
            if row.kind in PROPOSERS
            and row.dataset == name
            and row.status.state == "finished"
            and self._predicted(row.run, split, sample)
        ]

    def _predicted(self, run: str, split: str, sample: str) -> bool:
        try:
            if self._scenes.label_map_of(run) is not None:
                return False
            predicted = self._scenes.predicted_samples(run, split)
        except SegcoreError:  # a damaged run proposes nothing
            return False
        return any(one.id == sample for one in predicted)

    def proposal(self, name: str, sample: str, run: str) -> Proposal:
        """Return what a run predicts for an image.

        Raises:
            SegcoreError: It was not predicted, or its files are damaged.
        """
        row = self._datasets.open(name).sample(sample)
        mask = self._scenes.prediction(run, row.split, sample)
        if not self._scenes.has_probabilities(run, row.split, sample, approximate=True):
            return Proposal(mask, None)
        ratio = min(1.0, CONFIDENCE_SIDE / max(row.height, row.width))
        size = max(1, round(row.height * ratio)), max(1, round(row.width * ratio))
        probabilities = self._scenes.probabilities(
            run, row.split, sample, approximate=True, size=size
        )
        return Proposal(mask, probabilities.max(axis=-1))

    def history(self, name: str, sample: str) -> MaskHistory:
        """Return the versions of a mask.

        Raises:
            SegcoreError: There is no such dataset or sample, or the history is damaged.
        """
        dataset = self._datasets.open(name)
        versions = mask_history(dataset, sample)
        used = current(versions, dataset.sample(sample))
        return MaskHistory(name, sample, versions, used.number if used else 0)

    def version(self, name: str, sample: str, number: int) -> npt.NDArray[Any]:
        """Return a version of a mask in the classes of today, (H, W).

        Raises:
            SegcoreError: There is no such version, or it cannot be read.
        """
        return read_version(self._datasets.open(name), sample, number)

    def difference(
        self, name: str, sample: str, first: int, second: int
    ) -> tuple[ClassChange, ...]:
        """Return the pixels that differ between two versions, by class before and after.

        Raises:
            SegcoreError: There is no such version, or one cannot be read.
        """
        before, after = (self.version(name, sample, number) for number in (first, second))
        return class_changes(before, after)

    def edited(self, name: str) -> list[str]:
        """Return the ids of the images whose mask was edited, in the dataset's order.

        Raises:
            SegcoreError: There is no such dataset, or a history is damaged.
        """
        return edited_samples(self._datasets.open(name))

    def edited_since(self, run: str) -> list[str]:
        """Return the images whose mask was saved after a run read its data; [] where unknown.

        Raises:
            SegcoreError: There is no such run or dataset, or a history is damaged.
        """
        opened = self._runs.open(run)
        starts, name = read_environment(opened.folder), opened.config.dataset
        began = starts[-1].time if starts else None
        if began is None or name not in self._datasets.names():
            return []
        return edited_samples(self._datasets.open(name), began)
