"""The members of an ensemble on disk: dataset, labels, and probabilities sample by sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segcore.config import ImportedConfig, TrainConfig, shared_labels
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.labels import LabelMap, LabelSet
from segcore.postprocess.submodels import combine_submodels
from segcore.runs.folder.run_folder import RunFolder


@dataclass(frozen=True)
class Members:
    """Members over one split; small enough to send to another process once it holds one sample.

    Attributes:
        dataset: The dataset.
        split: The split that was predicted.
        predictions: Folders of the members' predict runs, in the order of the members.
        label_map: Merge of labels that the members were trained with, or None.
        parts: Of submodels each one's own merge, in the order of the members; empty for members
            that answer with the same classes.
        rule: How submodels are combined, a name in ``catalog.SUBMODEL_RULES``; "" for members that
            are none.
    """

    dataset: Dataset
    split: str
    predictions: tuple[Path, ...]
    label_map: LabelMap | None = None
    parts: tuple[LabelMap, ...] = ()
    rule: str = ""

    @property
    def label_set(self) -> LabelSet:
        """The classes that the members predict."""
        return (
            self.label_map.merge_label_set(self.dataset.label_set)
            if self.label_map
            else self.dataset.label_set
        )

    def read(self, sample: Sample) -> Iterator[npt.NDArray[np.float32]]:
        """Yield each member's probabilities, (h, w, C) float32, at its network's resolution.

        One member is in memory at a time.

        Submodels are combined here and yielded as one member, at the resolution of the first.

        Raises:
            SegcoreError: A member has none of this sample, or another number of classes than the
                's.
        """
        if self.parts:
            stored = [
                self._stored(*pair, sample)
                for pair in zip(self.predictions, (p.num_groups for p in self.parts), strict=True)
            ]
            yield combine_submodels(stored, self.parts, self.rule)
            return
        for folder in self.predictions:
            yield self._stored(folder, self.label_set.num_classes, sample)

    def _stored(self, folder: Path, classes: int, sample: Sample) -> npt.NDArray[np.float32]:
        probabilities, _ = RunFolder(folder).read_probabilities(self.split, sample.id)
        if probabilities.shape[2] != classes:
            raise SegcoreError(
                f"Expected {classes} classes in the predictions of {folder.name!r}, "
                f"received {probabilities.shape[2]}: "
                "the dataset's classes changed after it was trained; train the member again."
            )
        return probabilities

    def truth(self, sample: Sample) -> npt.NDArray[np.integer]:
        """Return a sample's ground-truth mask, (H, W) indices of :attr:`label_set`, or ignored.

        Raises:
            SegcoreError: It cannot be read.
        """
        mask = self.dataset.read_mask(sample)
        return self.label_map.apply(mask, self.dataset.label_set) if self.label_map else mask

    def made_from(self) -> dict[str, float | None]:
        """Return when each member's predictions were finished; it changes when they are remade."""
        return {folder.name: RunFolder(folder).status().finished for folder in self.predictions}


def find_members(run: RunFolder, dataset: str, members: Sequence[str], split: str) -> Members:
    """Find the members of a run in its workspace.

    Raises:
        SegcoreError: The dataset or a member is missing, or members do not fit together.
    """
    runs = run.folder.parent
    opened = Dataset.open(runs.parent / "datasets" / dataset)
    configs = []
    for member in members:
        trained = RunFolder.open(runs / member).config
        if not isinstance(trained, (TrainConfig, ImportedConfig)):
            raise SegcoreError(
                f"Expected training runs or imports as members, received {member!r} of kind "
                f"{trained.kind!r}: name what was trained."
            )
        configs.append(trained)
    name, rule = shared_labels(configs)
    predictions = tuple(
        runs / (member if isinstance(config, ImportedConfig) else f"{member}--{split}")
        for member, config in zip(members, configs, strict=True)
    )
    if rule:
        return Members(
            opened,
            split,
            predictions,
            parts=tuple(_own_map(runs / m, opened.label_set) for m in members),
            rule=rule,
        )
    return Members(opened, split, predictions, opened.load_label_map(name) if name else None)


def _own_map(folder: Path, label_set: LabelSet) -> LabelMap:
    """The merge of labels that a run was trained with, as it was then."""
    merge = RunFolder(folder).read_json("labels").get("label_map")
    return LabelMap.identity(label_set.num_classes) if merge is None else LabelMap.from_json(merge)


def scored_samples(members: Members) -> list[Sample]:
    """Return the samples of the split that have a ground-truth mask, in the dataset's order.

    Raises:
        SegcoreError: There is none.
    """
    samples = [s for s in members.dataset.select(members.split) if s.mask is not None]
    if not samples:
        raise SegcoreError(
            f"Expected images with masks in the split {members.split!r}, found none: "
            "choose a split that has masks."
        )
    return samples
