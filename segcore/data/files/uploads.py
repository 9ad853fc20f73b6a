"""Images from strangers: judged before a pixel is decoded, and kept as nothing but pixels.

What is accepted is decoded and rewritten as a PNG, so anything else a file carried (a second
file behind the picture, a script in its notes, a colour profile) goes no further. Each refused file
has one sentence; the others are processed.
"""

import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.bands import Bands, RasterLook, is_plain, show_bands
from segcore.data.files.georeference import (
    RASTER_SUFFIXES,
    Georeference,
    georeference_of,
    is_available,
    open_raster,
)
from segcore.data.files.images import (
    FORMATS,
    is_stack,
    no_image,
    open_stream,
    several_images,
    to_rgb,
)
from segcore.data.files.mask_folders import is_below, mask_folders
from segcore.data.files.names import (
    IMAGE_SUFFIXES,
    OTHER_PICTURES,
    count_endings,
    list_files,
    plain_path,
)
from segcore.errors import SegcoreError
from segcore.formatting import plural

MAX_FILES = 100
MAX_BYTES = 64_000_000
"""Most images at a time, and the largest upload, in bytes as sent."""

MAX_RASTER_BYTES = 1_000_000_000
"""Largest TIFF of other than three bytes a pixel, all its bands decoded."""

_SUFFIXES: dict[bytes, tuple[str, ...]] = {
    b"\x89PNG\r\n\x1a\n": (".png",),
    b"\xff\xd8\xff": (".jpg", ".jpeg"),
    b"BM": (".bmp",),
    b"II*\x00": (".tif", ".tiff"),
    b"MM\x00*": (".tif", ".tiff"),
    b"RIFF": (".webp",),
    b"GIF8": (".gif",),
    b"P5": (".pgm", ".pnm", ".ppm"),
    b"P6": (".ppm", ".pnm"),
}
"""First bytes, as in ``image_files.FORMATS``, and the endings that go with them."""

_MARKUP = re.compile(
    rb"<script|<!doctype html|<html[\s>]|<\?php[\s]|<svg[\s>]+xmlns", re.IGNORECASE
)


@dataclass(frozen=True)
class Upload:
    """A file as it came.

    Attributes:
        name: What the sender calls it; not to be trusted.
        read: Reads its bytes.
        size: Their number, known before they are read.
    """

    name: str
    read: Callable[[], bytes]
    size: int


@dataclass(frozen=True)
class Picture:
    """The pixels of an accepted file.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        count: How many bands rasterio saw in a TIFF; 0 for any other image.
        bands: The bands of a TIFF that is no ordinary picture, or None.
        note: Which of its bands and values became the image, in words; "" for an ordinary picture.
        nodata: The value that stands for nothing in a TIFF, or None.
    """

    image: npt.NDArray[np.uint8]
    count: int = 0
    bands: Bands | None = None
    note: str = ""
    nodata: float | None = None


@dataclass(frozen=True)
class Accepted:
    """An image that came in.

    Attributes:
        id: Safe as a file name without ending; unique among those accepted together.
        name: The sender's name, with folders.
        picture: Its pixels.
        georeference: Where on Earth it lies, where it is a GeoTIFF that says so and rasterio is
            installed; else None.
    """

    id: str
    name: str
    picture: Picture
    georeference: Georeference | None = None

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self.picture.image


@dataclass(frozen=True)
class Refused:
    """A file that did not.

    Attributes:
        name: The sender's name, cut to a readable length.
        why: One sentence.
    """

    name: str
    why: str


def judge(uploads: Iterable[Upload], limit: int = MAX_FILES) -> Iterator[Accepted | Refused]:
    """Judge files one at a time; at most one is in memory.

    Args:
        uploads: The files.
        limit: How many are looked at; each further one is refused.

    Yields:
        For each file, in order, what became of it.
    """
    taken: set[str] = set()
    for position, upload in enumerate(uploads):
        shown = _shown(upload.name)
        if position >= limit:
            yield Refused(
                shown,
                (
                    f"Expected at most {limit} images at a time, received more: send {shown} "
                    "with the next ones."
                ),
            )
            continue
        try:
            check_name(upload.name)
            if upload.size > MAX_BYTES:
                raise SegcoreError(
                    f"Expected at most {MAX_BYTES // 1_000_000} MB, received {shown} with "
                    f"{upload.size / 1e6:.0f} MB: make it smaller."
                )
            data = upload.read()
            picture, lies = _opened(data, upload.name)
        except SegcoreError as error:
            yield Refused(shown, str(error))
            continue
        id = _free(_stem(upload.name), taken)
        taken.add(id.casefold())
        yield Accepted(id, plain_path(upload.name), picture, lies)


def check_name(name: str) -> None:
    """Refuse the name of a file that leads out of a folder or hides something.

    Raises:
        SegcoreError: It is absolute, climbs, holds a backslash, a drive or a control character, is
            hidden or too long, or is not named like an image.
    """
    path = PurePosixPath(name)
    hostile = (
        re.search(r"[\x00-\x1f\x7f\\:]", name)
        or path.is_absolute()
        or ".." in path.parts
        or len(name) > 255
    )
    if hostile or not path.name or path.name.startswith("."):
        raise SegcoreError(
            f"Expected a plain file name, received {_shown(name)!r}: rename the file."
        )
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise SegcoreError(
            "Expected a PNG, JPEG, TIFF, BMP, WebP, GIF or PPM image, received "
            f"{_shown(path.name)}: convert or remove it."
        )


def decode(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode an image that is nothing but an image.

    Args:
        data: The file's bytes.
        name: The file's name, checked.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        SegcoreError: The content is no image, another one than the name says, something else
            besides, too large, or damaged.
    """
    check_content(data, name)
    with open_stream(io.BytesIO(data), _shown(PurePosixPath(name).name)) as image:
        return to_rgb(image)


def check_content(data: bytes, name: str) -> None:
    """Refuse bytes that are no image, another one than the name says, or something else besides.

    Raises:
        SegcoreError: They are.
    """
    shown, suffix = _shown(PurePosixPath(name).name), PurePosixPath(name).suffix.lower()
    magic = next((magic for magic, _ in FORMATS if data.startswith(magic)), None)
    if magic is None:
        raise SegcoreError(no_image(data[:16], shown))
    if suffix not in _SUFFIXES[magic]:
        raise SegcoreError(
            f"Expected {shown} to be what its ending says, received a file of the kind "
            f"{_SUFFIXES[magic][0]}: rename it."
        )
    second = _second_nature(data)
    if second:
        raise SegcoreError(
            f"Expected an image and nothing else, received {shown}, which is {second} too: "
            "open it and save it again."
        )
    if suffix in (".tif", ".tiff", ".gif", ".webp"):
        stack = False
        with suppress(SegcoreError), open_stream(io.BytesIO(data), shown) as image:
            stack = is_stack(image)  # what cannot be opened is reported where it is decoded
        if stack:
            raise several_images(shown)


def _opened(data: bytes, name: str) -> tuple[Picture, Georeference | None]:
    """Decode a file; a TIFF keeps its bands, and where it lies if it says so."""
    if PurePosixPath(name).suffix.lower() not in RASTER_SUFFIXES or not is_available():
        return Picture(decode(data, name)), None
    check_content(data, name)
    shown = _shown(PurePosixPath(name).name)
    lies, count, refused, nodata = None, 0, "", None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        path.write_bytes(data)
        try:
            with open_raster(path) as raster:
                lies, count, nodata = georeference_of(raster), int(raster.count), raster.nodata
                if not is_plain(count, raster.dtypes) or not _is_picture(data, name):
                    refused = _unfit(raster, shown)
                    if not refused:
                        bands = Bands(raster.read(), raster.nodata)
                        image, note = show_bands(bands, RasterLook(), shown)
                        return Picture(image, count, bands, note, nodata), lies
        except SegcoreError:
            count = 0  # perhaps still a picture; if not, that is reported under the sender's name
    if refused:
        raise SegcoreError(refused)
    return Picture(decode(data, name), count, nodata=nodata if count else None), lies


def _is_picture(data: bytes, name: str) -> bool:
    """Whether Pillow knows a TIFF, which it does not where three bands are declared no colours."""
    with suppress(SegcoreError), open_stream(io.BytesIO(data), name):
        return True
    return False


def _unfit(raster: Any, shown: str) -> str:
    """Why a raster's bands are no picture, or too much to decode; or ""."""
    if any("complex" in kind for kind in raster.dtypes):
        return (
            f"Expected bands of real numbers, received {shown} with complex ones: save their "
            "absolute values."
        )
    size = max(np.dtype(d).itemsize for d in raster.dtypes)
    total = raster.width * raster.height * raster.count * size
    if total > MAX_RASTER_BYTES:
        return (
            f"Expected at most {MAX_RASTER_BYTES // 1_000_000} MB of bands, received {shown} with "
            f"{total / 1e6:.0f} MB: keep three bands, or cut it into tiles."
        )
    return ""


def _second_nature(data: bytes) -> str:
    """What a file is besides an image, or ""."""
    if b"PK\x05\x06" in data[-66_000:] and zipfile.is_zipfile(io.BytesIO(data)):
        return "an archive"
    if b"%PDF-" in data[:1024]:
        return "a PDF document"
    return "a web page or script" if _MARKUP.search(data) else ""


def uploads_of(path: Path, leave_out: Collection[Path] = ()) -> list[Upload]:
    """Return the images of a folder of this machine, those below it too, or the one of a path.

    Folders of masks beside the images are left out (see :func:`skipped_masks`).

    Args:
        path: The folder or file.
        leave_out: Files that are not wanted.

    Raises:
        SegcoreError: There is no such file or folder, or it holds no image.
    """
    if not path.exists():
        raise SegcoreError(
            f"Expected a folder of images or one image, found nothing at {path}: check the path."
        )
    try:
        if path.is_file():
            return [Upload(path.name, path.read_bytes, path.stat().st_size)]
        names = list_files(path, IMAGE_SUFFIXES | OTHER_PICTURES)
        masks = mask_folders(names)
        names = [name for name in names if not is_below(name, masks)]
        files = [(name, path / name) for name in names if path / name not in leave_out]
        uploads = [Upload(name, file.read_bytes, file.stat().st_size) for name, file in files]
    except OSError as error:
        raise SegcoreError(
            f"The folder {path} cannot be read ({error.strerror}): choose another."
        ) from error
    if not uploads:
        held = count_endings(list_files(path))
        raise SegcoreError(
            f"Expected images in {path}, it holds {held or 'no file'}: choose the folder that "
            "holds them, or convert them to PNG, JPEG or TIFF."
        )
    return uploads


def skipped_masks(path: Path) -> list[tuple[str, str]]:
    """Return the folders of masks that :func:`uploads_of` leaves out, each with one sentence.

    Raises:
        SegcoreError: The folder cannot be listed.
    """
    names = list_files(path, IMAGE_SUFFIXES | OTHER_PICTURES) if path.is_dir() else []
    return [
        (
            folder,
            f"Expected images, received {plural(sum(is_below(n, [folder]) for n in names), 'mask')} "
            "named like the images beside them: left out.",
        )
        for folder in mask_folders(names)
    ]


def free_places(names: Iterable[str]) -> list[str]:
    """Return a path without ending for each file, in the folders of its name, none twice.

    Args:
        names: Names that :func:`check_name` accepts, with folders.
    """
    taken: set[str] = set()
    places = []
    for name in names:
        place = _free(PurePosixPath(name).with_name(_stem(name)).as_posix(), taken)
        taken.add(place.casefold())
        places.append(place)
    return places


def _stem(name: str) -> str:
    """A file name's stem with everything but letters, digits, "-" and "_" made a "_"."""
    return (
        re.sub(r"[^\w-]+", "_", PurePosixPath(name).stem, flags=re.ASCII).strip("_-")[:60]
        or "image"
    )


def _free(stem: str, taken: set[str]) -> str:
    serial, free = 2, stem
    while free.casefold() in taken:
        free, serial = f"{stem}-{serial}", serial + 1
    return free


def _shown(name: str) -> str:
    """A name short enough for a sentence, without control characters."""
    return re.sub(
        r"[\x00-\x1f\x7f]", "?", name if len(name) <= 80 else f"{name[:60]}...{name[-15:]}"
    )
