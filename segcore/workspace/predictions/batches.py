"""Batches: the user's own images that were imported together.

predictions/<batch>/
batch.json        which images came in, under which names, and what was refused
images/<id>.png   their pixels, and nothing else of the files that were sent
bands/<id>.npy    all bands of a TIFF that is no ordinary picture
looks/<look>/<id>.png  such a TIFF as the images of some dataset were shown
values/<bands>/<id>.npy  the channels of a TIFF that a network over bands takes
"""

import dataclasses
import hashlib
import io
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.reading import pick_values
from segcore.data.files.bands import Bands, RasterLook, show_bands
from segcore.data.files.georeference import RASTER_SUFFIXES, Georeference
from segcore.data.files.images import encode_png, read_image
from segcore.data.files.uploads import (
    MAX_FILES,
    Accepted,
    Upload,
    free_places,
    judge,
    skipped_masks,
    uploads_of,
)
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.runs.folder.names import is_run_id
from segcore.runs.machine import disk
from segcore.workspace.rights import writes

Progress = Callable[[int, int, str], None]
Image = npt.NDArray[np.uint8]

FORMAT = 1
MOST_BATCHES = 12
"""The newest so many batches are kept."""


@dataclass(frozen=True)
class BatchImage:
    """One image of a batch.

    Attributes:
        id: Its name here.
        name: The sender's name for it.
        height: In pixels.
        width: In pixels.
        georeference: Where on Earth it lies, if it says so.
        stretched: What of its values became 0 to 255, in words, where it held other than bytes.
        bands: How many bands rasterio saw in a TIFF; 0 for any other image.
        nodata: The value that stands for nothing in its bands, or None.
    """

    id: str
    name: str
    height: int
    width: int
    georeference: Georeference | None = None
    stretched: str = ""
    bands: int = 0
    nodata: float | None = None

    @property
    def is_raster(self) -> bool:
        """Whether it came as a TIFF."""
        return PurePosixPath(self.name).suffix.lower() in RASTER_SUFFIXES


@dataclass(frozen=True)
class Batch:
    """Images that came in together.

    Attributes:
        id: Name of the batch.
        folder: Where it lies.
        images: What came in.
        refused: What did not, as (name, one sentence).
        created: Seconds since 1970.
    """

    id: str
    folder: Path
    images: tuple[BatchImage, ...]
    refused: tuple[tuple[str, str], ...]
    created: float

    def places(self) -> list[str]:
        """Return where the results of each image go: its name without ending, with its folders."""
        return free_places(image.name for image in self.images)

    def image(self, id: str) -> BatchImage:
        """Return one of the images.

        Raises:
            SegcoreError: There is none of that id.
        """
        for image in self.images:
            if image.id == id:
                return image
        raise SegcoreError(
            f"Expected an image of this batch, received {id!r}: choose one of {len(self.images)}."
        )


class Batches:
    """Batches of a workspace.

    Attributes:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @writes("upload images")
    def accept(
        self, uploads: Iterable[Upload], limit: int = MAX_FILES, progress: Progress | None = None
    ) -> Batch:
        """Import images; each is checked, and those that are refused do not stop the others.

        Args:
            uploads: The files as they came.
            limit: Most images.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: None could be taken, with the first one's reason; or the disk cannot be
                written.
        """
        return self._accept(list(uploads), limit, progress, [])

    def _accept(
        self,
        files: list[Upload],
        limit: int,
        progress: Progress | None,
        refused: list[list[str]],
    ) -> Batch:
        """Import images as :meth:`accept` does, after what was refused before them."""
        id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        folder = self.folder / id
        images: list[dict[str, Any]] = []
        try:
            for done, judged in enumerate(judge(files, limit), 1):
                if isinstance(judged, Accepted):
                    images.append(_keep(folder, judged))
                else:
                    refused.append([judged.name, judged.why])
                if progress:
                    progress(done, len(files), judged.name)
            if not images:
                raise SegcoreError(
                    refused[0][1]
                    if refused
                    else "Expected at least one image, received none: choose some."
                )
            document = {
                "format": FORMAT,
                "created": time.time(),
                "images": images,
                "refused": refused,
            }
            disk.write_json(folder / "batch.json", document)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._forget_old(keep=id)
        return self.open(id)

    @writes("predict images of a folder")
    def accept_folder(
        self,
        path: Path,
        limit: int = MAX_FILES,
        progress: Progress | None = None,
        leave_out: Collection[Path] = (),
    ) -> Batch:
        """Import the images of a folder on this machine but for some files, or one image.

        Folders of masks beside the images are left out, and named among the refused.

        Raises:
            SegcoreError: There is no such path, it holds no image, or none could be taken.
        """
        source = Path(path).expanduser()
        files = uploads_of(source, leave_out)
        return self._accept(files, limit, progress, [[*row] for row in skipped_masks(source)])

    def open(self, batch: str) -> Batch:
        """Open a batch by id.

        Raises:
            SegcoreError: There is none of that id (any more), or it is damaged.
        """
        folder = self.folder / batch
        if not is_run_id(batch) or not (folder / "batch.json").is_file():
            raise SegcoreError(
                "Expected images that were sent before, found them no more: send them again."
            )
        data = disk.read_json(folder / "batch.json")
        try:
            images = tuple(_image(row) for row in data["images"])
            return Batch(
                batch,
                folder,
                images,
                tuple((str(n), str(w)) for n, w in data["refused"]),
                float(data["created"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SegcoreError(
                "Expected images that were sent before, found a damaged list of them: send "
                "them again."
            ) from error

    def _forget_old(self, keep: str) -> None:
        """Remove all but the newest batches; their names begin with the time."""
        names = sorted(
            (p.parent.name for p in self.folder.glob("*/batch.json") if p.parent.name != keep),
            reverse=True,
        )
        for name in names[MOST_BATCHES - 1 :]:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def image_path(self, batch: Batch, image: str) -> Path:
        """Return the file of an image.

        Raises:
            SegcoreError: There is none of that id.
        """
        return batch.folder / "images" / f"{batch.image(image).id}.png"

    def image(self, batch: Batch, image: str) -> Image:
        """Return an image's pixels, (H, W, 3) uint8 RGB.

        Raises:
            SegcoreError: There is none of that id, or its file cannot be read.
        """
        return read_image(self.image_path(batch, image))

    def values_path(self, batch: Batch, image: str, bands: BandSet) -> Path:
        """Return the file of an image's channels, (H, W, N) float32 with NaN for gaps, made if new.

        Args:
            batch: Where it is.
            image: Its id.
            bands: The bands that keep their values.

        Raises:
            SegcoreError: It is no raster, or one of other bands.
        """
        row = batch.image(image)
        path = self.image_path(batch, image)
        if not row.is_raster or not row.bands:
            raise SegcoreError(
                f"Expected a GeoTIFF of {bands.sentence}, as the network was trained on, received "
                f"{row.name}, a picture of red, green and blue: choose the raster itself"
                + (", with rasterio installed." if row.is_raster else ".")
            )
        name = hashlib.sha256(repr(bands).encode()).hexdigest()[:12]
        target = batch.folder / "values" / name / f"{row.id}.npy"
        if not target.is_file():
            kept = _bands_of(row, batch.folder / "bands" / f"{row.id}.npy", path)
            disk.write_bytes(target, _picked(row, kept, bands))
        return target

    def shown_path(self, batch: Batch, image: str, look: RasterLook | None) -> Path:
        """Return the file of an image as the images of a dataset were shown, made where it is not.

        Args:
            batch: Where it is.
            image: Its id.
            look: What became of the dataset's images on their way in; None where they were
                ordinary pictures.

        Raises:
            SegcoreError: It cannot be shown so: it has not those bands, or they were not kept.
        """
        row = batch.image(image)
        path = self.image_path(batch, image)
        bands_file = batch.folder / "bands" / f"{row.id}.npy"
        if look is None or not row.is_raster:
            return path
        if not look.by_bands:
            if not bands_file.is_file():
                return path
            raise SegcoreError(
                f"The images of this network's dataset were imported without rasterio, so that "
                f"the bands of {row.name} cannot be shown alike: import the dataset again with "
                "rasterio installed, and train on it."
            )
        if not row.bands and (look.bands or look.limits):
            raise SegcoreError(
                f"The network was trained on bands of rasters ({look.sentence}), those of "
                f"{row.name} are not known: install rasterio ({extra_command('geo')}), "
                "then choose the images again."
            )
        if not bands_file.is_file() and not look.bands:
            return path  # one or three bands of bytes stay as they are
        name = hashlib.sha256(repr(look).encode()).hexdigest()[:12]
        target = batch.folder / "looks" / name / f"{row.id}.png"
        if not target.is_file():
            shown, _ = show_bands(
                Bands(_bands_of(row, bands_file, path), row.nodata), look, row.name
            )
            disk.write_bytes(target, encode_png(shown))
        return target


def _picked(row: BatchImage, values: npt.NDArray[Any], bands: BandSet) -> bytes:
    """Return the channels of an image that was sent, as the bytes of an ``.npy`` file."""
    data = io.BytesIO()
    np.save(data, pick_values(values, row.nodata, bands, row.name), allow_pickle=False)
    return data.getvalue()


def _bands_of(row: BatchImage, bands_file: Path, path: Path) -> npt.NDArray[Any]:
    """All bands of a raster, (B, H, W): those kept, or those of the picture that it is."""
    if not bands_file.is_file():
        return np.moveaxis(read_image(path), -1, 0)[: row.bands]
    try:
        return np.asarray(np.load(bands_file, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise SegcoreError(
            f"The bands of {row.name} are damaged: choose the image again."
        ) from error


def _keep(folder: Path, accepted: Accepted) -> dict[str, Any]:
    """Write the pixels of an accepted image, and return its row of ``batch.json``."""
    picture = accepted.picture
    disk.write_bytes(folder / "images" / f"{accepted.id}.png", encode_png(picture.image))
    height, width = picture.image.shape[:2]
    row: dict[str, Any] = {
        "id": accepted.id,
        "name": accepted.name,
        "height": height,
        "width": width,
        "bands": picture.count,
    }
    if picture.bands is not None:
        data = io.BytesIO()
        np.save(data, picture.bands.values, allow_pickle=False)
        disk.write_bytes(folder / "bands" / f"{accepted.id}.npy", data.getvalue())
        row |= {"stretched": picture.note}
    nodata = picture.nodata
    row |= {"nodata": float(nodata)} if nodata is not None and np.isfinite(nodata) else {}
    if accepted.georeference:
        row["georeference"] = dataclasses.asdict(accepted.georeference)
    return row


def _image(row: dict[str, Any]) -> BatchImage:
    lies = Georeference.from_json(row["georeference"]) if row.get("georeference") else None
    return BatchImage(
        str(row["id"]),
        str(row["name"]),
        int(row["height"]),
        int(row["width"]),
        lies,
        str(row.get("stretched", "")),
        int(row.get("bands", 0)),
        None if row.get("nodata") is None else float(row["nodata"]),
    )
