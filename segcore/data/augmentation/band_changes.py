"""Changes of values, not of places, for bands that keep their values.

They are those of ``photometry.py``, in units of each band's deviation over the training split: a
value v of a band is read as the level ``p = .449 + .225 (v - mean) / std``, which has the mean and
deviation that pictures have between 0 and 1, changed there, and turned back. So a preset is as
strong on reflectances of 16 bits, or on heights, as on pictures. Nothing is cut off: levels below 0
and above 1 exist.

Hue and saturation are of red, green and blue: they change those three bands where all are known by
name, and nothing where they are not. A JPEG and the lightness of CLAHE are of pictures of 8 bits:
they change nothing here.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.augmentation.photometry import color_matrix
from segcore.data.bands.learned import LearnedBands

FloatImage = npt.NDArray[np.float32]
Parameters = Mapping[str, float]

LEVEL, SPREAD = 114.5 / 255, 57.4 / 255
"""Mean and deviation of pictures between 0 and 1, over ImageNet."""


def to_levels(image: FloatImage, bands: LearnedBands) -> FloatImage:
    """Return p of the module's docstring, (H, W, N) float32."""
    mean, std = (np.asarray(values, np.float32) for values in (bands.mean, bands.std))
    return np.asarray((image - mean) * (np.float32(SPREAD) / std) + np.float32(LEVEL), np.float32)


def from_levels(levels: FloatImage, bands: LearnedBands) -> FloatImage:
    """Undo :func:`to_levels`."""
    mean, std = (np.asarray(values, np.float32) for values in (bands.mean, bands.std))
    return np.asarray((levels - np.float32(LEVEL)) * (std / np.float32(SPREAD)) + mean, np.float32)


def blur(levels: FloatImage, parameters: Parameters, bands: LearnedBands) -> FloatImage:
    """Blur every band by a Gaussian of deviation ``sigma`` pixels."""
    blurred = cv2.GaussianBlur(levels, (0, 0), max(parameters["sigma"], 1e-3))
    return np.asarray(blurred, np.float32).reshape(levels.shape)


def color(levels: FloatImage, parameters: Parameters, bands: LearnedBands) -> FloatImage:
    """Rotate the hue and scale the saturation of the bands red, green and blue, if all are there."""
    places = bands.bands.rgb
    if places is None:
        return levels
    turned = levels.copy()
    turned[..., list(places)] = levels[..., list(places)] @ color_matrix(parameters).T.astype(
        np.float32
    )
    return turned


def tone(levels: FloatImage, parameters: Parameters, bands: LearnedBands) -> FloatImage:
    """Apply v -> (v^gamma - 1/2) * contrast + 1/2 + brightness to every band.

    The power is taken of the part between 0 and 1; what lies beyond is added unchanged.
    """
    inside = np.clip(levels, 0, 1)
    curved = inside ** np.float32(parameters.get("gamma", 1.0))
    changed = (curved - 0.5) * parameters.get("contrast", 1.0) + 0.5
    changed += parameters.get("brightness", 0.0) + (levels - inside)
    return np.asarray(changed, np.float32)


def noise(levels: FloatImage, parameters: Parameters, bands: LearnedBands) -> FloatImage:
    """Add Gaussian noise of standard deviation ``sigma`` / 255 to every band, each its own."""
    rng = np.random.default_rng(int(parameters["seed"]))
    drawn = rng.standard_normal(levels.shape, np.float32)
    return levels + drawn * np.float32(parameters["sigma"] / 255)


BAND_CHANGES: dict[str, Callable[[FloatImage, Parameters, LearnedBands], FloatImage]] = {
    "blur": blur,
    "color": color,
    "tone": tone,
    "noise": noise,
}
"""The order in which they are applied, as in ``photometry.PIXEL_CHANGES``."""


def change_bands(
    image: FloatImage, drawn: Mapping[str, Parameters], bands: LearnedBands
) -> FloatImage:
    """Apply the changes of values among those drawn.

    Args:
        image: (H, W, N) float32 in the raster's units, without gaps; not changed.
        drawn: Transform name to its parameters; names that mean nothing for bands are passed over.
        bands: The channels.

    Returns:
        (H, W, N) float32; the argument itself where nothing is changed.
    """
    wanted = [name for name in BAND_CHANGES if name in drawn]
    if not wanted:
        return image
    levels = to_levels(image, bands)
    for name in wanted:
        levels = BAND_CHANGES[name](levels, drawn[name], bands)
    return from_levels(levels, bands)
