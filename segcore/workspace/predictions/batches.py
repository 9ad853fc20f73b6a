"""The user's own images, brought in together: a batch in the workspace.

predictions/<batch>/
batch.json        which images came in, under which names, and what was refused
images/<id>.png   their pixels, and nothing else of the files that were sent
"""

import dataclasses
import secrets
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.georeference import Georeference
from segcore.data.files.images import encode_png, read_image
from segcore.data.files.uploads import MAX_FILES, Accepted, Upload, judge, uploads_of
from segcore.errors import SegcoreError
from segcore.runs.folder.names import is_run_id
from segcore.runs.machine import disk

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
    """

    id: str
    name: str
    height: int
    width: int
    georeference: Georeference | None = None
    stretched: str = ""


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

    def accept(
        self, uploads: Iterable[Upload], limit: int = MAX_FILES, progress: Progress | None = None
    ) -> Batch:
        """Bring images in; each is judged, and those that are refused do not stop the others.

        Args:
            uploads: The files as they came.
            limit: Most images.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: None could be taken, with the first one's reason; or the disk cannot be
                written.
        """
        files = list(uploads)
        id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        folder = self.folder / id
        images: list[dict[str, Any]] = []
        refused: list[list[str]] = []
        try:
            for done, found in enumerate(judge(files, limit), 1):
                if isinstance(found, Accepted):
                    disk.write_bytes(folder / "images" / f"{found.id}.png", encode_png(found.image))
                    height, width = found.image.shape[:2]
                    row = {"id": found.id, "name": found.name, "height": height, "width": width}
                    row |= {"stretched": found.stretched} if found.stretched else {}
                    images.append(
                        row
                        | (
                            {"georeference": dataclasses.asdict(found.georeference)}
                            if found.georeference
                            else {}
                        )
                    )
                else:
                    refused.append([found.name, found.why])
                if progress:
                    progress(done, len(files), found.name)
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

    def accept_folder(
        self, path: Path, limit: int = MAX_FILES, progress: Progress | None = None
    ) -> Batch:
        """Bring in the images of a folder of this machine, or one image.

        Raises:
            SegcoreError: There is no such path, it holds no image, or none could be taken.
        """
        return self.accept(uploads_of(Path(path).expanduser()), limit, progress)

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


def _image(row: dict[str, Any]) -> BatchImage:
    lies = Georeference.from_json(row["georeference"]) if row.get("georeference") else None
    return BatchImage(
        str(row["id"]),
        str(row["name"]),
        int(row["height"]),
        int(row["width"]),
        lies,
        str(row.get("stretched", "")),
    )
