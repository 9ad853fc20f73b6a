"""Masks from elsewhere, read in one way by import, import-predictions and evaluate.

A mask says at each pixel which class it shows: by a number (grey of 1 to 32 bits, a palette's
index, grey saved as RGB or with transparency, the red channel alone, a raster of floats) or by a
colour. What marks "nothing here" becomes a code of its own: :data:`NO_DATA` among numbers,
:data:`HIDDEN` among colours. Each cause for which a file cannot be read has its own sentence.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from segcore.data.files.georeference import is_available, open_raster
from segcore.data.files.images import image_size, is_stack, open_image, several_images
from segcore.data.files.png import decode_grey, decode_rgb, read_png_header
from segcore.data.files.windows import Window, is_raster, raster_size, shared_raster
from segcore.errors import SegcoreError

NO_DATA = 1 << 16
"""Code of a pixel of ids that is no data: NaN, the file's nodata value, -1, or transparent."""

HIDDEN = 1 << 24
"""Code of a pixel of colours that is transparent over colours left behind."""

MAX_ID = NO_DATA - 1
NEARLY_WHOLE = 1e-4
"""How far a float may be from a whole number, as arithmetic on rasters leaves it."""

USUAL_NO_DATA = (-1, -128, -9999, -32767, -32768, -(2**31), -99999)
"""Negative numbers that mean "no data" even where the file does not say so."""

COLOR_MODES = ("RGB", "RGBA", "CMYK", "YCbCr", "LAB")
NO_DATA_MODES = ("I", "F", "LA", "RGBA")
"""Modes of masks that may hold pixels without data."""

_GREY_MODES = ("L", "P", "1", "I", "I;16", "I;16B", "F")
_NODATA_TAG = 42113
_SAMPLE_FORMAT, _SIGNED = 339, 2
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class _Band:
    """Numbers of a mask, (H, W) of any kind, and which of them means "no data", or None."""

    values: npt.NDArray[Any]
    nodata: float | None = None


def mask_mode(path: Path) -> str:
    """Return Pillow's mode of a mask ("L", "P", "RGB", "I;16"), "F" for rasters only GDAL reads."""
    header = read_png_header(path)
    if header is not None:
        return header.mode
    try:
        with open_image(path) as image:
            return image.mode
    except SegcoreError:
        if _only_raster(path):
            return "F"
        raise


def may_lack_data(path: Path) -> bool:
    """Whether a mask is of a kind that can hold pixels without data; looks at its header alone.

    Raises:
        SegcoreError: The file cannot be read.
    """
    header = read_png_header(path)
    if header is not None:
        return header.mode in NO_DATA_MODES
    try:
        with open_image(path) as image:
            marked = _is_signed(image) or _nodata_of(image) is not None
            return image.mode in NO_DATA_MODES or marked
    except SegcoreError:
        return _only_raster(path)


def mask_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of a mask from its header, as :func:`images.image_size`."""
    try:
        return image_size(path)
    except SegcoreError:
        if not _only_raster(path):
            raise
    with open_raster(path) as raster:
        return int(raster.height), int(raster.width)


def read_ids(path: Path) -> npt.NDArray[Any]:
    """Read a mask by the number of each pixel.

    Args:
        path: A mask of one channel (a palette gives its indices), or grey as RGB, or with ids in
            its red channel and nothing in the others; transparency is no number.

    Returns:
        (H, W) uint8 or uint16; uint32 where pixels are :data:`NO_DATA`.

    Raises:
        SegcoreError: The file cannot be read, is coloured, or holds numbers that are no ids.
    """
    ids = decode_grey(path)
    if ids is not None:
        return ids
    _refuse_unfit(path)
    band = _raster_band(path)
    if band is None:
        with open_image(path) as image:
            one, (least, most) = image.mode in _GREY_MODES, _stretch(image)
            values = np.asarray(image) if one else _one_channel(image, path.name)
            if most > least:
                values = ((2 * least * values.astype(np.int64) + most) // (2 * most)).astype("u2")
            band = _Band(values, _nodata_of(image))
    return _as_ids(band, path.name)


def count_bands(path: Path) -> int:
    """Return how many numbers a mask holds a pixel: 1 for ids or a palette, 3 for colours.

    Raises:
        SegcoreError: The file cannot be read.
    """
    if is_raster(path):
        with shared_raster(path) as raster:
            return int(raster.count)
    return 3 if mask_mode(path) in COLOR_MODES else 1


def read_window_codes(path: Path, window: Window, by: str) -> npt.NDArray[Any]:
    """Read a part of a mask, as :func:`read_ids` or :func:`read_colors`.

    Args:
        path: A mask; of a TIFF nothing but the window is decoded.
        window: A rectangle that may reach beyond the mask, where there is no data.
        by: "index" or "color".

    Returns:
        (h, w): ids, or 0xRRGGBB; :data:`NO_DATA` or :data:`HIDDEN` beyond the mask.

    Raises:
        SegcoreError: The file cannot be read, or holds numbers that are no ids.
    """
    if not is_raster(path):
        whole = _codes_of(path, path.stat().st_mtime_ns, by)
        inside = window.within(*whole.shape)
        codes = inside.cut(whole)
    else:
        inside = window.within(*raster_size(path))
        codes = _raster_codes(path, inside, by)
    if inside == window:
        return np.ascontiguousarray(codes)
    filled = np.full((window.height, window.width), NO_DATA if by == "index" else HIDDEN, np.uint32)
    inside.moved(-window.top, -window.left).cut(filled)[:] = codes
    return filled


def _raster_codes(path: Path, window: Window, by: str) -> npt.NDArray[Any]:
    if not window.height or not window.width:
        return np.zeros((window.height, window.width), np.uint32)
    with shared_raster(path) as raster:
        count, kinds, nodata = raster.count, raster.dtypes, raster.nodata
        if by == "index" and count == 1:
            return _as_ids(_Band(raster.read(1, window=window.ranges), nodata), path.name)
        if by != "index" and count >= 3 and set(kinds[:3]) == {"uint8"}:
            bands = raster.read([3, 2, 1], window=window.ranges)
            packed = pack_colors(np.moveaxis(bands, 0, -1))
            data = raster.dataset_mask(window=window.ranges) > 0 if count > 3 else None
            return packed if data is None else np.where(data, packed, np.uint32(HIDDEN))
    wanted = "one band of class ids" if by == "index" else "three bands of 8 bits"
    raise SegcoreError(
        f"Expected {wanted} in the mask {path.name} like the others, received {count} of "
        f"{kinds[0]}: save all masks alike."
    )


@lru_cache(maxsize=1)
def _codes_of(path: Path, stamp: int, by: str) -> npt.NDArray[Any]:
    """The last mask that was decoded whole for its windows: a PNG has no parts."""
    return (read_colors if by == "color" else read_ids)(path)


def is_grey(path: Path) -> bool:
    """Whether a colour mask holds only greys, and its numbers can be read.

    Raises:
        SegcoreError: The file cannot be read.
    """
    colors = read_colors(path)
    seen = colors[colors != HIDDEN]
    red, green, blue = seen >> 16, seen >> 8 & 255, seen & 255
    return bool(np.array_equal(red, green) and np.array_equal(red, blue))


def holds_red_ids(path: Path, ids: set[int]) -> bool:
    """Whether the red channel alone speaks: green and blue are 0, red holds only these ids.

    Raises:
        SegcoreError: The file cannot be read.
    """
    codes = np.unique(read_colors(path))
    codes = codes[codes != HIDDEN]
    return bool(len(codes)) and not (codes & 0xFFFF).any() and set((codes >> 16).tolist()) <= ids


def read_colors(path: Path) -> npt.NDArray[np.uint32]:
    """Read a mask by the colour of each pixel, whether stored as RGB, by palette, or grey.

    Args:
        path: A mask. Transparent pixels keep their colour where they all share one; where several
            colours lie hidden under them they are :data:`HIDDEN`.

    Returns:
        (H, W) uint32, 0xRRGGBB or :data:`HIDDEN`.

    Raises:
        SegcoreError: The file cannot be read.
    """
    header = read_png_header(path)
    if header is not None and header.mode == "RGB":
        pixels = decode_rgb(path)
        if pixels is not None:
            return pack_colors(pixels)
    _refuse_unfit(path)
    with open_image(path) as image:
        if image.mode == "P":
            palette = np.zeros((256, 3), np.uint32)
            colors = np.array(image.getpalette("RGB") or [], np.uint32).reshape(-1, 3)
            palette[: len(colors)] = colors
            packed = palette @ np.array([1 << 16, 1 << 8, 1], np.uint32)
            return np.asarray(packed.astype(np.uint32)[np.asarray(image)])
        if image.mode in ("I", "F") or image.mode.startswith("I;"):
            raise SegcoreError(
                f"Expected a mask of colours, {path.name} holds numbers of more than 8 bits: "
                "read it by class ids, or save its colours as RGB."
            )
        packed = pack_colors(np.asarray(image.convert("RGB"))[:, :, ::-1])
        hidden = _hidden(image, packed)
    if hidden is not None:
        packed[hidden] = HIDDEN
    return packed


def palette_colors(path: Path) -> dict[int, int]:
    """Return the colour (0xRRGGBB) of each index that a palette mask uses; {} where it is damaged."""
    try:
        with open_image(path) as image:
            indices = np.unique(np.asarray(image)).tolist()
            values = image.getpalette("RGB") or []
    except SegcoreError:
        return {}
    colors = np.zeros((256, 3), np.int64)
    given = np.array(values, np.int64).reshape(-1, 3)[:256]
    colors[: len(given)] = given
    codes = (colors @ [1 << 16, 1 << 8, 1]).tolist()
    return {index: codes[index] for index in indices}


def resize_mask(mask: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Resize a mask to the nearest pixel centres, so that no label appears that was not there.

    Args:
        mask: (H, W) integer.
        size: (h, w).

    Returns:
        (h, w), same dtype.
    """
    if mask.shape == tuple(size):
        return mask
    rows, columns = (
        (2 * np.arange(n) + 1) * old // (2 * n) for n, old in zip(size, mask.shape, strict=True)
    )
    return np.ascontiguousarray(mask[rows][:, columns])


def pack_colors(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Pack colours into one number a pixel.

    Args:
        pixels: (H, W, 3) uint8, blue, green, red.

    Returns:
        (H, W) uint32, 0xRRGGBB.
    """
    packed: npt.NDArray[np.uint32] = cv2.cvtColor(
        np.ascontiguousarray(pixels), cv2.COLOR_BGR2BGRA
    ).view(np.uint32)[:, :, 0]
    packed &= 0xFFFFFF
    return packed


def _hidden(image: Image.Image, codes: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Return where an image is transparent, if that means something of its own; else None.

    It does where several values lie hidden, or one that is seen elsewhere too. One that is seen
    nowhere else is a class that happens to be clear.
    """
    if image.mode not in ("LA", "RGBA"):
        return None
    clear = np.asarray(image.getchannel("A")) == 0
    if not clear.any() or clear.all():
        return None
    values = codes[clear]
    alone = (values == values[0]).all() and not (codes[~clear] == values[0]).any()
    return None if alone else clear


def _stretch(image: Image.Image) -> tuple[int, int]:
    """Return the greatest grey of a file, and what Pillow makes of it; asked before it decodes.

    It stretches samples of 2 or 4 bits, and those of a PGM with another maximum than 255 or 65535.
    """
    tile = getattr(image, "tile", ())
    if not tile:
        return 1, 1
    arguments = tile[0].args
    if tile[0].codec_name.startswith("ppm") and isinstance(arguments[-1], int):
        return arguments[-1], 65535 if image.mode == "I" else 255
    raw = arguments if isinstance(arguments, str) else next(iter(arguments or ()), "")
    return {"L;2": (3, 255), "L;4": (15, 255)}.get(str(raw)[:3], (1, 1))


def _one_channel(image: Image.Image, name: str) -> npt.NDArray[Any]:
    """Return the one channel of a colour image that holds ids, (H, W); -1 where it is hidden."""
    if image.mode == "LA":
        red = np.asarray(image.getchannel("L"))
    else:
        pixels = np.asarray(image.convert("RGB"))
        red, green, blue = np.moveaxis(pixels, -1, 0)
    hidden = _hidden(image, red if image.mode == "LA" else pixels @ np.array([1, 256, 65536]))
    if image.mode != "LA":
        shown = slice(None) if hidden is None else ~hidden
        grey = np.array_equal(red[shown], green[shown]) and np.array_equal(red[shown], blue[shown])
        if not grey and (green[shown].any() or blue[shown].any()):
            raise SegcoreError(
                f"Expected a mask of class ids in {name}, received colours: declare the class "
                "colours in classes.csv, with the columns id, name and color."
            )
    return red if hidden is None else np.where(hidden, -1, red.astype(np.int32))


def _refuse_stack(path: Path) -> None:
    stack = False
    with suppress(SegcoreError), open_image(path) as image:  # else rasterio says what is wrong
        stack = is_stack(image)
    if stack:
        raise several_images(path.name)


def _refuse_unfit(path: Path) -> None:
    """Refuse files that cannot hold a mask whatever their name: a JPEG, a lossy WebP, a stack.

    Raises:
        SegcoreError: It is one.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(4096)
    except OSError:
        return
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    if start.startswith(b"\xff\xd8\xff") or (webp and b"VP8 " in start):
        raise SegcoreError(
            f"Expected a mask without loss, received the {'WebP' if webp else 'JPEG'} {path.name}, "
            "which blurs labels: export it as PNG."
        )
    if start.startswith((*_TIFF, b"GIF8")) or webp:
        _refuse_stack(path)


def _nodata_of(image: Image.Image) -> float | None:
    """The nodata value that GDAL noted in a TIFF, or None."""
    text = getattr(image, "tag_v2", {}).get(_NODATA_TAG)
    try:
        return None if text is None else float(str(text).strip("\0 "))
    except ValueError:
        return None


def _is_signed(image: Image.Image) -> bool:
    """Whether a TIFF says that its numbers may be negative, which Pillow overlooks at 8 bits."""
    return getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT) in (_SIGNED, (_SIGNED,))


def _only_raster(path: Path) -> bool:
    """Whether a file is a TIFF and rasterio is there to read it."""
    try:
        with open(path, "rb") as file:
            return file.read(4) in _TIFF and is_available()
    except OSError:
        return False


def _raster_band(path: Path) -> _Band | None:
    """Read a TIFF of one band with rasterio where it can do more than Pillow; else None.

    Raises:
        SegcoreError: It has several bands, of kinds that make no colours.
    """
    if not _only_raster(path):
        return None
    only = False
    try:
        with open_image(path) as image:
            plain = image.mode not in ("I", "F") and not _is_signed(image)
            if plain and _nodata_of(image) is None:
                return None
    except SegcoreError:
        only = True  # perhaps a kind of TIFF that rasterio alone reads
    count = 0
    try:
        with open_raster(path) as raster:
            count = raster.count
            if count == 1 and np.dtype(raster.dtypes[0]).kind in "iuf":
                return _Band(raster.read(1), raster.nodata)
    except SegcoreError:
        return None
    if count > 1 and only:
        raise SegcoreError(
            f"Expected a mask of one band, {path.name} has {count}: save the class of each pixel "
            "as one number, as argmax over bands of classes gives."
        )
    return None


def _as_ids(band: _Band, name: str) -> npt.NDArray[Any]:
    """Check numbers and return them as ids; what is no data becomes :data:`NO_DATA`."""
    values, nodata = band.values, band.nodata
    if values.dtype == np.bool_ or (values.dtype in (np.uint8, np.uint16) and nodata is None):
        return np.array(values, np.uint16 if values.dtype == np.uint16 else np.uint8, order="C")
    empty = np.zeros(values.shape, np.bool_)
    if values.dtype.kind == "f":
        empty |= ~np.isfinite(values) | (values <= float(np.finfo(np.float32).min))
    if nodata is not None and np.isfinite(nodata):
        empty |= values == nodata
    if values.dtype.kind in "if":
        empty |= np.isin(values, [v for v in USUAL_NO_DATA if v >= _least(values.dtype)])
    sound = values[~empty]
    if values.dtype.kind == "f":
        broken = sound[np.abs(sound - np.rint(sound)) > NEARLY_WHOLE]
        values, sound = np.rint(values), np.rint(sound)
        if broken.size and float(broken.max()) > 1:
            raise SegcoreError(
                f"Expected class ids in {name}, it holds {float(broken.max()):.6g}: it was smoothed "
                "or scaled; save the class of each pixel as a whole number."
            )
        if broken.size:
            raise SegcoreError(
                f"Expected class ids in {name}, it holds {float(broken.flat[0]):.4g}: are these "
                "probabilities? Save the class of each pixel as a whole number (argmax)."
            )
    if sound.size and (sound.min() < 0 or sound.max() > MAX_ID):
        strange = sound[(sound < 0) | (sound > MAX_ID)].flat[0]
        raise SegcoreError(
            f"Expected class ids from 0 to {MAX_ID} in {name}, it holds {strange:.10g}: number "
            "the classes from 0, or mark what has no class as nodata."
        )
    if not empty.any():
        top = int(sound.max()) if sound.size else 0
        return np.ascontiguousarray(values, np.uint8 if top < 256 else np.uint16)
    ids = np.where(empty, 0, values).astype(np.uint32)
    ids[empty] = NO_DATA
    return ids


def _least(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).min) if dtype.kind == "i" else -np.inf
