"""The demo data: aerial land-cover scenes made from a seed, with their masks.

Twelve strongly unbalanced classes. Two pairs are nearly the same to look at, on purpose: forest
and shrub (the same crowns, a little darker or lighter), road and track (the same surface, a
little wider or narrower). No network can part them well, so they show what merging labels buys.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import SPLITS, Dataset
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.synthetic.scene import draw_scene
from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelClass, LabelSet

SIZE = (192, 256)
"""Height and width of a scene, pixels; one pixel is about 0.7 m on the ground."""

COUNTS: Mapping[str, int] = {"train": 96, "validation": 24, "test": 24}
"""Scenes in each split."""

LABEL_SET = LabelSet(
    (
        LabelClass(0, "field", (222, 196, 92)),
        LabelClass(1, "grassland", (148, 200, 106)),
        LabelClass(2, "forest", (22, 92, 48)),
        LabelClass(3, "shrub", (88, 148, 70)),
        LabelClass(4, "water", (52, 114, 190)),
        LabelClass(5, "road", (88, 92, 102)),
        LabelClass(6, "track", (176, 148, 122)),
        LabelClass(7, "roof", (200, 66, 52)),
        LabelClass(8, "greenhouse", (160, 222, 234)),
        LabelClass(9, "vehicle", (232, 44, 196)),
        LabelClass(10, "bare soil", (140, 94, 58)),
        LabelClass(11, "orchard", (196, 132, 204)),
    ),
    (LabelClass(255, "void", (0, 0, 0)),),
)

JPEG_QUALITY = 90


def make_synthetic(
    folder: Path | str,
    seed: int = 0,
    counts: Mapping[str, int] = COUNTS,
    progress: Callable[[int, int, str], None] | None = None,
    name: str | None = None,
) -> Dataset:
    """Make the synthetic land-cover dataset.

    A scene depends only on the seed, its split and its number: more scenes of a split leave the
    first ones as they are.

    Args:
        folder: Where the dataset shall lie; must not exist.
        seed: Seed of everything drawn, 0 or more.
        counts: Scenes in each split.
        progress: Called as ``progress(done, total, sample_id)`` after each scene.
        name: Name of the dataset; None for the folder's.

    Returns:
        The dataset: images 192 x 256 as JPEG, masks as index PNG.

    Raises:
        SegcoreError: The folder exists, the seed is negative, or the counts are no counts of known
            splits.
    """
    folder = Path(folder)
    if seed < 0:
        raise SegcoreError(f"Expected a seed of 0 or more, received {seed}: choose another.")
    for split, count in counts.items():
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if count < 0:
            raise SegcoreError(
                f"Expected 0 or more scenes for {split}, received {count}: choose another number."
            )
    places = [(split, number) for split in SPLITS for number in range(counts.get(split, 0))]
    with (
        TemporaryDirectory() as scratch,
        DatasetWriter(folder, name or folder.name, LABEL_SET, f"synthetic, seed {seed}") as writer,
    ):
        samples = []
        for (split, number), (image, mask) in zip(places, _draw_all(seed, places), strict=True):
            sample_id = f"{split}-{number + 1:03d}"
            file = Path(scratch) / f"{sample_id}.jpg"
            cv2.imwrite(str(file), image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            samples.append(writer.add(sample_id, file, mask, split))
            if progress is not None:
                progress(len(samples), len(places), sample_id)
        return writer.finish(samples)


def _draw_all(
    seed: int, places: list[tuple[str, int]]
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    def draw(place: tuple[str, int]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        split, number = place
        return draw_scene(np.random.default_rng([seed, SPLITS.index(split), number]), SIZE)

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        yield from pool.map(draw, places)


__all__ = ["COUNTS", "LABEL_SET", "SIZE", "make_synthetic"]
