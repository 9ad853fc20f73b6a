"""Preprocessing of an image, the same in training and in prediction.

The names are ``catalog.PREPROCESSING``. "standardise" does nothing here: it is a layer of the
network and is saved with it. Whoever feeds a trained network passes each image, at its own size,
through :func:`prepare` with the name in the run's ``config.model``.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.photometry import clahe
from segcore.errors import unknown

Image = npt.NDArray[np.uint8]

CLAHE_CLIP = 2.0
"""Most that the contrast of a tile is raised."""


def _as_is(image: Image) -> Image:
    return image


def _even_contrast(image: Image) -> Image:
    return clahe(image, {"clip": CLAHE_CLIP})


STEPS: dict[str, Callable[[Image], Image]] = {
    "none": _as_is,
    "clahe": _even_contrast,
    "standardise": _as_is,
}


def prepare(image: Image, preprocessing: str) -> Image:
    """Prepare one image, before it is resized, cut or augmented.

    Args:
        image: (H, W, 3) uint8 RGB; not changed.
        preprocessing: A name in ``catalog.PREPROCESSING``.

    Returns:
        (H, W, 3) uint8 RGB; the argument itself where nothing is done.

    Raises:
        SegcoreError: The name is unknown.
    """
    if preprocessing not in STEPS:
        raise unknown("preprocessing", preprocessing, STEPS)
    return STEPS[preprocessing](image)
