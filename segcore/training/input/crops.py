"""Training on crops: many windows of each image at its own resolution, instead of the image shrunk.

A crop is as large as the network's input, so that nothing is resized: a scene of 9,900 x 9,900
pixels gives crops in which a car is as large as in the scene, and as prediction in tiles shows it.
Of a GeoTIFF only the crop is decoded.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.crops import choose_window
from segcore.data.augmentation.transforms import draw as draw_augmentation
from segcore.data.dataset.dataset import Sample, part_of
from segcore.data.files.images import frame_of
from segcore.data.files.windows import Window
from segcore.training.input.reader import Image, Mask, SampleReader


class CropReader(SampleReader):
    """Samples as crops of the network's size, at the images' own resolution.

    Attributes:
        crops: True: an epoch draws positions, and scoring goes over all parts of an image.
    """

    crops = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._parts: dict[str, tuple[Sample, Window]] = {}
        self._whole: dict[str, Mask] = {}

    def parts(self, samples: Sequence[Sample]) -> list[Sample]:
        """Return every part of some samples, as samples that this reader can read.

        Each pixel is in one part; the last ones of a row or column are filled up with ignored
        pixels when they are read.
        """
        height, width = self.size
        found = []
        for sample in samples:
            for top in range(0, sample.height, height):
                for left in range(0, sample.width, width):
                    window = Window(top, left, *self.size).within(sample.height, sample.width)
                    part = replace(sample, id=f"{sample.id}@{top}_{left}")
                    self._parts[part.id] = sample, window
                    found.append(part)
        return found

    def read(self, sample: Sample) -> tuple[Image, Mask]:
        """Return a part of :meth:`parts` and its mask (h, w), at the image's own resolution.

        Raises:
            SegcoreError: A file is gone or damaged.
        """
        if sample.id not in self._parts:
            return super().read(sample)
        kept = self._kept.get(sample.id)
        if kept is None:
            kept = self._cut(*self._parts[sample.id])
            self.keep(sample.id, kept)
        return kept

    def drawn_pair(
        self, sample: Sample, augmentation: str, rng: np.random.Generator
    ) -> tuple[Image, npt.NDArray[Any]]:
        """Return a crop at a drawn place, augmented.

        It is the first of ten with at most a quarter of ignored pixels, else the one with fewest;
        where the augmentation has crops round a class, so has this.

        Args:
            sample: The image.
            augmentation: A name in ``catalog.AUGMENTATIONS``.
            rng: Source of all randomness.

        Returns:
            Image (h, w, 3) uint8, or (h, w, N) float32 of bands, and mask (h, w) at the reader's size.

        Raises:
            SegcoreError: A file is gone or damaged.
        """
        draw = draw_augmentation(augmentation, rng, self.size)
        kind = "class" if "class_crop" in draw.parameters else "void"
        ignore = self.label_set.ignore_index
        window = choose_window(self._mask(sample), self.size, ignore, rng, kind)
        return draw.without_crop().apply(*self._cut(sample, window), ignore, self.bands)

    def _cut(self, sample: Sample, window: Window) -> tuple[Image, Mask]:
        """Read a part, filled up to the network's size with black, ignored pixels."""
        image, mask = self.blank()
        part = image[: window.height, : window.width]
        part[:] = self._pixels(sample, window)
        mask[: window.height, : window.width] = window.cut(self._mask(sample))
        return image, mask

    def _pixels(self, sample: Sample, window: Window) -> Image:
        """Read a part of an image; only an image that is stored turned is read whole."""
        if self.bands is None and sample.window is None:
            path = self.dataset.image_path(sample)
            if frame_of(path).orientation != 1:
                return window.cut(self.read_image(sample))
        return self.read_image(part_of(sample, window))

    def _mask(self, sample: Sample) -> Mask:
        """Return the whole mask of a sample, kept while the budget lasts: all its crops need it."""
        mask = self._whole.get(sample.id)
        if mask is None:
            mask = self.read_mask(sample)
            if self.spend(mask.nbytes):
                self._whole[sample.id] = mask
        return mask
