"""Textures from above: noise, crop rows, canopies, water, strips (float32).

A surface is an array (H, W, 3) float32 RGB in 0..255, made for the whole frame and painted where a
mask says so.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Sun:
    """Where the light comes from.

    Attributes:
        x: Component towards the right of the unit vector in which shadows fall.
        y: Component downwards of it.
        length: Shadow length per unit of height, in pixels (a low sun has a long shadow).
    """

    x: float
    y: float
    length: float


def smooth_noise(rng: np.random.Generator, size: tuple[int, int], cell: float) -> FloatImage:
    """Return one octave of value noise.

    Args:
        rng: Source of randomness.
        size: (H, W).
        cell: Pixels between the values that are interpolated.

    Returns:
        (H, W) float32, mean about 0, standard deviation about 0.7.
    """
    if cell >= 16 and min(size) >= 16:  # smooth enough to be drawn four times smaller
        small = smooth_noise(rng, (-(-size[0] // 4), -(-size[1] // 4)), cell / 4)
        return np.asarray(
            cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32
        )
    height, width = size
    rows, columns = int(height / cell) + 4, int(width / cell) + 4
    grid = rng.standard_normal((rows, columns), dtype=np.float32)
    shift = rng.uniform(0.5, 1.5, 2)
    matrix = np.array([[1 / cell, 0, shift[0]], [0, 1 / cell, shift[1]]])
    flags = (cv2.INTER_CUBIC if cell >= 4 else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(grid, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT),
        np.float32,
    )


def fractal_noise(
    rng: np.random.Generator, size: tuple[int, int], cell: float, octaves: int = 4
) -> FloatImage:
    """Sum octaves of :func:`smooth_noise`, each with half the cell and half the height.

    Returns:
        (H, W) float32, mean about 0, standard deviation about 1.
    """
    out = np.zeros(size, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        out += np.float32(weight) * smooth_noise(rng, size, max(cell, 1.0))
        power += weight**2
        weight, cell = weight / 2, cell / 2
    return out / np.float32(0.7 * power**0.5)


def grain(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return pixel noise smoothed over about one pixel, (H, W) float32, deviation about 1."""
    pixels = np.frombuffer(rng.bytes(size[0] * size[1]), np.uint8).reshape(size)
    noise = (pixels.astype(np.float32) - np.float32(127.5)) * np.float32(
        1.9 / 73.9
    )  # 73.9: deviation of uniform bytes
    return np.asarray(cv2.GaussianBlur(noise, (3, 3), 0.6), np.float32)


def spread(plane: npt.NDArray[np.floating]) -> FloatImage:
    """Repeat (H, W) to three channels, (H, W, 3) float32."""
    single = np.asarray(plane, np.float32)
    return np.asarray(cv2.merge([single, single, single]), np.float32)


def tint(color: Rgb, value: FloatImage, warm: FloatImage | None = None) -> FloatImage:
    """Colour a brightness pattern.

    Args:
        color: Mean colour, 0..255.
        value: (H, W) relative brightness, 0 leaves the colour as it is.
        warm: (H, W) shift from blue to red, in units of 0..255, or None.

    Returns:
        (H, W, 3) float32.
    """
    light = np.asarray(value, np.float32) + np.float32(1)
    red, green, blue = (light * np.float32(c) for c in color)
    if warm is not None:
        red, blue = red + warm, blue - warm
    return np.asarray(cv2.merge([red, green, blue]), np.float32)


def coordinates(size: tuple[int, int], angle: float) -> tuple[FloatImage, FloatImage]:
    """Return pixel coordinates along and across a direction, each (H, W) float32."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * c + y * s, y * c - x * s


def crop_rows(
    rng: np.random.Generator, size: tuple[int, int], color: Rgb, angle: float, contrast: float
) -> FloatImage:
    """Paint rows along ``angle`` with tramlines, and patches where the crop is thin.

    Returns:
        (H, W, 3) float32.
    """
    _, across = coordinates(size, angle)
    patches = fractal_noise(rng, size, 38, 4)
    across = across + 0.7 * patches
    period = rng.uniform(3.2, 6.0)
    value = contrast * np.sin(across * (2 * np.pi / period))
    tramline = np.abs(
        (across / rng.uniform(24, 36) + rng.uniform()) % 1.0 - 0.5
    )  # 0 on the wheel tracks
    value -= 0.10 * (np.abs(tramline - 0.05) < 0.018)
    value += 0.05 * patches + 0.045 * grain(rng, size)
    return tint(color, value, 5 * patches)


def meadow(rng: np.random.Generator, size: tuple[int, int], color: Rgb) -> FloatImage:
    """Paint grass: soft patches, tufts, a few dry spots.

    Returns:
        (H, W, 3) float32.
    """
    patches = fractal_noise(rng, size, 44, 4)
    tufts = smooth_noise(rng, size, 2.6)
    value = 0.07 * patches + 0.05 * tufts + 0.035 * grain(rng, size)
    dry = np.clip(fractal_noise(rng, size, 26, 2) - 0.8, 0, 1.5) * 16
    return tint(color, value, 4 * patches + dry)


def soil(
    rng: np.random.Generator, size: tuple[int, int], color: Rgb, angle: float, furrows: float
) -> FloatImage:
    """Paint bare ground: clods, moist patches, faint furrows along ``angle``.

    Returns:
        (H, W, 3) float32.
    """
    moist = fractal_noise(rng, size, 50, 4)
    _, across = coordinates(size, angle)
    value = 0.10 * moist + 0.055 * grain(rng, size) + 0.03 * smooth_noise(rng, size, 3)
    value += furrows * np.sin((across + moist) * (2 * np.pi / rng.uniform(3.0, 4.5)))
    return tint(color, value, 3 * moist)


def gravel(rng: np.random.Generator, size: tuple[int, int]) -> FloatImage:
    """Return the brightness of a worn surface: asphalt, gravel or packed earth.

    Returns:
        (H, W) float32 for :func:`tint`.
    """
    return 0.05 * fractal_noise(rng, size, 18, 3) + 0.04 * grain(rng, size)


def water(
    rng: np.random.Generator, size: tuple[int, int], color: Rgb, depth: FloatImage, angle: float
) -> FloatImage:
    """Paint water that darkens with its distance from the shore, with ripples across ``angle``.

    Args:
        rng: Source of randomness.
        size: (H, W).
        color: Colour of the deep water.
        depth: (H, W) distance from the shore in pixels.
        angle: Direction of the wind, radians.

    Returns:
        (H, W, 3) float32.
    """
    along, across = coordinates(size, angle)
    swell = fractal_noise(rng, size, 30, 3)
    ripples = np.sin(across * 1.1 + 1.6 * swell + 0.25 * np.sin(along * 0.22))
    shallow = np.exp(-depth / 7)
    out = tint(color, 0.03 * ripples + 0.05 * swell + 0.012 * grain(rng, size))
    return out + tint((26, 34, 20), shallow - 1)


def canopy(
    rng: np.random.Generator, region: npt.NDArray[np.bool_], color: Rgb, spacing: float, sun: Sun
) -> tuple[FloatImage, npt.NDArray[np.bool_]]:
    """Cover a region with tree or bush crowns, each a sunlit dome.

    Args:
        rng: Source of randomness.
        region: (H, W) where crowns may stand; the crowns on the rim reach over it.
        color: Mean colour of a crown.
        spacing: Pixels between crowns.
        sun: The light.

    Returns:
        Surface (H, W, 3) float32, and where it covers the ground (H, W) bool.
    """
    height, width = region.shape
    reach = int(spacing) + 1
    y, x = np.mgrid[-reach : height + reach : spacing, -reach : width + reach : spacing * 0.9]
    x[1::2] += spacing * 0.45
    y = y + rng.uniform(-0.38, 0.38, y.shape) * spacing
    x = x + rng.uniform(-0.38, 0.38, x.shape) * spacing
    ys, xs = np.round(y).astype(int).ravel(), np.round(x).astype(int).ravel()
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    ys, xs = ys[inside], xs[inside]
    stands = region[ys, xs]
    return crowns(
        rng, (height, width), np.stack([xs[stands], ys[stands]], 1), color, spacing * 0.72, sun
    )


def crowns(
    rng: np.random.Generator,
    size: tuple[int, int],
    centres: npt.NDArray[np.int64],
    color: Rgb,
    radius: float,
    sun: Sun,
) -> tuple[FloatImage, npt.NDArray[np.bool_]]:
    """Paint one dome for each centre: lit on the sunny side, dark between crowns.

    Args:
        rng: Source of randomness.
        size: (H, W).
        centres: (N, 2) int columns and rows, inside the frame.
        color: Mean colour of a crown.
        radius: Mean radius of a crown, pixels.
        sun: The light.

    Returns:
        Surface (H, W, 3) float32, and where it covers the ground (H, W) bool.
    """
    if not len(centres):
        return np.zeros((*size, 3), np.float32), np.zeros(size, np.bool_)
    seeds = np.ones(size, np.uint8)
    seeds[centres[:, 1], centres[:, 0]] = 0
    distance, nearest = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    count = int(nearest.max()) + 1
    radii = np.float32(radius) * rng.uniform(0.75, 1.2, count).astype(np.float32)
    shade = rng.normal(0, 0.11, count).astype(np.float32)
    hue = rng.normal(0, 5, count).astype(np.float32)
    relative = distance / radii[nearest]
    dome = np.sqrt(np.clip(1 - relative**2, 0, 1)).astype(np.float32)
    height = cv2.GaussianBlur(
        dome * np.float32(radius) + 0.5 * smooth_noise(rng, size, 1.6), (3, 3), 0.7
    )
    slope_x, slope_y = (
        cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125),
    )
    lit = slope_x * np.float32(sun.x) + slope_y * np.float32(
        sun.y
    )  # shadows fall along (x, y): rising ground against it is lit
    value = (
        0.42 * np.clip(lit, -1.1, 1.1)
        + 0.42 * (dome - 0.68)
        + shade[nearest]
        + 0.05 * grain(rng, size)
    )
    return tint(color, value.astype(np.float32), hue[nearest]), distance < radii[nearest]
