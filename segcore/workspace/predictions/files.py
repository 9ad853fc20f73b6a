"""Result files of a predicted batch, for a folder or a zip: masks, overlays, tables."""

import io
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.config import PredictOptions
from segcore.data.files.georeference import Georeference, write_geotiff
from segcore.data.files.images import encode_palette_png, encode_png
from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelSet, color_to_hex
from segcore.runs.machine import disk
from segcore.text_files import format_rows
from segcore.workspace.predictions.batches import Batch, BatchImage, Progress
from segcore.workspace.predictions.predictions import ClassShare, Predictions, shares

Mask = npt.NDArray[Any]

PARTS: dict[str, str] = {
    "masks": "Masks",
    "palette": "Colour masks",
    "overlays": "Overlays",
    "probabilities": "Probabilities",
    "crf": "CRF masks",
}
"""Kinds of result files with their titles. Tables of classes and shares are always included, and
with the masks a GeoTIFF of each georeferenced image.
"""

DEFAULT_PARTS = ("masks", "palette", "overlays")
OPACITY = 0.45


def index_png(mask: Mask, label_set: LabelSet) -> bytes:
    """Encode a mask (H, W) of indices as a PNG of class ids: 8 bits, or 16 for ids above 255.

    Raises:
        SegcoreError: An id does not fit into 16 bits.
    """
    return encode_png(_ids(mask, label_set))


def _ids(mask: Mask, label_set: LabelSet) -> Mask:
    ids = np.asarray(label_set.class_ids, np.int64)
    if ids.min() < 0 or ids.max() > 65535:
        raise SegcoreError(
            "Expected class ids of 0 to 65535 for a mask, received others: change the ids, "
            "or use the colour masks."
        )
    return ids.astype(np.uint8 if ids.max() <= 255 else np.uint16)[mask]


def geotiff(mask: Mask, label_set: LabelSet, georeference: Georeference) -> bytes:
    """Encode a mask (H, W) of indices as a GeoTIFF of class ids with its image's georeference.

    Raises:
        SegcoreError: rasterio is missing, or an id does not fit into 16 bits.
    """
    colors = np.zeros((256, 3), np.uint8)
    for label in label_set.classes:
        if label.id <= 255:
            colors[label.id] = label.color
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.tif"
        write_geotiff(path, _ids(mask, label_set), georeference, colors)
        return path.read_bytes()


def palette_png(mask: Mask, label_set: LabelSet) -> bytes:
    """Encode a mask (H, W) of indices as a palette PNG of those indices in the classes' colours.

    Raises:
        SegcoreError: There are more classes than a palette holds.
    """
    if label_set.num_classes > 256:
        raise SegcoreError(
            "Expected at most 256 classes for a palette, received "
            f"{label_set.num_classes}: use the masks of class ids."
        )
    palette = np.zeros((256, 3), np.uint8)
    palette[: label_set.num_classes] = label_set.colors
    return encode_palette_png(mask.astype(np.uint8), palette)


def overlay_jpeg(image: npt.NDArray[np.uint8], mask: Mask, label_set: LabelSet) -> bytes:
    """Blend a mask's colours over the image (H, W, 3) uint8 RGB and encode it as a JPEG."""
    mixed = cv2.addWeighted(
        image, 1 - OPACITY, np.ascontiguousarray(label_set.colors[mask]), OPACITY, 0
    )
    return bytes(
        cv2.imencode(".jpg", mixed[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    )


def result_files(
    predictions: Predictions,
    run: str,
    batch: Batch,
    options: PredictOptions,
    parts: Collection[str],
    progress: Progress | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a predicted batch, one image after another.

    Args:
        predictions: The predictions of the workspace.
        run: The training run or ensemble that predicted it.
        batch: The batch; images that are not predicted are left out.
        options: The options it was predicted with.
        parts: Names in :data:`PARTS`.
        progress: Called with (done, total, what).

    Yields:
        (path inside the folder or archive, content).

    Raises:
        SegcoreError: A part is unknown, or a file cannot be read.
    """
    for part in parts:
        if part not in PARTS:
            raise unknown("part of the results", part, PARTS)
    labels = predictions.label_set(run)
    rows: list[list[object]] = []
    for done, (image, place) in enumerate(zip(batch.images, batch.places(), strict=True)):
        if progress:
            progress(done, len(batch.images), image.name)
        if not predictions.is_predicted(run, batch, image.id, options):
            continue
        mask = predictions.summary(run, batch, image.id, options).mask
        rows += [[image.name, place, *vars(row).values()] for row in shares(mask, labels)]
        yield from _mask_files(image, place, mask, labels, parts)
        if "overlays" in parts:
            pixels = predictions.shown_image(run, batch, image.id)
            yield f"overlays/{place}.jpg", overlay_jpeg(pixels, mask, labels)
        if "probabilities" in parts:
            planes = predictions.probabilities(run, batch, image.id, options)
            yield f"probabilities/{place}.npz", _npz(planes, (image.height, image.width))
        if "crf" in parts:
            refined = predictions.crf_mask(run, batch, image.id, options)[0]
            yield f"crf/{place}.png", index_png(refined, labels)
    classes = [[c.id, c.name, color_to_hex(c.color), "false"] for c in labels.classes]
    yield "classes.csv", _csv(["id", "name", "color", "ignore"], classes)
    yield "shares.csv", _csv(["image", "file", *(f.name for f in fields(ClassShare))], rows)
    if progress:
        progress(len(batch.images), len(batch.images), "")


def _mask_files(
    image: BatchImage, place: str, mask: Mask, labels: LabelSet, parts: Collection[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files that hold nothing but a predicted mask."""
    if "masks" in parts:
        yield f"masks/{place}.png", index_png(mask, labels)
        if image.georeference:
            yield f"geotiff/{place}.tif", geotiff(mask, labels, image.georeference)
    if "palette" in parts:
        yield f"palette/{place}.png", palette_png(mask, labels)


def write_folder(folder: Path, files: Iterator[tuple[str, bytes]]) -> Path:
    """Write files below a folder.

    Raises:
        SegcoreError: A file cannot be made, or the disk cannot be written.
    """
    for name, data in files:
        disk.write_bytes(folder / name, data)
    return folder


def _npz(probabilities: npt.NDArray[np.float32], size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=probabilities, size=np.asarray(size))
    return buffer.getvalue()


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    return format_rows([names, *rows]).encode()
