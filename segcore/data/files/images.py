"""Image and mask files: opened safely, read to arrays, written whole.

The format is known by the file's first bytes, never by its name, and only the formats of
:data:`FORMATS` are opened. The size is read from the header and refused before a pixel is
decoded, so a small file that would unpack to gigabytes costs nothing.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import cv2
import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from segcore.data.files.borders import foreign_bytes
from segcore.data.files.georeference import size_if_raster
from segcore.data.files.png import MAX_PIXELS, check_pixels, read_png_header
from segcore.errors import SegcoreError

# First bytes -> Pillow's class. Its own `Image.open` is not used: it prints a warning for large
# headers.
FORMATS: tuple[tuple[bytes, Callable[[BinaryIO, str], Image.Image]], ...] = (
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"II*\x00", TiffImagePlugin.TiffImageFile),
    (b"MM\x00*", TiffImagePlugin.TiffImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
    (b"P2", PpmImagePlugin.PpmImageFile),
    (b"P3", PpmImagePlugin.PpmImageFile),
    (b"P5", PpmImagePlugin.PpmImageFile),
    (b"P6", PpmImagePlugin.PpmImageFile),
)

KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
    ".gif": "GIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pnm": "PPM",
}
"""What the ending of a name claims."""

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # damage is a sentence
warnings.simplefilter("error", Image.DecompressionBombWarning)  # refused in a sentence, not printed

_EXIF_ORIENTATION = 0x0112
_SUBFILE_TYPE = 254
_PART_OF_ANOTHER = 1 | 4  # an overview, a transparency mask
TWELVE_BITS = 4095
"""The greatest value of 12 bits: a grey image of 16 that stays below is read as one of 12."""


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image file, check its header, and hand it over undecoded.

    Args:
        path: The file.

    Yields:
        A Pillow image whose pixels are not decoded yet; closed afterwards.

    Raises:
        SegcoreError: The file is missing, of no known format, too large to decode, or breaks off.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, where its absence is another fault
    except FileNotFoundError as error:
        raise SegcoreError(
            f"Expected the image {path}, found no such file: put it back or import the "
            "dataset again."
        ) from error
    except (OSError, ValueError) as error:
        raise SegcoreError(
            f"{path.name} cannot be read: check that it is a file and its permissions."
        ) from error
    with file, open_stream(file, path.name) as image:
        yield image


@contextmanager
def open_stream(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    """Do as :func:`open_image` with an open file, whose name is only for messages.

    Args:
        file: At its beginning.
        name: What it is called.

    Yields:
        A Pillow image whose pixels are not decoded yet.

    Raises:
        SegcoreError: As :func:`open_image`.
    """
    with foreign_bytes(
        f"{name} cannot be decoded, it is damaged or breaks off: replace or remove it."
    ):
        start = file.read(16)
        make = next((make for magic, make in FORMATS if start.startswith(magic)), None)
        if make is None:
            raise SegcoreError(no_image(start, name))
        file.seek(0)
        image = make(file, name)
        width, height = image.size
        check_pixels(height, width, name)
        yield image


def no_image(start: bytes, name: str) -> str:
    """Say what a file is that begins like no image.

    Args:
        start: Its first bytes.
        name: What it is called; its ending says what it claims to be.
    """
    if not start:
        return f"Expected an image, received the empty file {name}: copy it again or remove it."
    if start.startswith(b"version https://"):
        return (
            f"Expected an image, received {name}, a pointer of Git LFS: fetch the file itself "
            "(git lfs pull)."
        )
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return f"Expected an image, received {name}, a page of text (HTML): download it again."
    claimed = KINDS.get(PurePath(name).suffix.lower())
    if claimed:
        return (
            f"Expected a {claimed} image as the name says, received {name} with other content: it is "
            "damaged or of another kind; copy it again, convert or remove it."
        )
    return (
        f"Expected a PNG, JPEG, TIFF, BMP, WebP, GIF or PPM image, received {name}: convert or "
        "remove it."
    )


@dataclass(frozen=True)
class Frame:
    """How an image lies in its file and how it is seen.

    Attributes:
        size: (height, width) as :func:`read_image` gives it, upright.
        stored: (height, width) of the pixels as stored.
        orientation: EXIF orientation 1..8; 1 where it says nothing.
    """

    size: tuple[int, int]
    stored: tuple[int, int]
    orientation: int = 1


def frame_of(path: Path) -> Frame:
    """Return how an image lies in its file, from its header alone.

    Raises:
        SegcoreError: As :func:`open_image`, or the file is a stack of images.
    """
    header = read_png_header(path)
    if header is not None:
        return Frame((header.height, header.width), (header.height, header.width))
    try:
        return _frame_in(path)
    except SegcoreError as error:
        size = size_if_raster(path)  # perhaps of bands that Pillow has no word for
        if size is None or str(error) == str(several_images(path.name)):
            raise
        return Frame(size, size)


def _frame_in(path: Path) -> Frame:
    """Return how an image of a format that Pillow knows lies in its file."""
    with open_image(path) as image:
        width, height = image.size
        orientation = _orientation(image)
        if is_stack(image):
            raise several_images(path.name)
    size = (width, height) if orientation in (5, 6, 7, 8) else (height, width)
    return Frame(size, (height, width), orientation)


def is_stack(image: Image.Image) -> bool:
    """Whether an open file holds further images of the same size, of which only one would be seen.

    Overviews and masks within a TIFF are parts of its one image.
    """
    kinds = (TiffImagePlugin.TiffImageFile, GifImagePlugin.GifImageFile)
    if not isinstance(image, kinds) and not getattr(image, "is_animated", False):
        return False
    size = image.size
    try:
        image.seek(1)
    except EOFError:
        return False
    kind = getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
    return image.size == size and not kind & _PART_OF_ANOTHER


def several_images(name: str) -> SegcoreError:
    """Return the error of a file that holds a stack of images."""
    return SegcoreError(
        f"Expected one image in {name}, received a file of several pages or frames, of which only "
        "the first would be read: save each as a file of its own, image and mask alike."
    )


def turn_upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Turn an array of stored pixels as an EXIF orientation says.

    Args:
        pixels: (H, W, ...) as stored.
        orientation: 1..8, EXIF 2.32, section 4.6.4; other numbers change nothing.

    Returns:
        The pixels as seen, (H, W, ...) or (W, H, ...).
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of an image as :func:`read_image` gives it, from its header alone."""
    return frame_of(path).size


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8.

    In a PNG only a note before the pixels counts: Pillow would decode them to find a later one.
    """
    if isinstance(image, PngImagePlugin.PngImageFile) and "exif" not in image.info:
        return 1
    return int(image.getexif().get(_EXIF_ORIENTATION, 1))


def upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF note says; the image itself where it says nothing."""
    return image if _orientation(image) == 1 else ImageOps.exif_transpose(image)


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image as RGB, upright by its EXIF note; grey is repeated, transparency is dropped.

    Of 16 bits the upper 8 are taken; of the lower 12, where none is above 4095, as many cameras and
    microscopes write them.

    Args:
        path: The file.

    Returns:
        (H, W, 3) uint8 RGB, 0..255, C-contiguous and writable.

    Raises:
        SegcoreError: As :func:`open_image`.
    """
    with open_image(path) as image:
        return to_rgb(image)


def to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Decode an image that is still open to (H, W, 3) uint8 RGB, as :func:`read_image` says."""
    turned = upright(image)
    if turned.mode.startswith("I") or turned.mode == "F":
        grey = _to_eight_bits(np.asarray(turned))
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.array(turned.convert("RGB"), np.uint8, order="C")


def _to_eight_bits(grey: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if grey.dtype.kind == "f":
        top = 1.0 if float(np.nanmax(grey)) <= 1.0 else 255.0
        return np.nan_to_num(np.clip(grey / top, 0, 1) * 255).astype(np.uint8)
    top = int(grey.max(initial=0))
    if top > 255:
        return (np.clip(grey, 0, 65535) >> (8 if top > TWELVE_BITS else 4)).astype(np.uint8)
    return grey.astype(np.uint8)


def read_indices(path: Path) -> npt.NDArray[Any]:
    """Read a single-channel mask without touching its values.

    Args:
        path: A mask of one channel, 8 or 16 bits; a palette image gives its palette indices.

    Returns:
        (H, W) uint8 or uint16, C-contiguous and writable.

    Raises:
        SegcoreError: The file has several channels, or as :func:`open_image`.
    """
    with open_image(path) as image:
        if image.mode not in ("L", "P", "1", "I", "I;16", "I;16B"):
            raise SegcoreError(
                f"Expected a mask with one channel, received {path.name} with mode "
                f"{image.mode}: save it as class indices."
            )
        values = np.asarray(image)
        if values.dtype == np.bool_ or values.dtype == np.uint8:
            return np.array(values, np.uint8, order="C")
        if int(values.min(initial=0)) < 0 or int(values.max(initial=0)) > 65535:
            raise SegcoreError(
                f"Expected mask values of 0 to 65535, received others in {path.name}: save "
                "it with 16 bits."
            )
        return np.array(values, np.uint16, order="C")


def encode_png(pixels: npt.NDArray[Any]) -> bytes:
    """Encode (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB, as a PNG.

    Raises:
        SegcoreError: The array is of another kind.
    """
    fits = (pixels.ndim == 2 and pixels.dtype in (np.uint8, np.uint16)) or (
        pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    )
    if not fits:
        raise SegcoreError(
            "Expected an (H, W) uint8 or uint16 mask or an (H, W, 3) uint8 image, "
            f"received {pixels.shape} {pixels.dtype}: convert it."
        )
    mask = pixels.ndim == 2
    options = [cv2.IMWRITE_PNG_COMPRESSION, 4]
    if (
        mask and pixels.dtype == np.uint8
        # indices pack as well without filters, at half the time of writing and two thirds of
        # reading
    ):
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    ok, data = cv2.imencode(
        ".png", np.ascontiguousarray(pixels if mask else pixels[:, :, ::-1]), options
    )
    if not ok:
        raise SegcoreError(
            f"An array of shape {pixels.shape} could not be written as PNG: check its size."
        )
    return data.tobytes()


def encode_palette_png(indices: npt.NDArray[np.uint8], colors: npt.NDArray[np.uint8]) -> bytes:
    """Encode indices with a colour table, the form of Pascal VOC.

    Args:
        indices: (H, W) uint8.
        colors: (256, 3) uint8, the colour of each index.

    Returns:
        The bytes of a palette PNG.
    """
    image = Image.fromarray(indices, mode="P")
    image.putpalette(np.ascontiguousarray(colors, np.uint8).tobytes())
    buffer = BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def verify_image(path: Path) -> None:
    """Decode an image to see whether it is whole; a JPEG at an eighth of its size, which is faster.

    Raises:
        SegcoreError: As :func:`open_image`.
    """
    with open_image(path) as image:
        image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
