"""One training pair as a draw of chance sees it: cut at the sample's own resolution, moved, recoloured, mixed."""

from collections.abc import Sequence

import numpy as np

from segcore.data.augmentation.transforms import cut_mix as mix
from segcore.data.augmentation.transforms import draw
from segcore.data.dataset.dataset import Sample
from segcore.training.reader import Image, Mask, SampleReader, resize_image, resize_mask


def augmented(
    reader: SampleReader, samples: Sequence[Sample], index: int, augmentation: str, rng: np.random.Generator, cut_mix: float = 0.0
) -> tuple[Image, Mask]:
    """Return one sample, augmented, and with the given chance a rectangle of another one in it.

    Args:
        reader: Reads and keeps samples.
        samples: What is learned from.
        index: Which of them.
        augmentation: A name in ``catalog.AUGMENTATIONS``.
        rng: Source of all randomness; the same state gives the same pair.
        cut_mix: Chance of a rectangle of another sample, 0..1 (Yun et al., ICCV 2019).

    Returns:
        Image (h, w, 3) uint8 and mask (h, w) at the reader's size; not to be written to.

    Raises:
        SegcoreError: A file is gone or damaged, or the augmentation is unknown.
    """
    first = _drawn(reader, samples[index], augmentation, rng)
    if cut_mix and rng.random() < cut_mix:
        other = samples[int(rng.integers(len(samples)))]
        return mix(first, _drawn(reader, other, augmentation, rng), rng)
    return first


def _drawn(reader: SampleReader, sample: Sample, augmentation: str, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Draw an augmentation and apply it.

    A window is cut out of the sample as it lies on disk where that is finer than the network's size: cut out of the resized
    one it would have to be enlarged again, and a rare thing of a few pixels would be a blur.
    """
    ignore = reader.label_set.ignore_index
    drawn = draw(augmentation, rng, reader.size)
    if drawn.crops and (sample.height > reader.size[0] or sample.width > reader.size[1]):
        image, mask = reader.read_image(sample), reader.read_mask(sample)
        window = drawn.window(mask, ignore)
        if window is not None:
            pair = resize_image(window.cut(image), reader.size), resize_mask(window.cut(mask), reader.size)
            return drawn.without_crop().apply(*pair, ignore)
    return drawn.apply(*reader.read(sample), ignore)
