"""One land-cover scene: the recipe of a landscape, and what is painted in which order."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.synthetic import layout, settlement, textures
from segcore.data.synthetic.canvas import (
    FIELD,
    FOREST,
    GRASSLAND,
    ORCHARD,
    ROAD,
    SHRUB,
    SOIL,
    TRACK,
    VOID,
    WATER,
    Canvas,
)
from segcore.data.synthetic.layout import Points
from segcore.data.synthetic.textures import FloatImage, Rgb, Sun


@dataclass(frozen=True)
class Recipe:
    """What a kind of landscape holds; shares and counts are drawn around these.

    Attributes:
        parcels: Relative frequency of field, grassland, bare soil and orchard among the parcels.
        forest: Share of the frame under trees.
        shrub: Share of the frame under bushes.
        water: "", "lake" or "river".
        roads: Roads through the frame.
        tracks: Tracks that branch off.
        houses: Houses along the roads.
        greenhouses: Groups of greenhouses.
        smallest: Length of the smallest parcels, pixels.
    """

    parcels: tuple[float, float, float, float]
    forest: float = 0.12
    shrub: float = 0.05
    water: str = ""
    roads: int = 1
    tracks: int = 1
    houses: int = 4
    greenhouses: int = 0
    smallest: float = 75


RECIPES: dict[str, tuple[float, Recipe]] = {
    "farmland": (0.26, Recipe((0.68, 0.16, 0.13, 0.03), 0.06, 0.06, "", 1, 1, 3, 0, 90)),
    "village": (0.16, Recipe((0.36, 0.48, 0.10, 0.06), 0.08, 0.06, "", 2, 1, 14, 0, 62)),
    "woodland": (0.16, Recipe((0.34, 0.56, 0.08, 0.02), 0.34, 0.16, "", 0, 2, 1, 0, 90)),
    "lake": (0.17, Recipe((0.46, 0.42, 0.07, 0.05), 0.13, 0.10, "lake", 1, 1, 3, 0, 80)),
    "river": (0.13, Recipe((0.62, 0.28, 0.08, 0.02), 0.08, 0.10, "river", 1, 1, 4, 0, 80)),
    "horticulture": (0.12, Recipe((0.46, 0.18, 0.18, 0.18), 0.04, 0.04, "", 1, 1, 6, 2, 66)),
}
"""Landscapes: how often each occurs, and its recipe."""

FIELD_COLORS: tuple[Rgb, ...] = (
    (112, 138, 70),
    (92, 124, 62),
    (134, 150, 82),
    (176, 162, 98),
    (192, 174, 116),
    (158, 146, 92),
    (124, 132, 84),
    (186, 178, 72),
)


def draw_scene(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw one scene.

    Args:
        rng: Source of all its randomness.
        size: (H, W), at least 64 each.

    Returns:
        Image (H, W, 3) uint8 RGB and mask (H, W) uint8 with class indices and 255 for void.
    """
    names = list(RECIPES)
    shares = np.array([RECIPES[name][0] for name in names])
    recipe = RECIPES[names[int(rng.choice(len(names), p=shares / shares.sum()))]][1]
    fall = rng.uniform(0, 2 * np.pi)
    sun = Sun(float(np.cos(fall)), float(np.sin(fall)), rng.uniform(0.45, 1.0))
    angle = rng.uniform(0, np.pi)
    season = rng.normal(0, 1)
    canvas = Canvas.blank(size)
    roads = [
        layout.crossing_curve(rng, size, angle + i * rng.uniform(1.1, 2.0) + rng.normal(0, 0.12), 9)
        for i in range(recipe.roads)
    ]
    stems = roads or [layout.crossing_curve(rng, size, angle + rng.normal(0, 0.4), 16)]
    tracks = [
        layout.branch_curve(rng, size, stems[i % len(stems)], 12) for i in range(recipe.tracks)
    ]
    if not roads:
        tracks[0] = stems[0]
    ways = np.ones(size, np.uint8)
    for line in [*roads, *tracks]:
        cv2.polylines(ways, [np.round(line).astype(np.int32)], False, 0, 1)
    clearance = np.asarray(cv2.distanceTransform(ways, cv2.DIST_L2, 5), np.float32)

    _parcels(canvas, rng, recipe, angle, season, sun)
    _water(canvas, rng, recipe, angle, clearance)
    _woods(canvas, rng, recipe, season, sun, clearance)
    void = _borders(canvas.labels)
    gravel = textures.gravel(rng, size)
    for label, lines in ((TRACK, tracks), (ROAD, roads)):
        for line in lines:
            _way(canvas, rng, line, label, gravel)
    void &= (canvas.labels != ROAD) & (canvas.labels != TRACK)
    before = canvas.labels.copy()
    settlement.build_greenhouses(canvas, rng, recipe.greenhouses, angle, sun)
    settlement.build_houses(canvas, rng, recipe.houses, roads or tracks, sun)
    settlement.park_vehicles(canvas, rng, roads, tracks, sun)
    built = (canvas.labels != before).astype(np.uint8)
    rim = cv2.dilate(built, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) > built
    return _photograph(canvas.picture, rng, season), _with_void(
        canvas.labels, (void & (built == 0)) | rim
    )


def _parcels(
    canvas: Canvas, rng: np.random.Generator, recipe: Recipe, angle: float, season: float, sun: Sun
) -> None:
    kinds = np.array([FIELD, GRASSLAND, SOIL, ORCHARD])
    polygons = layout.split_parcels(rng, canvas.size, angle, recipe.smallest)
    for polygon in polygons:
        part = canvas.window(polygon, 1)
        if not part.labels.size:
            continue
        inside = np.zeros(part.size, np.uint8)
        cv2.fillPoly(
            inside, [np.round((polygon - part.origin) * 16).astype(np.int32)], 1, cv2.LINE_8, 4
        )
        region = inside.astype(bool)
        kind = int(rng.choice(kinds, p=recipe.parcels))
        rows = angle + (np.pi / 2 if rng.random() < 0.4 else 0.0) + rng.normal(0, 0.03)
        surface = _parcel_surface(rng, part.size, kind, rows, season)
        if kind == ORCHARD:
            surface = _orchard(rng, surface, region, rows, sun)
        part.picture[region] = surface[region]
        part.labels[region] = kind
    outlines = [np.vstack([polygon, polygon[:1]]) for polygon in polygons]
    verge = textures.tint((96 + 3 * season, 112, 66), textures.gravel(rng, canvas.size))
    canvas.paint(
        layout.stroke(canvas.size, outlines, rng.uniform(1.2, 2.4)) * np.float32(0.75), verge, None
    )


def _parcel_surface(
    rng: np.random.Generator, size: tuple[int, int], kind: int, rows: float, season: float
) -> FloatImage:
    if kind == FIELD:
        color = (
            np.array(FIELD_COLORS[rng.integers(len(FIELD_COLORS))])
            + rng.normal(0, 5, 3)
            + [3 * season, 0, 0]
        )
        return textures.crop_rows(rng, size, tuple(color), rows, rng.uniform(0.05, 0.12))
    if kind == SOIL:
        color = np.array([158, 128, 98]) * rng.uniform(0.78, 1.12) + rng.normal(0, 4, 3)
        return textures.soil(rng, size, tuple(color), rows, rng.uniform(0.0, 0.05))
    base = np.array([118, 138, 80]) if kind == GRASSLAND else np.array([128, 134, 86])
    return textures.meadow(
        rng, size, tuple(base * rng.uniform(0.9, 1.1) + rng.normal(0, 4, 3) + [5 * season, 0, 0])
    )


def _orchard(
    rng: np.random.Generator,
    surface: FloatImage,
    region: npt.NDArray[np.bool_],
    rows: float,
    sun: Sun,
) -> FloatImage:
    height, width = region.shape
    pitch = rng.uniform(7.0, 9.5)
    reach = np.hypot(height, width) / 2
    u, v = (
        a.ravel()
        for a in np.meshgrid(
            np.arange(-reach, reach, pitch), np.arange(-reach, reach, pitch * rng.uniform(0.8, 1.0))
        )
    )
    c, s = np.cos(rows), np.sin(rows)
    x = np.round(width / 2 + u * c - v * s + rng.normal(0, 0.4, u.shape)).astype(int)
    y = np.round(height / 2 + u * s + v * c + rng.normal(0, 0.4, u.shape)).astype(int)
    keep = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (rng.random(u.shape) > 0.05)
    x, y = x[keep], y[keep]
    keep = cv2.erode(region.astype(np.uint8), np.ones((5, 5), np.uint8))[y, x] > 0
    tree, cover = textures.crowns(
        rng, (height, width), np.stack([x[keep], y[keep]], 1), (86, 114, 58), pitch * 0.36, sun
    )
    soft = cover.astype(np.float32)
    shadow = layout.cast_shadow(soft, sun.x, sun.y, 3.5 * sun.length)
    out = surface * textures.spread(1 - 0.5 * shadow)
    return np.where(cover[..., None], tree, out).astype(np.float32)


def _water(
    canvas: Canvas, rng: np.random.Generator, recipe: Recipe, angle: float, clearance: FloatImage
) -> None:
    size = canvas.size
    if recipe.water == "lake":
        level = textures.fractal_noise(rng, size, 85, 4)
        level -= 2.5 * np.exp(-clearance / 12)
        y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
        level -= 1.6 * (
            np.hypot(
                (x - rng.uniform(0.25, 0.75) * size[1]) / size[1],
                (y - rng.uniform(0.25, 0.75) * size[0]) / size[0],
            )
        )
        edge = float(np.quantile(level[::3, ::3], 1 - rng.uniform(0.16, 0.34)))
        cover = np.clip((level - edge) / 0.06 + 0.5, 0, 1).astype(np.float32)
    elif recipe.water == "river":
        line = layout.crossing_curve(rng, size, angle + rng.uniform(0.9, 2.2), 22)
        wide = layout.stroke(size, [line], rng.uniform(13, 24))
        wobble = textures.fractal_noise(rng, size, 26, 3)
        blurred = cv2.GaussianBlur(wide, (0, 0), 3.5)
        cover = np.clip((blurred - 0.5 + 0.10 * wobble) / 0.10 + 0.5, 0, 1).astype(np.float32)
    else:
        return
    cover = cv2.GaussianBlur(cover, (3, 3), 0.8)
    wet = (cover > 0.5).astype(np.uint8)
    depth = np.asarray(cv2.distanceTransform(wet, cv2.DIST_L2, 5), np.float32)
    ashore = np.asarray(cv2.distanceTransform(1 - wet, cv2.DIST_L2, 5), np.float32)
    bank = np.clip(1 - ashore / rng.uniform(3.5, 6.5), 0, 1) * (1 - cover)
    canvas.paint(
        (0.75 * bank).astype(np.float32), textures.soil(rng, size, (150, 140, 104), 0.0, 0.0), None
    )
    color = np.array([46, 74, 82]) * rng.uniform(0.85, 1.3) + rng.normal(0, 5, 3)
    canvas.paint(
        cover,
        textures.water(rng, size, tuple(color), depth, rng.uniform(0, np.pi)),
        WATER,
        take=True,
    )


def _woods(
    canvas: Canvas,
    rng: np.random.Generator,
    recipe: Recipe,
    season: float,
    sun: Sun,
    clearance: FloatImage,
) -> None:
    size = canvas.size
    open_ground = (clearance > 6.5) & ~cv2.dilate(
        canvas.taken.astype(np.uint8), np.ones((5, 5), np.uint8)
    ).astype(bool)
    level = textures.fractal_noise(rng, size, 70, 3)
    for label, share in (
        (SHRUB, recipe.shrub),
        (FOREST, recipe.forest),
    ):  # trees last: they stand over bushes
        share *= rng.uniform(0.5, 1.5)
        here = level if label == FOREST else 0.2 * level + textures.fractal_noise(rng, size, 46, 3)
        region = (here > np.quantile(here[::3, ::3], 1 - share)) & open_ground
        region = cv2.morphologyEx(
            region.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)
        ).astype(bool)
        if not region.any():
            continue
        shade = rng.normal(0, 8)
        if label == FOREST:
            color, spacing, height = np.array([66, 91, 50]) + shade, rng.uniform(6.2, 8.4), 6.0
        else:
            color, spacing, height = np.array([70, 94, 53]) + shade, rng.uniform(5.0, 6.8), 4.0
        color = color + np.array([5 * season, 0, 0]) + rng.normal(0, 3, 3)
        surface, cover = textures.canopy(rng, region, tuple(color), spacing, sun)
        soft = np.asarray(cv2.GaussianBlur(cover.astype(np.float32), (3, 3), 0.5), np.float32)
        closed = (
            cv2.morphologyEx(cover.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
        )
        canvas.darken(layout.cast_shadow(soft, sun.x, sun.y, height * sun.length), 0.5)
        canvas.paint(soft, surface, None)
        canvas.labels[closed & (clearance > 4)] = label
        canvas.taken |= closed


def _way(
    canvas: Canvas, rng: np.random.Generator, line: Points, label: int, gravel: FloatImage
) -> None:
    size = canvas.size
    wide = rng.uniform(6.4, 8.6) if label == ROAD else rng.uniform(5.4, 7.6)
    warm = rng.normal(4, 5) if label == ROAD else rng.normal(9, 5)
    grey = rng.normal(142, 9) if label == ROAD else rng.normal(147, 10)
    canvas.paint(
        layout.stroke(size, [line], wide + 4.5) * np.float32(0.7),
        textures.tint((124, 126, 84), gravel),
        None,
    )
    surface = textures.tint((grey + warm, grey, grey - 1.4 * warm), gravel)
    canvas.paint(layout.stroke(size, [line], wide), surface, label, take=True)
    normal = np.gradient(line, axis=0)[:, ::-1] * np.array([-1, 1], np.float32)
    normal = (normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)).astype(
        np.float32
    )
    wheels = [line + normal * np.float32(side * wide) for side in (-0.22, 0.22)]
    canvas.darken(layout.stroke(size, wheels, 1.0), 0.07)
    if rng.random() < (0.4 if label == ROAD else 0.15):
        canvas.paint(
            layout.stroke(size, layout.dashed(line, 4, 4), 0.5) * np.float32(0.55),
            (214, 212, 204),
            None,
        )


def _photograph(
    picture: FloatImage, rng: np.random.Generator, season: float
) -> npt.NDArray[np.uint8]:
    """Light, haze, lens and sensor, the same for the whole frame: no hint at labels."""
    size = (picture.shape[0], picture.shape[1])
    cloud = 1 - 0.13 * np.clip(textures.smooth_noise(rng, size, 110) - rng.uniform(0.0, 1.2), 0, 1)
    gain = rng.uniform(0.90, 1.14) * (
        1 + np.array([0.025 * season, 0, -0.025 * season]) + rng.normal(0, 0.015, 3)
    )
    contrast, lift = np.float32(rng.uniform(1.0, 1.22)), np.float32(112 + rng.uniform(-6, 8))
    channels = [
        (plane * (cloud * np.float32(g)) - 112) * contrast + lift
        for plane, g in zip(cv2.split(picture), gain, strict=True)
    ]
    grey = (channels[0] + channels[1] + channels[2]) * np.float32(1 / 3)
    haze = np.float32(rng.uniform(0.06, 0.26))  # takes colour away
    channels = [plane + haze * (grey - plane) for plane in channels]
    out = cv2.GaussianBlur(cv2.merge(channels), (3, 3), rng.uniform(0.35, 0.55))
    out += textures.spread(1.8 * textures.grain(rng, size))
    return np.clip(out + 0.5, 0, 255).astype(np.uint8)


def _borders(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Mark the pixels that touch another class, about two pixels wide."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.asarray(cv2.dilate(labels, cross) != cv2.erode(labels, cross))


def _with_void(labels: npt.NDArray[np.uint8], void: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    out = labels.copy()
    out[void] = VOID
    out[0], out[-1], out[:, 0], out[:, -1] = VOID, VOID, VOID, VOID
    return out
