"""Changing colours without moving pixels: tone, hue, noise, blur, compression, local contrast.

Each function takes an image (H, W, 3) uint8 RGB and parameters, and returns a new image of the same
size and dtype; the mask is not concerned.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Parameters = Mapping[str, float]


def tone(image: Image, parameters: Parameters) -> Image:
    """Apply v -> (v^gamma - 1/2) * contrast + 1/2 + brightness to values in 0..1."""
    values = np.linspace(0, 1, 256) ** parameters.get("gamma", 1.0)
    values = (
        (values - 0.5) * parameters.get("contrast", 1.0) + 0.5 + parameters.get("brightness", 0.0)
    )
    table = np.clip(np.round(values * 255), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


def color(image: Image, parameters: Parameters) -> Image:
    """Rotate the hue by ``hue`` degrees and scale the saturation at equal luma (YIQ)."""
    return np.asarray(cv2.transform(image, color_matrix(parameters)), np.uint8)


def color_matrix(parameters: Parameters) -> npt.NDArray[np.float64]:
    """Return the matrix (3, 3) from red, green and blue to those of :func:`color`."""
    turn, saturation = np.deg2rad(parameters.get("hue", 0.0)), parameters.get("saturation", 1.0)
    c, s = saturation * np.cos(turn), saturation * np.sin(turn)
    matrix = np.linalg.inv(_TO_YIQ) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ _TO_YIQ
    return np.asarray(matrix)


def noise(image: Image, parameters: Parameters) -> Image:
    """Add noise of standard deviation ``sigma`` (0..255), as the sum of three uniform draws."""
    rng = np.random.default_rng(int(parameters["seed"]))
    total = np.zeros(image.shape, np.int16)
    for _ in range(3):
        total += np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    deviation = 3**0.5 * 255 / 12**0.5
    added = (total - np.float32(382.5)) * np.float32(parameters["sigma"] / deviation)
    return np.clip(np.round(image + added), 0, 255).astype(np.uint8)


def blur(image: Image, parameters: Parameters) -> Image:
    """Blur by a Gaussian of deviation ``sigma`` pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(parameters["sigma"], 1e-3)), np.uint8)


def jpeg(image: Image, parameters: Parameters) -> Image:
    """Compress and decompress as JPEG of ``quality`` 1..100."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(parameters["quality"])]
    _, data = cv2.imencode(
        ".jpg", image, quality
    )  # the channel order does not matter: it comes back as it went
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def clahe(image: Image, parameters: Parameters) -> Image:
    """Equalise the contrast of the lightness in 8 x 8 tiles, at most ``clip`` times (CLAHE).

    Zuiderveld, Graphics Gems IV, 1994.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(parameters["clip"], (8, 8)).apply(
        np.ascontiguousarray(lab[..., 0])
    )
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


PIXEL_CHANGES: dict[str, Callable[[Image, Parameters], Image]] = {
    "blur": blur,
    "clahe": clahe,
    "color": color,
    "tone": tone,
    "noise": noise,
    "jpeg": jpeg,
}
"""The order in which they are applied: optics, development, sensor noise, file."""
