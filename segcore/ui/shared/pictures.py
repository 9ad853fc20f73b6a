"""Small still pictures: painted masks, overlays, thumbnails, colour swatches, and pages of them."""

import base64

import cv2
import numpy as np
import numpy.typing as npt
import streamlit as st

from segcore.data.dataset.dataset import Dataset
from segcore.labels import LabelSet

IGNORED = (28, 28, 28)
"""Colour of ignored pixels."""


def paint(mask: npt.NDArray[np.integer], label_set: LabelSet) -> npt.NDArray[np.uint8]:
    """Give every pixel the colour of its class.

    Args:
        mask: (H, W) class indices or the ignored index.
        label_set: Its classes.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    colors = np.full((label_set.ignore_index + 1, 3), IGNORED, np.uint8)
    colors[: label_set.num_classes] = label_set.colors
    painted: npt.NDArray[np.uint8] = colors[mask]
    return painted


def shrink(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Reduce an image (H, W, 3) uint8 so that its longer side is at most ``side`` pixels."""
    scale = min(1.0, side / max(image.shape[:2]))
    if scale == 1.0:
        return image
    size = (
        max(1, round(image.shape[1] * scale)),
        max(1, round(image.shape[0] * scale)),
    )  # OpenCV says (width, height)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def thumbnail(
    dataset: Dataset, sample_id: str, side: int, *, mask: bool = True
) -> npt.NDArray[np.uint8]:
    """Return a small picture of a sample, with its mask laid half over it.

    Args:
        dataset: The dataset.
        sample_id: The sample.
        side: Pixels of the longer side.
        mask: Whether to lay the mask over it, where it has one.

    Raises:
        SegcoreError: There is no such sample, or a file cannot be read.
    """
    sample = dataset.sample(sample_id)
    image = shrink(dataset.read_image(sample), side)
    if not mask or sample.mask is None:
        return image
    painted = shrink(paint(dataset.read_mask(sample), dataset.label_set), side)
    return (0.55 * image + 0.45 * painted).astype(np.uint8)


def jpeg(image: npt.NDArray[np.uint8]) -> bytes:
    """Return an image (H, W, 3) uint8 RGB as the bytes of a JPEG."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), quality)[1]
    return bytes(encoded.tobytes())


def data_url(image: npt.NDArray[np.uint8]) -> str:
    """Return an image (H, W, 3) uint8 RGB as a JPEG data address, for a table."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image)).decode()


def swatch(color: str) -> str:
    """Return a small square of a colour ``#rrggbb`` as the address of a picture, for a table."""
    drawn = (
        "<svg xmlns='http://www.w3.org/2000/svg' width='28' height='18'>"
        f"<rect x='1' y='1' width='26' height='16' rx='3' fill='{color}' stroke='#888'/></svg>"
    )
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode()


PAGE_BUTTON = 44
"""Width of one button with its gap, CSS pixels."""


def choose_page(pages: int, key: str, start: int = 1) -> int:
    """Draw the numbers of pages, where there are several, and return the chosen one.

    Args:
        pages: How many there are.
        key: Key of the widget.
        start: The page that is shown first.
    """
    if pages < 2:
        return 1
    first = st.session_state.setdefault(f"{key}:first", start)
    # at its own width the widget leaves out numbers that have room
    width = PAGE_BUTTON * (min(pages, 7) + 4)
    return int(st.pagination(pages, default=min(first, pages), width=width, key=key) or 1)
