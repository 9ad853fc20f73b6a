"""What a student's teachers answer: the mean of their stored probabilities, moved with the image.

The truth of a training batch is then (B, H, W, 1 + C) uint16: the class index, and the teachers'
probabilities in steps of 1 / :data:`STEPS`, all 0 where they say nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.soft_targets import move_targets
from segcore.data.augmentation.transforms import Augmentation
from segcore.data.bands.learned import LearnedBands
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.postprocess.ensemble import combine_to_size
from segcore.runs.folder.probabilities import decode, encode
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.input.reader import Image, Mask, SampleReader, cache_budget

STEPS = 2**16 - 1
"""Steps of a probability in a batch, and mask values that fit into one."""

Probabilities = npt.NDArray[np.float32]


class Teachers:
    """Mean probabilities of several runs over the samples of some splits.

    They are averaged once a sample and kept in memory as they are on disk (12 bits, packed) while a
    budget lasts; after that they are averaged again at each use.

    Args:
        runs: Folder of all runs of the workspace.
        names: Ids of the training runs; their predictions of each split are complete.
        size: (height, width) up to which the mean keeps its resolution.
        cache_bytes: Memory for packed means, in bytes; None for the usual budget.
    """

    def __init__(
        self,
        runs: Path,
        names: Sequence[str],
        size: tuple[int, int],
        cache_bytes: int | None = None,
    ) -> None:
        self.names = tuple(names)
        self._runs = runs
        self._size = size
        self._room = cache_budget() if cache_bytes is None else cache_bytes
        self._kept: dict[str, bytes] = {}
        self._lock = Lock()

    def read(self, sample: Sample, num_classes: int) -> Probabilities:
        """Return the mean (h, w, C) float32, rows sum to 1, at the teachers' resolution or less.

        Raises:
            SegcoreError: A teacher has no whole probabilities of the sample, or other classes.
        """
        packed = self._kept.get(sample.id)
        if packed is None:
            members = [self._stored(name, sample, num_classes) for name in self.names]
            height, width = members[0].shape[:2]
            grid = (min(height, self._size[0]), min(width, self._size[1]))
            packed = encode(combine_to_size(members, grid), (sample.height, sample.width))
            with self._lock:
                if len(packed) <= self._room and sample.id not in self._kept:
                    self._room -= len(packed)
                    self._kept[sample.id] = packed
        return decode(packed)[0]

    def check(self, samples: Sequence[Sample]) -> None:
        """Refuse samples that a teacher has not predicted.

        Raises:
            SegcoreError: One has no probabilities on disk.
        """
        for name in self.names:
            for split in dict.fromkeys(sample.split for sample in samples):
                there = RunFolder(self._runs / f"{name}--{split}").ids_with_probabilities(split)
                lacking = [s.id for s in samples if s.split == split and s.id not in there]
                if lacking:
                    raise SegcoreError(
                        f"Expected probabilities of the teacher {name!r} for every image of "
                        f"{split!r}, {len(lacking)} have none, for example {lacking[0]!r}: run "
                        f"'segscope predict {name} --split {split} --probabilities whole' first."
                    )

    def _stored(self, name: str, sample: Sample, num_classes: int) -> Probabilities:
        folder = RunFolder(self._runs / f"{name}--{sample.split}")
        probabilities, _ = folder.read_probabilities(sample.split, sample.id)
        if probabilities.shape[2] != num_classes:
            raise SegcoreError(
                f"Expected {num_classes} classes in the predictions of the teacher {name!r}, "
                f"received {probabilities.shape[2]}: choose teachers over the student's classes."
            )
        return probabilities


class DistillationReader(SampleReader):
    """Samples with what teachers answer, also where a pixel has no label.

    Args:
        teachers: The teachers.
        dataset: As :class:`SampleReader`.
        size: As :class:`SampleReader`.
        label_map: As :class:`SampleReader`.
        preprocessing: As :class:`SampleReader`.
        bands: As :class:`SampleReader`.
    """

    def __init__(
        self,
        teachers: Teachers,
        dataset: Dataset,
        size: tuple[int, int],
        label_map: LabelMap | None = None,
        preprocessing: str = "none",
        bands: LearnedBands | None = None,
    ) -> None:
        super().__init__(dataset, size, label_map, preprocessing=preprocessing, bands=bands)
        self.teachers = teachers

    def read_mask(self, sample: Sample) -> Mask:
        """Return the mask as any reader does; of an image without one, ignored pixels alone."""
        if sample.mask is not None:
            return super().read_mask(sample)
        labels = self.label_set
        return np.full((sample.height, sample.width), labels.ignore_index, labels.mask_dtype)

    def training_pair(
        self, sample: Sample, draw: Augmentation | None = None
    ) -> tuple[Image, npt.NDArray[Any]]:
        """Return an image and its truth (h, w, 1 + C) uint16, both moved by the same draw.

        Raises:
            SegcoreError: A file is gone or damaged, or a teacher lacks the sample.
        """
        image, mask = super().training_pair(sample, draw)
        targets = self.teachers.read(sample, self.label_set.num_classes)
        planes = np.ascontiguousarray(targets.transpose(2, 0, 1))
        if draw is None:
            moved = move_targets(Augmentation(self.size), planes, mask, 0)
        else:
            finer = sample.height > self.size[0] or sample.width > self.size[1]
            whole = self.read_mask(sample) if draw.crops and finer else self.read(sample)[1]
            moved = move_targets(draw, planes, whole, self.label_set.ignore_index)
        truth = np.empty((*self.size, 1 + len(moved)), np.uint16)
        truth[..., 0] = mask
        np.rint(moved.transpose(1, 2, 0) * np.float32(STEPS), out=truth[..., 1:], casting="unsafe")
        return image, truth
