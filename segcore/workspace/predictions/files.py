"""What is handed out of a batch of predictions: masks, overlays, probabilities, tables; as files in a folder or in one zip."""

import csv
import io
import tempfile
from collections.abc import Collection, Iterator, Sequence
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
from segcore.workspace.predictions.batches import Batch, Progress
from segcore.workspace.predictions.predictions import Predictions, shares

Mask = npt.NDArray[Any]

PARTS: dict[str, str] = {
    "masks": "Masks",
    "palette": "Colour masks",
    "overlays": "Overlays",
    "probabilities": "Probabilities",
    "crf": "CRF masks",
}
"""What there is, and what it is called on a page; tables of classes and shares always come along,
and with the masks a GeoTIFF of each image that says where it lies.
"""

DEFAULT_PARTS = ("masks", "palette", "overlays")
OPACITY = 0.45


def index_png(mask: Mask, label_set: LabelSet) -> bytes:
    """Encode a mask (H, W) of indices as a PNG of the user's class ids, 8 bits, or 16 where an id is above 255.

    Raises:
        SegcoreError: An id does not fit into 16 bits.
    """
    return encode_png(_ids(mask, label_set))


def _ids(mask: Mask, label_set: LabelSet) -> Mask:
    ids = np.asarray(label_set.class_ids, np.int64)
    if ids.min() < 0 or ids.max() > 65535:
        raise SegcoreError(
            "Expected class ids of 0 to 65535 for a mask, received others: change the ids, "
            "or take the palette masks."
        )
    return ids.astype(np.uint8 if ids.max() <= 255 else np.uint16)[mask]


def geotiff(mask: Mask, label_set: LabelSet, georeference: Georeference) -> bytes:
    """Encode a mask (H, W) of indices as a GeoTIFF of the user's class ids that lies where its image does.

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
    """Encode a mask (H, W) of indices as a palette PNG in the classes' colours; its palette indices are the classes' positions.

    Raises:
        SegcoreError: There are more classes than a palette holds.
    """
    if label_set.num_classes > 256:
        raise SegcoreError(
            "Expected at most 256 classes for a palette, received "
            f"{label_set.num_classes}: take the masks of class ids."
        )
    palette = np.zeros((256, 3), np.uint8)
    palette[: label_set.num_classes] = label_set.colors
    return encode_palette_png(mask.astype(np.uint8), palette)


def overlay_jpeg(image: npt.NDArray[np.uint8], mask: Mask, label_set: LabelSet) -> bytes:
    """Lay a mask's colours half over the image (H, W, 3) and encode it as a JPEG."""
    mixed = cv2.addWeighted(
        image, 1 - OPACITY, np.ascontiguousarray(label_set.colors[mask]), OPACITY, 0
    )
    return bytes(
        cv2.imencode(".jpg", mixed[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    )


def result_files(
    shelf: Predictions,
    run: str,
    batch: Batch,
    options: PredictOptions,
    parts: Collection[str],
    progress: Progress | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a predicted batch, one image after another.

    Args:
        shelf: Where the batch lies.
        run: The training run or ensemble that predicted it.
        batch: The batch; images that are not predicted are left out.
        options: With which it did.
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
    labels = shelf.label_set(run)
    told: list[dict[str, Any]] = []
    for done, image in enumerate(batch.images):
        if progress:
            progress(done, len(batch.images), image.name)
        if not shelf.is_predicted(run, batch, image.id, options):
            continue
        mask = shelf.summary(run, batch, image.id, options).mask
        told += [{"image": image.name, "file": image.id, **row} for row in shares(mask, labels)]
        if "masks" in parts:
            yield f"masks/{image.id}.png", index_png(mask, labels)
            if image.georeference:
                yield f"geotiff/{image.id}.tif", geotiff(mask, labels, image.georeference)
        if "palette" in parts:
            yield f"palette/{image.id}.png", palette_png(mask, labels)
        if "overlays" in parts:
            yield (
                f"overlays/{image.id}.jpg",
                overlay_jpeg(shelf.image(batch, image.id), mask, labels),
            )
        if "probabilities" in parts:
            yield (
                f"probabilities/{image.id}.npz",
                _npz(
                    shelf.probabilities(run, batch, image.id, options), (image.height, image.width)
                ),
            )
        if "crf" in parts:
            yield (
                f"crf/{image.id}.png",
                index_png(shelf.crf_mask(run, batch, image.id, options)[0], labels),
            )
    classes = [
        {"id": c.id, "name": c.name, "color": color_to_hex(c.color), "ignore": "false"}
        for c in labels.classes
    ]
    yield "classes.csv", _csv(classes)
    yield "shares.csv", _csv(told)
    if progress:
        progress(len(batch.images), len(batch.images), "")


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


def _csv(rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["image"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
