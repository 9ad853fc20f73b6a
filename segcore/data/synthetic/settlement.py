"""What people build and park: houses along the roads, greenhouses in the fields, vehicles."""

import cv2
import numpy as np

from segcore.data.synthetic import layout, textures
from segcore.data.synthetic.canvas import GREENHOUSE, ROOF, VEHICLE, Canvas
from segcore.data.synthetic.layout import Points
from segcore.data.synthetic.textures import FloatImage, Rgb, Sun

ROOF_COLORS: tuple[Rgb, ...] = (
    (168, 92, 70),
    (150, 80, 62),
    (126, 74, 60),
    (112, 110, 112),
    (96, 92, 92),
    (176, 168, 158),
)
CAR_COLORS: tuple[Rgb, ...] = (
    (228, 228, 226),
    (60, 62, 68),
    (172, 40, 38),
    (48, 78, 142),
    (160, 164, 168),
    (214, 196, 120),
)


def _free(canvas: Canvas, cover: FloatImage, margin: int) -> bool:
    """Whether a shape is ``margin`` pixels off whatever is already there."""
    grown = (
        cv2.dilate(
            (cover > 0).astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
        )
        > 0
    )
    return bool(grown.any()) and not (grown & canvas.taken).any()


def build_houses(
    canvas: Canvas, rng: np.random.Generator, count: int, ways: list[Points], sun: Sun
) -> None:
    """Set gabled houses, some with a wing, next to the ways where there is room."""
    height, width = canvas.size
    built = 0
    count = int(rng.poisson(count))
    color = np.array(ROOF_COLORS[rng.integers(len(ROOF_COLORS))])
    for _ in range(4 * count):
        if built == count:
            return
        line = ways[int(rng.integers(len(ways)))]
        at = int(rng.integers(1, len(line) - 1))
        along = line[at + 1] - line[at - 1]
        angle = float(np.arctan2(along[1], along[0])) + rng.normal(0, 0.04)
        length, depth = rng.uniform(13, 21), rng.uniform(9.5, 13)
        off = rng.choice([-1, 1]) * (rng.uniform(9, 13) + depth / 2)
        middle = line[at] + off * np.array([-np.sin(angle), np.cos(angle)])
        if not (4 < middle[0] < width - 4 and 4 < middle[1] < height - 4):
            continue
        if rng.random() < 0.25:
            angle += np.pi / 2
        shape = [layout.rectangle(middle, length, depth, angle)]
        if rng.random() < 0.3:
            side = rng.choice([-1, 1]) * depth * 0.6
            wing = np.array([np.cos(angle), np.sin(angle)]) * length * 0.25 + side * np.array(
                [-np.sin(angle), np.cos(angle)]
            )
            shape.append(layout.rectangle(middle + wing, depth * 0.8, depth * 0.8, angle))
        part = canvas.window(np.vstack(shape), 10)
        cover = layout.fill(part.size, [s - part.origin for s in shape])
        if not _free(part, cover, 2):
            continue
        if rng.random() < 0.5:
            yard = layout.rectangle(
                middle - part.origin, length + rng.uniform(3, 8), depth + rng.uniform(3, 8), angle
            )
            paving = textures.tint((158, 150, 136), textures.gravel(rng, part.size))
            part.paint(layout.fill(part.size, [yard]) * np.float32(0.5), paving, None)
        roof = (
            color if rng.random() < 0.6 else np.array(ROOF_COLORS[rng.integers(len(ROOF_COLORS))])
        )
        _roof(
            part,
            rng,
            cover,
            tuple(roof + rng.normal(0, 6, 3)),
            middle - part.origin,
            depth,
            angle,
            sun,
        )
        built += 1


def _roof(
    part: Canvas,
    rng: np.random.Generator,
    cover: FloatImage,
    color: Rgb,
    middle: Points,
    depth: float,
    angle: float,
    sun: Sun,
) -> None:
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = textures.coordinates(part.size, angle)
    across = across - np.float32(middle[1] * c - middle[0] * s)
    facing = c * sun.y - s * sun.x  # how far the slope beyond the ridge looks along the shadow
    slope = np.where(across > 0, -facing, facing).astype(np.float32) * np.float32(0.22)
    ridge = 0.16 * np.exp(-((across / 0.7) ** 2))
    tiles = 0.035 * np.sin(along * 2.4) + 0.03 * textures.grain(rng, part.size)
    eaves = -0.10 * (np.abs(across) > depth / 2 - 1.2)
    part.darken(layout.cast_shadow(cover, sun.x, sun.y, 7 * sun.length), 0.55)
    part.paint(
        cover,
        textures.tint(color, (slope + ridge + tiles + eaves).astype(np.float32)),
        ROOF,
        take=True,
    )
    if rng.random() < 0.6:
        shift = rng.uniform(-4, 4)
        stack = layout.rectangle((middle[0] + shift * c, middle[1] + shift * s), 1.8, 1.8, angle)
        part.paint(layout.fill(part.size, [stack]), (92, 74, 66), None)


def build_greenhouses(
    canvas: Canvas, rng: np.random.Generator, groups: int, angle: float, sun: Sun
) -> None:
    """Set groups of long bright greenhouses side by side, with glass ribs across."""
    for _ in range(int(rng.poisson(groups)) if groups else int(rng.random() < 0.05)):
        for _ in range(12):
            if _greenhouse_group(
                canvas, rng, angle + (np.pi / 2 if rng.random() < 0.5 else 0), sun
            ):
                break


def _greenhouse_group(canvas: Canvas, rng: np.random.Generator, turn: float, sun: Sun) -> bool:
    height, width = canvas.size
    middle = np.array([rng.uniform(24, width - 24), rng.uniform(24, height - 24)], np.float32)
    length, depth, gap, count = (
        rng.uniform(30, 58),
        rng.uniform(7, 10),
        rng.uniform(1.6, 3.2),
        int(rng.integers(2, 6)),
    )
    step = depth + gap
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    side = np.array([-s, c])
    part = canvas.window(layout.rectangle(middle, length + 8, step * count + 6, turn), 6)
    middle -= part.origin
    shape = [
        layout.rectangle(middle + side * step * (i - (count - 1) / 2), length, depth, turn)
        for i in range(count)
    ]
    cover = layout.fill(part.size, shape)
    if not _free(part, cover, 3):
        return False
    along, across = textures.coordinates(part.size, turn)
    bow = ((across - (middle[1] * c - middle[0] * s)) / step + count / 2) % 1.0 - 0.5
    light = side[0] * sun.x + side[1] * sun.y
    value = (
        0.10 * np.cos(bow * np.pi)
        + 0.22 * light * bow
        + 0.07 * (np.sin(along * (2 * np.pi / rng.uniform(3.4, 4.6))) > 0.4)
    )
    value = (value - 0.10 + 0.02 * textures.grain(rng, part.size)).astype(np.float32)
    ground = layout.fill(part.size, [layout.rectangle(middle, length + 7, step * count + 5, turn)])
    part.paint(
        ground * np.float32(0.8), textures.soil(rng, part.size, (150, 136, 112), turn, 0.0), None
    )
    part.darken(layout.cast_shadow(cover, sun.x, sun.y, 3 * sun.length), 0.4)
    part.paint(
        cover,
        textures.tint((214, 224, 226) if rng.random() < 0.7 else (196, 212, 204), value),
        GREENHOUSE,
        take=True,
    )
    return True


def park_vehicles(
    canvas: Canvas, rng: np.random.Generator, roads: list[Points], tracks: list[Points], sun: Sun
) -> None:
    """Put cars on the right half of the roads, a few on tracks, more where houses stand."""
    height, width = canvas.size
    busy = 2.2 + 10 * float((canvas.labels == ROOF).mean() > 0.02)
    for lines, mean in ((roads, busy), (tracks, 0.5)):
        for line in lines:
            for _ in range(int(rng.poisson(mean))):
                at = int(rng.integers(1, len(line) - 1))
                along = line[at + 1] - line[at - 1]
                angle = float(np.arctan2(along[1], along[0])) + (np.pi if rng.random() < 0.5 else 0)
                lane = 0.0 if lines is tracks else 1.9
                x, y = line[at] + lane * np.array([-np.sin(angle), np.cos(angle)])
                room = canvas.window(np.array([[x, y]]), 4).labels
                if (
                    5 < x < width - 5
                    and 5 < y < height - 5
                    and not np.isin(room, (VEHICLE, ROOF, GREENHOUSE)).any()
                ):
                    _vehicle(canvas, rng, float(x), float(y), angle, sun)


def _vehicle(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, angle: float, sun: Sun
) -> None:
    lorry = rng.random() < 0.12
    length, wide = (10.5, 3.6) if lorry else (rng.uniform(6.2, 7.4), rng.uniform(3.0, 3.5))
    shape = layout.rectangle((x, y), length, wide, angle)
    part = canvas.window(shape, 5)
    x, y = x - float(part.origin[0]), y - float(part.origin[1])
    body = layout.fill(part.size, [shape - part.origin])
    part.darken(layout.cast_shadow(body, sun.x, sun.y, 1.6 * sun.length), 0.55)
    part.paint(body, CAR_COLORS[rng.integers(len(CAR_COLORS))], VEHICLE, take=True)
    c, s = np.cos(angle), np.sin(angle)
    for shift in (0.30,) if lorry else (0.16, -0.30):  # windscreens
        pane = layout.rectangle(
            (x + c * shift * length, y + s * shift * length), 0.12 * length, wide * 0.78, angle
        )
        part.paint(layout.fill(part.size, [pane]) * np.float32(0.75), (42, 50, 58), None)
