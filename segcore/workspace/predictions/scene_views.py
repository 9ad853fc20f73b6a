"""What is seen of a predicted scene: all of it made small, and tiles of it at every scale.

Tiles of the first two levels are read from the scene itself. A coarser tile would decode much of the
scene for a few pixels, so that the picture at a quarter of the size is written once beside the
prediction, with overviews; the classes have overviews of their own.
"""

from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.bands.display import show_values
from segcore.data.bands.reading import read_values
from segcore.data.files.bands import RasterLook, picked_bands, to_bytes
from segcore.data.files.scene_writer import write_picture
from segcore.data.files.windows import Window, raster_size, read_window, shared_raster
from segcore.errors import SegcoreError
from segcore.labels import LabelSet
from segcore.workspace.predictions.batches import Progress
from segcore.workspace.predictions.predictions import Predictions
from segcore.workspace.rights import writes

OVERVIEW_SIDE = 1500
"""Longer side of an overview, in pixels."""

TILE = 512
"""Height and width of a tile, in pixels."""

FIRST_KEPT = 2
"""The level from which on the picture is kept: 1 : 4."""

PART = 2048
"""Height and width of what is read at once for it, in pixels."""


@dataclass(frozen=True)
class SceneView:
    """A picture of a scene or of a part of it, with its predicted classes.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        mask: (h, w) class indices or the ignored index.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[Any]


class SceneLook:
    """A scene and its prediction, as they are shown."""

    def __init__(self, predictions: Predictions, run: str, image: Path, classes: Path) -> None:
        """Look at a scene.

        Args:
            predictions: The predictions of the workspace.
            run: What predicted it.
            image: The scene.
            classes: The GeoTIFF of class ids.

        Raises:
            SegcoreError: The scene is gone or cannot be read.
        """
        self._predictions, self._run, self._image, self._classes = predictions, run, image, classes
        self.height, self.width = raster_size(image)
        self._smaller = classes.with_name(f"{classes.stem}-picture.tif")

    @property
    def factor(self) -> float:
        """Pixels of the scene for one of the overview, along a side."""
        return max(1.0, max(self.height, self.width) / OVERVIEW_SIDE)

    @property
    def levels(self) -> int:
        """Levels of tiles that show more than the overview; level n is 1 : 2**n."""
        return ceil(log2(self.factor))

    def prepare(self, progress: Progress | None = None) -> None:
        """Write the picture at a quarter of the size, where there is none of this scene yet.

        Args:
            progress: Called with (parts done, parts in all, what).

        Raises:
            SegcoreError: The scene cannot be read, or the picture not written.
        """
        if self.levels > FIRST_KEPT and not self._is_kept():
            self._write_picture(progress)

    @writes("write the picture of a scene")
    def _write_picture(self, progress: Progress | None) -> None:
        step = 1 << FIRST_KEPT
        parts = [
            Window(top, left, PART, PART).within(self.height, self.width)
            for top in range(0, self.height, PART)
            for left in range(0, self.width, PART)
        ]
        with write_picture(
            self._smaller, ceil(self.height / step), ceil(self.width / step)
        ) as write:
            for done, part in enumerate(parts, 1):
                small = Window(
                    part.top // step,
                    part.left // step,
                    ceil(part.height / step),
                    ceil(part.width / step),
                )
                write(small, _shrunk(self._read(part, None), (small.height, small.width)))
                if progress:
                    progress(done, len(parts), "picture to look at")

    def overview(self) -> SceneView:
        """Return the whole scene made small, at most :data:`OVERVIEW_SIDE` pixels a side.

        Raises:
            SegcoreError: A file is gone or cannot be read.
        """
        shape = tuple(max(1, round(side / self.factor)) for side in (self.height, self.width))
        return self._seen(Window(0, 0, self.height, self.width), (shape[0], shape[1]))

    def tile(self, level: int, row: int, column: int) -> SceneView:
        """Return a tile of :data:`TILE` x :data:`TILE` pixels, smaller at the far edges.

        Args:
            level: 0 for full resolution, n for 1 : 2**n.
            row: Its row among the tiles of the level.
            column: Its column.

        Raises:
            SegcoreError: There is no such tile, or a file is gone or cannot be read.
        """
        side = TILE << level if 0 <= level < self.levels else 0
        window = Window(row * side, column * side, side, side).within(self.height, self.width)
        if min(level, row, column, window.height - 1, window.width - 1) < 0:
            raise SegcoreError(
                f"Expected a tile of a scene of {self.height} x {self.width} pixels (height x "
                f"width), received level {level}, row {row}, column {column}: reload the page."
            )
        step = 1 << level
        return self._seen(window, (ceil(window.height / step), ceil(window.width / step)))

    def _seen(self, window: Window, shape: tuple[int, int]) -> SceneView:
        labels = self._predictions.label_set(self._run)
        mask = _indices(self._classes, window, labels, shape)
        step = 1 << FIRST_KEPT
        if window.height < step * shape[0] or not self._is_kept():
            if window.height > PART:
                return SceneView(self._read(window, shape), mask)
            return SceneView(_shrunk(self._read(window, None), shape), mask)
        with shared_raster(self._smaller) as raster:
            part = Window(
                window.top // step,
                window.left // step,
                ceil(window.height / step),
                ceil(window.width / step),
            )
            picture = raster.read(window=part.ranges, out_shape=(3, *shape))
        return SceneView(np.ascontiguousarray(np.moveaxis(picture, 0, -1)), mask)

    def _is_kept(self) -> bool:
        """Whether the smaller picture is there and not older than the scene."""
        try:
            return self._smaller.stat().st_mtime_ns >= self._image.stat().st_mtime_ns
        except OSError:
            return False

    def _read(self, window: Window, shape: tuple[int, int] | None) -> npt.NDArray[np.uint8]:
        return _picture(self._predictions, self._run, self._image, window, shape)


def _shrunk(picture: npt.NDArray[np.uint8], shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    if picture.shape[:2] == shape:
        return picture
    made = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(made, np.uint8)


def _picture(
    predictions: Predictions, run: str, image: Path, window: Window, shape: tuple[int, int] | None
) -> npt.NDArray[np.uint8]:
    learned, display = predictions.learned_bands(run), predictions.display(run)
    if learned is not None and display is not None:
        values = read_values(image, learned.bands, window, shape, display.shown)
        return show_values(values, [display.limits[place] for place in display.shown])
    look = predictions.raster_look(run) or RasterLook()
    if shape is None:
        return read_window(image, window, look)
    with shared_raster(image) as raster:
        picked = picked_bands(raster.count, look.bands, image.name)
        values = raster.read(list(picked), window=window.ranges, out_shape=(len(picked), *shape))
        return to_bytes(values, raster.nodata, look.limits or None)


def _indices(
    classes: Path, window: Window, labels: LabelSet, shape: tuple[int, int] | None
) -> npt.NDArray[Any]:
    with shared_raster(classes) as raster:
        ids = raster.read(1, window=window.ranges, out_shape=shape)
    table = np.full(65_536, labels.ignore_index, labels.mask_dtype)
    table[np.asarray(labels.class_ids)] = np.arange(labels.num_classes)
    return np.asarray(table[ids])
