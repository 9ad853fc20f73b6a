"""From samples on disk to batches: decode, resize, augment, in threads, in an order that a seed fixes.

A plain generator over a thread pool rather than ``tf.data``: decoding and resizing release the
interpreter's lock, nothing is traced, a resumed run starts in the middle of an epoch at no cost,
and every array is the same on every machine.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.dataset import Dataset, Sample
from segcore.data.plans import BalancePlan
from segcore.data.transforms import draw
from segcore.errors import SegcoreError
from segcore.labels import LabelMap, LabelSet

CACHE_BYTES = 2 << 30
PREFETCHED_BATCHES = 2
_ORDER, _DRAW = 1, 2

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[Any]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Batch:
    """Arrays of one step, always of the full batch size so that the network's graph is built once.

    Attributes:
        images: (B, H, W, 3) uint8 RGB, 0..255; the step turns them to float32 on the device.
        masks: (B, H, W) class indices, uint8 or uint16, with the ignored index.
        count: How many of the B are samples of their own; the rest are repeats (training) or blank and ignored.
    """

    images: Image
    masks: Mask
    count: int


class SampleReader:
    """Decoded and resized samples, kept in memory while a budget lasts.

    Args:
        dataset: Where the samples lie.
        size: (height, width) to resize to.
        label_map: Merge of labels, applied to the masks; None for none.
        cache_bytes: Memory that decoded samples may take, in bytes; 0 keeps none.

    Attributes:
        label_set: The classes after the merge.
    """

    def __init__(self, dataset: Dataset, size: tuple[int, int], label_map: LabelMap | None = None, cache_bytes: int | None = None) -> None:
        self.dataset = dataset
        self.size = size
        self.label_map = label_map
        self.label_set: LabelSet = dataset.label_set if label_map is None else label_map.merge_label_set(dataset.label_set)
        self._room = cache_budget() if cache_bytes is None else cache_bytes
        self._kept: dict[str, tuple[Image, Mask]] = {}

    def read(self, sample: Sample) -> tuple[Image, Mask]:
        """Return (image (h, w, 3) uint8, mask (h, w) indices) at the reader's size; not to be written to.

        Raises:
            SegcoreError: A file is gone or damaged.
        """
        kept = self._kept.get(sample.id)
        if kept is not None:
            return kept
        pair = (resize_image(self.dataset.read_image(sample), self.size), resize_mask(self.read_mask(sample), self.size))
        needed = pair[0].nbytes + pair[1].nbytes
        if needed <= self._room:
            self._room -= needed
            self._kept[sample.id] = pair
        return pair

    def read_mask(self, sample: Sample) -> Mask:
        """Return the mask at its own size, (H, W) indices after the merge.

        Raises:
            SegcoreError: The sample has none, or it is damaged.
        """
        mask = self.dataset.read_mask(sample)
        return mask if self.label_map is None else self.label_map.apply(mask, self.dataset.label_set)


def cache_budget() -> int:
    """Bytes that a reader may keep by itself: 2 GiB, or a quarter of the free memory where that is less."""
    return min(CACHE_BYTES, os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)


def resize_image(image: Image, size: tuple[int, int]) -> Image:
    """Resize an image: area means where it shrinks, bilinear where it grows.

    Args:
        image: (H, W, 3) uint8.
        size: (h, w).

    Returns:
        (h, w, 3) uint8.
    """
    height, width = size
    shrunk = (min(width, image.shape[1]), min(height, image.shape[0]))  # OpenCV says (width, height)
    if shrunk != (image.shape[1], image.shape[0]):
        image = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if image.shape[:2] != size:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    return image


def resize_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """Resize a mask to the nearest pixel centres, so that no label appears that was not there.

    Args:
        mask: (H, W) integer.
        size: (h, w).

    Returns:
        (h, w), same dtype.
    """
    if mask.shape == tuple(size):
        return mask
    rows, columns = ((2 * np.arange(n) + 1) * old // (2 * n) for n, old in zip(size, mask.shape, strict=True))
    return np.ascontiguousarray(mask[rows][:, columns])


def training_batches(
    reader: SampleReader,
    samples: Sequence[Sample],
    batch_size: int,
    *,
    seed: int,
    epoch: int,
    augmentation: str = "none",
    start: int = 0,
) -> Generator[Batch, None, None]:
    """Yield one epoch in a shuffled order, augmented; the last batch is filled up from the epoch's beginning.

    Order and augmentation are drawn from (seed, epoch) and (seed, epoch, position), so an epoch
    can be entered at any batch and be the same.

    Args:
        reader: Reads and keeps samples.
        samples: What to learn from; a sample may stand there several times, and is augmented anew each time.
        batch_size: B.
        seed: Seed of the run.
        epoch: Which epoch, from 0.
        augmentation: A name in ``catalog.AUGMENTATIONS``.
        start: First batch to yield.

    Raises:
        SegcoreError: A file is gone or damaged, or the augmentation is unknown.
    """
    order = np.random.default_rng((_ORDER, seed, epoch)).permutation(len(samples))

    def load(position: int) -> tuple[Image, Mask]:
        image, mask = reader.read(samples[order[position % len(order)]])
        if augmentation == "none":
            return image, mask
        rng = np.random.default_rng((_DRAW, seed, epoch, position))
        return draw(augmentation, rng, reader.size).apply(image, mask, reader.label_set.ignore_index)

    steps = -(-len(order) // batch_size)
    with closing(load_ahead(load, start * batch_size, steps * batch_size, batch_size)) as pairs:
        for step in range(start, steps):
            images, masks = zip(*islice(pairs, batch_size), strict=True)
            yield Batch(np.stack(images), np.stack(masks), min(batch_size, len(order) - step * batch_size))


def ordered_batches(reader: SampleReader, samples: Sequence[Sample], batch_size: int) -> Generator[Batch, None, None]:
    """Yield samples in order as they are; the last batch is filled up with blank images whose mask is all ignored.

    Args:
        reader: Reads and keeps samples.
        samples: What to yield.
        batch_size: B.

    Raises:
        SegcoreError: A file is gone or damaged.
    """
    with closing(load_ahead(lambda i: reader.read(samples[i]), 0, len(samples), batch_size)) as pairs:
        for first in range(0, len(samples), batch_size):
            count = min(batch_size, len(samples) - first)
            images = np.zeros((batch_size, *reader.size, 3), np.uint8)
            masks = np.full((batch_size, *reader.size), reader.label_set.ignore_index, reader.label_set.mask_dtype)
            for i, (image, mask) in enumerate(islice(pairs, count)):
                images[i], masks[i] = image, mask
            yield Batch(images, masks, count)


def load_ahead(load: Callable[[int], Item], first: int, end: int, batch_size: int) -> Generator[Item, None, None]:
    """Yield ``load(first)`` to ``load(end - 1)`` in order, loaded by threads a few batches ahead.

    Args:
        load: Position to item; runs in several threads at once.
        first: First position.
        end: One past the last position.
        batch_size: Items that are taken together; three times as many are held at most.

    Raises:
        SegcoreError: As ``load`` does.
    """
    positions = iter(range(first, end))
    ahead: deque[Future[Item]] = deque()
    pool = ThreadPoolExecutor(max(2, min(16, os.cpu_count() or 2)), "samples")
    try:
        while True:
            wanted = (PREFETCHED_BATCHES + 1) * batch_size - len(ahead)
            ahead.extend(pool.submit(load, position) for _, position in zip(range(wanted), positions, strict=False))
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def with_masks(dataset: Dataset, split: str) -> list[Sample]:
    """Return the samples of a split that have a mask.

    Raises:
        SegcoreError: The split is unknown, or none of its samples has a mask.
    """
    samples = [sample for sample in dataset.select(split) if sample.mask is not None]
    if not samples:
        raise SegcoreError(f"Expected masks in the split {split!r} of {dataset.name}, found none: choose a split with masks, or add them.")
    return samples


def planned_samples(dataset: Dataset, split: str, plan: str = "") -> list[Sample]:
    """Return the samples of a split that have a mask, each as often as a saved balance plan repeats it.

    Args:
        dataset: Where the samples and the plan lie.
        split: Name of the split.
        plan: Name of the plan; "" repeats nothing.

    Raises:
        SegcoreError: The split has no masks, or the plan is unknown, damaged, or for another split.
    """
    samples = with_masks(dataset, split)
    if not plan:
        return samples
    balance = BalancePlan.from_json(dataset.load_plan(plan))
    if balance.split not in ("", split):
        raise SegcoreError(f"Expected a balance plan for the split {split!r}, received one for {balance.split!r}: make one for this split.")
    by_id = {sample.id: sample for sample in samples}
    return [by_id[name] for name in balance.expand(list(by_id))]
