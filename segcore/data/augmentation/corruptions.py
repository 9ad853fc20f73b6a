"""Corruptions by weather, sensors and codecs, at five severities.

They test how robust a model is; they are not for training.

Noise and JPEG take the strengths of Hendrycks and Dietterich: Benchmarking neural network
robustness to common corruptions, ICLR 2019.
Departures: images are corrupted at their own size, before any resizing; blur is measured against
    the image's shorter side, so that a
severity looks alike at every resolution; darkness multiplies light, where they move brightness up.
"""

import zlib

import cv2
import numpy as np
import numpy.typing as npt

from segcore.catalog import CORRUPTIONS
from segcore.data.augmentation.band_changes import change_bands, from_levels, to_levels
from segcore.data.augmentation.photometry import jpeg
from segcore.data.bands.learned import LearnedBands
from segcore.errors import SegcoreError, unknown

Image = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.float32]

SEVERITIES = (1, 2, 3, 4, 5)

NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)
"""Standard deviation of the noise, as a share of 255, by severity."""
BLUR = (1.0, 2.0, 3.0, 4.0, 6.0)
"""Standard deviation of the Gaussian by severity, in pixels of a side of :data:`BLUR_SIDE`."""
BLUR_SIDE = 256
DARKNESS = (0.7, 0.5, 0.35, 0.22, 0.12)
"""Share of the values that is left, by severity."""
JPEG_QUALITY = (25, 18, 15, 10, 7)
"""Quality 1..100 of the JPEG codec, by severity."""


BAND_CORRUPTIONS = ("noise", "blur")
"""Corruptions that mean something for bands of any kind: light and codecs are of pictures."""


def corrupt_bands(
    image: FloatImage,
    bands: LearnedBands,
    name: str,
    severity: int,
    sample: str = "",
    seed: int = 0,
) -> FloatImage:
    """Return a corrupted copy of an image whose bands keep their values; see :func:`corrupt`.

    Noise is as strong against the deviation of each band as it is in pictures.

    Args:
        image: (H, W, N) float32 in the raster's units, without gaps.
        bands: The channels.
        name: A name in :data:`BAND_CORRUPTIONS`.
        severity: 1 to 5.
        sample: As :func:`corrupt`.
        seed: As :func:`corrupt`.

    Raises:
        SegcoreError: The corruption is one of pictures alone, unknown, or a severity out of range.
    """
    _check(name, severity)
    if name not in BAND_CORRUPTIONS:
        raise SegcoreError(
            f"Expected {' or '.join(BAND_CORRUPTIONS)} for bands that keep their values, received "
            f"{name!r}, which is of pictures: choose one of these."
        )
    if name == "blur":
        sigma = BLUR[severity - 1] * min(image.shape[:2]) / BLUR_SIDE
        return change_bands(image, {"blur": {"sigma": sigma}}, bands)
    drawn = np.random.default_rng([seed, zlib.crc32(sample.encode())]).standard_normal(
        image.shape, np.float32
    )
    return from_levels(to_levels(image, bands) + drawn * np.float32(NOISE[severity - 1]), bands)


def _check(name: str, severity: int) -> None:
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    if severity not in SEVERITIES:
        raise SegcoreError(
            f"Expected a severity from 1 to 5, received {severity}: choose one of these."
        )


def corrupt(image: Image, name: str, severity: int, sample: str = "", seed: int = 0) -> Image:
    """Return a corrupted copy of an image; the same arguments give the same pixels.

    Args:
        image: (H, W, 3) uint8 RGB.
        name: A name in ``catalog.CORRUPTIONS``.
        severity: 1 (weak) to 5.
        sample: Id of the image, so that each has its own noise; all severities of one image share
            it, only stronger.
        seed: Further seed of the noise.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        SegcoreError: No corruption has that name, or a severity out of range.
    """
    _check(name, severity)
    step = severity - 1
    if name == "noise":
        rng = np.random.default_rng([seed, zlib.crc32(sample.encode())])
        drawn = rng.standard_normal(image.shape, np.float32) * np.float32(255 * NOISE[step])
        return np.clip(np.rint(image + drawn), 0, 255).astype(np.uint8)
    if name == "blur":
        sigma = BLUR[step] * min(image.shape[:2]) / BLUR_SIDE
        return np.asarray(
            cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.uint8
        )
    if name == "darkness":
        table = np.rint(np.arange(256) * DARKNESS[step]).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table), np.uint8)
    return jpeg(image, {"quality": JPEG_QUALITY[step]})
