"""Proposals for a mask that is being edited: strokes that spread, an object cut out, an object clicked.

What takes a while or comes from files of others runs in a warm process.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.bands.display import FILE_NAME as SHOWN_BANDS
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.scribbles import NOT_STROKED
from segcore.runs.dispatch.warm_process import WarmProcess
from segcore.runs.machine.settings import PromptableFiles, promptable_files, set_promptable_files
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.scores.scenes import Scenes

UNCHANGED = -1
"""In a region: the mask stays as it is."""

NETWORK_PIXELS = 1_000_000
"""Probabilities are read at no more pixels than this; networks are coarser anyway."""

SURROUNDINGS = 0.5
"""Share of a line's width and height that is looked at around it."""

LOAD_SECONDS = 600.0
"""Loading a large encoder and embedding the first image may take this long."""


@dataclass(frozen=True, eq=False)
class Region:
    """What a part of the mask would become.

    Attributes:
        left: First column of the part.
        top: First row of the part.
        values: (h, w) int32 class indices, ``ignore_index``, or :data:`UNCHANGED`.
    """

    left: int
    top: int
    values: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Scribbles:
    """Strokes on a part of an image.

    Attributes:
        left: First column of the part.
        top: First row of the part.
        strokes: (h, w) class indices or ``ignore_index`` under strokes, :data:`UNCHANGED`
            elsewhere.
        mask: (h, w) class indices or ``ignore_index``: the mask as it is drawn so far.
    """

    left: int
    top: int
    strokes: npt.NDArray[np.integer[Any]]
    mask: npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Prompt:
    """A click, or a corner of a box.

    Attributes:
        x: Column, pixels.
        y: Row, pixels.
        label: 1 the object, 0 not the object, 2 and 3 first and last corner of a box.
    """

    x: float
    y: float
    label: int


class MaskProposals:
    """Regions proposed for the masks of a workspace's datasets."""

    def __init__(self, workspace: Path, datasets: Datasets, scenes: Scenes) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self._scenes = scenes
        self._process = WarmProcess()

    def available(self) -> tuple[str, ...]:
        """Return what can be asked for: "scribble", "cut", and "object" where files are chosen.

        Raises:
            SegcoreError: The settings are damaged or newer.
        """
        scribble = ("scribble",) if is_available() else ()
        return (*scribble, "cut", *(("object",) if self.promptable else ()))

    def fill(self, name: str, sample: str, drawn: Scribbles, run: str = "") -> Region:
        """Spread strokes over a part of an image.

        Args:
            name: Name of the dataset.
            sample: Id of the image.
            drawn: The strokes.
            run: A run whose probabilities count too, where it kept any; "" for none.

        Returns:
            The part; unchanged where it looks like classes of the mask without a stroke.

        Raises:
            SegcoreError: Nothing was stroked, a value is no class, the part lies outside the
                image, or pydensecrf is missing.
        """
        dataset = self._datasets.open(name)
        height, width = drawn.strokes.shape
        image = self._part(dataset, sample, drawn.left, drawn.top, height, width)
        classes = _stroked(dataset, drawn)
        table = np.full(int(drawn.strokes.max()) + 1, NOT_STROKED, np.int32)
        table[classes] = np.arange(len(classes))
        under = drawn.strokes != UNCHANGED
        strokes = np.where(under, table[np.where(under, drawn.strokes, 0)], NOT_STROKED)
        arrays: dict[str, npt.NDArray[Any]] = {
            "image": image,
            "strokes": strokes.astype(np.int32),
            "rest": _rest(drawn, classes, dataset.label_set.ignore_index),
        }
        if run:
            arrays |= self._probabilities(dataset, sample, run, drawn, classes)
        labels = self._process.ask("scribble", arrays)[1]["labels"]
        values = np.array([*classes, UNCHANGED], np.int32)[labels]
        return Region(drawn.left, drawn.top, values)

    def cut(
        self, name: str, sample: str, around: Sequence[tuple[float, float]], value: int
    ) -> Region:
        """Cut an object out of its surroundings by GrabCut.

        Args:
            name: Name of the dataset.
            sample: Id of the image.
            around: Corners of a line around the object, (x, y) in pixels of the image.
            value: Class index, or ``ignore_index``, that the object would get.

        Raises:
            SegcoreError: The line encloses no object, or the value is no class.
        """
        dataset = self._datasets.open(name)
        _check_values(dataset, np.array([value]))
        row = dataset.sample(sample)
        corners = _finite(around)
        margin = np.maximum(8, SURROUNDINGS * (corners.max(axis=0) - corners.min(axis=0)))
        left, top = (int(n) for n in np.maximum(0, corners.min(axis=0) - margin))
        right, bottom = np.minimum([row.width, row.height], np.ceil(corners.max(axis=0) + margin))
        image = self._part(dataset, sample, left, top, int(bottom) - top, int(right) - left)
        line = [[float(x - left), float(y - top)] for x, y in corners]
        inside = self._process.ask("cut", {"image": image}, around=line)[1]["inside"]
        return Region(left, top, np.where(inside, value, UNCHANGED).astype(np.int32))

    @property
    def promptable(self) -> PromptableFiles | None:
        """The promptable network's files; None where none are chosen.

        Raises:
            SegcoreError: The settings are damaged or newer.
        """
        return promptable_files(self._workspace)

    @writes(
        "choose a promptable network",
        "Chose the files of a promptable network: {encoder}, {decoder}",
    )
    def set_promptable(self, encoder: str, decoder: str) -> PromptableFiles | None:
        """Choose the files of a promptable network, both checked; two "" take it out.

        Raises:
            SegcoreError: A file is no such network; the choice before stays.
        """
        if not (encoder or decoder):
            set_promptable_files(self._workspace, None)
            return None
        files = PromptableFiles(
            str(Path(encoder).expanduser().resolve()), str(Path(decoder).expanduser().resolve())
        )
        self._process.ask(
            "object", timeout=LOAD_SECONDS, encoder=files.encoder, decoder=files.decoder
        )
        set_promptable_files(self._workspace, files)
        return files

    def find(self, name: str, sample: str, prompts: Sequence[Prompt], value: int) -> Region:
        """Find the object that clicks or a box mean, by the promptable network.

        Args:
            name: Name of the dataset.
            sample: Id of the image.
            prompts: Clicks, or two corners of a box, or both.
            value: Class index, or ``ignore_index``, that the object would get.

        Raises:
            SegcoreError: No files are chosen, they are no such network, or it finds nothing.
        """
        files = self.promptable
        if files is None:
            raise SegcoreError(
                "Expected the files of a promptable network, found none chosen: choose them above "
                "the editor, or with segscope promptable."
            )
        dataset = self._datasets.open(name)
        _check_values(dataset, np.array([value]))
        row = dataset.sample(sample)
        points = _finite([(p.x, p.y) for p in prompts])
        asked: dict[str, Any] = {
            "encoder": files.encoder,
            "decoder": files.decoder,
            "image": _name(dataset, row),
            "size": [row.height, row.width],
            "points": [[*map(float, at), p.label] for at, p in zip(points, prompts, strict=True)],
        }
        answer, arrays = self._process.ask("object", timeout=LOAD_SECONDS, **asked)
        if answer["missing"]:
            image = {"image": _at_most(dataset.read_image(row), int(answer["side"]))}
            answer, arrays = self._process.ask("object", image, timeout=LOAD_SECONDS, **asked)
        return _enlarged(arrays["logits"], (row.height, row.width), value)

    def _part(
        self, dataset: Dataset, sample: str, left: int, top: int, height: int, width: int
    ) -> npt.NDArray[np.uint8]:
        image = dataset.read_image(dataset.sample(sample))
        whole_height, whole_width = image.shape[:2]
        if left < 0 or top < 0 or left + width > whole_width or top + height > whole_height:
            raise SegcoreError(
                f"Expected a part of the image of {whole_height} x {whole_width} pixels, received "
                f"{height} x {width} at {left}, {top}: reload the page."
            )
        return np.ascontiguousarray(image[top : top + height, left : left + width])

    def _probabilities(
        self,
        dataset: Dataset,
        sample: str,
        run: str,
        drawn: Scribbles,
        classes: npt.NDArray[np.integer[Any]],
    ) -> dict[str, npt.NDArray[np.float32]]:
        """A run's probabilities on the part: of the stroked classes, last of all others."""
        row = dataset.sample(sample)
        if not self._scenes.has_probabilities(run, row.split, sample, approximate=True):
            return {}
        ratio = min(1.0, math.sqrt(NETWORK_PIXELS / (row.height * row.width)))
        size = max(1, round(row.height * ratio)), max(1, round(row.width * ratio))
        whole = self._scenes.probabilities(run, row.split, sample, approximate=True, size=size)
        height, width = drawn.strokes.shape
        scale = np.array([size[1] / row.width, size[0] / row.height])
        shift = scale * [drawn.left + 0.5, drawn.top + 0.5] - 0.5
        matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
        planes = []
        for index in classes:
            if index >= whole.shape[2]:  # networks know no ignored pixels
                planes.append(np.full((height, width), 1 / (len(classes) + 1), np.float32))
                continue
            plane = np.ascontiguousarray(whole[..., index])
            planes.append(_warped(plane, matrix, (width, height)))
        planes.append(np.clip(1 - sum(planes), 0, 1).astype(np.float32))
        return {"probabilities": np.clip(np.stack(planes, axis=-1), 0, 1)}


def _stroked(dataset: Dataset, drawn: Scribbles) -> npt.NDArray[np.integer[Any]]:
    """The classes under strokes, ascending; refuses what is none."""
    values = np.unique(drawn.strokes)
    classes: npt.NDArray[np.integer[Any]] = values[values != UNCHANGED]
    if not len(classes) or drawn.mask.shape != drawn.strokes.shape:
        raise SegcoreError("Expected strokes on the image, received none: draw a stroke first.")
    _check_values(dataset, classes)
    return classes


def _check_values(dataset: Dataset, values: npt.NDArray[np.integer[Any]]) -> None:
    labels = dataset.label_set
    wrong = (values < 0) | ((values >= labels.num_classes) & (values != labels.ignore_index))
    if wrong.any():
        raise SegcoreError(
            f"Expected class indices below {labels.num_classes} or {labels.ignore_index}, received "
            f"{values[wrong][0]}: choose a class of this dataset."
        )


def _rest(
    drawn: Scribbles, classes: npt.NDArray[np.integer[Any]], ignored: int
) -> npt.NDArray[np.bool_]:
    """What looks like the pixels to leave alone: those of classes without a stroke.

    Where nothing else is labelled and one class alone was stroked, it is the edge of the part.
    """
    rest: npt.NDArray[np.bool_] = (drawn.mask != ignored) & ~np.isin(drawn.mask, classes)
    if len(classes) == 1 and not rest.any():
        rest[[0, -1]] = rest[:, [0, -1]] = True
    return rest


def _finite(points: Sequence[tuple[float, float]]) -> npt.NDArray[np.float64]:
    found = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(found) or not np.isfinite(found).all():
        raise SegcoreError("Expected points on the image, received none: draw again.")
    return found


def _name(dataset: Dataset, row: Sample) -> str:
    """What an image is known by in the warm process; other pixels, or other bands shown, are another."""
    stamps = []
    for file in (dataset.image_path(row), dataset.folder / SHOWN_BANDS):
        try:
            stamp = file.stat()
        except OSError:  # a dataset of pictures; or the image is gone, which reading it says
            continue
        stamps.append(f"{stamp.st_mtime_ns} {stamp.st_size}")
    return " ".join([str(dataset.folder), row.id, *stamps])


def _warped(
    plane: npt.NDArray[np.float32], matrix: npt.NDArray[np.float64], size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """A plane at (width, height), bilinear; ``matrix`` takes its pixels to those of the plane."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(plane, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def _at_most(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    ratio = side / max(height, width)
    if ratio >= 1:
        return image
    size = max(1, int(width * ratio + 0.5)), max(1, int(height * ratio + 0.5))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(logits: npt.NDArray[np.float32], size: tuple[int, int], value: int) -> Region:
    """The pixels above 0 at the image's own size, within the smallest box around them."""
    rows, columns = (
        np.flatnonzero((logits > 0).any(axis=1)),
        np.flatnonzero((logits > 0).any(axis=0)),
    )
    if not len(rows):
        raise SegcoreError(
            "Expected an object at these clicks, the network found none: click elsewhere."
        )
    scale = np.array([size[1] / logits.shape[1], size[0] / logits.shape[0]])
    first = np.maximum(0, np.floor([(columns[0] - 1) * scale[0], (rows[0] - 1) * scale[1]]))
    last = np.ceil([(columns[-1] + 2) * scale[0], (rows[-1] + 2) * scale[1]])
    width, height = (np.minimum(last, [size[1], size[0]]) - first).astype(int)
    shift = (first + 0.5) / scale - 0.5
    matrix = np.array([[1 / scale[0], 0, shift[0]], [0, 1 / scale[1], shift[1]]])
    inside = _warped(logits, matrix, (int(width), int(height)))
    values = np.where(inside > 0, value, UNCHANGED).astype(np.int32)
    return Region(int(first[0]), int(first[1]), values)
