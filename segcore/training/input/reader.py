"""Samples as a network takes them: prepared, resized, labels merged, cached within a budget."""

import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.preprocessing import prepare
from segcore.data.augmentation.transforms import Augmentation
from segcore.data.augmentation.transforms import draw as draw_augmentation
from segcore.data.bands.learned import LearnedBands, check_pictures
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.masks import resize_mask
from segcore.errors import SegcoreError
from segcore.labels import LabelMap, LabelSet

CACHE_BYTES = 2 << 30

Image = npt.NDArray[Any]
"""(h, w, 3) uint8 RGB, or (h, w, N) float32 where bands keep their values."""

Mask = npt.NDArray[Any]


class SampleReader:
    """Decoded and resized samples, kept in memory while a budget lasts.

    Args:
        dataset: The dataset with the samples.
        size: (height, width) to resize to.
        label_map: Merge of labels, applied to the masks; None for none.
        cache_bytes: Memory that decoded samples may take, in bytes; 0 keeps none.
        preprocessing: A name in ``catalog.PREPROCESSING``.
        bands: The channels that the network was or is trained on; None for pictures.

    Attributes:
        label_set: The classes after the merge.
        crops: Whether samples are cropped at their own resolution instead of resized.

    Raises:
        SegcoreError: The dataset holds other channels than the network takes.
    """

    crops = False

    def __init__(
        self,
        dataset: Dataset,
        size: tuple[int, int],
        label_map: LabelMap | None = None,
        cache_bytes: int | None = None,
        preprocessing: str = "none",
        bands: LearnedBands | None = None,
    ) -> None:
        check_channels(bands, dataset, preprocessing)
        self.bands = bands
        self.dataset = dataset
        self.preprocessing = preprocessing
        self.size = size
        self.label_map = label_map
        self.label_set: LabelSet = (
            dataset.label_set if label_map is None else label_map.merge_label_set(dataset.label_set)
        )
        self._room = cache_budget() if cache_bytes is None else cache_bytes
        self._kept: dict[str, tuple[Image, Mask]] = {}

    def labels(self) -> dict[str, Any]:
        """Return the network's classes and the label map that made them, ready for JSON."""
        return {
            "label_set": self.label_set.to_json(),
            "label_map": None if self.label_map is None else self.label_map.to_json(),
        }

    def read(self, sample: Sample) -> tuple[Image, Mask]:
        """Return (image, mask (h, w)) at the reader's size; do not write to them.

        The image is (h, w, 3) uint8, or (h, w, N) float32 of bands.

        Raises:
            SegcoreError: A file is gone or damaged.
        """
        kept = self._kept.get(sample.id)
        if kept is not None:
            return kept
        pair = (
            resize_image(self.read_image(sample), self.size),
            resize_mask(self.read_mask(sample), self.size),
        )
        self.keep(sample.id, pair)
        return pair

    def keep(self, sample_id: str, pair: tuple[Image, Mask]) -> None:
        """Keep what was read while the budget lasts."""
        if self.spend(pair[0].nbytes + pair[1].nbytes):
            self._kept[sample_id] = pair

    def spend(self, needed: int) -> bool:
        """Take bytes from the budget of what is kept; whether there were so many left."""
        if needed > self._room:
            return False
        self._room -= needed
        return True

    def parts(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return what is read when all of some samples is: the samples themselves."""
        return list(samples)

    def drawn_pair(
        self, sample: Sample, augmentation: str, rng: np.random.Generator
    ) -> tuple[Image, npt.NDArray[Any]]:
        """Return an image and what is learned of it, augmented by a draw.

        Args:
            sample: Which one.
            augmentation: A name in ``catalog.AUGMENTATIONS``.
            rng: Source of all randomness.

        Raises:
            SegcoreError: A file is gone or damaged, or the augmentation is unknown.
        """
        return self.training_pair(sample, draw_augmentation(augmentation, rng, self.size))

    def training_pair(
        self, sample: Sample, draw: Augmentation | None = None
    ) -> tuple[Image, npt.NDArray[Any]]:
        """Return an image and what is learned of it, at the reader's size: its mask.

        A window is cropped from the sample at its own resolution if that is finer than the
        network's size: cropped from the resized image it would have to be enlarged again, and a
        rare object of a few pixels would be a blur.

        Args:
            sample: Which one.
            draw: An augmentation of the reader's size; None for none.

        Returns:
            Image (h, w, 3) uint8, or (h, w, N) float32 of bands, and mask (h, w); not to be
            written to.

        Raises:
            SegcoreError: A file is gone or damaged.
        """
        if draw is None:
            return self.read(sample)
        ignore = self.label_set.ignore_index
        if draw.crops and (sample.height > self.size[0] or sample.width > self.size[1]):
            image, mask = self.read_image(sample), self.read_mask(sample)
            window = draw.window(mask, ignore)
            if window is not None:
                pair = (
                    resize_image(window.cut(image), self.size),
                    resize_mask(window.cut(mask), self.size),
                )
                return draw.without_crop().apply(*pair, ignore, self.bands)
        return draw.apply(*self.read(sample), ignore, self.bands)

    def blank(self) -> tuple[Image, Mask]:
        """Return a blank image and a mask of ignored pixels, at the reader's size."""
        labels = self.label_set
        mask = np.full(self.size, labels.ignore_index, labels.mask_dtype)
        if self.bands is not None:
            channels = len(self.bands.mean)
            return np.full((*self.size, channels), self.bands.mean, np.float32), mask
        return np.zeros((*self.size, 3), np.uint8), mask

    def read_image(self, sample: Sample) -> Image:
        """Return the image at its own size as the network expects it.

        Returns:
            (H, W, 3) uint8, prepared; or (H, W, N) float32 of bands, a gap filled with the mean of
            its channel.

        Raises:
            SegcoreError: It is gone or damaged.
        """
        if self.bands is not None:
            return self.bands.fill(self.dataset.read_values(sample))
        return prepare(self.dataset.read_image(sample), self.preprocessing)

    def read_mask(self, sample: Sample) -> Mask:
        """Return the mask at its own size, (H, W) indices after the merge.

        Raises:
            SegcoreError: The sample has none, or it is damaged.
        """
        mask = self.dataset.read_mask(sample)
        return (
            mask if self.label_map is None else self.label_map.apply(mask, self.dataset.label_set)
        )


def check_channels(bands: LearnedBands | None, dataset: Dataset, preprocessing: str) -> None:
    """Refuse a dataset of other channels than a network takes, and what is not meant for bands.

    Raises:
        SegcoreError: It has others, or the preprocessing is one of pictures alone.
    """
    what = f"the dataset {dataset.name!r}"
    if bands is None:
        check_pictures(dataset.bands, what)
        return
    bands.check(dataset.bands, what)
    if preprocessing == "clahe":
        raise SegcoreError(
            "Expected the preprocessing none or standardise for bands that keep their values, "
            "received clahe, which evens the lightness of pictures: choose one of these."
        )


def cache_budget() -> int:
    """Return the bytes that a reader may keep: 2 GiB, or a quarter of the free memory if less."""
    return min(CACHE_BYTES, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)


def resize_image(image: Image, size: tuple[int, int]) -> Image:
    """Resize an image: area means where it shrinks, bilinear where it grows.

    Args:
        image: (H, W, D) uint8 or float32.
        size: (h, w).

    Returns:
        (h, w, D) of the same dtype.
    """
    height, width = size
    shrunk = (min(height, image.shape[0]), min(width, image.shape[1]))
    if shrunk != image.shape[:2]:
        image = _resized(image, shrunk, cv2.INTER_AREA)
    return image if image.shape[:2] == size else _resized(image, size, cv2.INTER_LINEAR)


def _resized(image: Image, size: tuple[int, int], how: int) -> Image:
    """Resize by OpenCV, which takes four channels at most and drops the axis of a single one."""
    depth, out = image.shape[2], (size[1], size[0])  # OpenCV says (width, height)
    parts = [
        cv2.resize(image[..., first : first + 4], out, interpolation=how).reshape(*size, -1)
        for first in range(0, depth, 4)
    ]
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
    return np.asarray(whole).astype(image.dtype, copy=False)
