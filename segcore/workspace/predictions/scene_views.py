"""What is seen of a predicted scene: all of it made small, or a part at full resolution."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.display import show_values
from segcore.data.bands.reading import read_values
from segcore.data.files.bands import RasterLook, picked_bands, to_bytes
from segcore.data.files.windows import Window, raster_size, read_window, shared_raster
from segcore.labels import LabelSet
from segcore.workspace.predictions.predictions import Predictions

OVERVIEW_SIDE = 1500
"""Longer side of an overview, in pixels."""


@dataclass(frozen=True)
class SceneView:
    """A picture of a scene or of a part of it, with its predicted classes.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        mask: (h, w) class indices or the ignored index.
        factor: Pixels of the scene for one here, along a side.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[Any]
    factor: float


def overview(predictions: Predictions, run: str, image: Path, classes: Path) -> SceneView:
    """Return a whole scene made small, by the rasters' own overviews where they have them.

    Args:
        predictions: The predictions of the workspace.
        run: What predicted it.
        image: The scene.
        classes: The GeoTIFF of class ids.

    Raises:
        SegcoreError: A file is gone or cannot be read.
    """
    height, width = raster_size(image)
    factor = max(1.0, max(height, width) / OVERVIEW_SIDE)
    shape = (max(1, round(height / factor)), max(1, round(width / factor)))
    whole = Window(0, 0, height, width)
    labels = predictions.label_set(run)
    return SceneView(
        _picture(predictions, run, image, whole, shape),
        _indices(classes, whole, labels, shape),
        factor,
    )


def view(
    predictions: Predictions, run: str, image: Path, classes: Path, window: Window
) -> SceneView:
    """Return a part of a scene at full resolution.

    Args:
        predictions: The predictions of the workspace.
        run: What predicted it.
        image: The scene.
        classes: The GeoTIFF of class ids.
        window: Which part; what reaches beyond the scene is left out.

    Raises:
        SegcoreError: A file is gone or cannot be read.
    """
    inside = window.within(*raster_size(image))
    labels = predictions.label_set(run)
    mask = _indices(classes, inside, labels, None)
    return SceneView(_picture(predictions, run, image, inside, None), mask, 1.0)


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
