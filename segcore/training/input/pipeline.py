"""From samples on disk to batches: decode, resize, augment, in threads, in a seeded order.

A plain generator over a thread pool rather than ``tf.data``: decoding and resizing release the
interpreter's lock, nothing is traced, a resumed run starts in the middle of an epoch at no cost,
and every array is the same on every machine.

A training pair is cropped at the sample's own resolution, moved, recoloured and mixed by a seeded
draw.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np

from segcore.data.augmentation.transforms import cut_mix as mix
from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.labelled import with_masks
from segcore.errors import SegcoreError
from segcore.training.input.reader import (
    Image,
    Mask,
    SampleReader,
    cache_budget,
    resize_image,
)

__all__ = [
    "Batch",
    "EpochDraw",
    "SampleReader",
    "cache_budget",
    "load_ahead",
    "ordered_batches",
    "planned_samples",
    "resize_image",
    "training_batches",
    "with_masks",
]

PREFETCHED_BATCHES = 2
_ORDER, _DRAW = 1, 2

Item = TypeVar("Item")


@dataclass(frozen=True)
class Batch:
    """Arrays of one step, always of the full batch size so that the network's graph is built once.

    Attributes:
        images: (B, H, W, 3) uint8 RGB, 0..255; the step turns them to float32 on the device. Of
            bands that keep their values (B, H, W, N) float32. Of
            several machines each holds an equal slice of the B. With cached features they are rows
            of these, (B, L) float16.
        masks: (B, H, W) class indices, uint8 or uint16, with the ignored index; a slice likewise. A
            student's training batches hold its teachers' probabilities too (see ``teachers.py``).
        count: How many of the B are samples of their own; the rest are repeats (training) or blank
            and ignored.
    """

    images: Image
    masks: Mask
    count: int


@dataclass(frozen=True)
class EpochDraw:
    """What the order and the augmentation of one epoch are drawn from.

    Attributes:
        seed: Seed of the run.
        epoch: Which epoch, from 0.
        augmentation: A name in ``catalog.AUGMENTATIONS``.
        cut_mix: Share of the images that get a rectangle of another, 0..1.
    """

    seed: int
    epoch: int
    augmentation: str = "none"
    cut_mix: float = 0.0


def training_batches(
    reader: SampleReader,
    samples: Sequence[Sample],
    batch_size: int,
    draw: EpochDraw,
    *,
    start: int = 0,
    part: int = 0,
    parts: int = 1,
) -> Generator[Batch, None, None]:
    """Yield one epoch, shuffled and augmented; the last batch is filled from the epoch's beginning.

    Order and augmentation are drawn from (seed, epoch) and (seed, epoch, position), so an epoch
    can be entered at any batch and be the same.

    Args:
        reader: Reads and keeps samples.
        samples: The training samples; a repeated sample is augmented differently each time.
        batch_size: B.
        draw: What order and augmentation are drawn from.
        start: First batch to yield.
        part: Which of ``parts`` equal slices of each batch to load, from 0; the others are some
            other machine's.
        parts: How many slices there are; they divide the batch size.

    Raises:
        SegcoreError: A file is gone or damaged, or the augmentation is unknown.
    """
    order = np.random.default_rng((_ORDER, draw.seed, draw.epoch)).permutation(len(samples))

    def load(position: int) -> tuple[Image, Mask]:
        index = order[position % len(order)]
        if draw.augmentation == "none" and not draw.cut_mix and not reader.crops:
            return reader.training_pair(samples[index])
        rng = np.random.default_rng((_DRAW, draw.seed, draw.epoch, position))
        return augmented(reader, samples, index, draw.augmentation, rng, draw.cut_mix)

    steps, mine = -(-len(order) // batch_size), batch_size // parts
    places = _places(batch_size, part, parts)
    with closing(load_ahead(lambda i: load(places(i)), start * mine, steps * mine, mine)) as pairs:
        for step in range(start, steps):
            images, masks = zip(*islice(pairs, mine), strict=True)
            yield Batch(
                np.stack(images), np.stack(masks), min(batch_size, len(order) - step * batch_size)
            )


def ordered_batches(
    reader: SampleReader, samples: Sequence[Sample], batch_size: int, part: int = 0, parts: int = 1
) -> Generator[Batch, None, None]:
    """Yield samples in order; the last batch is filled with blank images whose masks are ignored.

    Args:
        reader: Reads and keeps samples.
        samples: What to yield.
        batch_size: B.
        part: As in :func:`training_batches`.
        parts: As in :func:`training_batches`.

    Raises:
        SegcoreError: A file is gone or damaged.
    """
    blank = reader.blank()

    def load(position: int) -> tuple[Image, Mask]:
        return reader.read(samples[position]) if position < len(samples) else blank

    steps, mine = -(-len(samples) // batch_size), batch_size // parts
    places = _places(batch_size, part, parts)
    with closing(load_ahead(lambda i: load(places(i)), 0, steps * mine, mine)) as pairs:
        for step in range(steps):
            images, masks = zip(*islice(pairs, mine), strict=True)
            yield Batch(
                np.stack(images), np.stack(masks), min(batch_size, len(samples) - step * batch_size)
            )


def _places(batch_size: int, part: int, parts: int) -> Callable[[int], int]:
    """Return the map from the n-th item that one machine loads to its place in the epoch."""
    mine = batch_size // parts
    return lambda i: i // mine * batch_size + part * mine + i % mine


def load_ahead(
    load: Callable[[int], Item], first: int, end: int, batch_size: int
) -> Generator[Item, None, None]:
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
            ahead.extend(
                pool.submit(load, position)
                for _, position in zip(range(wanted), positions, strict=False)
            )
            if not ahead:
                return
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def planned_samples(
    dataset: Dataset, split: str, plan: str = "", notice: Callable[[str], None] = lambda line: None
) -> list[Sample]:
    """Return a split's samples with masks, each as often as a saved balance plan repeats it.

    Args:
        dataset: The dataset with the samples and the plan.
        split: Name of the split.
        plan: Name of the plan; "" repeats nothing.
        notice: Gets a sentence where the plan was made for other images of the split.

    Raises:
        SegcoreError: The split has no masks, or the plan is unknown, damaged, or for another split.
    """
    samples = with_masks(dataset, split)
    if not plan:
        return samples
    balance = BalancePlan.from_json(dataset.load_plan(plan))
    by_id = {sample.id: sample for sample in samples}
    mismatch = balance.mismatch(plan, split, list(by_id))
    if mismatch and balance.split not in ("", split):
        raise SegcoreError(mismatch.message)
    if mismatch:
        notice(mismatch.message)
    return [by_id[name] for name in balance.expand(list(by_id))]


def augmented(
    reader: SampleReader,
    samples: Sequence[Sample],
    index: int,
    augmentation: str,
    rng: np.random.Generator,
    cut_mix: float = 0.0,
) -> tuple[Image, Mask]:
    """Return one sample, augmented, and with the given chance a rectangle of another one in it.

    Args:
        reader: Reads and keeps samples.
        samples: The training samples.
        index: Which of them.
        augmentation: A name in ``catalog.AUGMENTATIONS``.
        rng: Source of all randomness; the same state gives the same pair.
        cut_mix: Chance of a rectangle of another sample, 0..1 (Yun et al., ICCV 2019).

    Returns:
        Image (h, w, 3) uint8 and what is learned, by default the mask (h, w), at the reader's size;
        not to be written to.

    Raises:
        SegcoreError: A file is gone or damaged, or the augmentation is unknown.
    """

    def drawn(sample: Sample) -> tuple[Image, Mask]:
        return reader.drawn_pair(sample, augmentation, rng)

    first = drawn(samples[index])
    if cut_mix and rng.random() < cut_mix:
        return mix(first, drawn(samples[int(rng.integers(len(samples)))]), rng)
    return first
