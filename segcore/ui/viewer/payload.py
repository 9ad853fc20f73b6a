"""What the viewer is sent: one image, its panels, and the classes, packed into one run of bytes.

Masks travel as class indices and are coloured in the browser, so opacity, palette and visibility
cost no round trip. The bytes are::

    u32 little-endian length of the header | header, JSON in UTF-8 | blobs, one after another

The header lists ``[offset, size]`` of every blob. An index mask or a scalar plane is stored row by
row as the difference from the row above (modulo its width of 8 or 16 bits), then deflated: what
repeats downwards becomes zeros. Scalars are quantised to 32 levels, so a value read back differs
from the true one by at most 1/62. The image is a JPEG; a blob that two panels share is stored once.
"""

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.labels import LabelSet, color_to_hex
from segcore.palette import background, class_colors, unlabeled
from segcore.ui.viewer.panels import Panel, Scene

MAX_SIDE = 4096
"""Images and masks with a longer side are shown reduced to this many pixels; the viewer says so."""

MAX_SCALAR_SIDE = 1024
"""Scalars and top classes vary slowly: their longer side is reduced to this many pixels."""

LEVELS = 32
"""Levels of a quantised scalar: 0..31 stand for 0..1."""

JPEG_QUALITY = 90


@dataclass
class _Blobs:
    """Blobs in the order they were added; equal ones are kept once."""

    parts: list[bytes] = field(default_factory=list)
    known: dict[bytes, int] = field(default_factory=dict)

    def add(self, raw: bytes, encoded: bytes | None = None) -> int:
        """Add a blob (deflated here unless ``encoded`` already) and return its position."""
        digest = hashlib.blake2b(raw, digest_size=16).digest()
        if digest not in self.known:
            self.known[digest] = len(self.parts)
            # Level 9 saves a tenth; on big planes its time would be felt.
            self.parts.append(
                encoded
                if encoded is not None
                else zlib.compress(raw, 9 if len(raw) < 1_000_000 else 6)
            )
        return self.known[digest]

    def table(self) -> list[list[int]]:
        """``[offset, size]`` of every blob."""
        ends = np.cumsum([0, *(len(part) for part in self.parts)])
        return [[int(start), len(part)] for start, part in zip(ends[:-1], self.parts, strict=True)]


def pack(scene: Scene, side: int = MAX_SIDE) -> bytes:
    """Pack a scene into the bytes that the browser reads.

    Args:
        scene: What to show.
        side: Longer sides, in pixels, are reduced to this: the image by area, masks by taking the
            nearest pixel, so that no class is invented.

    Returns:
        Header length, header and blobs, as the module's docstring draws them.

    Raises:
        SegcoreError: A mask holds an index that is no class, or a scalar is not a number in 0..1.
    """
    full_height, full_width = scene.image.shape[:2]
    height, width = _fit(full_height, full_width, side)
    blobs = _Blobs()
    label_set = scene.label_set
    header: dict[str, Any] = {
        "id": scene.id,
        "width": width,
        "height": height,
        "full": [full_width, full_height],
        "image": _add_image(blobs, scene.image, height, width),
        "truth": scene.truth,
        "ignore": label_set.ignore_index,
        "ignored": [c.name for c in label_set.ignored],
        "classes": label_set.class_names,
        "background": background(label_set.class_names),
        "unlabeled": unlabeled(label_set.class_names),
        "levels": list(scene.levels),
        "facts": list(scene.facts),
        "palettes": {
            "own": [color_to_hex(c.color) for c in label_set.classes],
            "safe": [color_to_hex(color) for color in class_colors(label_set.class_names)],
        },
        "panels": [_pack_panel(blobs, panel, label_set, height, width) for panel in scene.panels],
    }
    header["blobs"] = blobs.table()
    digest = hashlib.blake2b(json.dumps(header).encode(), digest_size=8)
    for part in blobs.parts:
        digest.update(part)
    header["digest"] = digest.hexdigest()
    return join(header, b"".join(blobs.parts))


def join(header: dict[str, Any], body: bytes) -> bytes:
    """Put a JSON header before bytes: u32 little-endian length, header, body."""
    head = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join([struct.pack("<I", len(head)), head, body])


def _pack_panel(
    blobs: _Blobs, panel: Panel, label_set: LabelSet, height: int, width: int
) -> dict[str, Any]:
    out: dict[str, Any] = {"title": panel.title, "kind": panel.kind}
    if panel.versus is not None:
        out["versus"] = panel.versus
    if panel.hidden:
        out["hidden"] = True
    if panel.mask is not None:
        _check_labels(panel.mask, panel.title, label_set)
        mask = panel.mask.astype(label_set.mask_dtype, copy=False)
        if mask.shape != (height, width):
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        out["mask"] = _add_plane(blobs, mask)
        out["counts"] = _sparse_counts(mask)
    if panel.scalar is not None:
        out["scalar"] = _add_scalar(blobs, panel.scalar, panel.title)
    if panel.top is not None:
        out["top"] = [
            {
                "labels": _add_grid(
                    blobs, panel.top.labels[..., rank].astype(label_set.mask_dtype)
                ),
                "scalar": _add_scalar(blobs, panel.top.probabilities[..., rank], panel.title),
            }
            for rank in range(panel.top.labels.shape[2])
        ]
    return out


def _fit(height: int, width: int, side: int) -> tuple[int, int]:
    """Height and width reduced so that the longer one is at most ``side``; the ratio stays."""
    ratio = min(1.0, side / max(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def _add_image(blobs: _Blobs, image: npt.NDArray[np.uint8], height: int, width: int) -> int:
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
    bgr = np.ascontiguousarray(image[..., ::-1])
    encoded = cv2.imencode(
        ".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    )[1].tobytes()
    return blobs.add(encoded, encoded)


def _add_plane(blobs: _Blobs, plane: npt.NDArray[Any]) -> int:
    """Add a (h, w) uint8 or uint16 plane as differences from the row above."""
    rows = plane.astype(plane.dtype.newbyteorder("<"))
    rows[1:] -= plane[:-1]  # wraps; the browser's typed arrays wrap alike
    return blobs.add(rows.tobytes())


def _add_grid(blobs: _Blobs, plane: npt.NDArray[Any]) -> dict[str, int]:
    """Add a plane with a resolution of its own."""
    height, width = _fit(plane.shape[0], plane.shape[1], MAX_SCALAR_SIDE)
    if plane.shape != (height, width):
        exact = plane.dtype.kind in "ui"
        plane = cv2.resize(
            plane, (width, height), interpolation=cv2.INTER_NEAREST if exact else cv2.INTER_AREA
        )
    if plane.dtype.kind == "f":
        plane = np.rint(plane * (LEVELS - 1)).astype(np.uint8)
    return {"blob": _add_plane(blobs, plane), "width": width, "height": height}


def _add_scalar(blobs: _Blobs, scalar: npt.NDArray[Any], title: str) -> dict[str, int]:
    values = np.ascontiguousarray(scalar, np.float32)
    low, high = float(values.min()), float(values.max())
    if not (low >= -1e-4 and high <= 1 + 1e-4):  # also catches NaN
        raise SegcoreError(
            f"Expected numbers from 0 to 1 in the panel {title!r}, received {low:g} to "
            f"{high:g}: divide by the largest possible value."
        )
    return _add_grid(blobs, np.clip(values, 0, 1))


def _check_labels(mask: npt.NDArray[Any], title: str, label_set: LabelSet) -> None:
    low, high = int(mask.min()), int(mask.max())
    fine = low >= 0 and (
        high < label_set.num_classes
        or not np.any((mask >= label_set.num_classes) & (mask != label_set.ignore_index))
    )
    if not fine:
        raise SegcoreError(
            f"Expected class indices 0..{label_set.num_classes - 1} or "
            f"{label_set.ignore_index} in the panel {title!r}, "
            f"received {low} to {high}: map the mask into the dataset's label set first."
        )


def _sparse_counts(mask: npt.NDArray[Any]) -> list[list[int]]:
    """``[index, pixels]`` of every index that occurs, by bands of rows to save memory."""
    band = max(1, 1_000_000 // mask.shape[1])
    counts = np.zeros(int(mask.max()) + 1, np.int64)
    for start in range(0, len(mask), band):
        counts += np.bincount(mask[start : start + band].ravel(), minlength=len(counts))
    return [[int(index), int(counts[index])] for index in np.flatnonzero(counts)]
