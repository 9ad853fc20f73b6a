"""A contact sheet: the panels of many images on one PNG, for a slide or a report."""

import bisect
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from segcore.errors import SegcoreError
from segcore.labels import LabelSet, hex_to_color
from segcore.ui.shared import pictures
from segcore.ui.viewer import KINDS, Panel, Scene

CELL = 240
"""Width of one picture in pixels."""

GAP = 8
LINE = 22
OPACITY = 0.6
INK, PAPER, QUIET = (24, 28, 34), (255, 255, 255), (110, 116, 124)
GOOD, BAD, BOTH = (0, 158, 115), (213, 94, 0), (204, 121, 167)
HEAT = (
    "#440154",
    "#482878",
    "#3e4989",
    "#31688e",
    "#26828e",
    "#1f9e89",
    "#35b779",
    "#6ece58",
    "#b5de2b",
    "#fde725",
)

Pixels = npt.NDArray[np.uint8]


def draw(rows: Sequence[tuple[Scene, str]], title: str) -> bytes:
    """Draw scenes one below the other, each with its shown panels side by side.

    Args:
        rows: Scenes over one label set and with the same panels, each with the words above it.
        title: The words at the top.

    Returns:
        The bytes of a PNG.
    """
    first = rows[0][0]
    columns = max(sum(not p.hidden for p in scene.panels) for scene, _ in rows)
    pictures = [
        [_shrunk(paint(scene, panel)) for panel in scene.panels if not panel.hidden]
        for scene, _ in rows
    ]
    heights = [max(p.shape[0] for p in row) for row in pictures]
    legend = _legend_rows(first.label_set, columns * (CELL + GAP) - GAP)
    width = columns * (CELL + GAP) + GAP
    height = GAP + 2 * LINE + sum(h + LINE + GAP for h in heights) + LINE * len(legend) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    font, small = ImageFont.load_default(15), ImageFont.load_default(12)
    pen.text((GAP, GAP), _fitting(title, font, width - 2 * GAP), INK, font)
    y = GAP + LINE
    for column, panel in enumerate(p for p in first.panels if not p.hidden):
        pen.text((GAP + column * (CELL + GAP), y), _fitting(panel.title, small, CELL), INK, small)
    y += LINE
    for (_, words), row, high in zip(rows, pictures, heights, strict=True):
        pen.text((GAP, y + 3), _fitting(words, small, width - 2 * GAP), QUIET, small)
        for column, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (GAP + column * (CELL + GAP), y + LINE))
        y += high + LINE + GAP
    for line in legend:
        for x, name, color in line:
            pen.rectangle((GAP + x, y + 4, GAP + x + 12, y + 16), fill=color, outline=QUIET)
            pen.text((GAP + x + 18, y + 3), name, INK, small)
        y += LINE
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def paint(scene: Scene, panel: Panel) -> Pixels:
    """Paint one panel over its image, as the viewer does at its usual opacity.

    Returns:
        (H, W, 3) uint8 RGB; ignored pixels show the image, darkened.
    """
    return PAINTERS[KINDS[panel.kind].export](scene, panel)


def _image(scene: Scene, panel: Panel) -> Pixels:
    return scene.image


def _classes(scene: Scene, panel: Panel) -> Pixels:
    mask = _mask_of(panel)
    return _blend(scene.image, pictures.paint(mask, scene.label_set), np.ones(mask.shape, bool))


def _levels(scene: Scene, panel: Panel) -> Pixels:
    """Classes as they are, groups hatched: one way on the first level, both ways above."""
    mask = _mask_of(panel)
    level = np.zeros(scene.label_set.ignore_index + 1, np.int64)
    level[: len(scene.levels)] = scene.levels
    level = level[mask]
    down, across = np.indices(mask.shape)
    lines = ((down + across) % 8 == 0) & (level > 0) | ((down - across) % 8 == 0) & (level > 1)
    picture = _classes(scene, panel)
    picture[lines] = INK
    return picture


def _errors(scene: Scene, panel: Panel) -> Pixels:
    mask, other = _mask_of(panel), _reference(scene, panel)
    verdict = np.zeros((*mask.shape, 3), np.uint8)
    shown = (mask != other) & ~_ignored(scene, other)
    verdict[shown] = BAD
    return _blend(scene.image, verdict, shown, 0.85)


def _changes(scene: Scene, panel: Panel) -> Pixels:
    mask, other = _mask_of(panel), _reference(scene, panel)
    truth = None if scene.truth is None else scene.panels[scene.truth].mask
    verdict = np.zeros((*mask.shape, 3), np.uint8)
    if truth is None:
        correct = before = mask == other
    else:
        correct, before = mask == truth, other == truth
    verdict[correct & ~before] = GOOD
    verdict[before & ~correct] = BAD
    verdict[~correct & ~before] = BOTH
    shown = ~(correct & before) & ~_ignored(scene, other)
    return _blend(scene.image, verdict, shown, 0.85)


def _heat_map(scene: Scene, panel: Panel) -> Pixels:
    if panel.scalar is None:
        raise SegcoreError(
            f"Expected numbers in the panel {panel.title!r}, received none: give a scalar."
        )
    return _heat(panel.scalar, scene.image.shape[:2])


PAINTERS: dict[str, Callable[[Scene, Panel], Pixels]] = {
    "image": _image,
    "classes": _classes,
    "heat": _heat_map,
    "errors": _errors,
    "changes": _changes,
    "levels": _levels,
}
"""How panels are painted, by ``export`` of their kind."""


def _mask_of(panel: Panel) -> npt.NDArray[np.integer[Any]]:
    if panel.mask is None:
        raise SegcoreError(
            f"Expected a mask in the panel {panel.title!r}, received none: give one."
        )
    return panel.mask


def _reference(scene: Scene, panel: Panel) -> npt.NDArray[np.integer[Any]]:
    """The mask that a panel is compared with."""
    position = scene.truth if panel.versus is None else panel.versus
    if position is None:
        raise SegcoreError(
            f"Expected a mask to compare the panel {panel.title!r} with, received none: set its versus."
        )
    return _mask_of(scene.panels[position])


def _ignored(scene: Scene, other: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.bool_]:
    truth = None if scene.truth is None else scene.panels[scene.truth].mask
    return np.asarray((truth if truth is not None else other) == scene.label_set.ignore_index)


def _blend(
    image: Pixels, colors: Pixels, shown: npt.NDArray[np.bool_], opacity: float = OPACITY
) -> Pixels:
    """Colours over the image where ``shown``; elsewhere the image, darkened."""
    share = np.where(shown[..., None], opacity, 0.45).astype(np.float32)
    return (image * (1 - share) + np.where(shown[..., None], colors, 0) * share).astype(np.uint8)


def _heat(scalar: npt.NDArray[np.float32], size: tuple[int, ...]) -> Pixels:
    stops = np.array([hex_to_color(h) for h in HEAT], np.float32)
    place = np.clip(scalar, 0, 1) * (len(HEAT) - 1)
    low = np.minimum(place.astype(int), len(HEAT) - 2)
    mixed = stops[low] + (stops[low + 1] - stops[low]) * (place - low)[..., None]
    return np.asarray(
        cv2.resize(mixed.astype(np.uint8), (size[1], size[0]), interpolation=cv2.INTER_LINEAR),
        np.uint8,
    )


def _shrunk(picture: Pixels) -> Pixels:
    size = (CELL, max(1, round(picture.shape[0] * CELL / picture.shape[1])))
    way = cv2.INTER_AREA if picture.shape[1] > CELL else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, cut with an ellipsis at ``width``; what the font cannot draw becomes "?"."""
    text = "".join(c if c.isprintable() else "?" for c in text[:400])
    if font.getlength(text) <= width:
        return text
    kept = (
        bisect.bisect_right(
            range(len(text)), width, key=lambda count: math.ceil(font.getlength(text[:count] + "…"))
        )
        - 1
    )
    return text[: max(0, kept)] + "…"


def _legend_rows(
    label_set: LabelSet, width: int
) -> list[list[tuple[int, str, tuple[int, int, int]]]]:
    """Class names with colours, set in lines: (x, name, colour)."""
    font = ImageFont.load_default(12)
    lines: list[list[tuple[int, str, tuple[int, int, int]]]] = [[]]
    x = 0
    for label in label_set.classes:
        name = _fitting(label.name, font, 200)
        needs = 36 + int(font.getlength(name))
        if x and x + needs > width:
            lines.append([])
            x = 0
        lines[-1].append((x, name, label.color))
        x += needs
    return lines
