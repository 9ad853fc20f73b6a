"""Predictions of scenes of any size: read by windows, written as GeoTIFF, memory flat."""

import glob
import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import PredictOptions
from segcore.data.files.georeference import RASTER_SUFFIXES, georeference_of
from segcore.data.files.mask_folders import is_below, mask_folders
from segcore.data.files.names import IMAGE_SUFFIXES, list_files
from segcore.data.files.outlines import outline, write_outlines
from segcore.data.files.png import MAX_PIXELS
from segcore.data.files.scene_writer import SceneForm, write_scene
from segcore.data.files.uploads import MAX_BYTES
from segcore.data.files.windows import Window, data_in, is_raster, raster_size, shared_raster
from segcore.errors import SegcoreError
from segcore.labels import LabelSet
from segcore.workspace.predictions.batches import Progress
from segcore.workspace.predictions.predictions import Predictions
from segcore.workspace.predictions.scene_views import SceneLook
from segcore.workspace.rights import writes

AskRows = Callable[[bool], tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]]
NO_CONFIDENCE = 0
SAME_SCALE = 1.25
"""Scales that differ by less count as one."""


@dataclass(frozen=True)
class PredictedScene:
    """A scene that was predicted.

    Attributes:
        image: The scene.
        classes: The GeoTIFF of class ids.
        confidence: The GeoTIFF of the greatest probability times 255, or None.
        height: Rows.
        width: Columns.
        backend: What computed it, in words.
        note: What to know about the scale that the network saw in training, "" for nothing.
    """

    image: Path
    classes: Path
    confidence: Path | None
    height: int
    width: int
    backend: str
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        texts = {name: str(value) for name, value in vars(self).items() if value is not None}
        return texts | {"height": self.height, "width": self.width}


def scenes_of(path: Path, every: bool = False) -> list[Path]:
    """Return the GeoTIFFs of a folder, or the one of a path, that are predicted by windows.

    Folders of masks beside the images are left out.

    Args:
        path: A file or a folder.
        every: Whether to return smaller ones too.

    Returns:
        Those that are too large for a batch of images, or all.
    """
    names = _image_names(path, RASTER_SUFFIXES) if path.is_dir() else []
    files = [path] if path.is_file() else [path / name for name in names]
    return [file for file in files if is_raster(file) and (every or _is_large(file))]


def other_images(folder: Path, scenes: Sequence[Path]) -> bool:
    """Whether a folder holds images besides some scenes."""
    return len(_image_names(folder, IMAGE_SUFFIXES)) > len(scenes)


def _image_names(folder: Path, suffixes: Collection[str]) -> list[str]:
    """List the images below a folder, without the folders of masks beside them."""
    masks = mask_folders(list_files(folder, IMAGE_SUFFIXES))
    return [name for name in list_files(folder, suffixes) if not is_below(name, masks)]


def class_names(labels: LabelSet) -> dict[int, str]:
    """Return the name of each class by its id."""
    return {label.id: label.name for label in labels.classes}


def _is_large(file: Path) -> bool:
    if file.stat().st_size > MAX_BYTES:
        return True
    try:
        with shared_raster(file) as raster:
            return bool(raster.height * raster.width > MAX_PIXELS)
    except SegcoreError:
        return False  # refused with its reason where images are judged


def id_table(label_set: LabelSet) -> tuple[npt.NDArray[Any], int]:
    """Return the id of each class index, uint8 or uint16, and a free value for what has no class.

    Raises:
        SegcoreError: An id does not fit into 16 bits, or no value is free.
    """
    ids = np.asarray(label_set.class_ids, np.int64)
    if ids.min() < 0 or ids.max() > 65_535:
        raise SegcoreError(
            "Expected class ids of 0 to 65535 for a raster, received others: change the ids."
        )
    for kind, most in ((np.uint8, 255), (np.uint16, 65_535)):
        free = next((value for value in (most, 0) if value not in set(ids.tolist())), None)
        if ids.max() <= most and free is not None:
            return ids.astype(kind), free
    raise SegcoreError(
        "Expected a value that no class has for pixels without data, received classes 0 and 65535: "
        "change one of these ids."
    )


class ScenePredictions:
    """Predicts scenes with the networks of a workspace."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    def place_of(self, run: str, image: Path, options: PredictOptions) -> Path:
        """Return where the workspace keeps the prediction of a scene by a run.

        Another network, another file under the same path and other options have another place: what
        lies there is what would be predicted.

        Raises:
            SegcoreError: The scene is no GeoTIFF that can be read.
        """
        if image.suffix.lower() not in RASTER_SUFFIXES:
            raise SegcoreError(
                f"Expected a GeoTIFF (.tif, .tiff), received {image.name or 'a folder'}: use the "
                "other sources for pictures."
            )
        with shared_raster(image):
            about = image.stat()
        changed = (about.st_mtime_ns, about.st_size, *self._predictions.key(run, options))
        where, what = (
            hashlib.sha256(text.encode()).hexdigest()[:8]
            for text in (str(image.resolve()), repr(changed))
        )
        folder = self._predictions.batches.folder / "scenes" / run
        return folder / f"{image.stem}-{where}-{what}.tif"

    def kept(self, run: str, image: Path, options: PredictOptions) -> PredictedScene | None:
        """Return a scene as :meth:`keep` predicted it before, or None.

        Raises:
            SegcoreError: As :meth:`place_of`.
        """
        place = self.place_of(run, image, options)
        if not place.is_file():
            return None
        height, width = raster_size(place)
        note = scale_note(self._predictions.training_scale(run))
        return PredictedScene(image, place, None, height, width, "", note)

    @writes("predict a scene")
    def keep(
        self, run: str, image: Path, options: PredictOptions, progress: Progress | None = None
    ) -> PredictedScene:
        """Predict a scene into the workspace.

        What lies there of the same scene and run, but of another network, file or options, is
        removed once the new prediction is whole.

        Raises:
            SegcoreError: As :meth:`predict`.
        """
        place = self.place_of(run, image, options)
        found = self.predict(run, image, place, options, progress=progress)
        same = place.stem.rpartition("-")[0]
        for old in place.parent.glob(f"{glob.escape(same)}-*"):
            if not old.name.startswith(place.stem):
                old.unlink(missing_ok=True)
        return found

    @writes("outline a scene")
    def outline(
        self, run: str, scene: PredictedScene, progress: Progress | None = None
    ) -> tuple[Path, int]:
        """Write the regions of a predicted scene as a GeoPackage next to it.

        Returns:
            The file, and how many polygons it holds.

        Raises:
            SegcoreError: A package is missing, or a file cannot be read or written.
        """
        target = scene.classes.with_suffix(".gpkg")
        names = class_names(self._predictions.label_set(run))
        return target, write_outlines(target, outline(scene.classes, 0.0, progress), names)

    def look(self, run: str, image: Path, classes: Path) -> SceneLook:
        """Return a predicted scene as it is shown.

        Raises:
            SegcoreError: The scene is gone or cannot be read.
        """
        return SceneLook(self._predictions, run, image, classes)

    @writes("predict a scene", "Predicted {image} with {run}")
    def predict(
        self,
        run: str,
        image: Path,
        out: Path,
        options: PredictOptions,
        *,
        confidence: bool = False,
        progress: Progress | None = None,
    ) -> PredictedScene:
        """Predict a GeoTIFF of any size into a GeoTIFF of class ids on the same grid.

        Args:
            run: A training run or an ensemble.
            image: The scene.
            out: The file to write; its folder is made, and it appears when it is whole.
            options: Overlap and backend; tiles are always used.
            confidence: Whether to write the greatest probability too, beside it.
            progress: Called with (rows done, rows in all, what).

        Raises:
            SegcoreError: The scene cannot be read, the network needs whole images, or a file cannot
                be written.
        """
        labels = self._predictions.label_set(run)
        self._predictions.learned_bands(run)  # refused where members take other bands
        look = self._predictions.raster_look(run)
        ids, nodata = id_table(labels)
        with shared_raster(image) as raster:
            height, width = int(raster.height), int(raster.width)
            place = georeference_of(raster)
        form = SceneForm(height, width, ids.dtype.name, nodata, place, _colors(labels))
        sure = out.with_name(f"{out.stem}-confidence.tif") if confidence else None
        ask = self._predictions.scene_rows(run, image, look, options)
        with ExitStack() as stack:
            writers = [stack.enter_context(write_scene(out, form))]
            if sure is not None:
                plain = SceneForm(height, width, "uint8", NO_CONFIDENCE, place)
                writers.append(stack.enter_context(write_scene(sure, plain)))
            backend = _copy_rows(ask, image, form, ids, writers, progress)
        note = scale_note(self._predictions.training_scale(run))
        return PredictedScene(image, out, sure, height, width, backend, note)


def scale_note(scale: float) -> str:
    """Return a sentence where a scene shows things larger or smaller than the training images did.

    Args:
        scale: How many times training images were shrunk to the network's size.
    """
    if 1 / SAME_SCALE < scale < SAME_SCALE:
        return ""
    how = f"shrunk {scale:.1f} times" if scale > 1 else f"enlarged {1 / scale:.1f} times"
    return (
        f"The network was trained on images {how}, and saw the scene at full resolution: train with "
        "crops (--crops), or at the size of the windows, to have both alike."
    )


def _copy_rows(
    ask: AskRows,
    image: Path,
    form: SceneForm,
    ids: npt.NDArray[Any],
    writers: list[Any],
    progress: Progress | None,
) -> str:
    """Ask for rows until the scene is done, and write them; return what computed them."""
    top, pixels, begin = 0, 0, True
    while True:
        head, arrays = ask(begin)
        begin = False
        values = ids[arrays["mask"]]
        left, rows = int(head["left"]), len(values)
        sound = data_in(image, Window(top, left, rows, values.shape[1]))
        if sound is not None:
            values[~sound] = form.nodata
        writers[0].add(left, values)
        for writer in writers[1:]:
            known = np.maximum(arrays["confidence"], 1)  # 0 is left for no data
            writer.add(left, known if sound is None else np.where(sound, known, NO_CONFIDENCE))
        top = 0 if head["ends"] else top + rows
        if head["ends"]:
            for writer in writers:
                writer.end_stripe(left)
        pixels += values.size
        if progress:
            progress(pixels // form.width, form.height, image.name)
        if head["done"]:
            return str(head["backend"])


def _colors(labels: LabelSet) -> npt.NDArray[np.uint8]:
    colors = np.zeros((256, 3), np.uint8)
    for label in labels.classes:
        if label.id <= 255:
            colors[label.id] = label.color
    return colors
