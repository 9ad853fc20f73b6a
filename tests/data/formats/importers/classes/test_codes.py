"""Runs and lookups against their plain twins, and surveys of many masks from many threads."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from segcore.data.files.images import encode_png
from segcore.data.files.masks import pack_colors, read_colors, read_ids
from segcore.data.files.png import decode_grey, decode_rgb
from segcore.data.formats.importers.classes.codes import (
    COLOR_CODES,
    ID_CODES,
    UNKNOWN,
    Survey,
    build_lookup,
    color_code,
)


def test_a_survey_counts_as_numpy_does_from_many_threads():
    rng = np.random.default_rng(0)
    masks = [
        rng.integers(0, 3 + i, (20, 30)).repeat(3, axis=1).astype(np.uint16) for i in range(64)
    ]
    survey = Survey(ID_CODES)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: survey.add(f"{i:02}", masks[i]), range(64)))
    codes, counts = np.unique(np.stack(masks), return_counts=True)
    assert survey.pixels == dict(zip(codes.tolist(), counts.tolist(), strict=True))
    assert survey.masks == {int(c): sum(bool((m == c).any()) for m in masks) for c in codes}
    assert survey.example[0] == "00" and survey.total == 64 * 20 * 90


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "P", "bmp"])
def test_colours_are_read_alike_by_either_decoder(tmp_path, kind):
    pixels = np.random.default_rng(0).integers(0, 4, (9, 11, 3), dtype=np.uint8) * np.array(
        [80, 70, 60], np.uint8
    )
    image = Image.fromarray(pixels)
    file = tmp_path / ("a.bmp" if kind == "bmp" else "a.png")
    (
        image.quantize(256, method=Image.Quantize.FASTOCTREE)
        if kind == "P"
        else image
        if kind == "bmp"
        else image.convert(kind)
    ).save(file)
    expected = np.asarray(Image.open(file).convert("RGB")).astype(int) @ [1 << 16, 1 << 8, 1]
    np.testing.assert_array_equal(read_colors(file), expected)
    assert (decode_rgb(file) is None) == (kind in ("P", "bmp"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ids_are_read_alike_by_either_decoder(tmp_path, dtype):
    ids = np.random.default_rng(0).integers(0, 256, (9, 11)).astype(dtype)
    (tmp_path / "a.png").write_bytes(encode_png(ids))
    found = read_ids(tmp_path / "a.png")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, ids)
    assert decode_rgb(tmp_path / "a.png") is None


def test_what_is_odd_or_damaged_is_left_to_pillow(tmp_path):
    bits = np.eye(5, dtype=bool)
    Image.fromarray(bits).save(tmp_path / "bits.png")
    assert decode_grey(tmp_path / "bits.png") is None
    np.testing.assert_array_equal(read_ids(tmp_path / "bits.png"), bits)
    whole = encode_png(np.arange(256, dtype=np.uint8).reshape(16, 16))
    for data in (whole[:-30], whole[:20], b"", whole[:60] + b"\0\0" + whole[62:]):
        (tmp_path / "a.png").write_bytes(data)
        assert decode_grey(tmp_path / "a.png") is None
    assert decode_grey(tmp_path / "absent.png") is None


def test_tables_tell_the_unknown():
    table = build_lookup(COLOR_CODES, {color_code((1, 2, 3)): 7})
    pixels = np.array([[[3, 2, 1], [0, 0, 0]]], np.uint8)  # blue, green, red
    assert table[pack_colors(pixels)].tolist() == [[7, UNKNOWN]]
    assert cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)[0, 0].tolist() == [1, 2, 3]
