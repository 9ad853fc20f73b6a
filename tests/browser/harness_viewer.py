"""A page with nothing but the viewer, for the browser tests: real frames, made-up predictions.

Query parameters: ``index`` (frame), ``panels`` (2, 4 or 6), ``classes`` (12 or 150), ``side`` (of a
square enlargement), ``view`` (the state of the viewer), ``listen`` (events, by commas), ``strip``
(any text: six frames with a filmstrip), ``hostile`` (any text: class names that are markup),
``tiles`` (any text: a scene of 30,000 x 20,000 pixels, drawn tile by tile).
Without CamVid beside the checkout a drawn scene takes the frame's place.
"""

import csv
import dataclasses
import functools
import os
from pathlib import Path

import cv2
import numpy as np
import streamlit as st
from PIL import Image

from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet, hex_to_color
from segcore.ui.viewer import Panel, Place, Scene, Tiles, TopClasses, filmstrip, pack, show

ROOT = Path(__file__).resolve().parents[2]
CAMVID = Path(os.environ.get("SEGSCOPE_SHARED", ROOT.parent / "shared")) / "data" / "camvid"


def camvid_labels() -> LabelSet:
    with open(CAMVID / "classes.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    both = [
        (LabelClass(int(r["id"]), r["name"], hex_to_color(r["color"])), r["ignore"] == "true")
        for r in rows
    ]
    return LabelSet(
        tuple(c for c, ignored in both if not ignored), tuple(c for c, ignored in both if ignored)
    )


def read_frame(index: int) -> tuple[str, np.ndarray, np.ndarray, LabelSet]:
    """Id, image (H, W, 3), mask (H, W) with 255 for void, and the classes."""
    if not CAMVID.is_dir():
        return (*drawn_frame(index), drawn_labels())
    path = sorted((CAMVID / "images" / "test").glob("*.jpg"))[index]
    image = np.asarray(Image.open(path).convert("RGB"))
    mask = np.array(Image.open(CAMVID / "masks" / "test" / f"{path.stem}.png"))
    mask[mask == 11] = 255
    return path.stem, image, mask, camvid_labels()


def drawn_labels() -> LabelSet:
    names = [
        "Sky",
        "Building",
        "Pole",
        "Road",
        "Pavement",
        "Tree",
        "Sign",
        "Fence",
        "Car",
        "Pedestrian",
        "Bicyclist",
    ]
    return LabelSet(
        tuple(
            LabelClass(i, name, (25 * i, 255 - 20 * i, (90 * i) % 256))
            for i, name in enumerate(names)
        )
    )


def drawn_frame(index: int) -> tuple[str, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(index)
    mask = np.full((360, 480), 1, np.uint8)
    mask[:120], mask[220:] = 0, 3
    for k in range(24):
        x, y = int(rng.integers(480)), int(rng.integers(120, 340))
        cv2.rectangle(mask, (x, y), (x + 12 + k, y + 9 + k), int(rng.integers(2, 11)), -1)
    mask[:, :6] = 255
    image = rng.integers(0, 60, (360, 480, 3)) + 17 * np.minimum(mask, 11)[..., None]
    return f"drawn {index}", image.astype(np.uint8), mask


def made_up(mask: np.ndarray, num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (h, w, C) float32 at half the mask's size that follow a mask loosely, and their argmax (H, W)."""
    height, width = mask.shape
    rng = np.random.default_rng(seed)
    small = cv2.resize(mask, (width // 2, height // 2), interpolation=cv2.INTER_NEAREST)
    scores = np.empty((*small.shape, num_classes), np.float32)
    for k in range(num_classes):
        noise = cv2.GaussianBlur(rng.normal(size=small.shape).astype(np.float32), (0, 0), 5) * 12
        scores[..., k] = 6 * cv2.GaussianBlur((small == k).astype(np.float32), (0, 0), 2.5) + noise
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    full = np.stack([cv2.resize(scores[..., k], (width, height)) for k in range(num_classes)], -1)
    return scores, full.argmax(-1).astype(mask.dtype)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """(h, w) float32, 0..1: the share of the largest possible entropy."""
    return -(probabilities * np.log(probabilities + 1e-9)).sum(-1) / np.log(probabilities.shape[-1])


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"


def split_classes(
    mask: np.ndarray, label_set: LabelSet, classes: int = 150
) -> tuple[np.ndarray, LabelSet]:
    """Cut the image into strips with classes of their own, for a crowded legend."""
    count = label_set.num_classes
    strip = np.arange(mask.shape[1]) * (-(-classes // count)) // mask.shape[1]
    ignored, dtype = (255, np.uint8) if classes <= 255 else (65535, np.uint16)
    many = np.minimum(mask.astype(np.int64) + count * strip, classes - 1)
    many = np.where(mask == 255, ignored, many).astype(dtype)
    rng = np.random.default_rng(3)
    names = [f"{label_set.classes[i % count].name} {LETTERS[i // count]}" for i in range(classes)]
    return many, LabelSet(
        tuple(
            LabelClass(i, names[i], tuple(map(int, rng.integers(0, 256, 3))))
            for i in range(classes)
        )
    )


@functools.lru_cache(maxsize=8)
def make_scene(index: int, panels: int, classes: int = 12, side: int = 0) -> Scene:
    name, image, mask, label_set = read_frame(index)
    ours, first = made_up(mask, label_set.num_classes, 2 * index)
    theirs, second = made_up(mask, label_set.num_classes, 2 * index + 1)
    crf = cv2.medianBlur(first, 9)
    if classes > 12:
        (mask, labels), (first, _), (second, _), (crf, _) = (
            split_classes(m, label_set) for m in (mask, first, second, crf)
        )
        label_set = labels
    if side:
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
        mask, first, second, crf = (
            cv2.resize(m, (side, side), interpolation=cv2.INTER_NEAREST)
            for m in (mask, first, second, crf)
        )
    top = TopClasses.of(ours) if classes == 12 else None
    shown = [
        Panel("Image", "image"),
        Panel("Ground truth", mask=mask),
        Panel("Prediction", mask=first, scalar=ours.max(-1), top=top),
        Panel("CRF", mask=crf),
        Panel("Model B", mask=second, scalar=theirs.max(-1)),
        Panel("Entropy", "scalar", scalar=entropy(ours)),
        Panel("Errors", "error", mask=first),
        Panel("CRF gain", "difference", mask=crf, versus=2),
    ][:panels]
    return Scene(name, image, tuple(shown), label_set, truth=1)


FRAMES = 6


def quiet(label_set: LabelSet) -> LabelSet:
    """The same classes, of which the first is background and the second not labelled."""
    first, second, *others = label_set.classes
    named = (
        LabelClass(first.id, "background", first.color),
        LabelClass(second.id, "Unlabeled", second.color),
    )
    return LabelSet((*named, *others), label_set.ignored)


def hostile(label_set: LabelSet) -> LabelSet:
    """The same classes, named by markup that would run a script where names were not text."""
    names = [
        f"<img src=x onerror='window.__hacked={i}'><b>{c.name}</b>"
        for i, c in enumerate(label_set.classes)
    ]
    return LabelSet(
        tuple(
            LabelClass(c.id, name, c.color)
            for c, name in zip(label_set.classes, names, strict=True)
        ),
        label_set.ignored,
    )


def walk(panels: int, classes: int, side: int) -> None:
    """The viewer with a filmstrip, as the compare page has it."""

    def thumbnail(image: str) -> bytes:
        small = cv2.resize(read_frame(int(image))[1], (112, 78), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".webp", small[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 62])[1].tobytes()

    def go(image: str) -> None:
        st.session_state.index = int(image)

    images = [str(i) for i in range(FRAMES)]
    index, context = st.session_state.index, f"{panels} {classes} {side}"
    filmstrip.show(
        images,
        key="viewer",
        current=str(index),
        source="frames",
        thumbnail=thumbnail,
        scores=filmstrip.Scores([0.1 * i for i in range(FRAMES)], label="score"),
    )
    show(
        lambda: packed(index, panels, classes, side),
        key="viewer",
        place=Place(context, str(index), go),
    )
    st.text(f"at {index}")
    following = (index + 1) % FRAMES
    filmstrip.prefetch(
        str(following),
        lambda: packed(following, panels, classes, side),
        key="viewer",
        context=context,
    )


GREAT = (20_000, 30_000)
"""Height and width of the scene in tiles."""
OVERVIEW = 20
"""Its pixels for one of the overview, along a side."""


def great_part(top: int, left: int, height: int, width: int, step: int) -> Scene:
    """A part of a scene whose pixel (row, column) tells where it is, every ``step``-th pixel."""
    rows, columns = np.mgrid[top : top + height : step, left : left + width : step]
    image = np.stack([columns // 128, rows // 128, (rows + columns) % 256], -1).astype(np.uint8)
    mask = great_class(rows, columns).astype(np.uint8)
    name = f"great {top} {left} {step}"
    panels = (Panel("Image", "image"), Panel("Prediction", mask=mask))
    return Scene(name, image, panels, drawn_labels())


def great_class(rows: np.ndarray | int, columns: np.ndarray | int) -> np.ndarray | int:
    """The class of pixels of the great scene: squares of 100 x 100, which the overview misses."""
    return (rows // 100 + 3 * (columns // 100)) % 11


def great() -> None:
    """The viewer over a scene that comes in tiles; one far corner cannot be read."""
    height, width = GREAT
    side = 512

    def tile(level: int, row: int, column: int) -> bytes:
        top, left = (row * side) << level, (column * side) << level
        if min(level, row, column) < 0 or level > 4 or top >= height or left >= width:
            raise SegcoreError("Expected a tile, received another.")
        if level == 0 and row == column == 0:
            raise SegcoreError("This corner cannot be read.")
        room = min(side << level, height - top), min(side << level, width - left)
        return pack(great_part(top, left, *room, 1 << level))

    tiles = Tiles("great", height, width, side, 5, tile)
    seen = show(
        great_part(0, 0, height, width, OVERVIEW), key="viewer", tiles=tiles, listen=("pixel",)
    )
    st.text(f"pixel {seen.pixel}")


@st.cache_data(show_spinner=False)
def packed(index: int, panels: int, classes: int, side: int) -> bytes:
    return pack(make_scene(index, panels, classes, side))


def main() -> None:
    st.set_page_config(layout="wide", page_icon="🔎")
    query = st.query_params
    st.session_state.setdefault("index", int(query.get("index", 0)))
    classes, side, panels = (
        int(query.get(name, default))
        for name, default in (("classes", 12), ("side", 0), ("panels", 4))
    )
    listen = [event for event in query.get("listen", "step").split(",") if event]
    if "tiles" in query:
        great()
        return
    if "strip" in query:
        walk(panels, classes, side)
        return
    if "quiet" in query:
        scene = make_scene(0, panels)
        show(dataclasses.replace(scene, label_set=quiet(scene.label_set)), key="viewer")
        return
    if "hostile" in query:
        scene = make_scene(0, panels)
        show(dataclasses.replace(scene, label_set=hostile(scene.label_set)), key="viewer")
        return
    data = packed(st.session_state.index, panels, classes, side)
    result = show(data, key="viewer", state=query.get("view"), listen=listen)
    st.caption(f"{len(data)} bytes")
    st.text(f"events: {result.step} {result.pixel} {result.label}")
    if result.share:
        query["view"] = result.share
    if result.step:
        st.session_state.index = (st.session_state.index + result.step) % 6
        st.rerun()


if __name__ == "__main__":
    main()
