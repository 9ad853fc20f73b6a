"""Shapes on the ground: parcels, curves, rectangles, with soft outlines on the grid."""

import cv2
import numpy as np
import numpy.typing as npt

FINE = 4
"""Oversampling of shapes, so that thin ones get soft, exact outlines."""

Points = npt.NDArray[np.float32]


def split_parcels(
    rng: np.random.Generator, size: tuple[int, int], angle: float, smallest: float
) -> list[Points]:
    """Divide the ground into fields: a rectangle is halved across its long side.

    Args:
        rng: Source of randomness.
        size: (H, W) of the frame that the parcels cover.
        angle: Main direction of the field borders, radians.
        smallest: Parcels are not cut below about this length, pixels.

    Returns:
        Convex polygons, each (4 or 5, 2) float32 of x, y.
    """
    height, width = size
    reach = 0.75 * float(np.hypot(height, width))
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * reach @ np.array(
        [[c, s], [-s, c]]
    ) + [width / 2, height / 2]
    pending, done = [corners], []
    while pending:
        polygon = pending.pop()
        sides = np.roll(polygon, -1, 0) - polygon
        lengths = np.hypot(sides[:, 0], sides[:, 1])
        longest = int(lengths.argmax())
        if lengths[longest] < smallest * rng.uniform(1.0, 2.2):
            done.append(polygon.astype(np.float32))
            continue
        start = polygon[longest] + sides[longest] * rng.uniform(0.36, 0.64)
        normal = sides[longest] / lengths[longest]
        turn = rng.normal(0, 0.06)
        normal = np.array(
            [
                normal[0] * np.cos(turn) - normal[1] * np.sin(turn),
                normal[0] * np.sin(turn) + normal[1] * np.cos(turn),
            ]
        )
        for half in (_cut(polygon, start, normal), _cut(polygon, start, -normal)):
            low, high = half.min(0), half.max(0)
            if len(half) >= 3 and (high > 0).all() and (low < [width, height]).all():
                pending.append(half)
    return done


def _cut(
    polygon: npt.NDArray[np.float64],
    point: npt.NDArray[np.float64],
    normal: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Keep the part of a convex polygon on the side that ``normal`` points away from."""
    signed = (polygon - point) @ normal
    out = []
    for i, corner in enumerate(polygon):
        j = (i + 1) % len(polygon)
        if signed[i] <= 0:
            out.append(corner)
        if signed[i] * signed[j] < 0:
            out.append(corner + (polygon[j] - corner) * signed[i] / (signed[i] - signed[j]))
    return np.array(out).reshape(-1, 2)


def smooth_curve(knots: npt.NDArray[np.float64], steps: int = 24) -> Points:
    """Run a Catmull-Rom spline through the knots.

    Args:
        knots: (K, 2) x, y; at least 2.
        steps: Points between two knots.

    Returns:
        ((K - 1) * steps + 1, 2) float32.
    """
    padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    parts = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        parts.append(
            0.5
            * (
                2 * p1
                + (p2 - p0) * t
                + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
                + (3 * p1 - p0 - 3 * p2 + p3) * t**3
            )
        )
    return np.vstack([*parts, knots[-1:]]).astype(np.float32)


def crossing_curve(
    rng: np.random.Generator, size: tuple[int, int], angle: float, bend: float
) -> Points:
    """Draw a smooth line right through the frame, roughly along ``angle``.

    Args:
        rng: Source of randomness.
        size: (H, W).
        angle: Direction, radians.
        bend: Sideways wandering, pixels.

    Returns:
        (P, 2) float32 points, about 2 pixels apart.
    """
    height, width = size
    reach = 0.62 * float(np.hypot(height, width))
    c, s = np.cos(angle), np.sin(angle)
    along = np.linspace(-reach, reach, 6)
    across = np.cumsum(rng.normal(0, bend, 6))
    across += rng.uniform(-0.28, 0.28) * min(size) - across[2:4].mean()
    knots = np.stack([width / 2 + along * c - across * s, height / 2 + along * s + across * c], 1)
    return smooth_curve(knots, 30)


def branch_curve(
    rng: np.random.Generator, size: tuple[int, int], parent: Points, bend: float
) -> Points:
    """Draw a smooth line that leaves a parent curve inside the frame and runs out of it.

    Returns:
        (P, 2) float32 points.
    """
    height, width = size
    inside = np.flatnonzero(
        (parent > [10, 10]).all(1) & (parent < [width - 10, height - 10]).all(1)
    )
    at = int(rng.choice(inside)) if len(inside) else len(parent) // 2
    at = min(max(at, 1), len(parent) - 2)
    direction = parent[at + 1] - parent[at - 1]
    angle = float(np.arctan2(direction[1], direction[0])) + rng.choice([-1, 1]) * rng.uniform(
        0.9, 2.0
    )
    along = np.linspace(0, 1.1 * float(np.hypot(height, width)), 7)
    across = np.concatenate([[0, 0], np.cumsum(rng.normal(0, bend, 5))])
    c, s = np.cos(angle), np.sin(angle)
    return smooth_curve(
        np.stack(
            [parent[at, 0] + along * c - across * s, parent[at, 1] + along * s + across * c], 1
        ),
        30,
    )


def _averaged(fine: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    small = cv2.resize(fine, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def _fixed(points: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
    return np.round((points + 0.5) * FINE - 0.5).astype(np.int32)


def stroke(size: tuple[int, int], lines: list[Points], width: float) -> npt.NDArray[np.float32]:
    """Rasterise lines of a width: the covered fraction of each pixel, (H, W) float32."""
    fine = np.zeros((size[0] * FINE, size[1] * FINE), np.uint8)
    cv2.polylines(fine, [_fixed(line) for line in lines], False, 255, max(1, round(width * FINE)))
    return _averaged(fine, size)


def dashed(points: Points, on: int, off: int) -> list[Points]:
    """Cut a line into dashes, ``on`` and ``off`` points long by turns."""
    return [points[i : i + on] for i in range(0, len(points) - on, on + off)]


def fill(size: tuple[int, int], polygons: list[Points]) -> npt.NDArray[np.float32]:
    """Cover polygons with pixels; returns the share of each pixel, (H, W) float32 in 0..1."""
    fine = np.zeros((size[0] * FINE, size[1] * FINE), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(fine, [_fixed(polygon)], 255)
    return _averaged(fine, size)


def rectangle(
    middle: npt.NDArray[np.floating] | tuple[float, float],
    length: float,
    width: float,
    angle: float,
) -> Points:
    """Return the corners of a rotated rectangle around ``middle`` (x, y), (4, 2) float32.

    The first side runs along ``angle``.
    """
    c, s = np.cos(angle), np.sin(angle)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [length / 2, width / 2]
    return (corners @ np.array([[c, s], [-s, c]]) + np.asarray(middle)).astype(np.float32)


def cast_shadow(
    cover: npt.NDArray[np.float32], x: float, y: float, length: float
) -> npt.NDArray[np.float32]:
    """Drag a shape along (x, y) and keep what lies outside it: its shadow on the ground.

    Args:
        cover: (H, W) float32 in 0..1, the shape.
        x: Component to the right of the unit vector in which the shadow falls.
        y: Component downwards of it.
        length: Length of the shadow, pixels.

    Returns:
        (H, W) float32 in 0..1.
    """
    reach = int(np.ceil(length)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    cv2.line(kernel, (reach, reach), (round(reach - x * length), round(reach - y * length)), 1)
    dragged = cv2.dilate(cover, kernel)
    return np.clip(cv2.GaussianBlur(dragged, (3, 3), 0.7) - cover, 0, 1).astype(np.float32)
