"""Geometric transforms, joined into one matrix or field, so pixels are sampled once.

Matrices are 3 x 3 and lead from the centred pixel coordinates (x, y, 1) of the result back to those
of the source; joined ones therefore cost one interpolation.
"""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Parameters = Mapping[str, float]
Size = tuple[int, int]


def flip_horizontal(parameters: Parameters, size: Size) -> Matrix:
    """Mirror left and right."""
    return np.diag([-1.0, 1.0, 1.0])


def flip_vertical(parameters: Parameters, size: Size) -> Matrix:
    """Mirror top and bottom."""
    return np.diag([1.0, -1.0, 1.0])


def quarter_turn(parameters: Parameters, size: Size) -> Matrix:
    """Rotate by ``turns`` right angles.

    An odd number in a frame that is not square enlarges until the frame is filled.
    """
    turns = int(parameters["turns"]) % 4
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[turns]
    zoom = max(size) / min(size) if turns % 2 else 1.0
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, zoom]]) / zoom


def affine(parameters: Parameters, size: Size) -> Matrix:
    """Rotate and shear (degrees), scale, and shift (fraction of the frame) at once."""
    turn, shear = (
        np.deg2rad(parameters.get("rotate", 0.0)),
        np.deg2rad(parameters.get("shear", 0.0)),
    )
    c, s = np.cos(turn), np.sin(turn)
    forward = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, np.tan(shear), 0], [0, 1, 0], [0, 0, 1]]
    )
    forward[:2, :2] *= parameters.get("scale", 1.0)
    forward[:2, 2] = (
        parameters.get("shift_x", 0.0) * size[1],
        parameters.get("shift_y", 0.0) * size[0],
    )
    return np.linalg.inv(forward)


def perspective(parameters: Parameters, size: Size) -> Matrix:
    """Move the four corners by up to ``strength`` of the frame, as a camera that leans."""
    half = np.array([size[1], size[0]], np.float32) / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half
    moves = (
        np.random.default_rng(int(parameters["seed"])).uniform(-1, 1, (4, 2))
        * parameters["strength"]
    )
    return np.asarray(
        cv2.getPerspectiveTransform(corners, corners + (moves * 2 * half).astype(np.float32)),
        np.float64,
    )


MOVES: dict[str, Callable[[Parameters, Size], Matrix]] = {
    "flip_horizontal": flip_horizontal,
    "flip_vertical": flip_vertical,
    "quarter_turn": quarter_turn,
    "affine": affine,
    "perspective": perspective,
}


def elastic_field(parameters: Parameters, size: Size) -> npt.NDArray[np.float32]:
    """Draw a smooth displacement: Gaussian moves on a coarse grid, joined by cubic curves.

    Simard, Steinkraus, Platt: Best practices for convolutional neural networks, ICDAR 2003 (there a
    Gaussian filter over pixel noise, which is the same field at many times the cost).

    Args:
        parameters: ``strength``, deviation of the moves as a share of the shorter side; ``cells``,
            grid cells along it; ``seed``.
        size: (H, W).

    Returns:
        (H, W, 2) float32, pixels to the right and down.
    """
    cells = max(2, int(parameters["cells"]))
    pitch = min(size) / cells
    grid = np.random.default_rng(int(parameters["seed"])).standard_normal(
        (int(np.ceil(size[0] / pitch)) + 1, int(np.ceil(size[1] / pitch)) + 1, 2), dtype=np.float32
    )
    field = cv2.resize(grid, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field * np.float32(parameters["strength"] * min(size)), np.float32)


def centre(size: Size) -> Matrix:
    """Return the matrix from pixel coordinates to centred ones."""
    return np.array([[1, 0, -(size[1] - 1) / 2], [0, 1, -(size[0] - 1) / 2], [0, 0, 1]])


def window_matrix(top: float, left: float, height: float, width: float, size: Size) -> Matrix:
    """Return the matrix that enlarges a window, in source pixels, to a frame of ``size``."""
    sx, sy = width / size[1], height / size[0]
    return np.array([[sx, 0, left + (sx - 1) / 2], [0, sy, top + (sy - 1) / 2], [0, 0, 1]])


def warp(
    image: npt.NDArray[Any],
    mask: npt.NDArray[Any],
    matrix: Matrix,
    size: Size,
    ignore_index: int,
    field: npt.NDArray[np.float32] | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Sample image (bilinear) and mask (nearest) at the same places.

    Args:
        image: (H, W, 3) uint8, or (H, W, N) float32.
        mask: (H, W) uint8 or uint16.
        matrix: From pixel coordinates of the result to those of the source.
        size: (h, w) of the result.
        ignore_index: What the mask gets where the source ends; the image is mirrored there.
        field: (h, w, 2) float32, added to the result's coordinates first; None for none.

    Returns:
        (h, w, ...) of the image's dtype and (h, w) of the mask's.
    """
    matrix = matrix / matrix[2, 2]
    straight = field is None and not np.abs(matrix[2, :2]).max() > 1e-12
    if straight and mask.shape == size and np.abs(matrix - np.eye(3)).max() < 1e-9:
        return image, mask
    depth = image.shape[2]
    parts = [image] if depth <= 4 else [image[..., n : n + 4] for n in range(0, depth, 4)]
    ways = (  # OpenCV samples more than four channels less exactly
        *((part, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101, 0) for part in parts),
        (mask, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, ignore_index),
    )
    if straight:
        out = (size[1], size[0])
        flags = cv2.WARP_INVERSE_MAP
        moved = [
            cv2.warpAffine(a, matrix[:2], out, flags=how | flags, borderMode=rim, borderValue=value)
            for a, how, rim, value in ways
        ]
    else:
        x, y = _places(matrix, size, field)
        moved = [
            cv2.remap(a, x, y, how, borderMode=rim, borderValue=value)
            for a, how, rim, value in ways
        ]
    *seen, labels = moved
    if depth != 3:  # OpenCV drops the axis of a single channel
        seen = [np.concatenate([part.reshape(*size, -1) for part in seen], axis=2)]
    return seen[0].astype(image.dtype, copy=False), labels.astype(mask.dtype, copy=False)


def warp_planes(
    planes: npt.NDArray[np.float32],
    matrix: Matrix,
    size: Size,
    field: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Sample maps at the places at which :func:`warp` samples: bilinear, edges repeated outside.

    Args:
        planes: (C, H, W) float32.
        matrix: As in :func:`warp`.
        size: (h, w) of the result.
        field: As in :func:`warp`.

    Returns:
        (C, h, w) float32.
    """
    x, y = _places(matrix / matrix[2, 2], size, field)
    out = np.empty((len(planes), *size), np.float32)
    for plane, target in zip(planes, out, strict=True):
        cv2.remap(plane, x, y, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE)
    return out


def _places(
    matrix: Matrix, size: Size, field: npt.NDArray[np.float32] | None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    x, y = (
        np.arange(size[1], dtype=np.float32)[None, :],
        np.arange(size[0], dtype=np.float32)[:, None],
    )
    if field is not None:
        x, y = x + field[..., 0], y + field[..., 1]
    m = matrix.astype(np.float32)
    depth = m[2, 0] * x + m[2, 1] * y + m[2, 2]
    return (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / depth, (
        m[1, 0] * x + m[1, 1] * y + m[1, 2]
    ) / depth
