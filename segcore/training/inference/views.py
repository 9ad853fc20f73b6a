"""Inference views: one image predicted whole or in tiles, once or in several views."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.formatting import GIB, gib
from segcore.postprocess.ensemble import normalise, resize_probabilities
from segcore.postprocess.tiles import through_tiles
from segcore.postprocess.views import View, views_of
from segcore.training.input.pipeline import resize_image

Image = npt.NDArray[Any]
Probabilities = npt.NDArray[np.float32]
Stream = Callable[[Iterable[Image]], Iterator[Probabilities]]
"""From images (h, w, 3) to probabilities (h, w, C) each, in order; see ``Predictor.stream``."""

BYTES_A_VALUE = 24
"""Bytes of one probability while an image is assembled and packed: sums, a view, coder arrays."""


def predict_strips(
    image: Image, size: tuple[int, int], num_classes: int, options: PredictOptions, stream: Stream
) -> Iterator[Probabilities]:
    """Yield the probabilities of one image as strips of rows, from top to bottom.

    Whole, the image is resized to the network's size; in tiles it stays as it is. Each view of the
    test-time augmentation is a turned, mirrored or scaled copy of that, which is itself cut into
    tiles where it is larger than the network's input.

    Without test-time augmentation only one strip is in memory at a time, for an image of any
    height. Several views meet at every pixel, so that their sum is held whole.

    Args:
        image: (H, W, 3) uint8 RGB, any size.
        size: (h, w) of the network's input.
        num_classes: C.
        options: Tiles and test-time augmentation.
        stream: The network.

    Yields:
        (rows, w, C) float32, h rows in all, or (rows, W, C), H rows in all, in tiles; a pixel's
        values sum to 1.

    Raises:
        SegcoreError: The memory does not suffice for several views of an image of that size.
    """
    grid = (image.shape[0], image.shape[1]) if options.tile else size
    views = views_of(options.tta)
    if len(views) == 1:
        work = resize_image(image, grid)
        yield from through_tiles(work, size, options.overlap, stream)
        return
    check_memory(grid, num_classes)
    total = np.zeros((*grid, num_classes), np.float32)
    for view in views:
        total += _predict_view(image, view, grid, size, options.overlap, stream)
    yield normalise(total)


def _predict_view(
    image: Image,
    view: View,
    grid: tuple[int, int],
    size: tuple[int, int],
    overlap: float,
    stream: Stream,
) -> Probabilities:
    turned = view.grid(grid)
    work = resize_image(view.apply(image), view.scaled(turned))
    answer = np.concatenate(list(through_tiles(work, size, overlap, stream)))
    if answer.shape[:2] != turned:
        answer = resize_probabilities(answer, turned)
    return view.undo(answer)


def equal_strips(strips: Iterable[Probabilities], rows: int) -> Iterator[Probabilities]:
    """Yield the same rows as strips of one height; the last may be lower.

    Args:
        strips: (any, w, C) each, from top to bottom.
        rows: Height of the strips that are yielded.
    """
    rest: list[Probabilities] = []
    for strip in strips:
        rest.append(strip)
        if sum(map(len, rest)) >= rows:
            joined = np.concatenate(rest)
            whole = len(joined) - len(joined) % rows
            for top in range(0, whole, rows):
                yield joined[top : top + rows]
            rest = [joined[whole:]] if whole < len(joined) else []
    if rest:
        yield np.concatenate(rest)


def check_memory(grid: tuple[int, int], num_classes: int) -> None:
    """Refuse an image whose probabilities would not fit into the free memory.

    Raises:
        SegcoreError: They would not.
    """
    needed = grid[0] * grid[1] * num_classes * BYTES_A_VALUE
    free = psutil.virtual_memory().available
    if needed > 0.8 * free:
        raise SegcoreError(
            f"Expected an image that fits into memory whole, received {grid[0]} x {grid[1]} with "
            f"{num_classes} classes, which need {needed / GIB:.1f} of {gib(free)}: "
            "predict it in tiles without test-time augmentation, or cut it into parts."
        )
