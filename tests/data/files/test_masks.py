"""One reader of masks: each way of writing the same ids gives the same ids, each cause its sentence."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segcore.data.files.masks import (
    HIDDEN,
    NO_DATA,
    holds_red_ids,
    is_grey,
    mask_mode,
    mask_size,
    may_lack_data,
    read_colors,
    read_ids,
)
from segcore.errors import SegcoreError

IDS = np.array([[0, 1, 2, 2], [2, 1, 0, 1], [7, 7, 1, 0]], np.uint8)
FULL = np.full_like(IDS, 255)
COLORS = np.zeros((256, 3), np.uint8)
COLORS[[0, 1, 2, 7]] = [[0, 0, 0], [200, 0, 0], [0, 200, 0], [9, 8, 7]]


def raster(path, values, nodata=None):
    rasterio = pytest.importorskip("rasterio")
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype=values.dtype.name,
        nodata=nodata,
    ) as file:
        file.write(values, 1)


def palette(path):
    image = Image.fromarray(IDS, "P")
    image.putpalette(COLORS.tobytes())
    image.save(path, transparency=0)


FORMS = {
    "grey.png": lambda p: Image.fromarray(IDS).save(p),
    "wide.png": lambda p: Image.fromarray(IDS.astype(np.uint16)).save(p),
    "palette.png": palette,
    "rgb.png": lambda p: Image.fromarray(np.dstack([IDS] * 3)).save(p),
    "la.png": lambda p: Image.merge("LA", [Image.fromarray(c) for c in (IDS, FULL)]).save(p),
    "rgba.png": lambda p: Image.fromarray(np.dstack([IDS] * 3 + [FULL])).save(p),
    "red.png": lambda p: Image.fromarray(np.dstack([IDS, 0 * IDS, 0 * IDS])).save(p),
    "int32.tif": lambda p: Image.fromarray(IDS.astype(np.int32)).save(p),
    "float.tif": lambda p: Image.fromarray(IDS.astype(np.float32)).save(p),
    "double.tif": lambda p: raster(p, IDS.astype(np.float64)),
    "int16.tif": lambda p: raster(p, IDS.astype(np.int16)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_way_to_write_ids_gives_the_same_ids(name, tmp_path):
    FORMS[name](tmp_path / name)
    ids = read_ids(tmp_path / name)
    np.testing.assert_array_equal(ids, IDS)
    assert ids.dtype in (np.uint8, np.uint16) and ids.flags.c_contiguous and ids.flags.writeable
    assert mask_size(tmp_path / name) == IDS.shape and mask_mode(tmp_path / name)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_of_few_bits_gives_its_samples_not_shades(bits, tmp_path):
    ids = np.arange(2**bits, dtype=np.uint8)[None].repeat(3, 0)
    packed = np.packbits(np.unpackbits(ids[..., None], axis=-1)[..., -bits:].reshape(3, -1), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    header = struct.pack(">IIBBBBB", ids.shape[1], 3, bits, 0, 0, 0, 0)
    file = tmp_path / "ids.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    with file.open("ab") as out:
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            end = struct.pack(">I", zlib.crc32(kind + data))
            out.write(struct.pack(">I", len(data)) + kind + data + end)
    np.testing.assert_array_equal(read_ids(file), ids)


@pytest.mark.parametrize(
    ("dtype", "empty", "nodata"),
    [
        ("int16", -1, None),
        ("int16", -32768, -32768),
        ("int32", -9999, None),
        ("float32", np.nan, None),
        ("float32", -9999, -9999.0),
        ("float64", np.nan, np.nan),
        ("float32", np.finfo(np.float32).min, None),
        ("uint8", 255, 255),
        ("uint16", 65535, 65535),
    ],
)
def test_what_is_no_data_is_a_code_of_its_own(dtype, empty, nodata, tmp_path):
    values = IDS.astype(dtype)
    values[0, 0] = empty
    raster(tmp_path / "a.tif", values, nodata)
    wanted = IDS.astype(np.int64)
    wanted[0, 0] = NO_DATA
    np.testing.assert_array_equal(read_ids(tmp_path / "a.tif"), wanted)
    assert may_lack_data(tmp_path / "a.tif")


def test_transparent_pixels_count_unless_they_hide_several_values(tmp_path):
    rng = np.random.default_rng(0)
    alpha = np.where(IDS == 0, 0, 255).astype(np.uint8)
    clear = COLORS[IDS]
    Image.fromarray(np.dstack([clear, alpha])).save(tmp_path / "one.png")
    np.testing.assert_array_equal(
        read_colors(tmp_path / "one.png"), clear.astype(np.uint32) @ [1 << 16, 1 << 8, 1]
    )
    left = np.where(alpha[..., None] == 0, rng.integers(0, 255, clear.shape), clear)
    Image.fromarray(np.dstack([left.astype(np.uint8), alpha])).save(tmp_path / "left.png")
    codes = read_colors(tmp_path / "left.png")
    assert (codes[IDS == 0] == HIDDEN).all()
    np.testing.assert_array_equal(
        codes[IDS > 0], (clear.astype(np.uint32) @ [1 << 16, 1 << 8, 1])[IDS > 0]
    )
    grey = np.where(IDS == 0, np.arange(12).reshape(3, 4), IDS).astype(np.uint8)
    Image.merge("LA", [Image.fromarray(c) for c in (grey, alpha)]).save(tmp_path / "la.png")
    np.testing.assert_array_equal(
        read_ids(tmp_path / "la.png"), np.where(IDS == 0, NO_DATA, IDS.astype(int))
    )


def test_red_channel_and_grey_are_told_from_colours(tmp_path):
    for name in ("red.png", "rgb.png"):
        FORMS[name](tmp_path / name)
    Image.fromarray(COLORS[IDS]).save(tmp_path / "color.png")
    assert holds_red_ids(tmp_path / "red.png", {0, 1, 2, 7, 9})
    assert not holds_red_ids(tmp_path / "red.png", {0, 1, 2})
    assert not holds_red_ids(tmp_path / "rgb.png", {0, 1, 2, 7})
    assert is_grey(tmp_path / "rgb.png") and not is_grey(tmp_path / "red.png")
    with pytest.raises(SegcoreError, match="received colours"):
        read_ids(tmp_path / "color.png")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.full((2, 2), 0.25, np.float32), "it holds 0.25: are these probabilities"),
        (np.full((2, 2), 70_000, np.int32), "it holds 70000: number"),
        (np.full((2, 2), -7, np.int32), "it holds -7: number"),
        (np.full((2, 2), 1e30, np.float32), r"it holds .*e\+30|it holds 1000"),
    ],
)
def test_each_cause_has_its_own_sentence(values, says, tmp_path):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(SegcoreError, match=says):
        read_ids(tmp_path / "a.tif")
    with pytest.raises(SegcoreError, match="more than 8 bits"):
        read_colors(tmp_path / "a.tif")
