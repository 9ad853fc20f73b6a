"""Image files in the kinds people have: read as RGB and upright, or refused in a sentence, and never decoded when too large."""

import numpy as np
import pytest
from PIL import Image

from segcore.data.files.images import (
    encode_palette_png,
    encode_png,
    image_size,
    open_image,
    read_image,
    read_indices,
    verify_image,
)
from segcore.errors import SegcoreError

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "gif"])
def test_lossless_formats_are_read(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    flat = np.repeat(RGB[:, :, :1], 3, axis=2)
    Image.fromarray(flat).save(path, **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_image(path), flat)
    assert image_size(path) == (6, 9)
    verify_image(path)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "CMYK", "1", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    picture = Image.fromarray(
        RGB[:, :, 0].astype(np.uint16) * 256 if mode == "I;16" else RGB[:, :, 0]
    )
    path = tmp_path / ("a.tif" if mode in ("CMYK", "I", "F") else "a.png")
    (picture if mode == "I;16" else picture.convert(mode)).save(path)
    image = read_image(path)
    assert (
        image.shape == (6, 9, 3)
        and image.dtype == np.uint8
        and image.flags.writeable
        and image.flags.c_contiguous
    )
    if mode in ("L", "I;16", "I"):
        np.testing.assert_array_equal(image[:, :, 1], RGB[:, :, 0])


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    tall = np.zeros((8, 16, 3), np.uint8)
    tall[:, :8] = 255
    Image.fromarray(tall).save(tmp_path / f"a.{suffix}", exif=exif)
    image = read_image(tmp_path / f"a.{suffix}")
    assert (
        image.shape[:2]
        == image_size(tmp_path / f"a.{suffix}")
        == ((16, 8) if orientation >= 5 else (8, 16))
    )
    bright = {
        1: "left",
        2: "right",
        3: "right",
        4: "left",
        5: "top",
        6: "top",
        7: "bottom",
        8: "bottom",
    }[orientation]
    half = {"left": image[:, :8], "right": image[:, 8:], "top": image[:8], "bottom": image[8:]}[
        bright
    ]
    assert half.mean() > 200


def test_the_size_of_a_png_is_read_without_decoding_it(tmp_path):
    data = encode_png(np.zeros((300, 400), np.uint8))
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    assert image_size(tmp_path / "a.png") == (300, 400)
    with pytest.raises(SegcoreError, match="cannot be decoded"):
        verify_image(tmp_path / "a.png")


def test_the_format_is_known_by_content_not_by_name(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encode_png(RGB))
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), RGB)
    (tmp_path / "b.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(SegcoreError, match="convert or remove it"), open_image(tmp_path / "b.png"):
        pass


def test_content_that_is_not_what_the_name_claims_is_called_so(tmp_path):
    (tmp_path / "a5.jpg").write_bytes(b"\x00\xd8" + bytes(range(200)))
    wanted = r"JPEG image as the name says, received a5\.jpg with other content: it is damaged"
    with pytest.raises(SegcoreError, match=wanted), open_image(tmp_path / "a5.jpg"):
        pass
    (tmp_path / "notes").write_bytes(b"hello")
    with pytest.raises(SegcoreError, match="PNG, JPEG"), open_image(tmp_path / "notes"):
        pass


@pytest.mark.parametrize(("top", "expected"), [(4095, 255), (4096, 16), (65535, 255)])
def test_twelve_bits_in_sixteen_are_not_read_as_darkness(tmp_path, top, expected):
    Image.fromarray(np.array([[0, top]], np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, expected]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_indices_survive(tmp_path, dtype):
    mask = np.array([[0, 1, 255], [7, 65535 if dtype is np.uint16 else 9, 3]], dtype)
    (tmp_path / "a.png").write_bytes(encode_png(mask))
    read = read_indices(tmp_path / "a.png")
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == dtype


def test_palette_masks_keep_indices_and_colours(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    colors = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(encode_palette_png(mask, colors))
    np.testing.assert_array_equal(read_indices(tmp_path / "a.png"), mask)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colors[mask])


def test_what_cannot_be_written_is_told():
    with pytest.raises(SegcoreError, match="uint16 mask"):
        encode_png(np.zeros((3, 3), np.int64))
